"""Pixels of files that need credentials: an S3 with a private bucket, and a web server that wants a token."""

import json
import logging
from collections.abc import AsyncIterator, Iterator
from functools import partial
from io import BytesIO
from pathlib import Path

import boto3
import httpx
import numpy as np
import pytest
import rasterio
import xarray as xr
from pydantic import SecretStr

from app.bulk.load import Loader
from app.settings import Settings
from tests.api.assertions import assert_error
from tests.api.serving import serving
from tests.assets.signing import ACCESS, SECRET, bucket, bucket_signer
from tests.factories import Document, collection, load
from tests.raster import images
from tests.raster.images import WEST
from tests.raster.web import Guarded, web

pytestmark = pytest.mark.anyio
PIXELS = {"bucket": images.numbered(64, 64), "guarded": images.numbered(64, 64, 5000)}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    path = images.write(tmp_path_factory.mktemp("bucket") / "a.tif", PIXELS["bucket"])
    with bucket("none.tif") as url:
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=ACCESS, aws_secret_access_key=SECRET
        )
        client.upload_file(str(path), "bucket", "a.tif")
        yield url


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[str]:
    images.write(tmp_path / "b.tif", PIXELS["guarded"], WEST + 640)
    with web(partial(Guarded, directory=tmp_path)) as port:
        yield f"127.0.0.1:{port}"


@pytest.fixture
def scenes(guarded: str) -> list[Document]:
    hrefs = {"bucket": "s3://bucket/a.tif", "guarded": f"http://{guarded}/b.tif"}
    return [
        images.scene(
            name,
            "2024-07-17T10:00:00Z",
            {"data": images.asset(href, PIXELS[name], WEST + 640 * number) | {"roles": ["data"]}},
        )
        for number, (name, href) in enumerate(hrefs.items())
    ]


def operated(settings: Settings, store: str, guarded: str, **more: object) -> Settings:
    bearer = {"type": "bearer", "hosts": [guarded], "token": Guarded.token, "allow_http": True}
    said = [bucket_signer(store, serve=True), bearer]
    hosts = (store.partition("://")[2], guarded)
    limits = {"signers": SecretStr(json.dumps(said)), "asset_hosts": hosts, "raster_workers": 1}
    return settings.model_copy(update=limits | more)


@pytest.fixture
async def client(
    settings: Settings, loader: Loader, scenes: list[Document], store: str, guarded: str
) -> AsyncIterator[httpx.AsyncClient]:
    await load(loader, collection(), *scenes)
    async with serving(operated(settings, store, guarded)) as client:
        yield client


async def test_nobody_else_reads_them(store: str, guarded: str) -> None:
    async with httpx.AsyncClient() as anybody:
        assert (await anybody.get(f"{store}/bucket/a.tif")).status_code == 403
        assert (await anybody.get(f"http://{guarded}/b.tif")).status_code == 401


@pytest.mark.parametrize("name", ["bucket", "guarded"])
async def test_pictures(client: httpx.AsyncClient, name: str) -> None:
    preview = await client.get(f"/collections/things/items/{name}/preview.png?assets=data&rescale=0,10000")
    assert preview.status_code == 200, preview.text
    with rasterio.MemoryFile(BytesIO(preview.content)) as memory, memory.open() as file:
        assert file.read(1).any()
    told = (await client.get(f"/collections/things/items/{name}/tilejson.json?assets=data&rescale=0,10000")).json()
    west, south, east, north = told["bounds"]
    assert west < east
    assert south < north
    assert (await client.get(f"/tiles/0/0/0.png?assets=data&rescale=0,10000&ids={name}")).status_code == 200


async def linked(client: httpx.AsyncClient, name: str) -> str | None:
    """The href of its preview."""
    links = (await client.get(f"/collections/things/items/{name}")).json()["links"]
    return next((link["href"] for link in links if link["rel"] == "preview"), None)


async def test_a_picture_of_a_file_that_a_signer_has_is_linked(client: httpx.AsyncClient) -> None:
    """Whether its href is signed or its request: what is linked is a picture, and no credential is in the link."""
    for name in ("bucket", "guarded"):
        href = await linked(client, name)
        assert href == f"http://stac.test/collections/things/items/{name}/preview.png?assets=data"
        assert (await client.get(href)).headers["content-type"] == "image/png"


async def test_a_cube_of_both(client: httpx.AsyncClient) -> None:
    found = await client.post("/cube", json={"assets": ["data"]})
    assert found.status_code == 200, found.text
    with xr.open_dataset(BytesIO(found.content), engine="h5netcdf") as read:
        assert np.array_equal(read.data.values[0], np.hstack(list(PIXELS.values())))


async def test_a_mosaic_is_signed_where_it_is_asked(client: httpx.AsyncClient, tmp_path: Path) -> None:
    asked = "/mosaic.vrt?asset=data&ids=bucket"
    plain = await client.get(asked)
    assert b"/vsis3/bucket/a.tif" in plain.content
    assert b"X-Amz" not in plain.content
    signed = await client.get(f"{asked}&sign=true")
    assert signed.headers["cache-control"] == "private, no-store"
    assert (
        await client.post("/mosaic.vrt?sign=false", json={"asset": "data", "ids": ["bucket"]})
    ).content == plain.content
    posted = await client.post("/mosaic.vrt?sign=true", json={"asset": "data", "ids": ["bucket"]})
    assert b"X-Amz-Signature=" in posted.content
    (tmp_path / "m.vrt").write_bytes(signed.content)
    with rasterio.open(tmp_path / "m.vrt") as file:
        assert np.array_equal(file.read(1), PIXELS["bucket"])


async def test_a_mosaic_has_no_token(client: httpx.AsyncClient, guarded: str) -> None:
    found = await client.get("/mosaic.vrt?asset=data&ids=guarded&sign=true")
    assert f"/vsicurl/http://{guarded}/b.tif<" in found.text
    assert Guarded.token not in found.text


async def test_secrets_stay_inside(
    client: httpx.AsyncClient, loader: Loader, scenes: list[Document], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    none = scenes[0]["assets"]["data"] | {"href": "s3://bucket/none.tif"}
    await load(loader, scenes[0] | {"id": "none", "assets": {"data": none}})
    said = ""
    for answer in (
        await client.get("/collections/things/items/none/preview.png?assets=data"),
        await client.post("/cube", json={"assets": ["data"], "ids": ["none"]}),
    ):
        said += str(assert_error(answer, 502))
    told = said + "".join(record.getMessage() for record in caplog.records if record.name == "upesi")
    assert "bucket/none.tif?…' not recognized" in told
    for secret in (SECRET, ACCESS, "X-Amz", Guarded.token):
        assert secret not in told


async def test_a_signer_allows_no_host(
    settings: Settings, loader: Loader, scenes: list[Document], store: str, guarded: str
) -> None:
    await load(loader, collection(), *scenes)
    async with serving(operated(settings, store, guarded, asset_hosts=("data.example.com",))) as client:
        for name in ("bucket", "guarded"):
            answer = await client.get(f"/collections/things/items/{name}/preview.png?assets=data")
            assert "X-Amz" not in str(assert_error(answer, 403, "assets"))
            assert await linked(client, name) is None
