"""What a mosaic of many items costs, and what the service adds to a cube that odc-stac loads.

python -m benchmarks.pixels mosaic
UPESI_DATABASE_URL=… UPESI_STATIC_DIR=… python -m benchmarks.pixels cube     # with the demo's rasters in both
"""

import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable
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


def main(what: str) -> None:
    if what == "mosaic":
        _mosaic()
    else:
        asyncio.run(_cube(Path(os.environ["UPESI_STATIC_DIR"])))


def _median(task: Callable[[], object]) -> float:
    task()
    return statistics.median(_timed(task) for _ in range(_RUNS)) * 1000


def _timed(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def _mosaic() -> None:
    """Of items on files that are nowhere: to open one would fail."""
    template = next(rasters.items())
    items = [template | {"id": str(number)} for number in range(_ITEMS)]
    reader, owner = Reader("red", base="https://stac.invalid"), rasters.collection()
    spent = _median(lambda: mosaic([reader.part(item, owner) for item in items]))
    print(f"VRT of {_ITEMS} items: {spent:.0f} ms")


async def _cube(static: Path) -> None:
    parsed = [pystac.Item.from_dict(item) for item in rasters.items()]
    for item in parsed:
        for asset in item.assets.values():
            asset.href = asset.href.replace("../../../static", str(static))

    def direct() -> None:
        found = odc.stac.load(parsed, bands=["red", "nir"], groupby="solar_day", chunks={"x": 1024, "y": 1024})
        found.compute().to_netcdf(static.parent / "direct.nc", engine="h5netcdf")

    spent = await asyncio.to_thread(_median, direct)
    asked = {"collections": [rasters.ID], "assets": ["red", "nir"], "groupby": "solar_day"}
    service = create_app(Settings())
    transport = httpx.ASGITransport(service)
    async with (
        service.router.lifespan_context(service),
        httpx.AsyncClient(transport=transport, base_url="http://stac.test", timeout=120) as client,
    ):
        first = time.perf_counter()
        (await client.post("/cube", json=asked)).raise_for_status()
        first = time.perf_counter() - first
        times = []
        for _ in range(_RUNS):
            start = time.perf_counter()
            (await client.post("/cube", json=asked)).raise_for_status()
            times.append(time.perf_counter() - start)
    print(f"odc-stac and NetCDF: {spent:.0f} ms; POST /cube: {statistics.median(times) * 1000:.0f} ms,", end=" ")
    print(f"the first one of a process {first * 1000:.0f} ms")


if __name__ == "__main__":
    main(sys.argv[1])
