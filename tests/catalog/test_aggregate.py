"""Random aggregations of random searches, against an oracle that knows nothing of SQL."""

import random
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.catalog import Catalog
from app.database.fragment import sql
from app.database.pool import Database
from app.errors import InvalidRequest
from app.stac import buckets
from app.stac.aggregation import AGGREGATIONS, INTERVALS, PRECISION_PARAMETERS, SINGLE, Aggregate
from app.stac.interval import format_instant
from app.stopwatch import Stopwatch
from tests.catalog.test_search import fill, make_items, queries
from tests.factories import Document
from tests.oracle import Query, frequencies, matches, when

pytestmark = pytest.mark.anyio

VALUES: dict[str, list[Any]] = {
    "eo:cloud_cover": [None, -1, 0, 4.999, 5, 14, 15, 39.5, 40, 100, "many", True, 1e300],
    "platform": ["a", "b", "é", ""],
    "grid:code": ["MGRS-33UUP", "", 3, 2.5, False, True, None, ["MGRS-33UUP"], {"a": 1}],
    "view:sun_elevation": [-90, -0.1, 0, 4.9, 5, 89.9, 1e15, "high"],
    "view:sun_azimuth": [0, 359.9],
    "view:off_nadir": [0.0, 2.5],
}


def measured() -> list[Document]:
    dice = random.Random(11)
    items = make_items(150, seed=5)
    for document in items:
        document["properties"] |= {name: dice.choice(some) for name, some in VALUES.items() if dice.random() < 0.8}
    return items


ITEMS = measured()


@pytest.fixture(scope="module")
async def loaded(database_url: str) -> AsyncIterator[Catalog]:
    async with Database.opened(database_url, size=1, query_timeout=60) as database:
        await database.execute(sql("TRUNCATE collections RESTART IDENTITY CASCADE"))
        await fill(database, ITEMS)
        yield Catalog(database, default_limit=10, max_limit=1000)


@st.composite
def aggregates(draw: st.DrawFn) -> Document:
    asked: Document = {"aggregations": draw(st.lists(st.sampled_from(list(AGGREGATIONS)), min_size=1, unique=True))}
    if draw(st.booleans()):
        asked["datetime_frequency_interval"] = draw(st.sampled_from(INTERVALS))
    for name, (least, greatest) in PRECISION_PARAMETERS.items():
        if draw(st.booleans()):
            asked[name] = draw(st.integers(least, greatest))
    return asked


@given(query=queries(), asked=aggregates())
@hypothesis_settings(
    max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_aggregations_are_those_of_the_oracle(loaded: Catalog, query: Query, asked: Document) -> None:
    searched = {name: value for name, value in query.body().items() if name != "sortby"}
    aggregate = Aggregate.from_body(orjson.dumps(searched | asked))
    served = await loaded.aggregate(aggregate, Stopwatch())
    found = [document for document in ITEMS if matches(query, document)]
    instants = sorted(when(document) for document in found)
    single = {
        "total_count": len(found),
        "datetime_min": format_instant(instants[0]) if found else None,
        "datetime_max": format_instant(instants[-1]) if found else None,
    }
    assert [aggregation["name"] for aggregation in served] == asked["aggregations"]
    for each, aggregation in zip(aggregate.aggregations, served, strict=True):
        if each.kind in SINGLE:
            assert aggregation["value"] == single[each.name]
            continue
        counted = {bucket["key"]: bucket["frequency"] for bucket in aggregation["buckets"]}
        expected = frequencies(each.name, each.precision, each.interval, found)
        assert {key: frequency for key, frequency in counted.items() if frequency} == expected, each
        assert aggregation["overflow"] == len(found) - sum(expected.values())


async def ask(catalog: Catalog, **asked: Any) -> list[dict[str, Any]]:
    return await catalog.aggregate(Aggregate.from_body(orjson.dumps(asked)), Stopwatch())


async def test_buckets_beyond_the_bound_are_overflow(loaded: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """The most frequent are kept, and of equals the first by key."""
    monkeypatch.setattr(buckets, "BUCKETS_AT_MOST", 2)
    names = ["platform_frequency", "centroid_geohex_grid_frequency", "collection_frequency"]
    served = await ask(loaded, aggregations=names, centroid_geohex_grid_frequency_precision=5)
    for aggregation in served:
        precision = 5 if "geohex" in aggregation["name"] else 0
        expected = frequencies(aggregation["name"], precision, "month", ITEMS)
        top = sorted(expected.values(), reverse=True)[:2]
        assert [bucket["frequency"] for bucket in aggregation["buckets"]] == top
        assert aggregation["overflow"] == len(ITEMS) - sum(top)


async def test_too_many_places_for_cells_are_refused(loaded: Catalog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "PLACES_AT_MOST", 10)
    with pytest.raises(InvalidRequest, match="more than 10 places"):
        await ask(loaded, aggregations=["centroid_geohex_grid_frequency"])
    (few,) = await ask(loaded, aggregations=["centroid_geohex_grid_frequency"], ids=["old 3", "old 4"])
    assert [bucket["frequency"] for bucket in few["buckets"]] == [2]


async def test_nothing_asked_is_nothing(loaded: Catalog) -> None:
    assert await ask(loaded, collections=["first"]) == []
