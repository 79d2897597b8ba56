"""Time: RFC 3339 instants and the `datetime` parameter of STAC API."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt](\d\d):\d\d:(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))", re.ASCII)
_SECOND = slice(17, 19)
# A microsecond inside of what Python can hold: the database driver takes the ends themselves for infinity.
_EARLIEST = datetime.min.replace(tzinfo=UTC) + timedelta(microseconds=1)
_LATEST = datetime.max.replace(tzinfo=UTC) - timedelta(microseconds=1)
_OPEN = ("", "..")


def parse_instant(text: str) -> datetime:
    """An RFC 3339 date-time, in UTC. What is finer than a microsecond is cut off.

    Raises ValueError with the reason.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not an RFC 3339 date-time such as 2024-07-16T17:39:09Z")
    hour, second, zone_hour, zone_minute = match.groups()
    try:
        # Newer versions of Python read these.
        if hour > "23":
            raise ValueError("hour must be in 0..23")
        if zone_hour is not None and (zone_hour > "23" or zone_minute > "59"):
            raise ValueError("the offset from UTC is out of range")
        instant = _after_leap(text) if second == "60" else datetime.fromisoformat(text.upper())
        return within_calendar(instant.astimezone(UTC))
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{text!r} is not a date-time: {error}") from None


def _after_leap(text: str) -> datetime:
    """RFC 3339 allows the leap second :60, which Python's clock does not know: it is the start of the next minute."""
    before = datetime.fromisoformat(f"{text[: _SECOND.start]}59{text[_SECOND.stop :]}".upper())
    return before.replace(microsecond=0) + timedelta(seconds=1)


def is_leap_second(text: str) -> bool:
    match = _INSTANT.fullmatch(text)
    return match is not None and match[2] == "60"


def within_calendar(instant: datetime) -> datetime:
    """An instant in UTC that is not infinity to the database driver."""
    return min(max(instant, _EARLIEST), _LATEST)


def format_instant(instant: datetime) -> str:
    """RFC 3339 in UTC, with a fraction where there is one."""
    return instant.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval of time; None is an open end."""

    start: datetime | None
    end: datetime | None

    @classmethod
    def parse(cls, text: str) -> "Interval":
        """An instant, or `start/end` where one of both may be open: `..` or nothing (OGC API Features 7.15.4)."""
        parts = text.split("/")
        if len(parts) == 1:
            instant = parse_instant(text)
            return cls(instant, instant)
        if len(parts) > 2:
            raise ValueError(f"{text!r} has more than one '/'")
        if parts[0] in _OPEN and parts[1] in _OPEN:
            raise ValueError(f"{text!r} is open at both ends: leave the parameter out instead")
        start, end = (None if part in _OPEN else parse_instant(part) for part in parts)
        if start is not None and end is not None and start > end:
            raise ValueError(f"{text!r} ends before it starts")
        return cls(start, end)
