import asyncio
import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

import boto3
import httpx
import pytest
from botocore.config import Config

from app.errors import Unavailable
from tests.assets.signing import ACCESS, CONTENT, SECRET, bucket, bucket_signer, configured

pytestmark = pytest.mark.anyio
NAMES = ("a/b.tif", "a b/ü+?#%41.tif", "double//slash.tif")


async def fetched(url: str) -> bytes:
    async with httpx.AsyncClient() as client:
        return (await client.get(url)).raise_for_status().content


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with bucket(*NAMES) as url:
        yield url


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("form", ["s3://bucket/{raw}", "{endpoint}/bucket/{quoted}"])
async def test_a_signed_href_is_the_object(store: str, name: str, form: str) -> None:
    href = form.format(raw=name, quoted=quote(name), endpoint=store)
    signed = await configured(bucket_signer(store)).href(href)
    assert signed.expires is not None
    assert await fetched(signed.href) == CONTENT
    assert SECRET not in signed.href


@pytest.mark.parametrize("virtual_hosted", [True, False])
@pytest.mark.parametrize("endpoint", ["https://s3.example.com/x", None])
@pytest.mark.parametrize("href", ["s3://bucket/a b/ü+?#%41.tif", "gs://bucket/a.tif", "https://s3.example.com/x/b/a"])
async def test_the_place_of_an_href_is_known_unsigned(href: str, endpoint: str | None, virtual_hosted: bool) -> None:
    hosts = ["s3.example.com", "s3://bucket", "gs://bucket"]
    said = bucket_signer("", hosts=hosts, endpoint=endpoint, virtual_hosted=virtual_hosted)
    signers = configured(said)
    signed = (await signers.href(href)).href
    assert "X-Amz-Signature=" in signed
    assert signers.place(href) == signed.partition("?")[0]
    assert signers.place("s3://other/a.tif") == "s3://other/a.tif"


@pytest.mark.parametrize("name", NAMES)
async def test_signature_is_that_of_boto3(store: str, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    instant = datetime.now(UTC)
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda: instant)
    client = boto3.client(
        "s3",
        endpoint_url=store,
        region_name="eu-central-1",
        aws_access_key_id=ACCESS,
        aws_secret_access_key=SECRET,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    asked = {"Bucket": "bucket", "Key": name}
    theirs = client.generate_presigned_url("get_object", asked, ExpiresIn=600)
    signers = configured(bucket_signer(store, region="eu-central-1", expires=600))
    ours = await signers.href(f"s3://bucket/{name}")
    assert urlsplit(ours.href).path == urlsplit(theirs).path
    assert parse_qs(urlsplit(ours.href).query) == parse_qs(urlsplit(theirs).query)


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("s3://bucket/a.tif", "https://bucket.s3.us-west-2.amazonaws.com/a.tif"),
        ("s3://buck.et/a.tif", "https://s3.us-west-2.amazonaws.com/buck.et/a.tif"),
        ("https://bucket.s3.eu-west-1.amazonaws.com/a+b", "https://bucket.s3.eu-west-1.amazonaws.com/a%2Bb"),
        ("https://bucket.s3.amazonaws.com/a?versionId=3", "https://bucket.s3.amazonaws.com/a?versionId=3"),
    ],
)
async def test_urls_of_aws(href: str, expected: str) -> None:
    signer = {
        "type": "requester-pays",
        "hosts": ["s3://bucket", "s3://buck.et", "*.amazonaws.com"],
        "region": "us-west-2",
        "access_key_id": ACCESS,
        "secret_access_key": SECRET,
        "session_token": "T0KEN",
    }
    signed = await configured(signer).href(href)
    assert signed.href.startswith(expected)
    query = parse_qs(urlsplit(signed.href).query)
    # A plain GET is enough: no header is signed that the reader would have to send.
    assert query["X-Amz-SignedHeaders"] == ["host"]
    assert query["x-amz-request-payer"] == ["requester"]
    assert query["X-Amz-Security-Token"] == ["T0KEN"]
    assert query["X-Amz-Credential"][0].split("/")[2] == ("eu-west-1" if "eu-west" in href else "us-west-2")
    environment = await configured(signer).environment(href)
    assert environment["AWS_REQUEST_PAYER"] == "requester"
    assert environment["AWS_SECRET_ACCESS_KEY"] == SECRET


async def test_what_is_signed_already_is_left(store: str) -> None:
    signers = configured(bucket_signer(store))
    once = await signers.href("s3://bucket/a/b.tif")
    assert (await signers.href(once.href)).href == once.href


async def test_environment_of_another_endpoint(store: str) -> None:
    environment = await configured(bucket_signer(store)).environment("s3://bucket/a/b.tif")
    assert environment == {
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": ACCESS,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_S3_ENDPOINT": store.partition("://")[2],
        "AWS_HTTPS": "NO",
        "AWS_VIRTUAL_HOSTING": "FALSE",
    }


async def test_gdal_reads_with_the_environment(store: str) -> None:
    pytest.importorskip("rasterio", reason="the extra raster is not installed")
    environment = await configured(bucket_signer(store)).environment("s3://bucket/a/b.tif")
    program = "import rasterio; rasterio.open('/vsis3/bucket/a/b.tif')"
    run = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", program), env={**os.environ, **environment}, stderr=asyncio.subprocess.PIPE
    )
    _, told = await run.communicate()
    # It is reached and read, and is no raster.
    assert b"not recognized as being in a supported file format" in told


async def test_credentials_of_the_machine(store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    said = bucket_signer(store)
    del said["access_key_id"], said["secret_access_key"]
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    signed = await configured(said).href("s3://bucket/a/b.tif")
    assert await fetched(signed.href) == CONTENT
    assert f"X-Amz-Credential={ACCESS}" in signed.href


async def test_no_credentials(store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    said = bucket_signer(store)
    del said["access_key_id"], said["secret_access_key"]
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", f"{tmp_path}/none")
    monkeypatch.setenv("AWS_CONFIG_FILE", f"{tmp_path}/none")
    with pytest.raises(Unavailable, match="there are no AWS credentials"):
        await configured(said).href("s3://bucket/a/b.tif")
    with pytest.raises(Unavailable, match="ProfileNotFound"):
        await configured(said | {"profile": "nobody"}).href("s3://bucket/a/b.tif")
