"""Web map tiles: where they are, and TileJSON 3.0.0 (https://github.com/mapbox/tilejson-spec). Pure."""

import math
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidRequest
from app.raster.grids import Grid
from app.raster.style import MOST_ZOOM

SIZE = 256
_EQUATOR = 40_075_016.686
_LATITUDE = 85.0511287798066
_WORLD = (-180.0, -_LATITUDE, 180.0, _LATITUDE)


@dataclass(frozen=True, slots=True)
class Tile:
    """Of the WebMercatorQuad tile matrix set, rows from the north."""

    z: int
    x: int
    y: int

    @classmethod
    def of(cls, z: int, x: int, y: int) -> "Tile":
        """Raises InvalidRequest for a tile that is none."""
        if not 0 <= z <= MOST_ZOOM or not 0 <= x < 2**z or not 0 <= y < 2**z:
            raise InvalidRequest(
                f"there is no tile {z}/{x}/{y}: z is from 0 to {MOST_ZOOM}, x and y are below 2**z", "z"
            )
        return cls(z, x, y)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees."""
        count = 2**self.z
        west, east = (edge / count * 360 - 180 for edge in (self.x, self.x + 1))
        north, south = (
            math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * edge / count)))) for edge in (self.y, self.y + 1)
        )
        return west, south, east, north


def tilejson(name: str, url: str, bounds: list[float] | None, grid: Grid | None) -> dict[str, Any]:
    """`url` is the template; `bounds` a bbox of STAC, and `grid` the finest there is, where they are known."""
    west, south, east, north = _sides(bounds)
    west, east = (west, east) if west <= east else (-180.0, 180.0)
    least, most = _zooms(grid, (west, south, east, north))
    return {
        "tilejson": "3.0.0",
        "name": name,
        "version": "1.0.0",
        "scheme": "xyz",
        "tiles": [url],
        "bounds": [west, south, east, north],
        "center": [(west + east) / 2, (south + north) / 2, least],
        "minzoom": least,
        "maxzoom": most,
    }


def _sides(bounds: list[float] | None) -> tuple[float, float, float, float]:
    if not bounds or len(bounds) not in (4, 6):
        return _WORLD
    west, south, east, north = bounds if len(bounds) == 4 else (*bounds[:2], *bounds[3:5])
    return west, max(south, -_LATITUDE), east, min(north, _LATITUDE)


def _zooms(grid: Grid | None, bounds: tuple[float, float, float, float]) -> tuple[int, int]:
    """From where all of it is about a tile, to where a pixel of it is one of a tile."""
    if grid is None or grid.shape is None:
        return 0, 24
    width = max(bounds[2] - bounds[0], 1e-9) / 360 * _EQUATOR
    most = math.ceil(math.log2(_EQUATOR / SIZE / (width / grid.shape[1])) - 0.1)
    least = math.floor(math.log2(_EQUATOR / width))
    most = min(max(most, 0), MOST_ZOOM)
    return min(max(least, 0), most), most
