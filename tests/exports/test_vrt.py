"""Mosaics as VRT: no file is opened to make one, and what GDAL reads of it is what the files have."""

import asyncio
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio

from app.errors import InvalidMetadata, InvalidRequest, NotFound
from app.exports.vrt import Reader, mosaic
from app.exports.whole import Found
from tests.factories import Document, collection, item
from tests.raster import images
from tests.raster.images import NORTH, WEST, Pixels

NEW, OLD = "2024-07-16T12:00:00Z", "2024-07-15T12:00:00Z"


def made(path: Path, *items: Document, **more: Any) -> Path:
    reader = Reader("data", **more)
    path.write_bytes(mosaic([reader.part(one) for one in items]))
    return path


def stored(folder: Path, name: str, pixels: Pixels, west: float = WEST, north: float = NORTH, **more: Any) -> Document:
    path = images.write(folder / f"{name}.tif", pixels, west, north, **more)
    size = more.get("size", 10.0)
    return images.scene(name, NEW, {"data": images.asset(path, pixels, west, north, size)})


def test_the_first_is_on_top_and_nodata_is_see_through(tmp_path: Path) -> None:
    top, below = images.numbered(4, 4), np.full((4, 4), 500, "uint16")
    top[0, 2:] = 0
    found = made(tmp_path / "m.vrt", stored(tmp_path, "top", top), stored(tmp_path, "below", below, WEST + 20, NORTH))
    expected = np.zeros((4, 6), "uint16")
    expected[:, 2:] = 500
    expected[:, :4] = np.where(top != 0, top, expected[:, :4])
    with rasterio.open(found) as file:
        assert np.array_equal(file.read(1), expected)
        assert file.crs.to_epsg() == 32632
        assert file.transform == rasterio.Affine(10, 0, WEST, 0, -10, NORTH)
        assert file.nodata == 0


def test_the_smallest_pixels_are_those_of_the_mosaic(tmp_path: Path) -> None:
    coarse, fine = images.numbered(2, 2), images.numbered(4, 4, 100)
    items = stored(tmp_path, "coarse", coarse, size=20.0), stored(tmp_path, "fine", fine, WEST, NORTH - 40)
    with rasterio.open(made(tmp_path / "m.vrt", *items)) as file:
        assert file.res == (10, 10)
        assert np.array_equal(file.read(1), np.vstack([coarse.repeat(2, 0).repeat(2, 1), fine]))


def test_it_tells_what_it_is_not_of(tmp_path: Path) -> None:
    lacking = images.scene("b", OLD, {"other": {"href": "x"}})
    found = Found([lacking, stored(tmp_path, "a", images.numbered(4, 4)), lacking], {}).having(["data"])
    parts = asyncio.run(Reader("data").parts(found))
    (tmp_path / "m.vrt").write_bytes(mosaic(parts, left_out=found.left_out))
    (tmp_path / "whole.vrt").write_bytes(mosaic(parts))
    with rasterio.open(tmp_path / "m.vrt") as file, rasterio.open(tmp_path / "whole.vrt") as whole:
        assert np.array_equal(file.read(1), images.numbered(4, 4))
        assert (file.tags(), whole.tags()) == ({"ITEMS_LEFT_OUT": "2"}, {})
    with pytest.raises(NotFound, match=r"none of the 1 items has 'data'"):
        Found([lacking], {}).having(["data"])


def test_gdal_itself_reads_it(tmp_path: Path) -> None:
    if shutil.which("gdalinfo") is None:
        pytest.skip("GDAL's programs are not here")
    found = made(tmp_path / "m.vrt", stored(tmp_path, "a", images.numbered(4, 4)))
    told = subprocess.run(["gdalinfo", "-mm", found], capture_output=True, text=True, check=True).stdout
    assert "Computed Min/Max=1.000,16.000" in told
    assert "Size is 4, 4" in told


def test_bands_with_what_all_parts_say(tmp_path: Path) -> None:
    pixels = np.arange(48, dtype="uint8").reshape(3, 4, 4)
    one = stored(tmp_path, "a", pixels)
    one["assets"]["data"]["bands"] = [
        {"name": name, "eo:common_name": name, "raster:scale": 0.1, "raster:offset": 5, "unit": "K"}
        for name in ("red", "green", "blue")
    ]
    with rasterio.open(made(tmp_path / "m.vrt", one, one)) as file:
        assert np.array_equal(file.read(), pixels)
        assert file.descriptions == ("red", "green", "blue")
        assert [color.name for color in file.colorinterp] == ["red", "green", "blue"]
        assert (file.scales, file.offsets, file.units) == ((0.1,) * 3, (5,) * 3, ("K",) * 3)


def test_no_file_is_opened() -> None:
    pixels = images.numbered(4, 4)
    one = images.scene("a", NEW, {"data": images.asset("https://data.invalid/a.tif", pixels)})
    root = ElementTree.fromstring(mosaic([Reader("data").part(one)]))
    assert [name.text for name in root.iter("SourceFilename")] == ["/vsicurl/https://data.invalid/a.tif"]


@pytest.mark.parametrize(
    ("href", "name"),
    [
        ("https://x.example/a.tif?sig=a%2Fb&c=<d>", "/vsicurl/https://x.example/a.tif?sig=a%2Fb&c=<d>"),
        ("s3://bucket/a%20b.tif", "/vsis3/bucket/a b.tif"),
        ("gs://bucket/a.tif", "/vsigs/bucket/a.tif"),
        ("../../../static/a.tif", "/vsicurl/http://stac.test/static/a.tif"),
        ("/vsis3/bucket/a.tif", "/vsicurl/http://stac.test/vsis3/bucket/a.tif"),
        ("https://x.example/]]></SourceFilename>", "/vsicurl/https://x.example/]]></SourceFilename>"),
    ],
)
def test_names_of_files(href: str, name: str) -> None:
    one = images.scene("a/b", NEW, {"data": images.asset(href, images.numbered(4, 4))})
    root = ElementTree.fromstring(mosaic([Reader("data", base="http://stac.test").part(one)]))
    assert [found.text for found in root.iter("SourceFilename")] == [name]


@pytest.mark.parametrize(
    "href", ["file:///etc/passwd", "ftp://x/a", "WMS:x", "https://x/a b", "https://x/\0", "", "a:b"]
)
def test_what_no_service_refers_to(href: str) -> None:
    one = images.scene("a", NEW, {"data": images.asset(href, images.numbered(4, 4))})
    if href == "":
        one["assets"]["data"]["href"] = "file:"
    with pytest.raises(InvalidMetadata, match=r"item 'a', assets\.data: .* is no URL"):
        Reader("data", base="http://stac.test").part(one)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [("proj:shape", "proj:shape"), ("proj:transform", "proj:transform"), ("data_type", "data_type")],
)
def test_what_is_missing_is_named(left_out: str, said: str) -> None:
    described = images.asset("https://x.example/a.tif", images.numbered(4, 4))
    del described[left_out]
    with pytest.raises(InvalidMetadata, match=f"does not say {said}"):
        Reader("data").part(images.scene("a", NEW, {"data": described}))


def test_what_collection_and_caller_say_fills_in() -> None:
    described = images.asset("https://x.example/a.tif", images.numbered(4, 4))
    del described["data_type"], described["nodata"]
    one = images.scene("a", NEW, {"data": described})
    owner = collection(item_assets={"data": {"data_type": "uint16", "nodata": 7}})
    assert Reader("data", "uint8", 9).part(one).bands[0].dtype == "uint8"
    (band,) = Reader("data", "uint8", 9).part(one, owner).bands
    assert (band.dtype, band.nodata) == ("uint16", 7)


def test_what_does_not_go_together() -> None:
    pixels = images.numbered(4, 4)
    one = images.scene("a", NEW, {"data": images.asset("https://x.example/a.tif", pixels)})
    other = images.scene("b", OLD, {"data": images.asset("https://x.example/b.tif", pixels)}, crs="EPSG:32633")
    bytes_ = images.scene("c", OLD, {"data": images.asset("https://x.example/c.tif", pixels.astype("uint8"))})
    reader = Reader("data")
    with pytest.raises(InvalidRequest, match=r"different CRSs: EPSG:32632 \(2 items\), EPSG:32633 \(1 items\)"):
        mosaic([reader.part(part) for part in (one, one, other)])
    with pytest.raises(InvalidRequest, match="different data types"):
        mosaic([reader.part(part) for part in (one, bytes_)])
    with pytest.raises(InvalidRequest, match="finds no item"):
        mosaic([])
    with pytest.raises(NotFound, match="no asset 'nope'"):
        Reader("nope").part(one)


def test_rotated_and_upside_down() -> None:
    for transform in ([10, 1, WEST, 0, -10, NORTH], [10, 0, WEST, 0, 10, NORTH], [-10, 0, WEST, 0, -10, NORTH]):
        described = images.asset("https://x.example/a.tif", images.numbered(4, 4)) | {"proj:transform": transform}
        with pytest.raises(InvalidMetadata, match="rotated or upside down"):
            Reader("data").part(images.scene("a", NEW, {"data": described}))


def test_too_wide_for_gdal() -> None:
    pixels = images.numbered(4, 4)
    far = [images.asset("https://x.example/a.tif", pixels, west, size=1e-3) for west in (0.0, 1e7)]
    parts = [Reader("data").part(images.scene("a", NEW, {"data": one})) for one in far]
    with pytest.raises(InvalidRequest, match="more than GDAL can count"):
        mosaic(parts)


def test_items_without_grid_at_all() -> None:
    with pytest.raises(InvalidMetadata, match="does not say proj:code, proj:transform, proj:shape, data_type"):
        Reader("data").part(item())
