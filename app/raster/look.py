"""What of an item is looked at, where nobody says which of its assets. Pure: no file is opened."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from app.errors import UpesiError
from app.raster.grids import grid
from app.raster.reader import COG, GEOTIFF, JPEG, JPEG2000, PNG, TIFF, WEBP, reader

# What is read for pictures: `app.raster.confinement.FORMATS`.
_READ = (COG, GEOTIFF, TIFF, JPEG2000, JPEG, PNG, WEBP)
_COLOURS = ("red", "green", "blue")


@dataclass(frozen=True, slots=True)
class Look:
    """`assets` are one or three, as `app.raster.style` takes them; `plain`, whether their values are colours as they
    are, so that tiles need no `rescale`."""

    assets: tuple[str, ...]
    plain: bool


def look(item: Mapping[str, Any]) -> Look | None:
    """The picture that was made to be looked at, else true colour, else the first data. None where there is nothing."""
    assets = item.get("assets")
    rasters = {
        key: asset
        for key, asset in (assets if isinstance(assets, Mapping) else {}).items()
        if isinstance(asset, Mapping) and reader(asset) in _READ and "," not in key
    }
    chosen = next(_choices(rasters), None)
    return None if chosen is None else Look(chosen, all(_has_colours(item, key) for key in chosen))


def _choices(rasters: dict[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    if "visual" in rasters:
        yield ("visual",)
    yield from ((key,) for key, asset in rasters.items() if "visual" in _roles(asset))
    named = {_common_name(asset): key for key, asset in reversed(rasters.items())}
    if named.keys() >= set(_COLOURS):
        yield tuple(named[name] for name in _COLOURS)
    yield from ((key,) for key, asset in rasters.items() if "data" in _roles(asset))


def _roles(asset: Mapping[str, Any]) -> list[Any]:
    roles = asset.get("roles")
    return roles if isinstance(roles, list) else []


def _common_name(asset: Mapping[str, Any]) -> str | None:
    """Of the one band of an asset: where there are several, a picture of it does not tell them apart."""
    bands = asset.get("bands") or asset.get("eo:bands") or [{}]
    if not isinstance(bands, list) or len(bands) != 1 or not isinstance(bands[0], Mapping):
        return None
    band = {**asset, **bands[0]}
    found = band.get("eo:common_name") or band.get("common_name")
    return found if isinstance(found, str) else None


def _has_colours(item: Mapping[str, Any], key: str) -> bool:
    try:
        found = grid(item, key)
    except UpesiError:
        return False
    return found.dtype == "uint8" or (found.dtype is None and key == "visual")
