import json

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from app.stac import statistics
from app.stac.statistics import TEXTS_AT_MOST, Statistic, Type, of_properties

TIME = "2024-01-01T00:00:00Z"
MANY = [f"text {number}" for number in range(TEXTS_AT_MOST + 1)]


@pytest.mark.parametrize(
    ("values", "statistic"),
    [
        ([1, 2.5, -3], Statistic(Type.INTEGER | Type.NUMBER, 0, -3, 2.5, frozenset())),
        ([None, True], Statistic(Type.NULL | Type.BOOLEAN, 0, None, None, frozenset())),
        (["a", "b", "a", TIME], Statistic(Type.TEXT | Type.TIME, 0, None, None, frozenset("ab"))),
        ([TIME, TIME], Statistic(Type.TIME, 0, None, None, frozenset())),
        (["2024-01-01"], Statistic(Type.TEXT, 0, None, None, frozenset(["2024-01-01"]))),
        (
            [["a", 7, TIME], [], "b", 1],
            Statistic(
                Type.ARRAY | Type.TEXT | Type.INTEGER, Type.TEXT | Type.INTEGER | Type.TIME, 1, 1, frozenset("ab")
            ),
        ),
        ([{"a": 5}, [[1], {}]], Statistic(Type.OBJECT | Type.ARRAY, Type.ARRAY | Type.OBJECT, None, None, frozenset())),
        (MANY, Statistic(Type.TEXT, 0, None, None, None)),
        ([MANY[1:], MANY[0]], Statistic(Type.ARRAY | Type.TEXT, Type.TEXT, None, None, None)),
        (["x" * 101], Statistic(Type.TEXT, 0, None, None, None)),
        ([2**70, 5], Statistic(Type.INTEGER, 0, 5, 2**70, frozenset())),
    ],
    ids=lambda value: str(value)[:40],
)
def test_statistic(values: list[object], statistic: Statistic) -> None:
    stored = [orjson.dumps({"a": value}) if value != 2**70 else b'{"a": %d}' % 2**70 for value in values]
    assert of_properties(stored) == {"a": statistic}


@given(st.lists(st.one_of(st.integers(-9, 9), st.floats(-9, 9), st.sampled_from(["a", "b", TIME])), min_size=1))
def test_a_statistic_of_all_is_that_of_the_parts_together(values: list[object]) -> None:
    whole, parts = Statistic.of(values), [Statistic.of([value]) for value in values]
    assert whole.types == sum({flag for part in parts for flag in [part.types]})
    assert whole.texts == frozenset().union(*(part.texts or () for part in parts))
    assert whole.minimum == min((part.minimum for part in parts if part.minimum is not None), default=None)
    assert whole.maximum == max((part.maximum for part in parts if part.maximum is not None), default=None)


def test_names_that_no_index_can_hold_are_left_out() -> None:
    assert of_properties([orjson.dumps({"a" * 1001: 1, "b": None})]).keys() == {"b"}


texts = st.sampled_from([*MANY, TIME, "2024-01-01", "x" * 101])
numbers = st.one_of(
    st.integers(-3, 3), st.sampled_from([2**63 - 1, 2**63, 2**70, -(2**63), -(2**70)]), st.floats(-3, 3)
)
members = st.one_of(st.none(), st.booleans(), numbers, texts)
properties = st.dictionaries(
    st.sampled_from("ab"), st.one_of(members, st.lists(members, max_size=3), st.just({"c": 1})), max_size=2
)


def as_stored(items: list[dict[str, object]]) -> list[bytes]:
    return [json.dumps(each).encode() for each in items]


@given(st.lists(properties), st.lists(properties))
@example([{"a": [2**70]}], [{"a": 2**70}])
def test_joined_statistics_are_those_of_all(some: list[dict[str, object]], others: list[dict[str, object]]) -> None:
    joined = statistics.joined(of_properties(as_stored(some)), of_properties(as_stored(others)))
    assert joined == of_properties(as_stored(some + others))


@given(st.lists(properties, max_size=40), properties)
def test_what_they_hold_for_widens_nothing(items: list[dict[str, object]], one: dict[str, object]) -> None:
    known, (stored,) = of_properties(as_stored(items)), as_stored([one])
    if statistics.hold(known, stored):
        assert statistics.joined(known, of_properties([stored])) == known


@pytest.mark.parametrize("value", [0, -1.5, "a", TIME, None, True, {"c": 1}, ["a", 2], [[]], MANY])
def test_they_hold_for_what_they_were_made_of(value: object) -> None:
    (stored,) = as_stored([{"a": value, "b": 1}])
    assert statistics.hold(of_properties([stored]), stored)
    assert not statistics.hold({}, stored)
    assert not statistics.hold(of_properties([stored]), as_stored([{"a": value, "c": 1}])[0])
