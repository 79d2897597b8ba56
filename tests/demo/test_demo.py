import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import pystac
import pytest
import shapely
from stac_pydantic import Collection, Item

from app import demo
from app.demo import aerial, rasters, sentinel2
from app.demo.grid import Utm, footprint
from app.errors import InvalidDocument
from app.stac.collection import check_collection
from app.stac.item import check_item

ROOT = Path(__file__).parents[2]
DIGEST = """
import hashlib, json
from itertools import islice
from app import demo
from app.demo import aerial, rasters, sentinel2
documents = [*demo.collections(), *sentinel2.items(300), *aerial.items(), *rasters.items()]
print(hashlib.sha256(json.dumps(documents).encode()).hexdigest())
"""


@pytest.fixture(scope="module")
def items() -> list[dict[str, Any]]:
    return list(demo.items())


def run_python(code: str, hash_seed: str = "0") -> str:
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def digest(documents: Any) -> str:
    return hashlib.sha256(json.dumps(list(documents)).encode()).hexdigest()


def test_collections_are_valid() -> None:
    for collection in demo.collections():
        Collection.model_validate(collection)
        assert pystac.Collection.from_dict(collection).id == collection["id"]


def test_items_are_valid(items: list[dict[str, Any]]) -> None:
    for item in items:
        Item.model_validate(item)


def test_items_and_collections_can_be_stored(items: list[dict[str, Any]]) -> None:
    try:
        for document in items[::10]:
            check_item(document)
        for document in demo.collections():
            check_collection(document)
    except InvalidDocument as error:
        pytest.fail(f"{document['id']}: {error}")


def test_items_are_read_by_pystac(items: list[dict[str, Any]]) -> None:
    for item in items[::50]:
        read = pystac.Item.from_dict(item, preserve_dict=True)
        assert (read.id, len(read.assets)) == (item["id"], len(item["assets"]))


def test_the_catalogue_has_three_collections(items: list[dict[str, Any]]) -> None:
    counts = Counter(item["collection"] for item in items)
    assert counts == {sentinel2.ID: 3000, aerial.ID: 300, rasters.ID: 12}
    assert [collection["id"] for collection in demo.collections()] == list(counts)


def test_ids_are_unique(items: list[dict[str, Any]]) -> None:
    assert len({(item["collection"], item["id"]) for item in items}) == len(items)


def test_ids_stay_unique_in_a_longer_stream() -> None:
    assert len({item["id"] for item in sentinel2.items(20_000)}) == 20_000


def test_the_stream_is_the_same_on_each_run() -> None:
    assert digest(sentinel2.items(500)) == digest(sentinel2.items(500))
    assert digest(sentinel2.items(500)) != digest(sentinel2.items(500, seed=2))
    assert digest(sentinel2.items(500)) == digest(islice(sentinel2.items(100_000), 500))


def test_the_documents_do_not_depend_on_the_hash_seed() -> None:
    assert run_python(DIGEST, hash_seed="1") == run_python(DIGEST, hash_seed="2")


def test_the_demo_needs_no_optional_library() -> None:
    code = "import app.demo, sys; list(app.demo.items()); print({'rasterio', 'numpy'} & set(sys.modules))"
    assert run_python(code) == "set()"


def test_items_are_independent_of_each_other() -> None:
    first, second = sentinel2.items(2)
    for member in ("stac_extensions", "properties", "links", "assets"):
        first[member].clear()
        assert second[member]
    assert digest([second]) == digest(islice(sentinel2.items(2), 1, 2))


def test_sentinel2_items_have_the_size_of_real_ones() -> None:
    sizes = [len(json.dumps(item, separators=(",", ":"))) for item in sentinel2.items(500)]
    assert 14_500 < min(sizes) <= max(sizes) < 16_500


def test_bbox_agrees_with_geometry(items: list[dict[str, Any]]) -> None:
    for item in items:
        shape = shapely.from_geojson(json.dumps(item["geometry"]))
        assert shape.is_valid
        parts = shapely.get_parts(shape)
        boxes = [part.bounds for part in parts]
        south, north = min(box[1] for box in boxes), max(box[3] for box in boxes)
        assert item["bbox"] == [boxes[0][0], south, boxes[-1][2], north], item["id"]
        assert all(part.exterior.is_ccw for part in parts)


def test_some_footprints_cross_the_antimeridian(items: list[dict[str, Any]]) -> None:
    crossing = [item for item in items if item["bbox"][0] > item["bbox"][2]]
    assert len(crossing) >= 5
    for item in crossing:
        assert item["geometry"]["type"] == "MultiPolygon"
        west, east = shapely.get_parts(shapely.from_geojson(json.dumps(item["geometry"])))
        assert (west.bounds[2], east.bounds[0]) == (180, -180)


def test_items_lie_in_the_extent_of_their_collection(items: list[dict[str, Any]]) -> None:
    extents = {collection["id"]: collection["extent"] for collection in demo.collections()}
    for item in items:
        (box,), ((start, end),) = (
            extents[item["collection"]]["spatial"]["bbox"],
            extents[item["collection"]]["temporal"]["interval"],
        )
        longitudes, latitudes = item["bbox"][::2], item["bbox"][1::2]
        assert all(box[0] - 0.001 <= longitude <= box[2] + 0.001 for longitude in longitudes), item["id"]
        assert all(box[1] - 0.001 <= latitude <= box[3] + 0.001 for latitude in latitudes), item["id"]
        times = [item["properties"].get(name) for name in ("datetime", "start_datetime", "end_datetime")]
        assert all(start <= time.replace(".000Z", "Z") <= end for time in times if time), item["id"]


def test_aerial_items_tell_the_time_in_three_ways() -> None:
    ways = Counter(
        (item["properties"]["datetime"] is not None, "start_datetime" in item["properties"]) for item in aerial.items()
    )
    assert ways == {(True, False): 100, (False, True): 100, (True, True): 100}


@pytest.mark.parametrize(
    ("corners", "kind", "box"),
    [
        (((10, 2), (10, 1), (11, 1), (11, 2)), "Polygon", [10, 1, 11, 2]),
        (((179, 2), (179, 1), (181, 1), (181, 2)), "MultiPolygon", [179, 1, -179, 2]),
        (((-181, 2), (-181, 1), (-179, 1), (-179, 2)), "MultiPolygon", [179, 1, -179, 2]),
        (((181, 2), (181, 1), (182, 1), (182, 2)), "Polygon", [-179, 1, -178, 2]),
        (((-182, 2), (-182, 1), (-181, 1), (-181, 2)), "Polygon", [178, 1, 179, 2]),
        (((179, 2), (179, 1), (180, 1), (180, 2)), "Polygon", [179, 1, 180, 2]),
    ],
)
def test_footprint(corners: tuple[tuple[float, float], ...], kind: str, box: list[float]) -> None:
    geometry, bbox = footprint(corners)
    assert (geometry["type"], bbox) == (kind, box)


@pytest.mark.parametrize("epsg", [32601, 32632, 32660, 32737, 32701])
def test_utm_agrees_with_proj(epsg: int) -> None:
    warp = pytest.importorskip("rasterio.warp")
    utm = Utm(epsg % 100, south=epsg > 32700)
    for easting, northing in ((199_980, 1_000_000), (500_000, 4_500_000), (809_760, 8_900_040)):
        (longitude,), (latitude,) = warp.transform(f"EPSG:{epsg}", "EPSG:4326", [easting], [northing])
        ours = utm.lonlat(easting, northing)
        assert (ours[0] - longitude + 180) % 360 - 180 == pytest.approx(0, abs=1e-7)
        assert ours[1] == pytest.approx(latitude, abs=1e-7)


def test_the_grid_of_a_tile_is_its_footprint() -> None:
    warp = pytest.importorskip("rasterio.warp")
    for item in sentinel2.items(60):
        asset, code = item["assets"]["B05"], item["properties"]["proj:code"]
        west, south, east, north = asset["proj:bbox"]
        assert asset["proj:transform"] == [20, 0, west, 0, -20, north]
        assert asset["proj:shape"] == [(north - south) / 20, (east - west) / 20]
        if item["properties"]["s2:nodata_pixel_percentage"] == 0 and item["geometry"]["type"] == "Polygon":
            longitudes, latitudes = zip(*item["geometry"]["coordinates"][0], strict=True)
            eastings, northings = warp.transform("EPSG:4326", code, longitudes, latitudes)
            assert eastings == pytest.approx([west, west, east, east, west], abs=1)
            assert northings == pytest.approx([north, south, south, north, north], abs=1)
