"""The form that a cube is asked in. It needs no library of pixels: a service reads it before any work."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.errors import InvalidRequest
from app.stac import parameters
from app.stac.lists import listed

Form = Literal["netcdf", "zarr", "geotiff"]
Groupby = Literal["time", "solar_day", "id"]

RESAMPLING = (
    *("nearest", "bilinear", "cubic", "cubic_spline", "lanczos", "average", "mode", "max", "min", "med", "q1", "q3"),
)
GROUPINGS = ("time", "solar_day", "id")
FORMS = ("netcdf", "zarr", "geotiff")
_MOST_ASSETS = 50
_MOST_EDGE = 100_000
_WORD = 1000


@dataclass(frozen=True, slots=True)
class CubeShape:
    """Which pixels, on which grid.

    assets: keys of the items' assets, of which the first band is read
    crs: any that PROJ takes, or "utm"; that of most items, where None
    resolution: in units of the CRS; where None that of the assets, which `align` chooses: the finest, the coarsest, or
        an asset's own. Assets of other resolutions are resampled. Pixels of the size of the items' are where those
        are; others have a line through 0.
    groupby: what is one moment: the time, the day by the sun, or each item. In a group the first valid pixel is taken,
        in the order of time and id.
    bbox: west, south, east, north in degrees; all that the items cover, where None
    point, edge_size: longitude, latitude and the pixels of a side, instead of a bbox
    """

    assets: tuple[str, ...]
    crs: str | None = None
    resolution: float | None = None
    align: str = "finest"
    groupby: Groupby = "time"
    resampling: str = "nearest"
    bbox: tuple[float, float, float, float] | None = None
    point: tuple[float, float] | None = None
    edge_size: int = 256

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "CubeShape":
        """From values of the types that a JSON body has. Raises InvalidRequest."""
        read = {
            name: parameters.read(name, reader, values[name]) for name, reader in _READERS.items() if name in values
        }
        if "assets" not in read:
            raise InvalidRequest("assets: says which assets of the items are to be in the cube", "assets")
        if "point" in read and "bbox" in read:
            raise InvalidRequest("point and bbox exclude each other: send one of them", "point")
        shape = cls(**read)
        if shape.align not in ("finest", "coarsest", *shape.assets):
            raise InvalidRequest(f"align: {shape.align!r} is neither finest, coarsest nor one of the assets", "align")
        return shape


def names(value: Any) -> tuple[str, ...]:
    found = listed(value) if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(part, str) and part for part in found):
        raise ValueError("is not an array of texts")
    if len(found) > _MOST_ASSETS or len(set(found)) < len(found):
        raise ValueError(f"has more than {_MOST_ASSETS} texts, or one twice")
    return tuple(found)


def _one_of(*known: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value not in known:
            raise ValueError(f"{value!r} is none of {', '.join(known)}")
        return str(value)

    return read


def positive(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError("is not a positive number")
    return float(value)


def _side(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= _MOST_EDGE:
        raise ValueError(f"is not a whole number from 1 to {_MOST_EDGE}")
    return value


def _numbers(value: Any) -> list[float]:
    if not isinstance(value, list) or not all(type(part) in (int, float) and math.isfinite(part) for part in value):
        raise ValueError("is not an array of numbers")
    return [float(part) for part in value]


def _box(value: Any) -> tuple[float, float, float, float]:
    sides = _numbers(value)
    if len(sides) == 6:
        sides = [*sides[:2], *sides[3:5]]
    if len(sides) != 4 or not (-90 <= sides[1] < sides[3] <= 90):
        raise ValueError("is not west, south, east, north")
    west, south, east, north = sides
    # Across the antimeridian, as odc-geo takes it.
    return west, south, east + 360 if east < west else east, north


def _position(value: Any) -> tuple[float, float]:
    place = _numbers(value)
    if len(place) != 2 or abs(place[0]) > 180 or abs(place[1]) > 90:
        raise ValueError("is not a longitude and a latitude")
    return place[0], place[1]


def _text(value: Any) -> str:
    found = parameters.text(value)
    if not 0 < len(found) <= _WORD:
        raise ValueError("is empty or too long")
    return found


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "assets": names,
    "crs": _text,
    "resolution": positive,
    "align": _text,
    "groupby": _one_of(*GROUPINGS),
    "resampling": _one_of(*RESAMPLING),
    "bbox": _box,
    "point": _position,
    "edge_size": _side,
}
MEMBERS = frozenset(_READERS)
