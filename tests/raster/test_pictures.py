"""Pictures: what rio-tiler makes of the same files."""

from io import BytesIO
from pathlib import Path
from typing import Any

import morecantile
import numpy as np
import pytest
import rasterio
from rio_tiler.io import Reader

from app.errors import InvalidRequest, Unreadable
from app.raster import pictures
from app.raster.grids import Grid
from app.raster.sources import File
from app.raster.style import Style
from app.raster.tiles import Tile, tilejson
from tests.raster import images

MERCATOR = morecantile.tms.get("WebMercatorQuad")


def read(body: bytes) -> Any:
    with rasterio.MemoryFile(BytesIO(body)) as memory, memory.open() as file:
        return file.read()


@pytest.fixture
def red(tmp_path: Path) -> Path:
    return images.write(tmp_path / "red.tif", images.numbered(64, 64))


def place_of(path: Path, zoom: int = 14) -> Tile:
    with rasterio.open(path) as file:
        west, south, east, north = rasterio.warp.transform_bounds(file.crs, "EPSG:4326", *file.bounds)
    found = MERCATOR.tile((west + east) / 2, (south + north) / 2, zoom)
    return Tile.of(found.z, found.x, found.y)


def test_a_tile_is_that_of_rio_tiler(red: Path) -> None:
    place = place_of(red)
    with Reader(str(red)) as reader:
        direct = reader.tile(place.x, place.y, place.z)
    expected = direct.rescale([(0, 4096)]).array.data[0]
    found = read(pictures.tile([(File(str(red)),)], Style(("red",), ((0, 4096),)), place, "png"))
    assert np.array_equal(found[0], expected)
    assert np.array_equal(found[1], direct.mask)
    assert found[1].any()
    assert not found[1].all()


def test_tiles_have_the_bounds_of_the_matrix_set() -> None:
    for z, x, y in ((0, 0, 0), (5, 17, 11), (14, 8661, 5776)):
        assert Tile.of(z, x, y).bounds == pytest.approx(tuple(MERCATOR.bounds(morecantile.Tile(x, y, z))), abs=1e-9)


@pytest.mark.parametrize("place", [(-1, 0, 0), (31, 0, 0), (1, 2, 0), (1, 0, 2), (0, -1, 0)])
def test_what_is_no_tile(place: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidRequest, match="there is no tile"):
        Tile.of(*place)


def test_the_first_valid_of_a_mosaic_and_no_more_is_read(tmp_path: Path) -> None:
    top, below = np.full((64, 64), 50, "uint8"), np.full((64, 64), 200, "uint8")
    top[:, 32:] = 0
    scenes = [
        (File(str(images.write(tmp_path / f"{name}.tif", pixels))),)
        for name, pixels in (("top", top), ("below", below))
    ]
    place = place_of(tmp_path / "top.tif", 17)
    found = read(pictures.tile(scenes, Style(("data",)), place, "png"))
    assert set(np.unique(found[0][found[1] == 255])) == {50, 200}
    full = place_of(images.write(tmp_path / "full.tif", np.full((64, 64), 9, "uint8")), 18)
    assert (
        read(
            pictures.tile([(File(str(tmp_path / "full.tif")),), (File("/nowhere"),)], Style(("data",)), full, "png")
        ).max()
        == 255
    )


def test_three_assets_and_three_bands(tmp_path: Path) -> None:
    bands = np.stack([np.full((8, 8), value, "uint8") for value in (10, 20, 30)])
    one = File(str(images.write(tmp_path / "visual.tif", bands)))
    several = tuple(File(str(images.write(tmp_path / f"{n}.tif", band))) for n, band in enumerate(bands))
    for files, assets in (((one,), ("visual",)), (several, ("r", "g", "b"))):
        found = read(pictures.preview(files, Style(assets), 8, "png"))
        assert found[:, 4, 4].tolist() == [10, 20, 30, 255]


def test_previews_are_stretched_and_no_larger_than_asked(red: Path) -> None:
    found = read(pictures.preview((File(str(red)),), Style(("red",)), 16, "png"))
    assert found.shape == (2, 16, 16)
    assert (found[0].min(), found[0].max()) == (0, 255)
    colored = read(pictures.preview((File(str(red)),), Style(("red",), colormap_name="viridis"), 16, "png"))
    assert colored.shape == (4, 16, 16)


def test_nowhere(red: Path) -> None:
    assert not read(pictures.tile([(File(str(red)),)], Style(("red",)), Tile(3, 0, 0), "png"))[1].any()
    assert not read(pictures.tile([], Style(("red",)), Tile(3, 0, 0), "png"))[1].any()
    assert pictures.empty("jpeg")[:2] == b"\xff\xd8"


def test_faults(red: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="rescale"):
        pictures.tile([(File(str(red)),)], Style(("red",)), place_of(red), "png")
    with pytest.raises(InvalidRequest, match="colormap_name"):
        pictures.preview((File(str(red)),), Style(("red",), colormap_name="nope"), 16, "png")
    for nodata in (float("nan"), -1.0, 0.5, 70_000.0):
        with pytest.raises(InvalidRequest, match="is no value of uint16"):
            pictures.preview((File(str(red)),), Style(("red",), nodata=nodata), 16, "png")
    complex_numbers = images.write(tmp_path / "c.tif", np.ones((4, 4), "complex64"))
    with pytest.raises(InvalidRequest, match="complex numbers"):
        pictures.preview((File(str(complex_numbers)),), Style(("red",)), 16, "png")
    (tmp_path / "no.tif").write_text("no")
    with pytest.raises(Unreadable):
        pictures.preview((File(str(tmp_path / "no.tif")),), Style(("red",)), 16, "png")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ({}, "assets"),
        ({"assets": "a,b"}, "assets"),
        ({"assets": "a", "rescale": "1"}, "rescale"),
        ({"assets": "a", "rescale": "2,1"}, "rescale"),
        ({"assets": "a", "rescale": "nan,1"}, "rescale"),
        ({"assets": "a", "rescale": "-inf,inf"}, "rescale"),
        ({"assets": "a", "rescale": "0,1,0,1"}, "rescale"),
        ({"assets": "a", "nodata": "x"}, "nodata"),
        ({"assets": "a", "resampling": "best"}, "resampling"),
        ({"assets": "a,b,c", "colormap_name": "viridis"}, "colormap_name"),
    ],
)
def test_what_is_no_style(query: dict[str, str], parameter: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        Style.from_query(query)
    assert raised.value.parameter == parameter


def test_spaces_around_commas_are_no_part_of_an_asset() -> None:
    assert Style.from_query({"assets": "red, green ,blue"}).assets == ("red", "green", "blue")


def test_zooms_of_tilejson() -> None:
    grid = Grid(shape=(10980, 10980))
    told = tilejson("a", "url", [10.0, 46.0, 11.4, 47.0], grid)
    assert (told["minzoom"], told["maxzoom"]) == (8, 14)
    across = tilejson("a", "url", [179.0, -10.0, -179.0, 10.0], None)
    assert across["bounds"] == [-180, -10, 180, 10]
    assert tilejson("a", "url", None, None)["bounds"] == pytest.approx([-180, -85.051, 180, 85.051], abs=1e-3)
