"""Files beside the catalogue: whole, in ranges as GDAL asks for them, and by HEAD; and the hrefs that lead to them."""

import io
import json
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pyarrow.parquet as pq
import pytest

from app.bulk.load import Loader
from app.settings import Settings
from tests.api.assertions import JSON, assert_error
from tests.api.serving import serving
from tests.api.writing import writing
from tests.factories import Document, collection, item, load

pytestmark = pytest.mark.anyio

CONTENT = bytes(range(256)) * 20


@pytest.fixture
async def files(tmp_path: Path, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "a scene.tif").write_bytes(CONTENT)
    (tmp_path / "readme.txt").write_bytes(b"text " * 1000)
    async with serving(settings.model_copy(update={"static_dir": tmp_path})) as client:
        yield client


async def test_a_file_and_its_head(files: httpx.AsyncClient) -> None:
    whole, head = await files.get("/static/a%20scene.tif"), await files.head("/static/a%20scene.tif")
    assert whole.content == CONTENT
    assert whole.headers["content-type"] == "image/tiff"
    assert (head.content, head.headers["content-length"]) == (b"", str(len(CONTENT)))
    assert head.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize(
    ("asked", "found", "said"),
    [
        ("bytes=0-9", CONTENT[:10], "bytes 0-9/5120"),
        ("bytes=5000-", CONTENT[5000:], "bytes 5000-5119/5120"),
        ("bytes=-20", CONTENT[-20:], "bytes 5100-5119/5120"),
    ],
)
async def test_a_range(files: httpx.AsyncClient, asked: str, found: bytes, said: str) -> None:
    response = await files.get("/static/a%20scene.tif", headers={"Range": asked})
    assert (response.status_code, response.content) == (206, found)
    assert response.headers["content-range"] == said


async def test_a_range_of_a_text_counts_its_own_bytes(files: httpx.AsyncClient) -> None:
    headers = {"Range": "bytes=0-1999", "Accept-Encoding": "gzip"}
    response = await files.get("/static/readme.txt", headers=headers)
    assert response.status_code == 206
    assert "content-encoding" not in response.headers
    assert response.content == (b"text " * 1000)[:2000]


@pytest.mark.parametrize("path", ["/static/none.tif", "/static/../pyproject.toml", "/static/%2e%2e/%2e%2e/etc/passwd"])
async def test_nothing_else_is_served(files: httpx.AsyncClient, path: str) -> None:
    assert_error(await files.get(path), 404)


async def test_without_a_folder_there_is_nothing(client: httpx.AsyncClient) -> None:
    assert_error(await client.get("/static/a%20scene.tif"), 404)


# --- Hrefs of files ------------------------------------------------------------------------------------------------

FILE = "../../../static/a%20scene.tif"
WHOLE = "http://stac.test/static/a%20scene.tif"
LINKED: Document = {
    "scene": {"href": FILE, "title": f'no href: "href":"{FILE}', "alternate": {"near": {"href": FILE}}},
    "other": {"href": "./b.tif"},
    "far": {"href": "https://data.example.com/static/c.tif"},
}
TOLD = LINKED | {"scene": LINKED["scene"] | {"href": WHOLE, "alternate": {"near": {"href": WHOLE}}}}
SEARCHES = ["/search", "/collections/things/items", "/search?fields=assets", "/search?sortby=id"]


@pytest.fixture
async def linked(loader: Loader) -> None:
    await load(loader, collection(), item("thing", assets=LINKED))


@pytest.mark.usefixtures("linked")
@pytest.mark.parametrize("path", SEARCHES)
async def test_hrefs_of_files_are_whole_in_searches(files: httpx.AsyncClient, path: str) -> None:
    assert (await files.get(path)).json()["features"][0]["assets"] == TOLD


@pytest.mark.usefixtures("linked")
async def test_hrefs_of_files_are_whole_in_an_item_and_lead_to_them(files: httpx.AsyncClient) -> None:
    found = (await files.get("/collections/things/items/thing")).json()["assets"]
    assert found == TOLD
    assert (await files.get(found["scene"]["href"])).content == CONTENT


@pytest.mark.usefixtures("linked")
async def test_hrefs_of_files_are_whole_in_streams(files: httpx.AsyncClient) -> None:
    assert orjson.loads((await files.get("/search?f=ndjson")).content)["assets"] == TOLD
    table = pq.read_table(io.BytesIO((await files.get("/search?f=geoparquet")).content))
    assert table["assets"][0].as_py()["scene"]["href"] == WHOLE


@pytest.mark.usefixtures("linked")
async def test_hrefs_of_files_follow_the_address(tmp_path: Path, settings: Settings) -> None:
    changed = {"static_dir": tmp_path, "public_url": 'https://stac.example/a"b'}
    async with serving(settings.model_copy(update=changed)) as client:
        scene = (await client.get("/collections/things/items/thing")).json()["assets"]["scene"]
    assert scene["href"].endswith("b/static/a%20scene.tif")


@pytest.mark.usefixtures("linked")
async def test_hrefs_stay_as_they_are_where_no_files_are_served(settings: Settings) -> None:
    async with serving(settings) as client:
        assert (await client.get("/collections/things/items/thing")).json()["assets"] == LINKED


@pytest.mark.usefixtures("linked")
async def test_what_was_told_is_stored_as_it_was(tmp_path: Path, settings: Settings) -> None:
    """By whoever sends back what came, in any spacing, whole or as a part."""
    path = "/collections/things/items/thing"

    async def kept() -> Document:
        async with serving(settings) as plain:
            return Document((await plain.get(path)).json()["assets"])

    before = await kept()
    async with writing(settings, static_dir=tmp_path) as client:
        told = (await client.get(path)).json()
        for content in (json.dumps(told, indent=2), json.dumps(told, separators=(",", ":"))):
            answer = await client.put(path, content=content, headers={"Content-Type": JSON})
            assert answer.status_code == 204, answer.text
            assert await kept() == before
        slashes = json.dumps(told).replace("/", "\\/")
        assert (await client.put(path, content=slashes, headers={"Content-Type": JSON})).status_code == 204
        assert await kept() == before
        new = {"assets": {"scene": {"href": "http://stac.test/static/new.tif"}}}
        await client.patch(path, json=new)
        assert (await kept())["scene"]["href"] == "../../../static/new.tif"
        await client.post("/collections/things/items", json=told | {"id": "copy"})
        copied = (await client.get("/collections/things/items/copy")).json()["assets"]
        assert copied == TOLD


@pytest.mark.usefixtures("linked")
async def test_json_patch_is_of_what_was_told(tmp_path: Path, settings: Settings) -> None:
    path, headers = "/collections/things/items/thing", {"Content-Type": "application/json-patch+json"}
    operations = [
        {"op": "test", "path": "/assets/scene/href", "value": WHOLE},
        {"op": "copy", "from": "/assets/scene/href", "path": "/assets/other/href"},
        {"op": "replace", "path": "/assets/scene/href", "value": "http://stac.test/static/new.tif"},
        {"op": "add", "path": "/assets/more", "value": {"href": WHOLE}},
    ]
    async with writing(settings, static_dir=tmp_path) as client:
        answer = await client.patch(path, json=operations, headers=headers)
        assert answer.status_code == 204, answer.text
    async with serving(settings) as plain:
        stored = (await plain.get(path)).json()["assets"]
    hrefs = {name: asset["href"] for name, asset in stored.items()}
    far = LINKED["far"]["href"]
    assert hrefs == {"scene": "../../../static/new.tif", "other": FILE, "far": far, "more": FILE}
