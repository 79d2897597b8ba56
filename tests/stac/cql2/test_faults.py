"""What is wrong with a filter is said, in both encodings."""

import sys
from typing import Any

import pytest

from app.stac.cql2 import from_json, from_text

A, GEOMETRY = {"property": "a"}, {"property": "geometry"}


def op(name: str, *arguments: Any) -> dict[str, Any]:
    return {"op": name, "args": list(arguments)}


TEXTS = [
    ("", "cannot be read at the end"),
    ("a = ", "at the end"),
    ("a b", "character 3: 'b'"),
    ("((a) and\n (b or) )", "character 16: ') )'"),
    ("_a = (b", "1 parentheses are not closed"),
    ("_a = b)", "character 7: ')'"),
    ("a = 'x", "a quote is not closed at character 5"),
    ('"a = 1', "a quote is not closed at character 1"),
    ("a = 1; DROP TABLE items", "character 6: '; DROP"),
    ("a = NULL", "null is not a value"),
    ("'x'", "has a text where it takes a condition"),
    ("1", "has a number where it takes a condition"),
    ("id", "has a text where it takes a condition"),
    ("()", "has an array where"),
    ("a = 1e400", "beyond the range"),
    ("a = b + 'x'", "has a text where it takes a number"),
    ("1 = 'x'", "compares a number with a text"),
    ("id = 5", "compares a number with a text"),
    ("a in (1, 'x')", "compares a number with a text"),
    ("datetime = 5", "compares a number with a time"),
    ("datetime > 'yesterday'", "'yesterday' is not an RFC 3339"),
    ("a between TRUE and FALSE", "has a condition where it takes"),
    ("a = (1, 2)", "has an array where"),
    ("a LIKE 5", "like: has a number where it takes a text"),
    ("a LIKE length(b)", "like: has a number where it takes a text"),
    ("a LIKE datetime", "like: has a time where it takes a text"),
    ("5 LIKE 'x'", "has a number where it takes a text"),
    ("f(a) = 1", "unknown operator or function 'f'"),
    ("lower(a, a) = 'x'", "lower: has 2 arguments instead of 1"),
    ("lower() = 'x'", "lower: has 0 arguments instead of 1"),
    ("abs('x') = 1", "abs: has a text where it takes a number"),
    ("a = DATE('2023-02-30')", "day 30 must be in range" if sys.version_info >= (3, 14) else "day is out of range"),
    ("a = DATE('2023')", "is not a date such as"),
    ("a = TIMESTAMP('2023-01-01')", "is not an RFC 3339 date-time"),
    ("t_after(a, 5)", "has a number where it takes a time or an interval"),
    ("t_after(a, INTERVAL('2024-01-01'))", "not an array of a start and an end"),
    ("t_after(a, INTERVAL('2024-01-02', '2024-01-01'))", "before it starts"),
    ("t_after(a, INTERVAL(5, '..'))", "has a number where it takes a time"),
    ("s_intersects(geometry, 'POINT(1 2)')", "has a text where it takes a geometry"),
    ("s_intersects(id, POINT(1 2))", "has a text where it takes a geometry"),
    ("s_intersects(geometry, POINT(1e9 2))", "beyond the globe at character 30"),
    ("s_intersects(geometry, POINT(1 1e999))", "beyond the globe at character 32"),
    ("s_intersects(geometry, POINT(1.5.5e1 2))", "more than one point at character 30"),
    ("a = 1.5.5", "more than one point at character 5"),
    ("s_intersects(geometry, POINT(1e0 x))", "coordinates are numbers at character 34"),
    ("s_intersects(geometry, POINT(.5 1e1)) AND", "cannot be read at the end"),
    ("s_intersects(geometry, POINT(181 2))", "beyond longitude"),
    ("s_intersects(geometry, POINT EMPTY)", "two or more elements"),
    ("s_intersects(geometry, POINT(x 2))", "coordinates are numbers at character 30"),
    ("s_intersects(geometry, BBOX(1,2,3))", "bbox: has 3 numbers"),
    ("s_intersects(geometry, BBOX(1,9,2,3))", "bbox: has its south (9) above its north (3)"),
    ("s_intersects(geometry, POLYGON((0 0, 1 1, 0 0)))", "s_intersects: "),
    ("a_contains(a, (POINT(1 2)))", "has a geometry where it takes an array"),
    ("a_contains(a, (geometry))", "has a geometry where it takes an array"),
    ("a_contains(a, (INTERVAL('2024-01-01', '..')))", "has an interval where it takes an array"),
    ("a_contains(a, ((DATE('2024-01-01'), 1)))", "an array within an array may not hold times"),
    ("a_contains(id, ('x'))", "has a text where it takes an array"),
    ("a = 'x\0y'", "NUL"),
]

TREES: list[tuple[Any, str]] = [
    (None, "null is not a value"),
    ({}, "an object with nothing"),
    ({"x": 1}, "an object with 'x'"),
    ([], "has an array where it takes a condition"),
    (object(), "null is not a value"),
    ({"op": 5, "args": []}, "needs a text `op`"),
    ({"op": "=", "args": {}}, "an array `args`"),
    ({"op": "="}, "an array `args`"),
    (op("=", A), "=: has 1 arguments instead of 2"),
    (op("and"), "and: has 0 arguments instead of 1 or more"),
    (op("not", A, A), "not: has 2 arguments"),
    (op("or", A, op("xor", A, A)), "or: unknown operator or function 'xor'"),
    (op("in", A, 5), "second argument is not an array"),
    (op("=", {"property": 5}, 1), "5 is not a text"),
    (op("=", {"property": ""}, 1), "empty name"),
    (op("=", {"property": "a\0"}, 1), "NUL"),
    (op("=", A, "\0"), "NUL"),
    (op("=", A, "\ud800"), "UTF-16"),
    (op("=", A, float("nan")), "beyond the range"),
    (op("=", A, 10**400), "beyond the range"),
    (op("=", A, {"date": 5}), "5 is not a text"),
    (op("=", A, {"timestamp": "now"}), "RFC 3339"),
    (op("t_after", A, {"interval": {}}), "not an array of a start and an end"),
    (op("t_after", A, {"interval": [{"interval": ["..", ".."]}, ".."]}), "a bound is a time"),
    (op("s_within", GEOMETRY, {"bbox": ["1", 2, 3, 4]}), "not an array of numbers"),
    (op("s_within", GEOMETRY, {"bbox": [10**400, 2, 3, 4]}), "bbox: "),
    (op("s_within", GEOMETRY, {"type": "Circle", "coordinates": [1, 2]}), "s_within: "),
    (op("s_within", GEOMETRY, {"type": "MultiPoint", "coordinates": []}), "has no coordinates"),
    (op("a_equals", A, [[[{"date": "2024-01-01"}]]]), "may not hold times"),
    (op("a_equals", A, [None]), "null is not a value"),
    (op("like", A, ["x"]), "has an array where it takes a text"),
    (op("a_equals", A, 5), "has a number where it takes an array"),
]


@pytest.mark.parametrize(("text", "reason"), TEXTS, ids=[repr(text) for text, _ in TEXTS])
def test_texts(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        from_text(text)
    assert reason in str(caught.value)


@pytest.mark.parametrize(("tree", "reason"), TREES, ids=[reason for _, reason in TREES])
def test_trees(tree: Any, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        from_json(tree)
    assert reason in str(caught.value)
