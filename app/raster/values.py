"""Values of STAC metadata as Python has them; what cannot be one raises InvalidMetadata with its place."""

import math
import re
from collections.abc import Sequence
from typing import Any, cast

from app.errors import InvalidMetadata

# The raster extension has these for the numbers JSON cannot write.
_WORDS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_LARGEST = 10**300
# A double holds what pixels and coordinates below this come to.
_FARTHEST = 10**100
_INTEGER = re.compile(r"(u?)int(8|16|32|64)")
# Of the types with 32 bits.
_LARGEST_SINGLE = 3.4028235677973366e38
_NAMES = {"inf": "inf", "-inf": "-inf", "nan": "nan"}


def number(value: Any, place: str) -> float | None:
    """A number as it is said, a whole one as int, or one of "nan", "inf" and "-inf"."""
    if value is None:
        return None
    if _is_number(value):
        return cast(float, value)
    if isinstance(value, str) and value.lower() in _WORDS:
        return _WORDS[value.lower()]
    raise InvalidMetadata(f"{value!r} is no number", place)


def finite(value: Any, place: str) -> float | None:
    found = number(value, place)
    if found is not None and not math.isfinite(found):
        raise InvalidMetadata(f"{value!r} is no finite number", place)
    return found


def numbers(value: Any, place: str, *counts: int) -> Sequence[float]:
    """So many numbers that can be computed with."""
    if not isinstance(value, list | tuple) or len(value) not in counts or not all(map(_is_number, value)):
        raise InvalidMetadata(f"is not {' or '.join(map(str, counts))} numbers", place)
    if not all(abs(part) < _FARTHEST for part in value):
        raise InvalidMetadata("has a number beyond 1e100", place)
    return value


def integer(value: Any, place: str) -> int | None:
    """A whole number, which some write as 32633.0."""
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, float) and value.is_integer():
        return int(value)
    raise InvalidMetadata(f"{value!r} is no whole number", place)


def text(value: Any, place: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InvalidMetadata(f"{value!r} is no text", place)


def common(values: Sequence[Any]) -> Any:
    """The value that all of them are, else None."""
    first, *others = values
    alike = all(value == first or (_is_nan(value) and _is_nan(first)) for value in others)
    return first if alike else None


def holds(data_type: str, value: float) -> bool:
    """Whether a pixel of this type, as numpy calls it, can have a value."""
    integer_type = _INTEGER.fullmatch(data_type)
    if integer_type is None:
        return data_type not in ("float32", "complex64") or not _LARGEST_SINGLE <= abs(value) < math.inf
    bits = int(integer_type[2])
    low, high = (0, 2**bits - 1) if integer_type[1] else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return low <= value <= high and value == int(value)


def as_json(value: float | None) -> float | str | None:
    """As `number` reads it."""
    return value if value is None or math.isfinite(value) else _NAMES[str(float(value))]


def _is_number(value: Any) -> bool:
    # Beyond a double there is no pixel, and Python refuses to compute with such a whole number.
    return isinstance(value, float) or (
        isinstance(value, int) and not isinstance(value, bool) and abs(value) < _LARGEST
    )


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)
