import logging
import random
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import httpx
import pytest

from app.assets.transfer import Transfer, TransferFailed
from tests.assets.files import File, Server, file_server

pytestmark = pytest.mark.anyio
CONTENT = random.Random(7).randbytes(400_000)
OTHER = random.Random(8).randbytes(300_000)


@pytest.fixture
def server() -> Iterator[Server]:
    with file_server() as server:
        server.files["/a.tif"] = File(CONTENT)
        yield server


@pytest.fixture
async def transfer() -> AsyncIterator[Transfer]:
    async with httpx.AsyncClient(timeout=5) as client:
        yield Transfer(client, lambda _: None, pause=0.001)


async def nobody(_: str) -> Mapping[str, str]:
    return {}


def folder_of(path: Path) -> list[Path]:
    return list(path.iterdir())


def ranges(server: Server) -> list[str | None]:
    return [headers.get("range") for _, headers in server.asked]


async def test_a_file(server: Server, transfer: Transfer, tmp_path: Path) -> None:
    await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert {path.name for path in folder_of(tmp_path)} == {"a.tif"}
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert ranges(server) == [None]


async def test_it_goes_on_where_the_connection_broke(server: Server, transfer: Transfer, tmp_path: Path) -> None:
    server.files["/a.tif"].failures = ["drop", "drop", 503, "drop", 429]
    await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert ranges(server)[:2] == [None, "bytes=200000-"]
    assert server.sent == len(CONTENT)


async def test_more_breaks_than_attempts_when_each_brings_something(
    server: Server, transfer: Transfer, tmp_path: Path
) -> None:
    server.files["/a.tif"].failures = ["drop"] * 12
    await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert (tmp_path / "a.tif").read_bytes() == CONTENT


async def test_a_server_that_sends_less_than_it_is_asked_for(
    server: Server, transfer: Transfer, tmp_path: Path
) -> None:
    server.files["/a.tif"] = File(CONTENT, failures=["drop"], most=30_000)
    await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert ranges(server)[:3] == [None, "bytes=200000-", "bytes=230000-"]


async def test_it_goes_on_where_another_run_stopped(server: Server, transfer: Transfer, tmp_path: Path) -> None:
    server.files["/a.tif"].failures = ["drop", 404]
    with pytest.raises(TransferFailed, match="is answered with 404 Not Found"):
        await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert not (tmp_path / "a.tif").exists()
    await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert server.sent == len(CONTENT)


async def test_a_run_that_stopped_behind_the_last_byte(server: Server, transfer: Transfer, tmp_path: Path) -> None:
    (tmp_path / "a.tif.part").write_bytes(CONTENT)
    (tmp_path / "a.tif.part.tag").write_text('"one"')
    await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert (tmp_path / "a.tif").read_bytes() == CONTENT
    assert server.sent == 0


async def test_a_file_that_changed_meanwhile_is_begun_again(server: Server, transfer: Transfer, tmp_path: Path) -> None:
    server.files["/a.tif"].failures = ["drop", "swap"]
    server.files["/a.tif"].swapped = OTHER
    await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert (tmp_path / "a.tif").read_bytes() == OTHER


async def test_a_file_that_became_shorter(server: Server, transfer: Transfer, tmp_path: Path) -> None:
    (tmp_path / "a.tif.part").write_bytes(CONTENT + b"more")
    (tmp_path / "a.tif.part.tag").write_text('"one"')
    await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert (tmp_path / "a.tif").read_bytes() == CONTENT


@pytest.mark.parametrize("file", [File(CONTENT, etag=None), File(CONTENT, ranges=False), File(CONTENT, etag='W/"a"')])
async def test_servers_whose_files_cannot_be_gone_on_with(
    server: Server, transfer: Transfer, tmp_path: Path, file: File
) -> None:
    server.files["/a.tif"] = file
    file.failures = ["drop", "drop"]
    await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert (tmp_path / "a.tif").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [503, 429])
async def test_it_gives_up(server: Server, transfer: Transfer, tmp_path: Path, status: int) -> None:
    server.files["/a.tif"].failures = [status] * 9
    with pytest.raises(TransferFailed, match=f"is answered with {status} .*, after 5 attempts"):
        await transfer.fetch(f"{server.url}/a.tif", tmp_path / "a.tif", nobody)
    assert len(server.asked) == 5


async def test_nobody_answers(transfer: Transfer, tmp_path: Path) -> None:
    with pytest.raises(TransferFailed, match="the connection broke: ConnectError, after 5 attempts"):
        await transfer.fetch("http://127.0.0.1:9/a.tif?sig=s3cr3t", tmp_path / "a.tif", nobody)


@pytest.mark.parametrize(
    ("target", "says"),
    [("file:///etc/passwd", "leads to file:"), ("/a.tif", None), ("/loop", "redirected more than 10 times")],
)
async def test_redirects(server: Server, transfer: Transfer, tmp_path: Path, target: str, says: str | None) -> None:
    server.files["/loop"] = File(b"", redirect=target)
    if says is None:
        await transfer.fetch(f"{server.url}/loop", tmp_path / "a.tif", nobody)
        assert (tmp_path / "a.tif").read_bytes() == CONTENT
    else:
        with pytest.raises(TransferFailed, match=says):
            await transfer.fetch(f"{server.url}/loop", tmp_path / "a.tif", nobody)


async def test_credentials_are_not_sent_on(server: Server, transfer: Transfer, tmp_path: Path) -> None:
    with file_server() as other:
        other.files["/a.tif"] = File(CONTENT)
        server.files["/login"] = File(b"", redirect=f"{other.url}/a.tif")

        async def authorize(url: str) -> Mapping[str, str]:
            return {"Authorization": "Bearer s3cr3t"} if url.startswith(server.url) else {}

        await transfer.fetch(f"{server.url}/login", tmp_path / "a.tif", authorize)
        assert server.asked[0][1]["authorization"] == "Bearer s3cr3t"
        assert "authorization" not in other.asked[0][1]


async def test_signatures_are_not_logged(
    server: Server, transfer: Transfer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    await transfer.fetch(f"{server.url}/a.tif?sig=s3cr3t", tmp_path / "a.tif", nobody)
    assert "/a.tif" in caplog.text
    assert "s3cr3t" not in caplog.text
