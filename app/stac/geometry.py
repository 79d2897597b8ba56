"""Geometries and boxes of STAC, as the EWKB that PostGIS reads."""

import math
import struct
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from itertools import chain
from typing import Any, NamedTuple, Self
from warnings import catch_warnings

import orjson
import shapely
from geojson_pydantic.geometries import Geometry
from pydantic import TypeAdapter, ValidationError
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

_SRID = 4326
_EWKB = b"\x20" + struct.pack("<I", _SRID)
# A polygon of one ring of five positions, and where its first three are.
_BOX, _CORNERS = struct.Struct("<BIIII10d"), struct.Struct("<17x6d")
_CROSSING_AT_MOST = 100
_COLLECTION_AT_MOST = 500
# Degrees: what projecting a footprint leaves behind, and what writing a box with few digits does.
_NOISE, _ROUNDING, _MARGIN = 1e-6, 0.01, 0.1
_BEYOND = "goes beyond longitude ±180 or latitude ±90"
# LineString, MultiLineString, GeometryCollection.
_OF_LINES = {2, 5, 7}
# MultiPoint and all after it.
_OF_PARTS = {4, 5, 6, 7}
_GEOMETRY: TypeAdapter[Any] = TypeAdapter(Geometry)
_POLYGON, _RING_AT_LEAST = 3, 4
# Degrees: what a longitude may be beyond its place.
_TURNS = (0, 360, -360)
_NUMBERS = {float, int}

Bounds = tuple[float, float, float, float]


class Footprint(NamedTuple):
    """The geometry of an item in two dimensions; heights stay in the document.

    `bounds` are west, south, east and north, None where there are no coordinates; `wkb` is that of a polygon which was
    read without GeoJSON's parser.
    """

    shape: BaseGeometry
    bounds: Bounds | None
    wkb: bytes | None

    @classmethod
    def of(cls, geometry: object) -> Self:
        """Raises ValueError that says what is wrong and where in the geometry."""
        wkb = _plain_polygon(geometry)
        shape = _read(geometry) if wkb is None else shapely.from_wkb(wkb)
        return cls(shape, _bounds(shape), wkb)

    def stored(self) -> Self:
        """The same place in a form that PostGIS never fails on, within longitude ±180: parted there, and what is beyond
        moved by 360. What is `misplaced` is of no globe, and stays where it is.

        To repair a geometry can widen it: a hole outside its shell becomes an area.
        """
        plain = self.wkb is not None and self.shape.is_valid
        shape = self.shape if plain else _repaired(self.shape)
        bounds = self.bounds if shape is self.shape else _bounds(shape)
        if bounds is None or (bounds[0] >= -180 and bounds[2] <= 180) or misplaced(bounds):
            return type(self)(shape, bounds, self.wkb if plain else None)
        pieces = [piece for part in shapely.get_parts(shape) for piece in _pieces(part)]
        shape = _repaired(shapely.unary_union(pieces))
        return type(self)(shape, _bounds(shape), None)

    def ewkb(self) -> bytes:
        return to_ewkb(self.shape) if self.wkb is None else _with_srid(self.wkb)


def geometry_ewkb(geometry: object) -> bytes:
    """A GeoJSON geometry (RFC 7946) as two-dimensional EWKB on the globe; heights stay in the document.

    Raises ValueError that says what is wrong and where in the geometry.
    """
    return Footprint.of(geometry).stored().ewkb()


def has_lines(ewkb: bytes) -> bool:
    """Whether a geometry is of lines, or a collection that may have some. By its type, in little-endian EWKB."""
    return ewkb[1] in _OF_LINES


def has_parts(ewkb: bytes) -> bool:
    return ewkb[1] in _OF_PARTS


def misplaced(bounds: Bounds | None) -> str | None:
    """What is wrong with where a geometry is.

    Latitudes end at ±90. Footprints across the antimeridian are often published in one piece, beyond longitude ±180
    (`Footprint.stored`); beyond ±360 they are of no globe (metres of a projection, for one).
    """
    if bounds is None:
        return None
    west, south, east, north = bounds
    if max(abs(west), abs(east)) <= 360 and max(abs(south), abs(north)) <= 90 + _NOISE:
        return None
    return "goes beyond longitude ±360 or latitude ±90"


def disagreement(bounds: Bounds | None, box: object) -> str | None:
    """What is wrong with the `bbox` of a geometry with these bounds: in itself, or that it is of another place.

    Published boxes have margins: a side may be a tenth of the geometry's size away from it. A box across the
    antimeridian is compared by latitude alone.
    """
    if not isinstance(box, list):
        return None
    if not all(type(number) in (int, float) for number in box):
        return "is not a list of numbers"
    try:
        west, south, east, north = _plane(box, slack=_NOISE)
    except (ValueError, OverflowError) as error:
        return str(error)
    if bounds is None:
        return None
    left, bottom, right, top = bounds
    across = west > east or right - left > 180 or left < -180 or right > 180
    width, height = (right - left) * _MARGIN + _ROUNDING, (top - bottom) * _MARGIN + _ROUNDING
    sides = {"south": (south, bottom, height), "north": (north, top, height)}
    if not across:
        sides |= {"west": (west, left, width), "east": (east, right, width)}
    for side, (declared, found, margin) in sides.items():
        if abs(declared - found) > margin:
            return f"has its {side} at {declared:g}, and the geometry at {found:g}"
    return None


def asked_geometry(geometry: object) -> BaseGeometry:
    """A geometry that a client asks with: it has coordinates, on the globe, and is not made to cost a minute.

    Lines that cross meet in as many places as the square of their number, and each is a node to work out, here and
    for each item: 500 random positions of a polygon are 40,000 nodes. Raises ValueError.
    """
    shape, bounds, _ = Footprint.of(geometry)
    if bounds is None:
        raise ValueError("has no coordinates")
    if not _on_globe(*bounds):
        raise ValueError(_BEYOND)
    size = shapely.get_num_coordinates(shape)
    if size > _CROSSING_AT_MOST and shapely.get_dimensions(shape) > 0 and not (shape.is_valid and shape.is_simple):
        raise ValueError(f"has more than {_CROSSING_AT_MOST} positions and crosses itself")
    if size > _COLLECTION_AT_MOST and shape.geom_type == "GeometryCollection":
        raise ValueError(f"is a GeometryCollection of more than {_COLLECTION_AT_MOST} positions")
    repaired = _repaired(shape)
    # A hole outside its shell is in the bounds only now.
    if not _on_globe(*repaired.bounds):
        raise ValueError(_BEYOND)
    return repaired


def _bounds(shape: BaseGeometry) -> Bounds | None:
    return None if shape.is_empty else shape.bounds


def _plain_polygon(geometry: object) -> bytes | None:
    """The WKB of a polygon that is certain to be read, as nearly all footprints are; None for anything else.

    GeoJSON's parser and the check in front of it take five times as long.
    """
    match geometry:
        case {"type": "Polygon", "coordinates": [_, *_] as rings, **more} if not more:
            pass
        case _:
            return None
    parts = [struct.pack("<BII", 1, _POLYGON, len(rings))]
    for ring in rings:
        numbers = _numbers(ring)
        if numbers is None:
            return None
        parts.append(struct.pack(f"<I{len(numbers)}d", len(ring), *numbers))
    return b"".join(parts)


def _numbers(ring: Any) -> list[float] | None:
    """The coordinates of a closed ring of positions in two dimensions, of the type that JSON gives; None otherwise."""
    if type(ring) is not list or len(ring) < _RING_AT_LEAST or ring[0] != ring[-1]:
        return None
    if set(map(type, ring)) != {list} or set(map(len, ring)) != {2}:
        return None
    numbers = list(chain.from_iterable(ring))
    try:
        return numbers if _NUMBERS.issuperset(map(type, numbers)) and all(map(math.isfinite, numbers)) else None
    except OverflowError:  # a whole number beyond what doubles hold
        return None


def _read(geometry: object) -> BaseGeometry:
    try:
        text = orjson.dumps(geometry)
        with without_advice():
            _GEOMETRY.validate_json(text, strict=True)
        shape = shapely.force_2d(shapely.from_geojson(text))
    except ValidationError as error:
        raise ValueError(_first_fault(error)) from None
    except (TypeError, shapely.errors.GEOSException) as error:
        raise ValueError(f"cannot be read: {error}") from None
    if not all(math.isfinite(bound) for bound in shape.bounds) and not shape.is_empty:
        raise ValueError("a coordinate is not a finite number")
    return shape


def _repaired(shape: BaseGeometry) -> BaseGeometry:
    """The same points of the plane, in a form that PostGIS never fails on.

    It does on some invalid polygons and on collections whose members overlap, and PostGIS 3.3 crashes on a point and
    a MultiPolygon with an empty member: one such item would break all searches around it. So a ring that crosses
    itself is split into the areas it goes round, empty members are left out, and a collection's members are united.
    """
    if shape.is_valid:
        return _united(shape)
    # Exact about every line, the usual way takes a minute for 500 positions at random, and fails on some polygons whose
    # shell has no area. The other one is about areas, takes half a second and does not fail.
    if shapely.get_num_coordinates(shape) <= _CROSSING_AT_MOST:
        with suppress(shapely.errors.GEOSException):
            return _united(shapely.make_valid(shape))
    return _united(shapely.make_valid(shape, method="structure"))


def _pieces(part: BaseGeometry) -> Iterator[BaseGeometry]:
    """Of a geometry that is no collection, within longitude ±180.

    What of a polygon lies on ±180 is a side of a piece, and no line beside it.
    """
    west, _, east, _ = part.bounds
    for turn in _TURNS:
        if turn - 180 <= west and east <= turn + 180:
            yield translate(part, -turn)
            return
    for turn in _TURNS:
        found = shapely.intersection(part, shapely.box(turn - 180, -91, turn + 180, 91))
        for piece in shapely.get_parts(found):
            if shapely.get_dimensions(piece) == shapely.get_dimensions(part):
                yield translate(piece, -turn)


def without_advice() -> AbstractContextManager[object]:
    """geojson-pydantic warns of collections that are legal, but unwise; that is not for whoever reads them to mend."""
    return catch_warnings(action="ignore")


def _united(shape: BaseGeometry) -> BaseGeometry:
    mixed = shape.geom_type == "GeometryCollection"
    if mixed or (shape.geom_type.startswith("Multi") and shapely.is_empty(shapely.get_parts(shape)).any()):
        return shapely.unary_union(shape)
    return shape


def to_ewkb(shape: BaseGeometry) -> bytes:
    """WKB with the flag and the number of the reference system behind its type, which is quicker than asking for it."""
    return _with_srid(shapely.to_wkb(shape, byte_order=1))


def _with_srid(wkb: bytes) -> bytes:
    return wkb[:4] + _EWKB + wkb[5:]


def box_ewkb(box: Sequence[float]) -> tuple[bytes, ...]:
    """A `bbox` of 4 or 6 numbers as polygons: one, or two where it crosses the antimeridian (west > east).

    A box without width or height becomes the line or the point it is. Heights are checked, then dropped:
    items are searched in two dimensions. Raises ValueError.
    """
    west, south, east, north = _plane(box)
    if west > east:
        return _rectangle(west, south, 180.0, north), _rectangle(-180.0, south, east, north)
    return (_rectangle(west, south, east, north),)


def share_of_globe(area: Sequence[bytes]) -> float:
    """How much of longitude and latitude EWKB geometries take, from 0 to 1; of any four corners, a guess."""
    return sum(map(_square_degrees, area)) / (360 * 180)


def bounds_of(part: bytes) -> Bounds:
    """Of an EWKB geometry that has coordinates."""
    west, south, east, north = shapely.from_wkb(part).bounds
    return west, south, east, north


def _square_degrees(part: bytes) -> float:
    if len(part) == _BOX.size and part[1] == _POLYGON:
        west, south, _, _, east, north = _CORNERS.unpack_from(part)
        return abs(float((east - west) * (north - south)))
    return float(shapely.area(shapely.from_wkb(part)))


def _plane(box: Sequence[float], slack: float = 0.0) -> tuple[float, float, float, float]:
    if len(box) not in (4, 6):
        raise ValueError(f"has {len(box)} numbers instead of 4 or 6")
    if not all(math.isfinite(number) for number in box):
        raise ValueError("has a number that is not finite")
    half = len(box) // 2
    (west, south), (east, north) = box[:2], box[half : half + 2]
    if south > north:
        raise ValueError(f"has its south ({south:g}) above its north ({north:g})")
    if half == 3 and box[2] > box[5]:
        raise ValueError(f"has its bottom ({box[2]:g}) above its top ({box[5]:g})")
    if not _on_globe(west, south, east, north, slack):
        raise ValueError(_BEYOND)
    return west, south, east, north


def _on_globe(west: float, south: float, east: float, north: float, slack: float = 0.0) -> bool:
    return max(abs(west), abs(east)) <= 180 + slack and max(abs(south), abs(north)) <= 90 + slack


def _rectangle(west: float, south: float, east: float, north: float) -> bytes:
    """EWKB by hand: the hot path of each box search, ten times faster than by way of a geometry object."""
    if west < east and south < north:
        ring = (west, south, east, south, east, north, west, north, west, south)
        return _BOX.pack(1, 0x20000003, _SRID, 1, 5, *ring)
    if west == east and south == north:
        return struct.pack("<BII2d", 1, 0x20000001, _SRID, west, south)
    return struct.pack("<BIII4d", 1, 0x20000002, _SRID, 2, west, south, east, north)


def _first_fault(error: ValidationError) -> str:
    fault = error.errors(include_url=False, include_input=False)[0]
    # The first step of the path is the name of the geometry's type, which is in the geometry for all to see.
    path = ".".join(str(step) for step in fault["loc"][1:])
    message = fault["msg"].removeprefix("Value error, ")
    return f"{path}: {message}" if path else message
