"""Which signer is used for which href, how they are configured, and that no credential is told."""

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from app.assets.configuration import signers
from app.assets.signing import Signed, host_of, without_signature
from app.errors import SetupError, Unavailable
from app.settings import Settings
from tests import factories
from tests.assets.signing import ACCESS, SECRET, configured
from tests.bulk.website import website

TOKEN = "t0ken-s3cr3t"
BEARER = {"type": "bearer", "hosts": ["data.example.com", "*.files.example.com"], "token": TOKEN}
KEYS = {"access_key_id": ACCESS, "secret_access_key": SECRET}


@pytest.mark.parametrize(
    "url",
    [
        "https://data.example.com/a",
        "https://DATA.example.com:443/a",
        "https://data.example.com?x",
        "https://a.files.example.com/a",
        "https://a.b.files.example.com/a",
    ],
)
@pytest.mark.anyio
async def test_hosts_that_are_named(url: str) -> None:
    assert await configured(BEARER).headers(url) == {"Authorization": f"Bearer {TOKEN}"}


@pytest.mark.parametrize(
    "url",
    [
        "http://data.example.com/a",
        "https://data.example.com:8443/a",
        "https://data.example.com.evil.example/a",
        "https://evil.example/data.example.com",
        "https://data.example.com@evil.example/a",
        "https://user:x@data.example.com/a",
        "https://evil.example\\.files.example.com/a",
        "https://evil.example%2f.files.example.com/a",
        "https://evil.example/.files.example.com/a",
        "https://files.example.com/a",
        "https://evilfiles.example.com/a",
        "https://data.example.com./a",
        "https://[::1/a",
        "ftp://data.example.com/a",
        "file://data.example.com/a",
        "s3://data.example.com/a",
        "//data.example.com/a",
        "",
        "https://" + "a" * 500 + ".files.example.com/a",
    ],
)
@pytest.mark.anyio
async def test_hosts_that_are_not(url: str) -> None:
    assert await configured(BEARER).headers(url) == {}
    assert await configured(BEARER).environment(url) == {}


def test_names_of_hosts() -> None:
    assert host_of("s3://Bucket/a") == "s3://Bucket"
    assert host_of("https://[::1]:9000/a") == "[::1]:9000"
    assert host_of("http://localhost:9000/a") is None
    assert host_of("http://localhost:80/a", plain_http=True) == "localhost"


@pytest.mark.anyio
async def test_the_first_that_holds_decides() -> None:
    first = {"type": "anonymous", "hosts": ["data.example.com"], "collections": ["open"]}
    both = configured(first, BEARER)
    assert await both.headers("https://data.example.com/a", "open") == {}
    assert (await both.environment("https://data.example.com/a", "open"))["AWS_NO_SIGN_REQUEST"] == "YES"
    assert await both.headers("https://data.example.com/a", "closed") != {}
    assert await both.headers("https://data.example.com/a") != {}


@pytest.mark.anyio
async def test_the_first_that_holds_decides_on_what_is_served() -> None:
    kept = {"type": "anonymous", "hosts": ["s3://bucket"], "collections": ["secretive"]}
    own = {"type": "s3", "hosts": ["s3://own"]} | KEYS
    served = {"type": "s3", "hosts": ["s3://bucket", "s3://own"], "serve": True} | KEYS
    signing = configured(kept, own, served).served()
    assert await signing.href("s3://bucket/a", "secretive") == Signed("s3://bucket/a")
    assert await signing.href("s3://own/a") == Signed("s3://own/a")
    assert "X-Amz-Signature=" in (await signing.href("s3://bucket/a", "open")).href
    assert configured(kept, own).served().rules == ()


@pytest.mark.anyio
async def test_earthdata(tmp_path: Path) -> None:
    url, login = "https://data.lpdaac.earthdatacloud.nasa.gov/a.tif", "https://urs.earthdata.nasa.gov/oauth"
    by_token = configured({"type": "earthdata", "token": TOKEN})
    assert await by_token.headers(url) == {"Authorization": f"Bearer {TOKEN}"}
    assert await by_token.environment(url) == {"GDAL_HTTP_AUTH": "BEARER", "GDAL_HTTP_BEARER": TOKEN}
    netrc = tmp_path / "netrc"
    netrc.write_text(f"machine urs.earthdata.nasa.gov login me password {TOKEN}\ndefault login x password {TOKEN}\n")
    netrc.chmod(0o600)
    by_file = configured({"type": "earthdata", "netrc": str(netrc)})
    assert await by_file.headers(url) == {}
    assert (await by_file.headers(login))["Authorization"].startswith("Basic ")
    assert (await by_file.environment(url))["GDAL_HTTP_NETRC_FILE"] == str(netrc)
    netrc.write_text(f"machine urs.earthdata.nasa.gov {TOKEN}\n")
    with pytest.raises(SetupError) as caught:
        await by_file.headers(login)
    assert TOKEN not in str(caught.value)


def test_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "signers.toml"
    path.write_text(f'[[signers]]\ntype = "bearer"\nhosts = ["Data.example.com"]\ntoken = "{TOKEN}"\n')
    (rule,) = signers(Settings(signers=SecretStr(str(path)))).rules
    assert rule.hosts == {"data.example.com"}


@pytest.mark.anyio
async def test_secret_from_another_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    named = configured(BEARER | {"token": "env:MY_TOKEN"})
    assert await named.headers("https://data.example.com/") == {"Authorization": f"Bearer {TOKEN}"}
    monkeypatch.delenv("MY_TOKEN")
    with pytest.raises(SetupError, match=r"signer 1, bearer\.token: the environment variable MY_TOKEN is not set"):
        configured(BEARER | {"token": "env:MY_TOKEN"})


def test_nothing_said() -> None:
    assert signers(Settings(signers=None)).rules == ()


REFUSED = [
    ([BEARER | {"hosts": ["*"]}], "signer 1, bearer.hosts"),
    ([BEARER | {"hosts": ["*.com"]}], "is too many hosts"),
    ([BEARER | {"hosts": ["a.*.example.com"]}], "is no host"),
    ([BEARER | {"hosts": ["https://data.example.com"]}], "is no host"),
    ([BEARER | {"hosts": []}], "signer 1, bearer.hosts"),
    ([BEARER | {"token": ""}], "signer 1, bearer.token"),
    ([BEARER | {"serve": True}], "signer 1, bearer.serve"),
    ([BEARER | {"tokn": TOKEN}], "signer 1, bearer.tokn"),
    ([BEARER, {"type": "magic", "token": TOKEN}], "signer 2"),
    ([{"hosts": ["a"]}], "signer 1"),
    ([{"type": "earthdata"}], "needs a token or a netrc"),
    ([{"type": "s3", "hosts": ["s3://b"], "secret_access_key": TOKEN}], "needs access_key_id and secret_access_key"),
    ([{"type": "s3", "hosts": ["s3://b"], "profile": "p"} | KEYS], "keys or a profile"),
    ([{"type": "s3", "hosts": ["s3://b"], "expires": 10**6} | KEYS], "signer 1, s3.expires"),
    (
        [{"type": "s3", "hosts": ["s3://b"], "endpoint": f"https://me:{TOKEN}@h.example"} | KEYS],
        "signer 1, s3.endpoint",
    ),
    ([{"type": "planetary-computer", "token_url": f"file:///{TOKEN}"}], "signer 1, planetary-computer.token_url"),
    ([{"type": "cdse", "username": "me"}], "signer 1, cdse.password"),
]


@pytest.mark.parametrize(("said", "says"), REFUSED)
def test_what_is_refused_is_told_without_its_value(said: list[Any], says: str) -> None:
    with pytest.raises(SetupError) as caught:
        configured(*said)
    assert says in str(caught.value)
    assert TOKEN not in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"), [(f'[{{"token": "{TOKEN}"', "is not JSON"), ("/nowhere/signers.toml", "no file that can be read")]
)
def test_what_cannot_be_read(text: str, says: str) -> None:
    with pytest.raises(SetupError, match=says) as caught:
        signers(Settings(signers=SecretStr(text)))
    assert TOKEN not in str(caught.value)


@pytest.mark.parametrize("text", [f"token = {TOKEN}", 'a = "\\x"', "other = 1\n"])
def test_a_file_that_is_wrong(tmp_path: Path, text: str) -> None:
    path = tmp_path / "signers.toml"
    path.write_text(text)
    with pytest.raises(SetupError, match="UPESI_SIGNERS") as caught:
        signers(Settings(signers=SecretStr(str(path))))
    assert TOKEN not in str(caught.value)


@pytest.mark.anyio
async def test_all_assets_and_alternates_of_an_item() -> None:
    s3 = {"type": "s3", "hosts": ["s3://bucket"]} | KEYS
    assets = {
        "a": {"href": "s3://bucket/a.tif", "title": "A", "alternate": {"x": {"href": "s3://bucket/b.tif"}, "y": 1}},
        "b": {"href": "https://data.example.com/b.tif", "alternate": [1]},
        "c": {"href": None},
        "d": "odd",
    }
    item = factories.item(assets=assets)
    signed = (await configured(s3).item(item, "things"))["assets"]
    assert "X-Amz-Signature=" in signed["a"]["href"]
    assert "X-Amz-Signature=" in signed["a"]["alternate"]["x"]["href"]
    assert {name: signed[name] for name in "bcd"} == {name: assets[name] for name in "bcd"}
    assert item["assets"]["a"]["href"] == "s3://bucket/a.tif"
    assert await configured(s3 | {"collections": ["others"]}).item(item, "things") == item
    assert await configured(s3).item({"assets": [1]}, None) == {"assets": [1]}


@pytest.mark.anyio
async def test_no_credential_is_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with website() as site:
        site.failures = {"/token/acc0unt/container": [500], "POST /token": [500]}
        said: list[dict[str, Any]] = [
            BEARER,
            {"type": "s3", "hosts": ["s3://bucket"]} | KEYS,
            {"type": "planetary-computer", "token_url": f"{site.url}/token", "subscription_key": TOKEN},
            {"type": "cdse", "token_url": f"{site.url}/token", "username": "me", "password": TOKEN},
        ]
        all_of_them = configured(*said)
        await all_of_them.href("s3://bucket/a")
        with pytest.raises(Unavailable) as sas:
            await all_of_them.href("https://acc0unt.blob.core.windows.net/container/a")
        with pytest.raises(Unavailable) as grant:
            await all_of_them.headers("https://download.dataspace.copernicus.eu/a")
        assert site.headers[0]["ocp-apim-subscription-key"] == TOKEN
    settings = Settings(signers=SecretStr(json.dumps(said)))
    told = [caplog.text, repr(all_of_them), repr(settings), str(settings), settings.model_dump_json()]
    for error in (sas.value, grant.value):
        told += [str(error), repr(error), repr(error.__cause__)]
    for text in told:
        assert TOKEN not in text
        assert SECRET not in text
        assert "X-Amz-Signature=" not in text


@pytest.mark.anyio
async def test_without_any_signer() -> None:
    assert await configured().href("s3://bucket/a") == Signed("s3://bucket/a")


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "app.assets.s3", raising=False)
    monkeypatch.delattr("app.assets.s3", raising=False)
    monkeypatch.setitem(sys.modules, "botocore.auth", None)
    with pytest.raises(SetupError, match=r"pip install 'upesi\[signing\]'"):
        configured({"type": "s3", "hosts": ["s3://bucket"]} | KEYS)
    assert len(configured(BEARER, {"type": "planetary-computer"}).rules) == 2


def test_the_service_does_not_import_the_extra() -> None:
    program = "import sys, app.main, app.cli; sys.exit('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=60).returncode == 0


@pytest.mark.parametrize(
    ("href", "place"),
    [
        (
            "https://a.example/k?x=1&X-Amz-Signature=b&X-Amz-Expires=1&x-amz-request-payer=requester",
            "https://a.example/k?x=1",
        ),
        (
            "https://acc.blob.core.windows.net/c/k?st=1&se=2&sp=rl&sv=3&sr=c&skoid=4&sktid=5&skt=6&ske=7&sks=b&skv=8&sig=9",
            None,
        ),
        (
            "https://acc.blob.core.windows.net/c/k?snapshot=1&sv=3&sig=9",
            "https://acc.blob.core.windows.net/c/k?snapshot=1",
        ),
    ],
)
def test_where_a_signed_href_leads(href: str, place: str | None) -> None:
    assert without_signature(href) == (place or href.partition("?")[0])


@pytest.mark.parametrize(
    "href",
    [
        "https://a.example/k?sig=1&sv=2",
        "https://[?sig=1",
        "s3://bucket/k?",
        "../k",
        "",
        "https://a.example/?x-amz-date=1",
    ],
)
def test_href_without_a_signature_stays(href: str) -> None:
    assert without_signature(href) == href


@pytest.mark.parametrize(
    ("said", "stored"),
    [
        ({"hosts": ["s3://bucket"], "serve": True}, "s3://bucket/k"),
        ({"hosts": ["*.amazonaws.com"], "serve": True}, "https://bucket.s3.amazonaws.com/k"),
        ({"hosts": ["s3://other"], "serve": True}, None),
        ({"hosts": ["s3://bucket"]}, None),
        ({"hosts": ["s3://bucket"], "serve": True, "collections": ["other"]}, None),
    ],
)
def test_what_is_signed_for_others_is_stored_as_what_is_signed(said: dict[str, Any], stored: str | None) -> None:
    href = "https://bucket.s3.amazonaws.com/k?X-Amz-Signature=1"
    served = configured({"type": "s3"} | KEYS | said).served()
    found = served.unsigned(factories.item(assets={"data": {"href": href}}), "things", {})
    assert found["assets"]["data"]["href"] == (stored or href)
