"""What a process for pixels may do, tried with files and hosts that want more."""

import asyncio
import os
from functools import partial
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest

from app.assets.signing import Signers
from app.errors import TimedOut, TooLarge, Unavailable, Unreadable
from app.raster.jobs import PreviewJob
from app.raster.pool import Pool
from app.raster.sources import File
from app.raster.style import Style
from app.settings import Settings
from tests.raster import images
from tests.raster.web import Files, Slow, certificate, secure_web, slow_web, web
from tests.raster.work import imported_after, mean_of

pytestmark = pytest.mark.anyio


class Redirects(BaseHTTPRequestHandler):
    """Leads to another host, which counts who comes."""

    target = ""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.send_response(302)
        self.send_header("Location", self.target)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class Visited(BaseHTTPRequestHandler):
    visits = 0

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        type(self).visits += 1
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


# What the other process does: functions that it finds by their names.
def take(megabytes: int) -> int:
    return int(np.ones(megabytes << 20, dtype="uint8").nbytes)


def sleep(seconds: float) -> None:
    import time

    time.sleep(seconds)


def stumble(text: str) -> None:
    raise RuntimeError(text)


def die(status: int) -> None:
    import os

    os._exit(status)


def shout(descriptor: int) -> int:
    """As a library of C does."""
    return sum(os.write(descriptor, b"RETURN 1\n" * 1000) for _ in range(120))


def summed(count: int) -> int:
    import xarray

    return int(xarray.DataArray([1] * count).sum())


async def left_soon() -> None:
    await asyncio.sleep(0.01)


def children() -> set[str]:
    """The processes of this one."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def mean_of_a_minute_later(name: str) -> float:
    from app.raster import confinement

    confinement._forgotten -= confinement._FRESH
    confinement.forget()
    return mean_of(name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images.write(tmp_path / "a.tif", np.full((4, 4), 7, "uint16"))
    return tmp_path


def pool(folder: Path, *hosts: str, **more: float) -> Pool:
    settings = Settings(static_dir=folder, asset_hosts=hosts, raster_workers=1, **more)  # type: ignore[arg-type]
    return Pool(settings, Signers())


async def test_files_and_hosts(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with web(partial(Files, directory=folder)) as port, web(partial(Files, directory=folder)) as other:
        workers = pool(folder, f"127.0.0.1:{port}")
        assert await workers.run(mean_of, str(folder / "a.tif")) == 7
        assert await workers.run(mean_of, f"http://127.0.0.1:{port}/a.tif") == 7
        for url in (f"http://127.0.0.1:{other}/a.tif", f"/vsicurl/http://localhost:{port}/a.tif"):
            caplog.clear()
            with pytest.raises(Unreadable):
                await workers.run(mean_of, url)
            assert "SOCKS5" in caplog.text


async def test_certificates_of_ones_own(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = certificate(folder)
    with secure_web(partial(Files, directory=folder), chain) as port:
        workers, url = pool(folder, f"127.0.0.1:{port}", raster_memory=515), f"https://127.0.0.1:{port}/a.tif"
        monkeypatch.delenv("GDAL_CURL_CA_BUNDLE", raising=False)
        monkeypatch.setenv("SSL_CERT_FILE", str(chain))
        assert await workers.run(mean_of, url) == 7
        monkeypatch.delenv("SSL_CERT_FILE")
        with pytest.raises(Unreadable):
            await pool(folder, f"127.0.0.1:{port}", raster_memory=516).run(mean_of, url)


async def test_a_file_that_changes_is_read_anew_in_a_minute(folder: Path) -> None:
    with web(partial(Files, directory=folder)) as port:
        workers, url = pool(folder, f"127.0.0.1:{port}"), f"http://127.0.0.1:{port}/a.tif"
        assert await workers.run(mean_of, url) == 7
        images.write(folder / "a.tif", np.full((4, 4), 9, "uint16"))
        assert await workers.run(mean_of, url) == 7, "GDAL keeps it: else there is nothing to forget"
        assert await workers.run(mean_of_a_minute_later, url) == 9


async def test_a_redirect_leads_nowhere_else(folder: Path) -> None:
    with web(Visited) as inside, web(Redirects) as port:
        Redirects.target = f"http://127.0.0.1:{inside}/a.tif"
        with pytest.raises(Unreadable):
            await pool(folder, f"127.0.0.1:{port}").run(mean_of, f"http://127.0.0.1:{port}/a.tif")
        assert Visited.visits == 0


async def test_a_file_that_names_others_is_not_read(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Although GDAL has to know VRT, to warp an image."""
    source = f"<SimpleSource><SourceFilename>{folder}/a.tif</SourceFilename><SourceBand>1</SourceBand></SimpleSource>"
    vrt = f'<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="UInt16" band="1">{source}'
    (folder / "b.tif").write_text(vrt + "</VRTRasterBand></VRTDataset>")
    workers = pool(folder)
    assert await workers.run(mean_of, str(folder / "a.tif")) == 7
    with pytest.raises(Unreadable):
        await workers.run(mean_of, str(folder / "b.tif"))
    assert "not recognized" in caplog.text


async def test_memory_ends(folder: Path) -> None:
    workers = pool(folder, raster_memory=512)
    with pytest.raises(TooLarge, match="512 MB"):
        await workers.run(take, 2000)
    assert await workers.run(take, 1) == 1 << 20


async def test_time_ends_and_the_next_job_is_done(folder: Path) -> None:
    with pytest.raises(TimedOut, match=r"0\.5 s"):
        await pool(folder, raster_timeout=0.5).run(sleep, 60)
    assert await pool(folder).run(mean_of, str(folder / "a.tif")) == 7


async def test_a_job_for_nobody_ends(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither a file that is read slowly goes on being read, nor is what waits behind it begun."""
    monkeypatch.setattr("app.raster.pool._GRACE", 0.1)
    with slow_web() as port:
        workers = pool(folder, f"127.0.0.1:{port}")
        gone = asyncio.Event()

        async def left() -> None:
            await gone.wait()

        url = f"http://127.0.0.1:{port}/a.tif"
        first = asyncio.create_task(workers.run(mean_of, url, left))
        await asyncio.to_thread(Slow.asked.wait, 60)
        processes = children()
        second = asyncio.create_task(workers.run(mean_of, str(folder / "a.tif"), left))
        await asyncio.sleep(0.1)
        gone.set()
        for task in (first, second):
            with pytest.raises(Unavailable, match="nobody waits"):
                await task
        assert not Slow.go_on.is_set()
        assert len(children()) == len(processes) - 1
        assert await workers.run(mean_of, str(folder / "a.tif")) == 7


async def test_a_job_that_is_nearly_done_is_let_be(folder: Path) -> None:
    workers = pool(folder)
    await workers.run(mean_of, str(folder / "a.tif"))
    await workers.run(sleep, 0.2, left_soon)


async def test_what_nobody_foresaw_is_for_the_log(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(Unreadable, match="a file of these items") as raised:
        await pool(folder).run(stumble, "over a stone")
    assert "stone" not in str(raised.value)
    assert "RuntimeError: over a stone" in caplog.text


@pytest.mark.parametrize("descriptor", [1, 2])
async def test_what_a_library_prints_is_in_nobodys_way(folder: Path, descriptor: int) -> None:
    """More of it than a pipe that nobody reads has room for, and nothing that is taken for an answer."""
    workers = pool(folder, raster_timeout=20)
    assert await workers.run(shout, descriptor) == 1_080_000
    assert await workers.run(mean_of, str(folder / "a.tif")) == 7


async def test_a_picture_waits_for_no_library_it_does_not_need(folder: Path) -> None:
    job = PreviewJob((File(str(folder / "a.tif")),), Style(("a",)), 4, "png")
    found = await pool(folder, raster_memory=513).run(imported_after, job)
    assert {"rasterio", "rio_tiler"} < found
    assert {"app.settings", "boto3", "fastapi", "httpx", "pandas", "xarray"} & found == set()


async def test_cubes_follow_pictures(folder: Path) -> None:
    """What pictures did not import is there."""
    workers = pool(folder, raster_memory=514)
    job = PreviewJob((File(str(folder / "a.tif")),), Style(("a",)), 4, "png")
    assert "xarray" not in await workers.run(imported_after, job)
    assert await workers.run(summed, 3) == 3


async def test_a_process_that_dies_takes_its_job_alone(folder: Path) -> None:
    workers = pool(folder)
    with pytest.raises(Unreadable, match="broke"):
        await workers.run(die, 1)
    assert await workers.run(mean_of, str(folder / "a.tif")) == 7


async def test_services_of_one_loop_open_what_is_theirs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A process is confined once, so one that is another service's ends."""
    other, before = tmp_path_factory.mktemp("other"), children()
    with web(partial(Files, directory=folder)) as port:
        url = f"http://127.0.0.1:{port}/a.tif"
        open_to_it, closed = pool(folder, f"127.0.0.1:{port}"), pool(other)
        assert await open_to_it.run(mean_of, url) == 7
        with pytest.raises(Unreadable):
            await closed.run(mean_of, url)
        assert await open_to_it.run(mean_of, url) == 7
        both = [open_to_it.run(mean_of, url), closed.run(take, 1), open_to_it.run(take, 1), closed.run(take, 2)]
        assert await asyncio.gather(*both) == [7, 1 << 20, 1 << 20, 2 << 20]
        assert len(children() - before) <= 2
