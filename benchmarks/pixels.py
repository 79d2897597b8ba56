"""What a mosaic of many items costs, and what the service adds to a cube that odc-stac loads.

python -m benchmarks.pixels mosaic
UPESI_DATABASE_URL=… UPESI_STATIC_DIR=… python -m benchmarks.pixels cube     # with the demo's rasters in both
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import odc.stac
import pystac

from app.demo import rasters
from app.exports.vrt import Reader, mosaic
from app.main import create_app
from app.settings import Settings

_RUNS = 7
_ITEMS = 1000
_CUBES = 61


def main(what: str) -> None:
    if what == "mosaic":
        _mosaic()
    else:
        asyncio.run(_cube(Path(os.environ["UPESI_STATIC_DIR"])))


def _mosaic() -> None:
    """Of items on files that are nowhere: to open one would fail, and what is opened is counted."""
    template = next(rasters.items())
    items = [template | {"id": str(number)} for number in range(_ITEMS)]
    reader, owner = Reader("red", base="https://stac.invalid"), rasters.collection()
    mosaic([reader.part(item, owner) for item in items])
    opened: list[str] = []
    sys.addaudithook(lambda event, _: opened.append(event) if event in ("open", "socket.connect") else None)
    spent = []
    for _ in range(_RUNS):
        start = time.process_time()
        mosaic([reader.part(item, owner) for item in items])
        spent.append(time.process_time() - start)
    print(f"VRT of {_ITEMS} items: {statistics.median(spent) * 1000:.0f} ms of CPU, {len(opened)} files opened")


async def _cube(static: Path) -> None:
    parsed = [pystac.Item.from_dict(item) for item in rasters.items()]
    for item in parsed:
        for asset in item.assets.values():
            asset.href = asset.href.replace("../../../static", str(static))

    def direct() -> None:
        found = odc.stac.load(parsed, bands=["red", "nir"], groupby="solar_day", chunks={"x": 1024, "y": 1024})
        found.compute().to_netcdf(static.parent / "direct.nc", engine="h5netcdf")

    asked = {"collections": [rasters.ID], "assets": ["red", "nir"], "groupby": "solar_day"}
    service = create_app(Settings(raster_workers=1))
    transport = httpx.ASGITransport(service)
    async with (
        service.router.lifespan_context(service),
        httpx.AsyncClient(transport=transport, base_url="http://stac.test", timeout=120) as client,
    ):

        async def posted() -> None:
            (await client.post("/cube", json=asked)).raise_for_status()

        async def called() -> None:
            await asyncio.to_thread(direct)

        first = time.perf_counter()
        await posted()
        first = time.perf_counter() - first
        await called()
        theirs, ours = [], []
        for _ in range(_CUBES):
            theirs.append(await _spent(called))
            ours.append(await _spent(posted))
    _tell("odc-stac and NetCDF", theirs)
    _tell("POST /cube", ours)
    ratio = sum(cpu for cpu, _ in ours) / sum(cpu for cpu, _ in theirs)
    print(f"CPU of POST /cube over odc-stac: {ratio:.2f}; the first one of a process waits {first * 1000:.0f} ms")


def _tell(name: str, spent: list[tuple[float, float]]) -> None:
    # The system tells the time of another process in steps of 10 ms, which a median would keep.
    cpu = statistics.mean(cpu for cpu, _ in spent) * 1000
    wall = statistics.median(wall for _, wall in spent) * 1000
    print(f"{name}: {cpu:.0f} ms of CPU, {wall:.0f} ms")


async def _spent(task: Callable[[], Awaitable[None]]) -> tuple[float, float]:
    """Seconds of processors, of this process and those it has started, and of the clock."""
    cpu, start = _cpu(), time.perf_counter()
    await task()
    return _cpu() - cpu, time.perf_counter() - start


def _cpu() -> float:
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    ticks = 0
    for child in children:
        # What is behind the name, which may hold anything.
        fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main(sys.argv[1])
