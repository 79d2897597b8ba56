"""Where the service says it is: what proxies tell, what settings fix, and what nobody may inject."""

import httpx
import pytest

from app.api.links import base_url
from app.bulk.load import Loader
from app.database.pool import Database
from app.settings import Settings
from tests.api.serving import serving
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio

HOST = {"host": "stac.test"}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, "http://stac.test"),
        ({"host": "stac.test:8080"}, "http://stac.test:8080"),
        ({"host": "[::1]:8080"}, "http://[::1]:8080"),
        ({"forwarded": "proto=https;host=a.example"}, "https://a.example"),
        ({"forwarded": "For=1.2.3.4;Proto=HTTPS;Host=a.example"}, "https://a.example"),
        ({"forwarded": 'for="[2001:db8::1]:4711";host="a.example:8443";proto=https'}, "https://a.example:8443"),
        ({"forwarded": 'host="[2001:db8::1]:8443";proto=https'}, "https://[2001:db8::1]:8443"),
        ({"forwarded": "host=first.example;proto=https, host=second.example;proto=http"}, "https://first.example"),
        ({"forwarded": "for=1.2.3.4"}, "http://stac.test"),
        ({"forwarded": "proto=https"}, "https://stac.test"),
        ({"forwarded": "host=a.example", "x-forwarded-host": "b.example"}, "http://a.example"),
        ({"forwarded": "host=a.example", "x-forwarded-proto": "https"}, "https://a.example"),
        ({"x-forwarded-proto": "https"}, "https://stac.test"),
        ({"x-forwarded-host": "a.example"}, "http://a.example"),
        ({"x-forwarded-host": "a.example, b.example", "x-forwarded-proto": "https, http"}, "https://a.example"),
        ({"x-forwarded-host": "a.example", "x-forwarded-port": "8443"}, "http://a.example:8443"),
        ({"x-forwarded-host": "a.example:9000", "x-forwarded-port": "8443"}, "http://a.example:9000"),
        ({"x-forwarded-proto": "https", "x-forwarded-port": "443"}, "https://stac.test"),
        ({"x-forwarded-port": "80"}, "http://stac.test"),
        ({"x-forwarded-proto": "https", "x-forwarded-port": "80"}, "https://stac.test:80"),
        ({"x-forwarded-host": "[::1]", "x-forwarded-port": "8443"}, "http://[::1]:8443"),
        ({"x-forwarded-prefix": "/stac"}, "http://stac.test/stac"),
        ({"x-forwarded-prefix": "/stac/"}, "http://stac.test/stac"),
        ({"x-forwarded-prefix": "/a/b"}, "http://stac.test/a/b"),
        ({"x-forwarded-prefix": "/"}, "http://stac.test"),
    ],
)
def test_the_base_url_follows_the_proxy(headers: dict[str, str], expected: str) -> None:
    assert base_url("http", HOST | headers, "", trust_proxy=True) == expected


@pytest.mark.parametrize(
    "hostile",
    [
        *("evil.example/path", "evil.example?x=", "evil.example#", "user@evil.example", "evil.example:80:90", "a b"),
        *('"><script>', "evil.example\\path", "[::1", "", "evil.example:port", "héllo"),
    ],
)
def test_what_is_not_a_host_is_passed_over(hostile: str) -> None:
    assert base_url("http", HOST | {"x-forwarded-host": hostile}, "", trust_proxy=True) == "http://stac.test"
    assert base_url("http", HOST | {"forwarded": f'host="{hostile}"'}, "", trust_proxy=True) == "http://stac.test"
    assert base_url("http", {"host": hostile}, "", trust_proxy=True) == "http://localhost"


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-proto": "javascript"},
        {"forwarded": "proto=ftp"},
        {"x-forwarded-port": "no"},
        {"x-forwarded-prefix": "//evil.example"},
        {"x-forwarded-prefix": "evil.example"},
        {"x-forwarded-prefix": "@evil.example"},
    ],
)
def test_what_is_no_scheme_port_or_prefix_is_passed_over(headers: dict[str, str]) -> None:
    assert base_url("http", HOST | headers, "", trust_proxy=True) == "http://stac.test"


@pytest.mark.parametrize("prefix", ['/a"b', "/a<b>", "/a b", "/a?b", "/a#b"])
def test_a_prefix_cannot_leave_the_path(prefix: str) -> None:
    url = base_url("http", HOST | {"x-forwarded-prefix": prefix}, "", trust_proxy=True)
    assert not set('"<> ?#') & set(url)


def test_a_proxy_that_is_not_trusted_says_nothing() -> None:
    said = {"forwarded": "proto=https;host=a.example", "x-forwarded-host": "b.example", "x-forwarded-prefix": "/c"}
    assert base_url("http", HOST | said, "/stac", trust_proxy=False) == "http://stac.test/stac"


def hrefs(node: object) -> set[str]:
    """Every link below a document, but not its assets."""
    if isinstance(node, list):
        return {found for part in node for found in hrefs(part)}
    if not isinstance(node, dict):
        return set()
    own = {link["href"] for link in node.get("links", [])}
    return own | {found for name in ("features", "collections") for found in hrefs(node.get(name))}


PATHS = ["/", "/collections", "/collections/things", "/collections/things/items", "/search?limit=1"]
PATHS += ["/collections/things/items/thing"]


async def check(client: httpx.AsyncClient, loader: Loader, expected: str, headers: dict[str, str]) -> None:
    await load(loader, collection(), item(), item("second"))
    for path in PATHS:
        found = hrefs((await client.get(path, headers=headers)).json())
        assert found
        assert all(href.startswith(expected + "/") for href in found), found
        assert expected + path in found, "self is the URL that was asked"


FORWARDED = {"forwarded": "proto=https;host=a.example", "x-forwarded-prefix": "/stac"}


async def test_every_link_follows_the_proxy(client: httpx.AsyncClient, loader: Loader) -> None:
    await check(client, loader, "https://a.example/stac", FORWARDED)
    api = (await client.get("/api", headers=FORWARDED)).json()
    assert api["servers"] == [{"url": "https://a.example/stac"}]
    assert "https://a.example/stac/docs/assets/" in (await client.get("/docs", headers=FORWARDED)).text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"root_path": "/stac"}, "http://stac.test/stac"),
        ({"root_path": "/a/b", "trust_proxy": False}, "http://stac.test/a/b"),
        ({"trust_proxy": False}, "http://stac.test"),
        ({"public_url": "https://public.example/x"}, "https://public.example/x"),
        ({"public_url": "https://public.example/"}, "https://public.example"),
        ({"public_url": "https://public.example", "root_path": "/stac"}, "https://public.example"),
    ],
)
@pytest.mark.usefixtures("database")
async def test_every_link_follows_the_settings(
    settings: Settings, loader: Loader, changes: dict[str, object], expected: str
) -> None:
    headers = {} if changes.get("trust_proxy", True) and "public_url" not in changes else FORWARDED
    async with serving(settings.model_copy(update=changes)) as client:
        await check(client, loader, expected, headers)


async def test_a_proxy_may_leave_the_root_path_in_place(settings: Settings, database: Database, loader: Loader) -> None:
    assert database.pool
    await load(loader, collection())
    async with serving(settings.model_copy(update={"root_path": "/stac"})) as client:
        for path in ("/collections/things", "/stac/collections/things"):
            response = await client.get(path)
            assert response.status_code == 200
            assert response.json()["links"][0]["href"] == "http://stac.test/stac/collections/things"
        landing = await client.get("/")
        for path in ("/stac", "/stac/"):
            assert (await client.get(path)).json() == landing.json()
            assert (await client.get(path, headers={"Accept": "text/html"})).status_code == 200
            assert (await client.head(path)).status_code == 200
        assert (await client.get("/stack")).status_code == 404
