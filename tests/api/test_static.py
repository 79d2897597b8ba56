"""Files beside the catalogue: whole, in ranges as GDAL asks for them, and by HEAD."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from app.settings import Settings
from tests.api.assertions import assert_error
from tests.api.serving import serving

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
