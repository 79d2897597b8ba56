"""Programs that go from a search to pixels, against the service and the files it serves: each sees the same ones."""

import asyncio
import json
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import numpy.typing as npt
import odc.stac
import pytest
import rasterio
from pystac import ItemCollection
from pystac_client import Client

from app.bulk.load import Loader
from app.database.pool import Database
from app.demo import rasters
from tests.clients.conftest import Demo
from tests.factories import load

Pixels = npt.NDArray[np.uint16]

DAY = "2024-07-31"
# Those of GDAL 3.6: it knows an older name of the projection.
FOR_GDAL = "cogs-for-gdal"


@pytest.fixture(scope="module")
def seen(files: Path) -> Pixels:
    """What the four files of the day hold, side by side."""
    read = {}
    for place in ("nw", "ne", "sw", "se"):
        with rasterio.open(files / rasters.ID / f"20240731-{place}-red.tif") as file:
            read[place] = file.read(1)
    return np.block([[read["nw"], read["ne"]], [read["sw"], read["se"]]])


@pytest.fixture(scope="module")
def for_gdal(demo: Demo) -> str:
    """The URL of a search."""
    documents = [rasters.collection() | {"id": FOR_GDAL}]
    for item in rasters.items():
        properties = item["properties"] | {"proj:epsg": 32632}
        documents.append(item | {"collection": FOR_GDAL, "properties": properties})
    asyncio.run(_load(demo.database_url, documents))
    # Two pages of two.
    return f"{demo.url}/search?collections={FOR_GDAL}&datetime={DAY}T00:00:00Z/{DAY}T23:59:59Z&limit=2"


async def _load(url: str, documents: list[dict[str, Any]]) -> None:
    def fail(place: str, reason: str) -> None:
        raise AssertionError(f"{place}: {reason}")

    async with Database.opened(url, size=1, query_timeout=60) as database:
        await load(Loader(database, "insert", "stop", fail), *documents)


def found(demo: Demo) -> ItemCollection:
    return Client.open(demo.url).search(collections=[rasters.ID], datetime=DAY, limit=3).item_collection()


def test_odc_stac(demo: Demo, seen: Pixels) -> None:
    loaded = odc.stac.load(found(demo), bands=["red", "scl"], groupby="solar_day", resolution=10)
    np.testing.assert_array_equal(loaded.red[0].values, seen)
    assert loaded.red.attrs["nodata"] == 0


def test_stackstac(demo: Demo, seen: Pixels) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Its own, of libraries that went on since it was last released.
        import stackstac

        items = found(demo)
        # It does not read `proj:code`, and would take the box from degrees.
        grid = {"resolution": 10, "epsg": 32632, "bounds": (600_000, 5_194_880, 605_120, 5_200_000)}
        stack = stackstac.stack(items, assets=["red"], rescale=False, fill_value=np.uint16(0), **grid)
        mosaic = stack.max("time").sel(band="red").compute(scheduler="synchronous")
    np.testing.assert_array_equal(mosaic.values, seen)


def gdal(program: str, *arguments: str | Path) -> str:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not on this machine: Debian's gdal-bin has it")
    done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_gdal_finds_the_items_of_all_pages(for_gdal: str) -> None:
    described = json.loads(gdal("gdalinfo", "-json", f'STACIT:"{for_gdal}":collection={FOR_GDAL},asset=red'))
    assert described["size"] == [512, 512]
    assert described["geoTransform"] == [600000.0, 10.0, 0.0, 5200000.0, 0.0, -10.0]
    assert described["bands"][0]["type"] == "UInt16"


def test_gdal_reads_a_search(for_gdal: str, seen: Pixels, tmp_path: Path) -> None:
    gdal("gdal_translate", f'STACIT:"{for_gdal}":asset=red', tmp_path / "red.tif")
    with rasterio.open(tmp_path / "red.tif") as file:
        np.testing.assert_array_equal(file.read(1), seen)


def test_newer_gdal_reads_a_search(demo: Demo, seen: Pixels) -> None:
    """That of rasterio, which takes the items of the demo as they are."""
    search = f"{demo.url}/search?collections={rasters.ID}&datetime={DAY}T00:00:00Z/{DAY}T23:59:59Z&limit=2"
    with rasterio.open(f'STACIT:"{search}":asset=red') as mosaic:
        np.testing.assert_array_equal(mosaic.read(1), seen)


def test_gdal_reads_a_mosaic_of_the_service(demo: Demo, seen: Pixels, tmp_path: Path) -> None:
    where = f"{demo.url}/mosaic.vrt?collections={rasters.ID}&asset=red&datetime={DAY}T00:00:00Z/{DAY}T23:59:59Z"
    (tmp_path / "red.vrt").write_bytes(httpx.get(where).raise_for_status().content)
    gdal("gdal_translate", tmp_path / "red.vrt", tmp_path / "red.tif")
    with rasterio.open(tmp_path / "red.tif") as file:
        np.testing.assert_array_equal(file.read(1), seen)
