"""Values written in a filter: texts, numbers, times and geometries. All raise ValueError with the reason."""

import math
import re
from typing import Any

import shapely

from app.stac import geometry
from app.stac.cql2.nodes import Geometry, Instant, Value
from app.stac.interval import parse_instant

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)


def text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not a text")
    if "\0" in value:
        raise ValueError("a text with a NUL character cannot be stored, so that nothing can match it")
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        raise ValueError("a text holds one half of a UTF-16 pair")
    return value


def number(value: float) -> Value:
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise ValueError("a number is beyond the range of IEEE doubles")
    return Value(found)


def date(value: object) -> Instant:
    """The whole day in UTC, so that a date meets the times on it."""
    day = text(value)
    if _DATE.fullmatch(day) is None:
        raise ValueError(f"{day!r} is not a date such as 2024-07-16")
    return Instant(parse_instant(f"{day}T00:00:00Z"), parse_instant(f"{day}T23:59:59.999999Z"))


def timestamp(value: object) -> Instant:
    instant = parse_instant(text(value))
    return Instant(instant, instant)


def date_or_timestamp(value: object) -> Instant:
    return date(value) if isinstance(value, str) and _DATE.fullmatch(value) else timestamp(value)


def as_time(value: str) -> Instant | None:
    """None if it is a text like any other."""
    try:
        return date_or_timestamp(value)
    except ValueError:
        return None


def shape(value: object) -> Geometry:
    try:
        return Geometry(geometry.to_ewkb(geometry.asked_geometry(value)))
    except ValueError as error:
        raise ValueError(f"a geometry {error}") from None


def box(value: Any) -> Geometry:
    """One geometry, of two parts across the antimeridian."""
    if not isinstance(value, list) or not all(isinstance(part, int | float) and part is not True for part in value):
        raise ValueError("bbox: is not an array of numbers")
    try:
        parts = geometry.box_ewkb([float(part) for part in value])
    except (ValueError, OverflowError) as error:
        raise ValueError(f"bbox: {error}") from None
    if len(parts) == 1:
        return Geometry(parts[0])
    return Geometry(geometry.to_ewkb(shapely.unary_union([shapely.from_wkb(part) for part in parts])))
