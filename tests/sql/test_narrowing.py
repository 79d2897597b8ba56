"""Which part of a filter an index on a property can find. That no item is lost: tests/catalog/test_search.py."""

from typing import Any

import pytest

from app.sql import narrowing, properties
from app.stac.cql2 import from_text

NUMBER = properties.number(properties.constant("n")).render()[0]
TEXT = properties.text_to_sort(properties.constant("n")).render()[0]
LONG = "x" * 250
CUT = "x" * 200


@pytest.mark.parametrize(
    ("filter_", "tests", "values"),
    [
        ("n = 1", f"{NUMBER} = $1::float8", [1.0]),
        ("properties.n < 1", f"{NUMBER} < $1::float8", [1.0]),
        ("1 < n", f"{NUMBER} > $1::float8", [1.0]),
        ("n BETWEEN 1 AND 2", f"{NUMBER} >= $1::float8 AND {NUMBER} <= $2::float8", [1.0, 2.0]),
        ("n IN (1, 2)", f"{NUMBER} = ANY($1::float8[])", [[1.0, 2.0]]),
        ("n > 1 AND (n < 5 AND m = 2)", f"{NUMBER} > $1::float8 AND {NUMBER} < $2::float8", [1.0, 5.0]),
        ("n = 'a'", f"{NUMBER} IS NULL AND {TEXT} = $1::text", ["a"]),
        (f"n < '{LONG}'", f"{NUMBER} IS NULL AND {TEXT} <= $1::text", [CUT]),
        (f"n > '{LONG}'", f"{NUMBER} IS NULL AND {TEXT} >= $1::text", [CUT]),
        (f"n IN ('{LONG}', 'a')", f"{NUMBER} IS NULL AND {TEXT} = ANY($1::text[])", [[CUT, "a"]]),
        ("n LIKE 'ab%'", f"{NUMBER} IS NULL AND {TEXT} >= $1::text AND {TEXT} <= $2::text", ["ab", "ac"]),
        (r"n LIKE '10\%_'", f"{NUMBER} IS NULL AND {TEXT} >= $1::text AND {TEXT} <= $2::text", ["10%", "10&"]),
        ("n LIKE '\ud7ff%'", f"{NUMBER} IS NULL AND {TEXT} >= $1::text AND {TEXT} <= $2::text", ["\ud7ff", "\ue000"]),
    ],
)
def test_found_by_an_index(filter_: str, tests: str, values: list[Any]) -> None:
    condition = narrowing.condition(from_text(filter_), {"n"})
    assert condition is not None
    assert condition.render() == (tests, values)


@pytest.mark.parametrize(
    "filter_",
    [
        "m = 1",
        "n <> 1",
        "NOT n = 1",
        "n = 1 OR m = 2",
        "n = TRUE",
        "n = m",
        "n + 1 = 2",
        "n IN (1, m)",
        "n LIKE '%a'",
        "n LIKE '\U0010ffff%'",
        "casei(n) = 'a'",
        "n IS NULL",
    ],
)
def test_not_found_by_an_index(filter_: str) -> None:
    assert narrowing.condition(from_text(filter_), {"n"}) is None


def test_names_that_an_index_would_help() -> None:
    assert narrowing.names(from_text("b > 1 AND properties.a = 'x' AND b < 5 AND id = 'i' AND NOT c = 1")) == ["b", "a"]
    assert narrowing.names(None) == []
