from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidDocument
from app.stac import differences

SCALARS = st.none() | st.booleans() | st.integers(0, 2) | st.text("ab", max_size=2)


def objects(inner: Any) -> Any:
    return st.dictionaries(st.sampled_from("abc"), inner, max_size=3)


VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=2) | objects(inner), max_leaves=8)


@given(objects(VALUES), objects(VALUES))
def test_differences_make_the_other(given: Any, wanted: Any) -> None:
    found = differences.between(given, wanted)
    made = differences.apply(given, found)
    assert repr(sorted_members(made)) == repr(sorted_members(wanted))


def sorted_members(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: sorted_members(value[name]) for name in sorted(value)}
    return [sorted_members(part) for part in value] if isinstance(value, list) else value


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), ([1], [1.0]), ({"a": 0}, {"a": 0.0})])
def test_numbers_that_are_equal_are_the_same(one: Any, other: Any) -> None:
    assert differences.between({"x": one}, {"x": other}) == []
    assert differences.between({"x": True}, {"x": 1}) == [[["x"], 1]]


@pytest.mark.parametrize("said", [1, [1], [[]], [[["a", "b"]]], [[["a"], 1, 2]], [[[], 1]]])
def test_what_does_not_fit_is_refused(said: Any) -> None:
    with pytest.raises(InvalidDocument, match="do not belong"):
        differences.apply({"c": 1}, said)
