"""The Query extension, read: what it becomes, and what is refused with its place."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.stac import query
from app.stac.cql2 import from_text
from app.stac.cql2.nodes import And


@pytest.mark.parametrize(
    ("asked", "text"),
    [
        ({"a": {"eq": 1}}, "a = 1"),
        ({"properties.a": {"neq": "x"}}, "properties.a <> 'x'"),
        ({"a": {"lt": 1.5, "lte": 2}}, "a < 1.5 AND a <= 2"),
        ({"a": {"gt": True}, "b": {"gte": -1}}, "a > TRUE AND b >= -1"),
        ({"a": {"eq": "20"}}, "a = '20' OR a = 20"),
        ({"a": {"lt": "-2e1"}}, "a < '-2e1' OR a < -20"),
        ({"a": {"eq": "1e999"}}, "a = '1e999'"),
        ({"a": {"eq": " 1"}}, "a = ' 1'"),
        ({"created": {"gt": "2024-01-01T00:00:00z"}}, "created > TIMESTAMP('2024-01-01T00:00:00Z')"),
        ({"version": {"gt": "2024-01-01"}}, "version > '2024-01-01'"),
        ({"datetime": {"gt": "2024-01-01"}}, "datetime > DATE('2024-01-01')"),
        ({"id": {"in": ["1", "b"]}}, "id IN ('1', 'b')"),
        ({"id": {"eq": "20"}, "collection": {"contains": "x"}}, "id = '20' AND contains(collection, 'x')"),
        ({"a": {"startsWith": "x", "endsWith": "5"}}, "starts_with(a, 'x') AND ends_with(a, '5')"),
        ({"a": {"contains": "x"}}, "contains(a, 'x') OR a_contains(a, ('x'))"),
        ({"a": {"in": ["x", "y"]}}, "a IN ('x', 'y') OR a_overlaps(a, ('x', 'y'))"),
    ],
    ids=str,
)
def test_a_query_is_a_filter(asked: Any, text: str) -> None:
    assert query.from_json(asked) == from_text(text)


def test_an_empty_query_asks_nothing() -> None:
    assert query.from_json({}) is None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (None, "is not an object"),
        ([], "is not an object"),
        ("a=1", "is not an object"),
        ({"a": 5}, "'a': is not an object such as"),
        ({"a": {}}, "'a': is not an object such as"),
        ({"a": {"like": "x"}}, "'a': unknown operator 'like': known are eq, neq, lt, "),
        ({"a": {"EQ": 1}}, "'a': unknown operator 'EQ'"),
        ({"a": {"eq": None}}, "'a': eq: is not a text, a number or a boolean"),
        ({"a": {"eq": [1]}}, "'a': eq: is not a text, a number or a boolean"),
        ({"b": {"eq": 1}, "a": {"lt": {"property": "b"}}}, "'a': lt: is not a text, a number or a boolean"),
        ({"a": {"startsWith": 5}}, "'a': startsWith: is not a text"),
        ({"a": {"contains": ["x"]}}, "'a': contains: is not a text"),
        ({"a": {"in": "x"}}, "'a': in: is not an array"),
        ({"a": {"in": [["x"]]}}, "'a': in: is not a text, a number or a boolean"),
        ({"a": {"in": [None]}}, "'a': in: is not a text, a number or a boolean"),
        ({"a": {"eq": "\0"}}, "'a': eq: =: a text with a NUL character"),
        ({"": {"eq": 1}}, "'': eq: =: a property has an empty name"),
        ({"id": {"eq": 1}}, "'id': eq: =: compares a number with a text"),
        ({"id": {"in": ["1", 1]}}, "'id': in: or: in: compares a number with a text"),
        ({"datetime": {"gt": "yesterday"}}, "'datetime': gt: >: 'yesterday' is not an RFC 3339 date-time"),
        ({"datetime": {"startsWith": "2024"}}, "'datetime': startsWith: starts_with: has a time where it takes a text"),
        ({"geometry": {"eq": "x"}}, "'geometry': eq: =: has a geometry"),
        ({f"p{number}": {"eq": 1} for number in range(501)}, "has more than 1000 operations"),
        ({"a": {"in": list(range(10_000))}}, "has more than 10000 values"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_faults(asked: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        query.from_json(asked)


def test_the_largest_queries_are_read() -> None:
    condition = query.from_json({f"p{number}": {"eq": 1} for number in range(499)})
    assert isinstance(condition, And)
    assert len(condition.conditions) == 499
    assert query.from_json({"a": {"in": list(range(4_990))}}) is not None


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
operators = st.sampled_from(
    ["eq", "neq", "lt", "lte", "gt", "gte", "startsWith", "endsWith", "contains", "in", "x"]
) | st.text(max_size=3)
names = st.sampled_from(["id", "collection", "datetime", "geometry", "properties.datetime", "a"]) | st.text(max_size=5)


@given(json_values | st.dictionaries(names, st.dictionaries(operators, json_values, max_size=3), max_size=3))
def test_any_json_is_a_condition_or_a_fault(asked: Any) -> None:
    try:
        condition = query.from_json(asked)
    except ValueError:
        return
    assert (condition is None) == (asked == {})
