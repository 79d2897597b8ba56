"""How a picture is asked for: which assets, and how their values become colours. It needs no library of pixels."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.errors import InvalidRequest
from app.raster.shape import names
from app.stac import parameters

PictureForm = Literal["png", "jpeg", "webp"]

MOST_SIZE = 2048
MOST_ZOOM = 30
_RESAMPLING = ("nearest", "bilinear", "cubic", "average", "mode")


@dataclass(frozen=True, slots=True)
class Style:
    """assets: one, or three for red, green and blue; the first band of each, or the first three of a single one
    rescale: of the values that become 0 and 255, one for all or one for each band
    colormap_name: one of matplotlib's, for a single band
    nodata: what is see-through, instead of the file's own
    """

    assets: tuple[str, ...]
    rescale: tuple[tuple[float, float], ...] = ()
    colormap_name: str | None = None
    nodata: float | None = None
    resampling: str = "nearest"

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "Style":
        """Raises InvalidRequest."""
        read = {name: parameters.read(name, reader, query[name]) for name, reader in _READERS.items() if name in query}
        if "assets" not in read:
            raise InvalidRequest("assets: says which assets of the item are to be seen", "assets")
        style = cls(**read)
        if len(style.assets) not in (1, 3):
            raise InvalidRequest("assets: is neither one nor three for red, green and blue", "assets")
        if style.colormap_name and len(style.assets) != 1:
            raise InvalidRequest("colormap_name: is for a single asset", "colormap_name")
        return style


def _ranges(text: str) -> tuple[tuple[float, float], ...]:
    """`0,3000`, or one pair for each band: `0,3000,0,2500,0,2000`."""
    values = [float(part) for part in text.split(",")]
    pairs = tuple(zip(values[::2], values[1::2], strict=False))
    if len(values) not in (2, 6) or not all(-math.inf < low < high < math.inf for low, high in pairs):
        raise ValueError("is not low,high with low below high, once or for each of three bands")
    return pairs


def _resampling(text: str) -> str:
    if text not in _RESAMPLING:
        raise ValueError(f"{text!r} is none of {', '.join(_RESAMPLING)}")
    return text


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "assets": names,
    "rescale": _ranges,
    "colormap_name": parameters.text,
    "nodata": float,
    "resampling": _resampling,
}
STYLE_PARAMETERS = frozenset(_READERS)
