"""The grid of an asset, from what its item says of it: no file is opened.

Projection: https://github.com/stac-extensions/projection, raster and eo 1.0 (`raster:bands`, `eo:bands`), and the
`bands` of STAC 1.1. What an asset says wins over its item's properties, those over the collection's `item_assets`,
and these over the collection's summaries, of which only those with a single value say something of each item.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from app.errors import InvalidMetadata
from app.raster.values import as_json, common, finite, integer, number, numbers, text
from app.stac.asset import asset_of

Transform = tuple[float, float, float, float, float, float]
Bounds = tuple[float, float, float, float]
Level = tuple[str, Mapping[str, Any]]
Source = tuple[Mapping[str, tuple[str, ...]], Level]

_CRS = ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson")
# The names of one value of a band: in `bands` of STAC 1.1, in `raster:bands` and `eo:bands`, and of the whole asset.
_BAND = {
    "name": ("name",),
    "common_name": ("eo:common_name", "common_name"),
    "description": ("description",),
    "dtype": ("data_type", "raster:data_type"),
    "nodata": ("nodata", "raster:nodata"),
    "scale": ("raster:scale", "scale"),
    "offset": ("raster:offset", "offset"),
    "unit": ("unit", "raster:unit"),
    "resolution": ("raster:spatial_resolution", "spatial_resolution"),
}
_OF_ASSET = {
    "dtype": ("data_type", "raster:data_type"),
    "nodata": ("nodata", "raster:nodata"),
    "scale": ("raster:scale",),
    "offset": ("raster:offset",),
    "unit": ("unit",),
    "resolution": ("raster:spatial_resolution",),
}
_WHOLE = ("dtype", "nodata", "scale", "offset", "resolution")
_READ = {"resolution": finite, "dtype": text, "unit": text, "name": text, "common_name": text, "description": text}
_LISTS = ("bands", "raster:bands", "eo:bands")
_MOST_PIXELS = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Band:
    """A band as the item has it; None is what nobody says. `value = stored * scale + offset`, in `unit`."""

    name: str | None = None
    common_name: str | None = None
    description: str | None = None
    dtype: str | None = None
    nodata: float | None = None
    scale: float | None = None
    offset: float | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """Where the pixels of an asset are and what they mean; None is what nobody says.

    code: "EPSG:32633" or another authority's; wkt2, projjson: the CRS in these forms, as they are said
    geotransform: in GDAL's order, x = g[0] + column * g[1] + row * g[2], y = g[3] + column * g[4] + row * g[5]
    shape: rows, columns
    bbox: west, south, east, north, in the CRS
    resolution: the width and height of a pixel, both positive, in the units of the CRS
    bands: empty where none are described, which does not say that there are none
    dtype, nodata, scale, offset: those that hold for all bands
    """

    code: str | None = None
    wkt2: str | None = None
    projjson: Mapping[str, Any] | None = None
    geotransform: Transform | None = None
    shape: tuple[int, int] | None = None
    bbox: Bounds | None = None
    resolution: tuple[float, float] | None = None
    bands: tuple[Band, ...] = ()
    dtype: str | None = None
    nodata: float | None = None
    scale: float | None = None
    offset: float | None = None

    @property
    def crs(self) -> str | None:
        """The CRS as one text that PROJ, rasterio and pyproj take: its code, else WKT2, else PROJJSON."""
        if self.code or self.wkt2:
            return self.code or self.wkt2
        return None if self.projjson is None else json.dumps(self.projjson)

    @property
    def transform(self) -> Transform | None:
        """The first six numbers of `affine.Affine`, which is the order of `proj:transform` too."""
        if self.geotransform is None:
            return None
        c, a, b, f, d, e = self.geotransform
        return a, b, c, d, e, f

    def document(self) -> dict[str, Any]:
        """As JSON, with its nulls; "nan", "inf" and "-inf" as the raster extension has them."""
        members = {name: getattr(self, name) for name in self.__dataclass_fields__}
        bands = [{name: getattr(band, name) for name in band.__dataclass_fields__} for band in self.bands]
        for described in (members, *bands):
            described |= {name: as_json(described[name]) for name in ("nodata", "scale", "offset")}
        return members | {"bands": bands}


def grid(item: Mapping[str, Any], asset: str, collection: Mapping[str, Any] | None = None) -> Grid:
    """The grid of the asset with this key, of an item as a JSON object.

    Raises NotFound for an asset the item does not have, and InvalidMetadata for a value that cannot be, with its place.
    """
    levels = _levels(item, asset, collection)
    crs = _crs(levels)
    transform_at, transform = _first(levels, "proj:transform")
    shape_at, shape = _first(levels, "proj:shape")
    box_at, box = _first(levels, "proj:bbox")
    geotransform = None if transform is None else _geotransform(transform, f"{levels[transform_at][0]}.proj:transform")
    size = None if shape is None else _shape(shape, f"{levels[shape_at][0]}.proj:shape")
    bounds = None if box is None else _bounds(box, f"{levels[box_at][0]}.proj:bbox")
    # A box that is said of all assets is not that of an asset with a grid of its own.
    if geotransform and size and (bounds is None or max(transform_at, shape_at) < box_at):
        bounds = covered(geotransform, size)
    bands, whole = _bands(levels)
    pixel = whole.pop("resolution")
    return Grid(
        **crs,
        geotransform=geotransform,
        shape=size,
        bbox=bounds,
        resolution=_resolution(geotransform) if geotransform else pixel and (pixel, pixel),
        bands=bands,
        **whole,
    )


def _levels(item: Mapping[str, Any], key: str, collection: Mapping[str, Any] | None) -> list[Level]:
    """What speaks of an asset, each with its place, the most special first."""
    levels: list[Level] = [(f"assets.{key}", asset_of(item, key)), ("properties", _object(item.get("properties")))]
    if collection is not None:
        defined = _object(_object(collection.get("item_assets")).get(key))
        summaries = _object(collection.get("summaries"))
        single = {
            name: values[0] for name, values in summaries.items() if isinstance(values, list) and len(values) == 1
        }
        levels += [(f"item_assets.{key}", defined), ("summaries", single)]
    return levels


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _first(levels: Sequence[Level], *names: str) -> tuple[int, Any]:
    """The first level that has one of the names, and its value there; the number of levels and None without one."""
    for position, (_, members) in enumerate(levels):
        for name in names:
            if name in members:
                return position, members[name]
    return len(levels), None


def _crs(levels: Sequence[Level]) -> dict[str, Any]:
    """The CRS of one level: that of the item in one form says nothing of an asset with its own in another."""
    for place, members in levels:
        if not any(name in members for name in _CRS):
            continue
        code = text(members.get("proj:code"), f"{place}.proj:code")
        epsg = integer(members.get("proj:epsg"), f"{place}.proj:epsg")
        projjson = members.get("proj:projjson")
        if projjson is not None and not isinstance(projjson, Mapping):
            raise InvalidMetadata("is no JSON object", f"{place}.proj:projjson")
        return {
            "code": code or (None if epsg is None else f"EPSG:{epsg}"),
            "wkt2": text(members.get("proj:wkt2"), f"{place}.proj:wkt2"),
            "projjson": projjson,
        }
    return {}


def _geotransform(value: Any, place: str) -> Transform:
    found = numbers(value, place, 6, 9)
    if len(found) == 9 and tuple(found[6:]) != (0, 0, 1):
        raise InvalidMetadata("has a last row other than 0, 0, 1", place)
    a, b, c, d, e, f = found[:6]
    if a * e == b * d:
        raise InvalidMetadata("gives pixels without an area", place)
    return c, a, b, f, d, e


def _shape(value: Any, place: str) -> tuple[int, int]:
    if not isinstance(value, Sequence) or isinstance(value, str) or len(value) != 2:
        raise InvalidMetadata("is no pair of rows and columns", place)
    rows, columns = (integer(part, place) for part in value)
    if not rows or not columns or rows < 0 or columns < 0:
        raise InvalidMetadata("has rows or columns that are not positive", place)
    if max(rows, columns) > _MOST_PIXELS:
        raise InvalidMetadata("has more rows or columns than 64 bits can count", place)
    return rows, columns


def _bounds(value: Any, place: str) -> Bounds:
    sides = numbers(value, place, 4, 6)
    return (sides[0], sides[1], sides[2], sides[3]) if len(sides) == 4 else (sides[0], sides[1], sides[3], sides[4])


def covered(geotransform: Transform, shape: tuple[int, int]) -> Bounds:
    left, across_x, down_x, top, across_y, down_y = geotransform
    rows, columns = shape
    corners = [(column, row) for column in (0, columns) for row in (0, rows)]
    xs = [left + column * across_x + row * down_x for column, row in corners]
    ys = [top + column * across_y + row * down_y for column, row in corners]
    return min(xs), min(ys), max(xs), max(ys)


def _resolution(geotransform: Transform) -> tuple[float, float]:
    _, across_x, down_x, _, across_y, down_y = geotransform
    return math.hypot(across_x, across_y), math.hypot(down_x, down_y)


def _bands(levels: Sequence[Level]) -> tuple[tuple[Band, ...], dict[str, Any]]:
    """The bands, and what holds for all of them, or for an asset whose bands nobody describes."""
    described = [{name: _value(name, sources) for name in _BAND} for sources in _sources_of_bands(levels)]
    if described:
        whole = {name: common([band[name] for band in described]) for name in _WHOLE}
    else:
        whole = {name: _value(name, [(_OF_ASSET, level) for level in levels]) for name in _WHOLE}
    return tuple(Band(**{name: band[name] for name in Band.__dataclass_fields__}) for band in described), whole


def _sources_of_bands(levels: Sequence[Level]) -> Iterator[list[Source]]:
    """For each band what speaks of it, the most special first: its lists, and what is said of all bands together.

    The lists of an asset are about the same bands in the same order. The collection's are taken for those of the item
    where they are as many, or the item has none. A list in the item's properties or in summaries is of all assets.
    """
    own = _lists(levels[0])
    count = max(map(len, own.values()), default=0)
    others = _lists(levels[2]) if len(levels) > 2 else {}
    if count:
        others = {place: bands for place, bands in others.items() if len(bands) == count}
    for position in range(count or max(map(len, others.values()), default=0)):
        yield [
            *_listed(own, position),
            *((_OF_ASSET, level) for level in levels[:2]),
            *_listed(others, position),
            *((_OF_ASSET, level) for level in levels[2:]),
        ]


def _listed(lists: Mapping[str, Sequence[Mapping[str, Any]]], position: int) -> list[Source]:
    return [
        (_BAND, (f"{place}.{position}", bands[position])) for place, bands in lists.items() if position < len(bands)
    ]


def _lists(level: Level) -> dict[str, Sequence[Mapping[str, Any]]]:
    place, members = level
    found: dict[str, Sequence[Mapping[str, Any]]] = {}
    for name in _LISTS:
        bands = members.get(name)
        if bands is None or bands == []:
            continue
        if not isinstance(bands, list | tuple) or not all(isinstance(band, Mapping) for band in bands):
            raise InvalidMetadata("is no list of objects", f"{place}.{name}")
        found[f"{place}.{name}"] = bands
    return found


def _value(member: str, sources: Sequence[Source]) -> Any:
    """One value of a band or an asset. What says null has none, whatever the next source says."""
    for names, (place, members) in sources:
        for name in names.get(member, ()):
            if name in members:
                return _READ.get(member, number)(members[name], f"{place}.{name}")
    return None
