"""Small pictures for the items that have no pixels: a few for all of them, by how much cloud there is and by year.

`of_sentinel2` and `of_aerial` say which one is whose; only `write` needs rasterio and numpy.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from app.demo import files
from app.demo.files import STATIC

if TYPE_CHECKING:
    from numpy import uint8
    from numpy.typing import NDArray

    from app.demo.landscape import Season

ID = "demo-thumbnails"
# Raise it with each change of the files: a folder of another version is written again.
VERSION = "1"

_PIXELS = 256
# The corners of a landscape, each a picture: rows and columns.
_PARTS = ((0, 0), (0, 1), (1, 0), (1, 1))
_STEP = 20
# How green it is. The first year's is before the rains.
_YEARS = {2019: 0.25, 2021: 0.6, 2023: 0.8}


def of_sentinel2(tile: str, cloud_cover: float) -> str:
    """The href for an item; a tile has the same ground in all of them."""
    return _href(_cloudy(min(int(cloud_cover), 99) // _STEP), crc32(tile.encode()) % len(_PARTS))


def of_aerial(year: int, row: int, column: int) -> str:
    return _href(_flown(year), _PARTS.index((row % 2, column % 2)))


def _href(view: str, part: int) -> str:
    return f"{STATIC}{ID}/{view}-{part}.jpg"


def _cloudy(step: int) -> str:
    return f"clouds-{step * _STEP:02}"


def _flown(year: int) -> str:
    return f"aerial-{year}"


def write(folder: Path) -> None:
    """Make the files in `folder`, unless they are there. Raises SetupError."""
    files.write(folder, VERSION, _write_files)


def _write_files(folder: Path) -> None:
    from app.demo import landscape

    for name, season in _seasons():
        picture = landscape.view(2 * _PIXELS, season).visual
        for part, (row, column) in enumerate(_PARTS):
            down, right = row * _PIXELS, column * _PIXELS
            _write_picture(folder / f"{name}-{part}.jpg", picture[:, down : down + _PIXELS, right : right + _PIXELS])


def _seasons() -> "Iterator[tuple[str, Season]]":
    from app.demo.landscape import Season

    # A margin below nothing: all of a picture is in the swath. A snow line of 2 is above all heights.
    for step in range(100 // _STEP):
        clouds = (step + 0.5) * _STEP / 100
        yield _cloudy(step), Season(seed=500 + step, green=0.6, snow_line=0.86, clouds=clouds, margin=-0.1)
    for year, green in _YEARS.items():
        yield _flown(year), Season(seed=year, green=green, snow_line=2, clouds=0, margin=-0.1)


def _write_picture(path: Path, pixels: "NDArray[uint8]") -> None:
    import rasterio

    count, height, width = pixels.shape
    shape: dict[str, Any] = {"count": count, "height": height, "width": width, "dtype": "uint8"}
    # Without a grid rasterio warns, and with one GDAL would write it beside the picture.
    with (
        rasterio.Env(GDAL_PAM_ENABLED=False),
        rasterio.open(path, "w", driver="JPEG", quality=80, transform=rasterio.Affine.scale(10), **shape) as file,
    ):
        file.write(pixels)
