import re
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stac_api_validator.validations import invalid_datetimes, valid_datetimes

from app.stac.interval import Interval, format_instant, parse_instant

MICROSECOND = timedelta(microseconds=1)
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)


NEW_WORDS = sys.version_info >= (3, 14)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2024-01-01T00:00:00Z", NEW_YEAR),
        ("2024-01-01t00:00:00z", NEW_YEAR),
        ("2024-01-01T05:30:00+05:30", NEW_YEAR),
        ("2023-12-31T16:00:00-08:00", NEW_YEAR),
        ("2024-01-01T00:00:00-00:00", NEW_YEAR),
        ("2024-01-01T23:59:00+23:59", NEW_YEAR),
        ("2024-01-01T00:00:00.5Z", NEW_YEAR + 500_000 * MICROSECOND),
        ("2024-01-01T00:00:00.000001Z", NEW_YEAR + MICROSECOND),
        ("2024-01-01T00:00:00.0000019Z", NEW_YEAR + MICROSECOND),
        ("2024-01-01T00:00:00." + "0" * 50 + "1Z", NEW_YEAR),
        ("2023-12-31T23:59:60Z", NEW_YEAR),
        ("2023-12-31T23:59:60.75Z", NEW_YEAR),
        ("2023-12-31T15:59:60-08:00", NEW_YEAR),
        ("2024-02-29T00:00:00Z", datetime(2024, 2, 29, tzinfo=UTC)),
        ("0001-01-01T00:00:00.000001Z", datetime.min.replace(tzinfo=UTC) + MICROSECOND),
        ("9999-12-31T23:59:59.999998Z", datetime.max.replace(tzinfo=UTC) - MICROSECOND),
    ],
)
def test_instant(text: str, instant: datetime) -> None:
    assert parse_instant(text) == instant


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("0001-01-01T00:00:00Z", datetime.min.replace(tzinfo=UTC) + MICROSECOND),
        ("9999-12-31T23:59:59.999999999Z", datetime.max.replace(tzinfo=UTC) - MICROSECOND),
    ],
)
def test_the_ends_of_time_are_not_infinity(text: str, inside: datetime) -> None:
    assert parse_instant(text) == inside


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is not an RFC 3339 date-time"),
        ("2024", "is not an RFC 3339 date-time"),
        ("2024-01-01", "is not an RFC 3339 date-time"),
        ("2024-01-01T00:00Z", "is not an RFC 3339 date-time"),
        ("2024-01-01T00:00:00", "is not an RFC 3339 date-time"),
        ("2024-01-01 00:00:00Z", "is not an RFC 3339 date-time"),
        ("2024-01-01T00:00:00Z ", "is not an RFC 3339 date-time"),
        ("2024-01-01T00:00:00Z\n", "is not an RFC 3339 date-time"),
        ("2024-01-01T00:00:00+0100", "is not an RFC 3339 date-time"),
        ("2024-01-01T00:00:00+01", "is not an RFC 3339 date-time"),
        ("2024-01-01T00:00:00,5Z", "is not an RFC 3339 date-time"),
        ("2024-01-01T00:00:00.Z", "is not an RFC 3339 date-time"),
        ("+2024-01-01T00:00:00Z", "is not an RFC 3339 date-time"),
        ("\u0662024-01-01T00:00:00Z", "is not an RFC 3339 date-time"),
        ("2024-W01-1T00:00:00Z", "is not an RFC 3339 date-time"),
        ("0000-01-01T00:00:00Z", "year must be in 1..9999, not 0" if NEW_WORDS else "year 0 is out of range"),
        ("2024-13-01T00:00:00Z", "month must be in 1..12"),
        ("2023-02-29T00:00:00Z", "day 29 must be in range 1..28" if NEW_WORDS else "day is out of range for month"),
        ("2024-01-01T24:00:00Z", "hour must be in 0..23"),
        ("2024-01-01T00:60:00Z", "minute must be in 0..59"),
        ("2024-01-01T00:00:61Z", "second must be in 0..59"),
        ("2024-01-01T00:00:00+24:00", "the offset from UTC is out of range"),
        ("2024-01-01T00:00:00-00:60", "the offset from UTC is out of range"),
        ("0001-01-01T00:00:00+01:00", "is not a date-time: date value out of range"),
        ("9999-12-31T23:59:59-01:00", "is not a date-time: date value out of range"),
        ("9999-12-31T23:59:60Z", "is not a date-time: date value out of range"),
    ],
)
def test_no_instant(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(repr(text))}.*{re.escape(reason)}"):
        parse_instant(text)


instants = st.datetimes(datetime.min + 2 * MICROSECOND, datetime.max - 2 * MICROSECOND, timezones=st.just(UTC))


@given(instants)
def test_format_is_read_back(instant: datetime) -> None:
    assert parse_instant(format_instant(instant)) == instant


@given(instants.filter(lambda instant: 1 < instant.year < 9999), st.integers(-1439, 1439))
def test_offset_says_the_same_instant(instant: datetime, minutes: int) -> None:
    there = instant.astimezone(timezone(timedelta(minutes=minutes)))
    assert parse_instant(there.isoformat()) == instant
    assert format_instant(there) == format_instant(instant)


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d*)?([Zz]|[+-]\d\d:\d\d)?", fullmatch=True))
def test_any_text_is_an_instant_or_a_value_error(text: str) -> None:
    with suppress(ValueError):
        assert parse_instant(text).tzinfo is UTC


DAY = "2024-01-01T00:00:00Z"
NEXT = "2024-01-02T00:00:00Z"
NEXT_DAY = NEW_YEAR + timedelta(days=1)


@pytest.mark.parametrize(
    ("text", "interval"),
    [
        (DAY, Interval(NEW_YEAR, NEW_YEAR)),
        (f"{DAY}/{NEXT}", Interval(NEW_YEAR, NEXT_DAY)),
        (f"{DAY}/{DAY}", Interval(NEW_YEAR, NEW_YEAR)),
        (f"{DAY}/..", Interval(NEW_YEAR, None)),
        (f"{DAY}/", Interval(NEW_YEAR, None)),
        (f"../{DAY}", Interval(None, NEW_YEAR)),
        (f"/{DAY}", Interval(None, NEW_YEAR)),
    ],
)
def test_interval(text: str, interval: Interval) -> None:
    assert Interval.parse(text) == interval


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("..", "'..' is not an RFC 3339 date-time"),
        ("../..", "'../..' is open at both ends"),
        ("/", "'/' is open at both ends"),
        ("../", "'../' is open at both ends"),
        (f"{DAY}/{NEXT}/", "has more than one '/'"),
        (f"{NEXT}/{DAY}", "ends before it starts"),
        (f"{DAY}/tomorrow", "'tomorrow' is not an RFC 3339 date-time"),
        (f"{DAY}/null", "'null' is not an RFC 3339 date-time"),
        (f"{DAY}/...", "'...' is not an RFC 3339 date-time"),
    ],
)
def test_no_interval(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        Interval.parse(text)


@pytest.mark.parametrize("text", valid_datetimes)
def test_what_the_validator_takes_for_valid(text: str) -> None:
    found = Interval.parse(text)
    assert (found.start is None) == text.startswith(("/", ".."))
    assert (found.end is None) == text.endswith(("/", ".."))


@pytest.mark.parametrize("text", invalid_datetimes)
def test_what_the_validator_takes_for_invalid(text: str) -> None:
    with pytest.raises(ValueError, match="'"):
        Interval.parse(text)
