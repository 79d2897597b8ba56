"""The extent of a collection: what it is served with, and where and when its searches find it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import shapely
from pydantic import TypeAdapter, ValidationError
from stac_pydantic.shared import UtcDatetime

from app.errors import Fault
from app.stac import document as documents
from app.stac.geometry import box_ewkb, to_ewkb
from app.stac.interval import format_instant, parse_instant, within_calendar

Times = tuple[datetime | None, datetime | None]

_START_AND_END: TypeAdapter[Times] = TypeAdapter(tuple[UtcDatetime | None, UtcDatetime | None])


def of_items(
    declared: bytes,
    box: tuple[float, float, float, float] | None,
    start: datetime | None,
    end: datetime | None,
) -> bytes:
    """The declared extent (JSON) with the box and the interval of the items, as far as there are any.

    `box` is of footprints: its west is greater than its east across the antimeridian, and it may go beyond the globe
    where documents are not checked.
    """
    if box is None and start is None:
        return declared
    extent = documents.parse(declared)
    if box is not None:
        west, south, east, north = _around_globe(*box)
        # Items that are at a pole, but for what projecting them left behind, may be all beyond it.
        extent["spatial"] |= {"bbox": [[west, min(south, 90.0), east, max(north, -90.0)]]}
    if start is not None and end is not None:
        extent["temporal"] |= {"interval": [[format_instant(start), format_instant(end)]]}
    return documents.dump(extent)


def faults(extent: dict[str, Any]) -> list[Fault]:
    """What the model of a collection lets pass: it makes numbers of texts, and times of numbers."""
    found = [
        Fault(f"extent.spatial.bbox.{number}", "is not a list of four or six numbers")
        for number, box in enumerate(_listed(extent["spatial"].get("bbox")))
        if not _is_box(box)
    ]
    for number, interval in enumerate(_listed(extent["temporal"].get("interval"))):
        for end, time in enumerate(_listed(interval)):
            try:
                if time is not None:
                    parse_instant(str(time))
            except ValueError as error:
                found.append(Fault(f"extent.temporal.interval.{number}.{end}", str(error)))
    return found


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _is_box(box: Any) -> bool:
    return isinstance(box, list) and len(box) in (4, 6) and all(type(number) in (int, float) for number in box)


def declared_area(extent: Any) -> bytes | None:
    """EWKB of all the boxes that an extent declares, in one; None where it declares none.

    What is no box is passed over. Longitudes beyond ±180 go on round the globe, as published collections have them.
    """
    match extent:
        case {"spatial": {"bbox": list() as boxes}}:
            parts = [part for box in boxes for part in _rectangles(box)]
            return to_ewkb(shapely.union_all(shapely.from_wkb(parts))) if parts else None
    return None


def declared_times(extent: Any) -> tuple[Times, ...]:
    """The intervals that an extent declares; None is an open end. What is no interval is passed over."""
    match extent:
        case {"temporal": {"interval": list() as intervals}}:
            return tuple(times for interval in intervals for times in _times(interval))
    return ()


def _rectangles(box: Any) -> Iterable[bytes]:
    if not isinstance(box, list):
        return ()
    try:
        # In two dimensions: heights are the third and the sixth of six numbers.
        west, south, east, north = map(float, box if len(box) == 4 else (*box[0:2], *box[3:5]))
        return box_ewkb(_around_globe(west, south, east, north))
    except (ValueError, TypeError, OverflowError):
        return ()


def _around_globe(west: float, south: float, east: float, north: float) -> tuple[float, float, float, float]:
    """The same place within longitude ±180 and latitude ±90."""
    west, east = (-180.0, 180.0) if east - west >= 360 else (_longitude(west), _longitude(east))
    return west, max(south, -90.0), east, min(north, 90.0)


def _longitude(degrees: float) -> float:
    return degrees if abs(degrees) <= 180 else (degrees + 180) % 360 - 180


def _times(interval: Any) -> Iterable[Times]:
    try:
        start, end = _START_AND_END.validate_python(interval)
    except ValidationError:
        return ()
    if start is not None and end is not None and start > end:
        return ()
    return ((start and within_calendar(start), end and within_calendar(end)),)
