import base64
import re
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stac import paging
from app.stac.paging import Position, Seek

DIGEST = "0123456789abcdef"
ids = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
seeks = st.builds(
    Seek,
    st.builds(
        Position,
        st.datetimes(timezones=st.just(UTC)),
        st.integers(0, (1 << 28) - 1),
        ids,
        st.integers(0, (1 << 31) - 1),
        st.lists(st.none() | ids, max_size=3).map(tuple),
    ),
    st.booleans(),
)
SEEK = Seek(Position(datetime(2024, 1, 1, tzinfo=UTC), 5, "item", 2), backward=True)
GOOD = [DIGEST, True, 0, 5, "item", 2]


def packed(values: Any) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).decode()


@given(seeks, st.text(st.sampled_from("0123456789abcdef")))
def test_token_is_read_back_and_fits_into_a_url(seek: Seek, digest: str) -> None:
    token = paging.encode(seek, digest)
    assert paging.decode(token, digest) == seek
    assert re.fullmatch("[A-Za-z0-9_-]+", token)


def test_token_with_its_padding_is_the_same() -> None:
    assert paging.decode(packed(GOOD), DIGEST) == paging.decode(packed(GOOD).rstrip("="), DIGEST)


@pytest.mark.parametrize(
    "values",
    [
        None,
        {},
        [],
        "text",
        GOOD[:-1],
        [*GOOD, 1],
        [5, *GOOD[1:]],
        [DIGEST, 1, 0, 5, "item", 2],
        [DIGEST, None, 0, 5, "item", 2],
        [DIGEST, True, 0.5, 5, "item", 2],
        [DIGEST, True, "0", 5, "item", 2],
        [DIGEST, True, 2**63, 5, "item", 2],
        [DIGEST, True, -(2**63), 5, "item", 2],
        [DIGEST, True, 0, -1, "item", 2],
        [DIGEST, True, 0, 1 << 28, "item", 2],
        [DIGEST, True, 0, 5, "a\0b", 2],
        [DIGEST, True, 0, 5, None, 2],
        [DIGEST, True, 0, 5, "item", -1],
        [DIGEST, True, 0, 5, "item", 1 << 31],
        [DIGEST, True, 0, 5, "item", 2.0],
    ],
    ids=str,
)
def test_made_up_token(values: object) -> None:
    with pytest.raises(ValueError, match=r"^is not a token of this service$"):
        paging.decode(packed(values), DIGEST)


@pytest.mark.parametrize(
    "text", ["", "=", "A", "%", "ü", "a b", "\0", "WyJ\n", "[]", "W10=W10=", "/+/+", "A" * 100_000]
)
def test_what_is_not_a_token(text: str) -> None:
    with pytest.raises(ValueError, match=r"^is not a token of this service$"):
        paging.decode(text, DIGEST)


def test_token_of_another_search() -> None:
    with pytest.raises(ValueError, match=r"^belongs to another search"):
        paging.decode(paging.encode(SEEK, DIGEST), "other")


@given(st.text() | st.text("ABCabc0189-_=+/") | st.binary().map(lambda data: base64.urlsafe_b64encode(data).decode()))
def test_any_text_raises_value_error_only(text: str) -> None:
    with suppress(ValueError):
        paging.decode(text, DIGEST)


@given(st.data())
def test_tampered_token_is_a_place_or_a_value_error(data: st.DataObject) -> None:
    token = paging.encode(SEEK, DIGEST)
    at = data.draw(st.integers(0, len(token) - 1))
    tampered = token[:at] + data.draw(st.sampled_from("Aa0_-=")) + token[at + data.draw(st.integers(0, 2)) :]
    with suppress(ValueError):
        position = paging.decode(tampered, DIGEST).position
        assert "\0" not in position.id
        assert 0 <= position.tie < 1 << 28
        assert 0 <= position.collection < 1 << 31


@given(st.lists(st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text(), max_size=7))
def test_any_values_are_a_place_or_a_value_error(values: list[object]) -> None:
    with suppress(ValueError):
        seek = paging.decode(packed([DIGEST, *values]), DIGEST)
        assert [seek.backward, seek.position.tie, seek.position.id] == [values[0], *values[2:4]]
