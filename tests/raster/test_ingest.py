"""Files as items: valid, and with the grid that rasterio reads."""

import warnings
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pystac
import pytest
import rasterio
import shapely
from pystac.validation.stac_validator import JsonSchemaSTACValidator
from rasterio.control import GroundControlPoint
from rasterio.warp import transform_bounds

from app.demo import rasters
from app.errors import InvalidDocument
from app.raster.grids import grid
from app.raster.ingest import About, item, name
from app.stac.item import check_item
from tests.raster import images

NOON = datetime(2024, 7, 16, 12, tzinfo=UTC)
ABOUT = About("things", instant=NOON)


def made(path: Path, about: About = ABOUT) -> dict[str, Any]:
    found = item(str(path), about)
    orjson.dumps(found)
    pystac.Item.from_dict(found)
    JsonSchemaSTACValidator().validate_core(found, pystac.STACObjectType.ITEM, "1.1.0")
    check_item(found)
    return found


def test_the_grid_is_the_one_rasterio_reads(tmp_path: Path) -> None:
    path = images.write(tmp_path / "a.tif", images.numbered(6, 4))
    found = made(path)
    said = grid(found, "data")
    with rasterio.open(path) as file:
        assert said.crs == str(file.crs)
        assert said.shape == file.shape
        assert said.transform == tuple(file.transform)[:6]
        assert said.bbox == tuple(file.bounds)
        assert (said.dtype, said.nodata, said.resolution) == (file.dtypes[0], file.nodata, file.res)
        assert found["bbox"] == pytest.approx(transform_bounds(file.crs, "EPSG:4326", *file.bounds), abs=1e-6)
    assert found["id"] == "a"
    assert found["properties"] == {"datetime": "2024-07-16T12:00:00Z"}
    assert found["assets"]["data"]["type"] == "image/tiff; application=geotiff"


def test_a_cog_with_colors_scales_and_statistics(tmp_path: Path) -> None:
    rasters.write(tmp_path / "demo")
    found = made(tmp_path / "demo" / "20240512-nw-red.tif", About("things", instant=NOON, statistics=True))
    (band,) = found["assets"]["data"]["bands"]
    with rasterio.open(tmp_path / "demo" / "20240512-nw-red.tif") as file:
        pixels = file.read(1, masked=True)
    assert band["raster:scale"] == 0.0001
    assert band["statistics"] == pytest.approx(
        {
            "minimum": pixels.min(),
            "maximum": pixels.max(),
            "mean": pixels.mean(),
            "stddev": pixels.std(),
            "valid_percent": 100 * pixels.count() / pixels.size,
        }
    )
    visual = made(tmp_path / "demo" / "20240512-nw-visual.tif")
    assert [band["eo:common_name"] for band in visual["assets"]["data"]["bands"]] == ["red", "green", "blue"]
    assert visual["assets"]["data"]["type"].endswith("profile=cloud-optimized")
    assert any("/eo/v2.0.0/" in url for url in visual["stac_extensions"])


@pytest.mark.parametrize(
    ("tags", "instant"),
    [
        ({"TIFFTAG_DATETIME": "2024:07:16 12:30:00"}, "2024-07-16T12:30:00Z"),
        ({"TIFFTAG_DATETIME": "2024-07-16T12:30:00+02:00"}, "2024-07-16T10:30:00Z"),
    ],
)
def test_the_time_of_the_file(tmp_path: Path, tags: dict[str, str], instant: str) -> None:
    path = images.write(tmp_path / "a.tif", images.numbered(2, 2), tags=tags)
    assert made(path, About("things"))["properties"]["datetime"] == instant


@pytest.mark.parametrize("tags", [{}, {"TIFFTAG_DATETIME": "yesterday"}])
def test_no_time_is_made_up(tmp_path: Path, tags: dict[str, str]) -> None:
    path = images.write(tmp_path / "a.tif", images.numbered(2, 2), tags=tags)
    with pytest.raises(InvalidDocument, match="give one"):
        item(str(path), About("things"))


def test_across_the_antimeridian(tmp_path: Path) -> None:
    """UTM zone 1 begins at 180°: a file across it is in two parts."""
    pixels = np.ones((4, 8), "uint8")
    found = made(images.write(tmp_path / "a.tif", pixels, 130_000.0, 1_000_000.0, crs="EPSG:32601", size=10_000.0))
    west, south, east, north = found["bbox"]
    assert found["geometry"]["type"] == "MultiPolygon"
    assert -180 <= east < -178 < 178 < west <= 180
    assert south < north


@pytest.mark.parametrize(
    ("west", "bbox"),
    [
        (178.0, [178, 6, -174, 10]),
        (200.0, [-160, 6, -152, 10]),
        (-190.0, [170, 6, 178, 10]),
        (-184.0, [176, 6, -176, 10]),
    ],
)
def test_longitudes_beyond_180(tmp_path: Path, west: float, bbox: list[float]) -> None:
    pixels = np.ones((4, 8), "uint8")
    found = made(images.write(tmp_path / "a.tif", pixels, west, 10.0, crs="EPSG:4326", size=1.0))
    assert found["bbox"] == bbox
    assert found["geometry"]["type"] == ("MultiPolygon" if bbox[0] > bbox[2] else "Polygon")
    assert shapely.geometry.shape(found["geometry"]).area == pytest.approx(32)
    assert found["assets"]["data"]["proj:bbox"] == [west, 6, west + 8, 10]


@pytest.mark.parametrize("west", [0.0, -180.0, -0.5, -202.5])
def test_all_around_the_world(tmp_path: Path, west: float) -> None:
    found = made(images.write(tmp_path / "a.tif", np.ones((4, 8), "uint8"), west, 90.0, crs="EPSG:4326", size=45.0))
    assert found["bbox"] == [-180, -90, 180, 90]
    assert found["geometry"]["type"] == "Polygon"


def test_corners_beside_the_earth(tmp_path: Path) -> None:
    """The whole disk that a satellite sees from afar."""
    path = images.write(
        tmp_path / "a.tif", np.ones((4, 4), "uint8"), -6e6, 6e6, size=3e6, crs="+proj=geos +h=35785831 +lon_0=0"
    )
    with pytest.raises(InvalidDocument, match="no longitude and latitude"):
        item(str(path), ABOUT)


@pytest.mark.parametrize(("data_type", "said"), [("complex64", "cfloat32"), ("complex128", "cfloat64")])
def test_complex_pixels_have_no_statistics(tmp_path: Path, data_type: str, said: str) -> None:
    path = images.write(tmp_path / "a.tif", images.numbered(4, 4).astype(data_type))
    (band,) = made(path, About("things", instant=NOON, statistics=True))["assets"]["data"]["bands"]
    assert band["data_type"] == said
    assert "statistics" not in band


def test_no_valid_pixel_has_no_least(tmp_path: Path) -> None:
    path = images.write(tmp_path / "a.tif", np.zeros((4, 4), "uint8"))
    (band,) = made(path, About("things", instant=NOON, statistics=True))["assets"]["data"]["bands"]
    assert band["statistics"] == {"valid_percent": 0}
    assert "raster:histogram" not in band


@pytest.mark.parametrize(
    ("crs", "size", "expected"), [("EPSG:4326", 0.5, None), ("EPSG:32632", 10.0, 10.0), ("EPSG:2263", 100.0, 30.48)]
)
def test_spatial_resolution_is_in_metres(tmp_path: Path, crs: str, size: float, expected: float | None) -> None:
    west, north = (900_000.0, 200_000.0) if crs == "EPSG:2263" else (5.0, 5.0)
    path = images.write(tmp_path / "a.tif", images.numbered(2, 2), west, north, size=size, crs=crs)
    (band,) = made(path)["assets"]["data"]["bands"]
    assert band.get("raster:spatial_resolution") == (None if expected is None else pytest.approx(expected, abs=1e-3))


def test_a_crs_of_its_own(tmp_path: Path) -> None:
    own = "+proj=laea +lat_0=10 +lon_0=20 +units=m +ellps=GRS80"
    found = made(images.write(tmp_path / "a.tif", images.numbered(4, 4), 0.0, 0.0, crs=own))
    assert found["assets"]["data"]["proj:code"] is None
    assert "Lambert Azimuthal" in found["assets"]["data"]["proj:wkt2"]
    assert found["bbox"] == pytest.approx([20, 10, 20, 10], abs=0.001)


def test_control_points(tmp_path: Path) -> None:
    corners = [(0, 0, 10, 50), (0, 4, 11, 50), (4, 0, 10, 49), (4, 4, 11, 49)]
    points = [GroundControlPoint(row, column, x, y) for row, column, x, y in corners]
    profile = {"driver": "GTiff", "count": 1, "height": 4, "width": 4, "dtype": "uint8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(tmp_path / "a.tif", "w", **profile) as file:
            file.write(np.ones((1, 4, 4), "uint8"))
            file.gcps = (points, rasterio.CRS.from_epsg(4326))
    found = made(tmp_path / "a.tif")
    assert found["bbox"] == pytest.approx([10, 49, 11, 50], abs=0.3)
    # Of the file itself: a grid that is made of the points has other pixels.
    assert found["assets"]["data"]["proj:shape"] == [4, 4]
    assert "proj:transform" not in found["assets"]["data"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/data/a#1.tif", "a#1.tif"),
        ("a?b=1.tif", "a?b=1.tif"),
        ("s3://bucket/a/b?c#1.tif", "b?c#1.tif"),
        ("https://x.example/a%20b.tif?sig=c/d.tif#e", "a b.tif"),
    ],
)
def test_names_of_files(source: str, expected: str) -> None:
    assert name(source) == expected


def test_files_that_differ_behind_a_mark_are_two_items(tmp_path: Path) -> None:
    found = [made(images.write(tmp_path / f"a#{number}.tif", images.numbered(2, 2))) for number in (1, 2)]
    assert [item["id"] for item in found] == ["a#1", "a#2"]


def test_what_nobody_knows_the_place_of(tmp_path: Path) -> None:
    profile = {"driver": "GTiff", "count": 1, "height": 4, "width": 4, "dtype": "uint8"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(tmp_path / "a.tif", "w", **profile) as file:
            file.write(np.ones((1, 4, 4), "uint8"))
    with pytest.raises(InvalidDocument, match="has no CRS"):
        item(str(tmp_path / "a.tif"), ABOUT)


def test_what_is_no_raster(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_text("no")
    for file in ("a.tif", "b.tif"):
        with pytest.raises(InvalidDocument, match=file):
            item(str(tmp_path / file), ABOUT)
