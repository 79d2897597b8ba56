"""Footprints on a map, as paths in degrees, with the part of the world that shows them all.

Longitude is x and latitude is -y; the template stretches x so that shapes in the middle of the map look as they are.
What lies on both sides of the antimeridian is shown in one piece: longitudes go on beyond ±180.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
import shapely
from shapely import Polygon
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

_STEPS = (30.0, 15.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
_LEAST_HEIGHT = 0.05
_GLOBAL_HEIGHT = 100.0
_ROOM = 1.6
_POINTS = "Point", "MultiPoint"

Box = tuple[float, float, float, float]
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Footprint:
    """What is to be drawn: a GeoJSON geometry or a bbox of a document, with what it is called and leads to."""

    label: str
    href: str | None
    geometry: Any
    bbox: Any
    kind: str = "item"


@dataclass(frozen=True, slots=True)
class Shape:
    label: str
    href: str | None
    kind: str
    path: str


@dataclass(frozen=True, slots=True)
class View:
    """A part of the world in degrees, twice as wide as high where it is stretched."""

    west: float
    north: float
    width: float
    height: float
    stretch: float

    @property
    def box(self) -> str:
        """The viewBox."""
        return f"{self.west * self.stretch:.5g} {-self.north:.5g} {self.width * self.stretch:.5g} {self.height:.5g}"


@dataclass(frozen=True, slots=True)
class Map:
    view: View
    shapes: tuple[Shape, ...]
    graticule: str
    summary: str

    @property
    def locator(self) -> bool:
        """Whether a small map of the world says where this one is."""
        return self.view.height < 60


@dataclass(frozen=True, slots=True)
class _Part:
    """One piece of a footprint; lines that are closed are rings."""

    lines: tuple[tuple[Place, ...], ...]
    closed: bool
    bounds: Box


def drawn(footprints: Iterable[Footprint], least: float = _LEAST_HEIGHT) -> Map:
    """All of them; `least` is how many degrees the map is high at least."""
    found = [(footprint, parts) for footprint in footprints if (parts := _parts(footprint))]
    bounds = [part.bounds for _, parts in found for part in parts]
    view = _view(bounds, least)
    digits = max(0, min(6, 3 - math.floor(math.log10(view.height))))
    shapes = [
        Shape(one.label, one.href, one.kind, "".join(_path(part, view, digits) for part in parts))
        for one, parts in found
    ]
    return Map(view, tuple(shapes), _graticule(view), _summary(bounds))


def boxes_of(extent: Any) -> list[Any]:
    """The boxes of a collection's extent, without the first, which is around them, where there are more."""
    spatial = extent.get("spatial") if isinstance(extent, dict) else None
    boxes = spatial.get("bbox") if isinstance(spatial, dict) else None
    found = [box for box in boxes if _corners(box)] if isinstance(boxes, list) else []
    return found[1:] if len(found) > 1 else found


def _corners(bbox: Any) -> Box | None:
    """West, south, east and north; east is beyond 180 for a box across the antimeridian."""
    if not isinstance(bbox, list) or len(bbox) not in (4, 6):
        return None
    if not all(isinstance(number, int | float) and math.isfinite(number) for number in bbox):
        return None
    half = len(bbox) // 2
    west, south, east, north = (float(number) for number in (*bbox[:2], *bbox[half : half + 2]))
    return (west, south, east + 360 if east < west else east, north)


def _parts(footprint: Footprint) -> list[_Part]:
    """The pieces of a footprint: of its geometry, or else of its box. None of what cannot be read."""
    corners = _corners(footprint.bbox)
    if isinstance(footprint.geometry, dict):
        try:
            shape = shapely.from_geojson(orjson.dumps(footprint.geometry))
        except (ShapelyError, TypeError, ValueError):
            shape = None
        if shape is not None and not shape.is_empty:
            crosses = corners is not None and corners[2] > 180
            return [part for piece in _pieces(shape) if (part := _part(piece, crosses)) is not None]
    if corners is None:
        return []
    part = _part(shapely.box(*corners), crosses=False)
    return [] if part is None else [part]


def _pieces(shape: BaseGeometry) -> list[BaseGeometry]:
    parts = list(shapely.get_parts(shape))
    return [shape] if len(parts) == 1 else [piece for part in parts for piece in _pieces(part)]


def _part(piece: BaseGeometry, crosses: bool) -> _Part | None:
    west, south, east, north = piece.bounds
    if not all(map(math.isfinite, piece.bounds)) or max(abs(west), abs(east)) > 720:
        return None
    simple = shapely.simplify(piece, max(east - west, north - south) / 400)
    simple = piece if simple.is_empty else simple
    rings = [simple.exterior, *simple.interiors] if isinstance(simple, Polygon) else [simple]
    # In one piece from 179 to -179, which is the long way round.
    shift = crosses and east - west > 180
    lines = tuple(tuple((x + 360 if shift and x < 0 else x, y) for x, y, *_ in ring.coords) for ring in rings)
    if shift:
        longitudes = [x for line in lines for x, _ in line]
        west, east = min(longitudes), max(longitudes)
    return _Part(lines, isinstance(simple, Polygon), (west, max(-90.0, south), east, min(90.0, north)))


def _view(bounds: Sequence[Box], least: float) -> View:
    if not bounds:
        return View(-180.0, 90.0, 360.0, 180.0, 1.0)
    west, width = _arc([(box[0], box[2]) for box in bounds])
    south, north = min(box[1] for box in bounds), max(box[3] for box in bounds)
    stretch = max(0.3, math.cos(math.radians((south + north) / 2)))
    height = max(least, (north - south) * _ROOM, width * stretch * _ROOM / 2)
    middle = west + width / 2
    if height > _GLOBAL_HEIGHT:
        # The usual map, unless what it shows lies around its edge.
        left = -180.0 if west >= -180 and west + width <= 180 else middle - 180
        return View(left, 90.0, 360.0, 180.0, 1.0)
    top = min(90.0, max((south + north) / 2 + height / 2, height - 90))
    return View(middle - height / stretch, top, 2 * height / stretch, height, stretch)


def _arc(intervals: Sequence[tuple[float, float]]) -> Place:
    """The west and the width of the smallest stretch of longitudes that holds all: what the widest gap leaves."""
    if any(east - west >= 360 for west, east in intervals):
        return -180.0, 360.0
    ordered = sorted(((west + 180) % 360 - 180, east - west) for west, east in intervals)
    reach = ordered[0][0]
    widest, start = -1.0, ordered[0][0]
    for west, width in ordered:
        if west - reach > widest and west > reach:
            widest, start = west - reach, west
        reach = max(reach, west + width)
    last = ordered[0][0] + 360 - reach
    if last >= widest:
        return (ordered[0][0], reach - ordered[0][0]) if last > 0 else (-180.0, 360.0)
    return start, 360 - widest


def _path(part: _Part, view: View, digits: int) -> str:
    """Of a piece, as often as the view shows it."""
    return "".join(
        _line(line, part.closed, shift, digits)
        for shift in (-360, 0, 360)
        if part.bounds[0] + shift <= view.west + view.width and part.bounds[2] + shift >= view.west
        for line in part.lines
    )


def _line(line: Sequence[Place], closed: bool, shift: int, digits: int) -> str:
    places = [f"{x + shift:.{digits}f} {-y:.{digits}f}" for x, y in line]
    if len(places) == 1:
        return f"M{places[0]}h0"  # Its round cap is the point.
    return f"M{'L'.join(places[:-1] if closed else places)}{'z' if closed else ''}"


def _graticule(view: View) -> str:
    """Meridians and parallels, around the view too, where one may look next."""
    step = next((step for step in _STEPS if view.height / step >= 3), _STEPS[-1])
    around = view.height
    west, east = view.west - around, view.west + view.width + around
    south, north = max(-90.0, view.north - view.height - around), min(90.0, view.north + around)
    meridians = [f"M{n * step:g} {-north:g}V{-south:g}" for n in _between(west, east, step)]
    parallels = [f"M{west:g} {-n * step:g}H{east:g}" for n in _between(south, north, step)]
    return "".join((*meridians, *parallels))


def _between(low: float, high: float, step: float) -> range:
    return range(math.ceil(low / step), math.floor(high / step) + 1)


def _summary(bounds: Sequence[Box]) -> str:
    if not bounds:
        return "the whole world"
    west, width = _arc([(box[0], box[2]) for box in bounds])
    south, north = min(box[1] for box in bounds), max(box[3] for box in bounds)
    if width >= 360:
        return f"{_degrees(south, 'NS')} to {_degrees(north, 'NS')}, all around the world"
    east = (west + width + 180) % 360 - 180
    return f"{_degrees(west, 'EW')} to {_degrees(east, 'EW')}, {_degrees(south, 'NS')} to {_degrees(north, 'NS')}"


def _degrees(number: float, sides: str) -> str:
    return f"{abs(number):.2f}° {sides[0] if number >= 0 else sides[1]}"
