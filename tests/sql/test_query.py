"""Random queries on PostGIS against an evaluation that knows neither nodes nor SQL."""

import re
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from app.sql import filter as filters
from app.stac import query
from tests.factories import Document, collection, item, load
from tests.oracle_cql2 import evaluate
from tests.stac.cql2.things import PROPERTIES

pytestmark = pytest.mark.anyio

_SYMBOLS = {"eq": "=", "neq": "<>", "lt": "<", "lte": "<=", "gt": ">", "gte": ">="}


@pytest.fixture(scope="module")
async def filled(database_url: str) -> AsyncIterator[Database]:
    async with Database.opened(database_url, size=1, query_timeout=60) as database:
        await database.execute(sql("TRUNCATE collections CASCADE"))

        def fail(place: str, reason: str) -> None:
            raise AssertionError(f"{place}: {reason}")

        things = [item(name, properties=each) for name, each in PROPERTIES.items()]
        await load(Loader(database, "insert", "stop", fail), collection(), *things)
        yield database


def holds(asked: Document, properties: Document) -> bool:
    return all(
        _holds(name, operator, value, properties)
        for name, operators in asked.items()
        for operator, value in operators.items()
    )


def _holds(name: str, operator: str, asked: Any, properties: Document) -> bool:
    found = properties.get(name)
    match operator:
        case "startsWith":
            return isinstance(found, str) and found.startswith(asked)
        case "endsWith":
            return isinstance(found, str) and found.endswith(asked)
        case "contains":
            return isinstance(found, str | list) and asked in found
        case "in":
            if isinstance(found, list):
                return any(type(one) is type(other) and one == other for one in found for other in asked)
            return any(_holds(name, "eq", each, properties) for each in asked)
    return any(
        evaluate({"op": _SYMBOLS[operator], "args": [{"property": name}, literal]}, properties) is True
        for literal in _literals(asked)
    )


def _literals(asked: Any) -> list[Any]:
    if isinstance(asked, str) and re.fullmatch(r"-?[0-9.]+", asked):
        return [asked, float(asked)]
    if isinstance(asked, str) and "T" in asked:
        return [{"timestamp": asked}] if datetime.fromisoformat(asked).tzinfo else [asked]
    return [asked]


scalars = st.sampled_from(
    [
        *(1, 2.5, -3, 0, "1", "-3", "2.5", True, False, "alpha", "ÁLPHA", "straße", "x", "100%_\\", ""),
        *("2020-01-01T12:00:00Z", "2020-01-01T14:00:00+01:00", "2020-01-01T12:00:00", "2020-01-01", "true"),
    ]
)
texts = scalars.filter(lambda value: isinstance(value, str))
asked_of_one = st.fixed_dictionaries(
    {},
    optional={
        **dict.fromkeys(_SYMBOLS, scalars),
        **dict.fromkeys(("startsWith", "endsWith", "contains"), texts),
        # Whole numbers alone, for 1 and 1.0 are one member of an array.
        "in": st.lists(scalars.filter(lambda value: value != 2.5), max_size=3),
    },
).filter(bool)
queries = st.dictionaries(st.sampled_from([*"nmtubdeac", "eo:cover", "missing"]), asked_of_one, max_size=2)


@given(asked=queries)
@example(asked={"a": {"in": ["x", 1]}})
@example(asked={"n": {"in": ["1", True]}})
@example(asked={"a": {"contains": "y"}, "c": {"contains": "x"}})
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_random_queries(filled: Database, asked: Document) -> None:
    node = query.from_json(asked)
    if node is None:
        assert asked == {}
        return
    rows = await filled.fetch(sql("SELECT i.id FROM items i WHERE ", filters.condition(node)))
    assert {row["id"] for row in rows} == {name for name, each in PROPERTIES.items() if holds(asked, each)}
