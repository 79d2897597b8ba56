"""The plans of the searches, on a table large enough for the planner to mean them.

Each search must follow the page: no scan of the whole table, no sort of what matches, and no more rows read out of
`items` than a small multiple of the page.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from math import isqrt

import orjson
import pytest

from app import indexing
from app import sql as statements
from app.database.fragment import Fragment, Parameter, sql
from app.database.pool import Database
from app.sql import candidates
from app.stac.aggregation import AGGREGATIONS, SINGLE, Aggregate
from app.stac.paging import Position, Seek
from app.stac.search import Search
from benchmarks.plans.explain import Plan, buffers, nodes, of_items, plan_of, rows_read
from benchmarks.plans.rows import WITH_CELLS

pytestmark = pytest.mark.anyio

INDEXED = {"cloud", "grid"}
PAGE = 10
ITEMS = 60_000
TIED = 20_000


@pytest.fixture(scope="module")
async def large(database_url: str) -> AsyncIterator[Database]:
    """Rows made in SQL: 20 collections, one of which has all its items at one instant."""
    async with Database.opened(database_url, size=2, query_timeout=120) as database:
        async with database.transaction() as transaction:
            # What is not on disk yet is not visible to all, and then no index is read alone.
            await transaction.execute(sql("SET LOCAL synchronous_commit = on"))
            await transaction.execute(sql("TRUNCATE collections RESTART IDENTITY CASCADE"))
            await transaction.execute(sql(_COLLECTIONS))
            for rows in (
                sql(_SPREAD, Parameter(ITEMS, "bigint"), ") AS numbered (n)) AS timed"),
                sql(_AT_ONE_INSTANT, Parameter(TIED, "bigint"), ") AS numbered (n)"),
            ):
                await transaction.execute(sql(WITH_CELLS[0], rows, WITH_CELLS[1]))
        await database.execute(sql("VACUUM ANALYZE items, collections"))
    async with Database.opened(database_url, size=1, query_timeout=120) as single:
        for name in INDEXED:
            await indexing.add(single, name)
    async with Database.opened(database_url, size=2, query_timeout=120) as database:
        yield database
    async with Database.opened(database_url, size=1, query_timeout=120) as single:
        for name in INDEXED:
            await indexing.drop(single, name)


_COLLECTIONS = """INSERT INTO collections
    (id, content, extent, document, envelope, first_datetime, last_datetime, first_start, last_end, lag)
    SELECT 'c' || n, '{}', '{}', '{}', ST_MakeEnvelope(-180, -90, 180, 90, 4326),
        CASE n WHEN 20 THEN timestamptz '2020-01-01Z' ELSE '2014-01-01Z' END,
        CASE n WHEN 20 THEN timestamptz '2020-01-01Z' ELSE '2024-01-01Z' END,
        '2014-01-01Z', '2024-01-02Z', interval '1 day'
    FROM generate_series(1, 20) AS numbered (n)"""
_SPREAD = """ SELECT 'i' || n, 1 + n % 19, ST_Expand(ST_SetSRID(ST_Point(n * 7919 % 35900 / 100.0 - 179.5,
        n * 104729 % 17000 / 100.0 - 85), 4326), 0.4), at, at, at + interval '1 day',
        CASE WHEN n % 10 < 8 THEN jsonb_build_object('cloud', n * 7919 % 10000 / 100.0, 'grid', 'g' || n % 3000)
            WHEN n % 10 = 8 THEN jsonb_build_object('cloud', 'text ' || n % 100) ELSE '{}' END
            || jsonb_build_object('title', CASE n % 20000 WHEN 7 THEN 'rare scene' ELSE 'scene' END), ''::bytea
    FROM (SELECT n, timestamptz '2014-01-01Z' + n * 7919 % 3600 * interval '1 day' + n * interval '1 second' AS at
    FROM generate_series(1, """
_AT_ONE_INSTANT = """ SELECT 'tied' || n, 20,
        ST_Expand(ST_SetSRID(ST_Point(n % 300 / 10.0, n % 290 / 10.0), 4326), 0.4),
        timestamptz '2020-01-01Z', timestamptz '2020-01-01Z', timestamptz '2020-01-01Z',
        '{"cloud": 0}'::jsonb, ''::bytea
    FROM generate_series(1, """


EVERYWHERE = [-180, -90, 180, 90]  # which each collection lies in
MOST = [-179, -90, 180, 90]
WIDE = [-30, -20, 60, 50]
REGION = [-15, -10, 20, 20]
TRIANGLE = {"type": "Polygon", "coordinates": [[[0, 0], [40, 0], [20, 50], [0, 0]]]}
LINE = {"type": "LineString", "coordinates": [[10, 40], [12, 42]]}
AMERICAS = [-170, -60, -30, 75]
DEEP = Position(datetime(2016, 5, 5, tzinfo=UTC), 1 << 27, "i5", 3)
IN_TIE = Position(datetime(2020, 1, 1, tzinfo=UTC), 1 << 27, "tied5", 20)
SEEKS = [None, *(Seek(place, backward) for place in (DEEP, IN_TIE) for backward in (False, True))]

SPACE, COLLECTION, TIME, CELL = "items_space_time", "items_collection_time", "items_time", "items_cell_time"
WORDS, PROPERTY = "items_words", "items_property_"
CASES = [
    ({"bbox": [10, 40, 12, 42]}, SPACE, 20),
    ({"bbox": REGION, "collections": ["c3"]}, SPACE, 1),
    ({"bbox": [175, -40, -175, 40], "collections": ["c3"]}, SPACE, 2),
    ({"intersects": TRIANGLE, "collections": ["c3", "c4"]}, SPACE, 2),
    ({"bbox": REGION, "collections": ["c3"], "datetime": "2017-01-01T00:00:00Z/2018-01-01T00:00:00Z"}, SPACE, 1),
    ({"bbox": REGION, "collections": ["c20"]}, SPACE, 1),
    ({}, TIME, 1),
    ({"datetime": "2017-01-01T00:00:00Z/2018-01-01T00:00:00Z"}, TIME, 1),
    ({"collections": ["c3"]}, COLLECTION, 1),
    ({"collections": ["c3", "c5", "c20"]}, COLLECTION, 3),
    ({"collections": ["c3"], "datetime": "../2018-01-01T00:00:00Z"}, COLLECTION, 1),
]


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("seek", SEEKS, ids=["first", "next", "prev", "next-in-tie", "prev-in-tie"])
@pytest.mark.parametrize(("body", "index", "streams"), CASES, ids=lambda value: str(value)[:60])
async def test_search_follows_the_page(
    large: Database, body: Plan, index: str, streams: int, seek: Seek | None, generic: bool
) -> None:
    search = Search.from_body(orjson.dumps(body))
    if seek is not None:
        search = search.behind(seek)
    plan = await explain(large, statements.items.page(search, PAGE + 1), generic)
    scans = of_items(plan)
    if not scans:  # nothing of the interval or the collection lies beyond the token: it is known before it is read
        assert seek is not None
        assert "datetime" in body or body["collections"] == ["c20"]
        return
    assert {node["Node Type"] for node in scans} == {"Index Scan"}
    if generic:  # as the service runs it; with the values another index may do as well
        assert {node["Index Name"] for node in scans} == {index}
    # A token's own instant is a stream of its own. A page and its end, for each of them, and what a filter drops.
    assert rows_read(scans) <= 3 * streams * (PAGE + 1) * (1 if seek is None else 2)
    if index != SPACE:  # a row is a page or two, wherever in time the page is
        assert buffers(plan) <= 10 + 6 * streams * (PAGE + 1)


@pytest.mark.parametrize("shape", [{"bbox": [10, 40, 12, 42]}, {"intersects": TRIANGLE}, {"intersects": LINE}], ids=str)
@pytest.mark.parametrize("datetime_", [None, "2017-01-01T00:00:00Z/2018-01-01T00:00:00Z"])
@pytest.mark.parametrize("order", ["-datetime", "datetime"])
async def test_an_entry_of_the_index_in_space_is_compared_once(
    large: Database, shape: Plan, datetime_: str | None, order: str
) -> None:
    """GiST asks each of its entries each of the conditions, and PostGIS adds some of its own."""
    body = shape | {"collections": ["c3"], "sortby": order} | ({"datetime": datetime_} if datetime_ else {})
    search = Search.from_body(orjson.dumps(body))
    (scan,) = of_items(await explain(large, statements.items.page(search, PAGE + 1), generic=True))
    asked = [scan["Index Cond"].count(f"({condition} ") for condition in ("geometry &&", "datetime >=", "datetime <=")]
    assert (scan["Index Name"], asked) == (SPACE, [1, 1, 1])


WALK = isqrt(candidates.AREA**2 * (PAGE + 1))


@pytest.mark.parametrize("seek", SEEKS, ids=["first", "next", "prev", "next-in-tie", "prev-in-tie"])
@pytest.mark.parametrize(
    ("body", "index", "rows"),
    [
        ({"bbox": EVERYWHERE}, TIME, 3 * (PAGE + 1)),
        ({"bbox": MOST}, TIME, 3 * (PAGE + 1)),
        ({"bbox": EVERYWHERE, "collections": ["c3", "c20"]}, COLLECTION, 6 * (PAGE + 1)),
        ({"bbox": MOST, "collections": ["c20"]}, COLLECTION, 3 * (PAGE + 1)),
        ({"bbox": WIDE, "collections": ["c3"]}, COLLECTION, WALK),
        ({"bbox": AMERICAS, "collections": ["c3"], "datetime": "2015-01-01T00:00:00Z/.."}, COLLECTION, WALK),
        ({"bbox": MOST, "filter": {"op": "<", "args": [{"property": "cloud"}, 50]}}, TIME, WALK),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_a_wide_area_is_looked_for_among_the_newest_items(
    large: Database, body: Plan, index: str, rows: int, seek: Seek | None
) -> None:
    """Behind a token too, where the index in space would read all that it has of the area."""
    search = Search.from_body(orjson.dumps(body))
    if seek is not None:
        search = search.behind(seek)
    scans = of_items(await explain(large, statements.items.page(search, PAGE + 1), generic=True))
    assert {node["Index Name"] for node in scans} == {index}
    assert rows_read(scans) <= rows


async def test_a_wide_area_without_new_items_is_read_through_space(large: Database) -> None:
    """Of the collection at one instant nothing lies there."""
    search = Search.from_body(orjson.dumps({"bbox": AMERICAS, "collections": ["c20"]}))
    scans = of_items(await explain(large, statements.items.page(search, PAGE + 1), generic=True))
    assert {node["Index Name"] for node in scans} == {COLLECTION, SPACE}
    assert rows_read(scans) <= WALK + 1  # The first that is no tie.


@pytest.mark.parametrize("seek", SEEKS, ids=["first", "next", "prev", "next-in-tie", "prev-in-tie"])
@pytest.mark.parametrize(
    "body",
    [
        {"bbox": [10, 40, 20, 50]},
        {"bbox": REGION},
        {"bbox": [175, -10, -170, 10]},
        {"bbox": [10, 40, 20, 50], "sortby": "datetime"},
        {"bbox": REGION, "datetime": "2015-01-01T00:00:00Z/2019-01-01T00:00:00Z"},
        {"intersects": {"type": "Polygon", "coordinates": [[[0, 0], [20, 0], [10, 25], [0, 0]]]}},
        {"bbox": REGION, "filter": {"op": "<", "args": [{"property": "cloud"}, 50]}},
    ],
    ids=lambda value: str(value)[:60],
)
async def test_an_area_of_some_degrees_is_looked_for_in_its_cells(
    large: Database, body: Plan, seek: Seek | None
) -> None:
    """As the items of all cells come in one order, the page is all that is read, and what is beside the area."""
    search = Search.from_body(orjson.dumps(body))
    if seek is not None:
        search = search.behind(seek)
    plan = await explain(large, statements.items.page(search, PAGE + 1, large={"c20"}), generic=True)
    scans = of_items(plan)
    assert {node["Index Name"] for node in scans} == {CELL}
    assert rows_read(scans) <= WALK / 2
    assert buffers(plan) <= 100 + 3 * WALK / 2


@pytest.mark.parametrize("seek", [None, *SEEKS[3:]], ids=["first", "next-in-tie", "prev-in-tie"])
async def test_a_large_collection_is_looked_for_among_the_items_of_all(large: Database, seek: Seek | None) -> None:
    """From its own newest item on."""
    search = Search.from_body(orjson.dumps({"bbox": [0, 0, 30, 20], "collections": ["c20"]}))
    if seek is not None:
        search = search.behind(seek)
    scans = of_items(await explain(large, statements.items.page(search, PAGE + 1, large={"c20"}), generic=True))
    assert {node["Index Name"] for node in scans} == {CELL}
    assert rows_read(scans) <= 3 * (PAGE + 1) + 24


async def test_what_no_cell_has_is_read_through_space(large: Database) -> None:
    """Of the collection at one instant nothing lies there, and others come after it."""
    search = Search.from_body(orjson.dumps({"bbox": [31, 30, 60, 50], "collections": ["c20"]}))
    scans = of_items(await explain(large, statements.items.page(search, PAGE + 1, large={"c20"}), generic=True))
    assert {node["Index Name"] for node in scans} == {CELL, SPACE}
    assert rows_read(scans) <= WALK + 1 + 3 * (PAGE + 1)


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        ({"bbox": [10, 40, 12, 42]}, PAGE),  # too little of its cells
        ({"bbox": [10, 40, 20, 50]}, 1000),  # too little for a page of so many
        ({"bbox": [-180, 40, 180, 42]}, PAGE),  # in too many cells
        ({"bbox": [10, 40, 20, 50], "collections": ["c3"]}, PAGE),  # items of others would be tested
    ],
    ids=str,
)
async def test_an_area_that_is_little_of_its_cells_is_read_through_space(
    large: Database, body: Plan, rows: int
) -> None:
    query = statements.items.page(Search.from_body(orjson.dumps(body)), rows + 1, large={"c20"})
    assert {node["Index Name"] for node in of_items(await explain(large, query, generic=True))} == {SPACE}


SOME = [f"c{number}" for number in range(1, 11)]
AT_NUMBER = replace(DEEP, keys=("41.5", None))
AT_MANY = replace(IN_TIE, keys=("0", None))
AT_TEXT = replace(DEEP, keys=(None, "text 5"))
AT_NEITHER = replace(DEEP, keys=(None, None))


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("backward", [False, True], ids=["next", "prev"])
@pytest.mark.parametrize("place", [None, AT_NUMBER, AT_MANY, AT_TEXT, AT_NEITHER], ids=lambda p: str(p and p.keys))
@pytest.mark.parametrize(
    ("body", "streams"),
    [
        ({"sortby": "+cloud"}, 20),
        ({"sortby": "-cloud", "collections": ["c3"]}, 1),
        ({"sortby": "+cloud,-datetime", "collections": ["c3", "c20"]}, 2),
        ({"sortby": "-cloud,datetime", "collections": ["c20"]}, 1),
        ({"sortby": "-grid", "collections": ["c3"]}, 1),
        ({"sortby": "cloud", "collections": ["c3"], "filter": {"op": "isNull", "args": [{"property": "nothing"}]}}, 1),
    ],
    ids=str,
)
async def test_sorting_by_an_indexed_property_follows_the_page(
    large: Database, body: Plan, streams: int, place: Position | None, backward: bool, generic: bool
) -> None:
    search = Search.from_body(orjson.dumps(body))
    if place is not None:
        search = search.behind(Seek(place, backward))
    plan = await explain(large, statements.items.page(search, PAGE + 1, INDEXED), generic)
    scans = of_items(plan)
    assert {node["Node Type"] for node in scans} == {"Index Scan"}
    assert {node["Index Name"].rstrip("0123456789") for node in scans} == {"items_property_"}
    # Numbers, texts, neither, and what equals the token.
    assert rows_read(scans) <= 4 * streams * (PAGE + 1)


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize(
    "where",
    [
        {},
        {"collections": ["c3", "c5"]},
        {"bbox": WIDE},
        {"bbox": WIDE, "sortby": "datetime"},
        {"sortby": "-grid"},
        {"collections": ["c3"], "sortby": "-grid"},
    ],
    ids=str,
)
@pytest.mark.parametrize(
    "condition",
    [
        {"op": "between", "args": [{"property": "cloud"}, 41.5, 41.52]},
        {"op": "<", "args": [{"property": "cloud"}, -5]},
        {"op": "=", "args": [{"property": "grid"}, "g7"]},
        {"op": "<", "args": [{"property": "cloud"}, 40]},
    ],
    ids=["few", "none", "equal", "many"],
)
async def test_a_filter_on_an_indexed_property_reads_what_matches_or_what_a_page_is_worth(
    large: Database, condition: Plan, where: Plan, generic: bool
) -> None:
    search = Search.from_body(orjson.dumps(where | {"filter": condition}))
    plan = await explain(large, statements.items.page(search, PAGE + 1, INDEXED), generic)
    scans = of_items(plan)
    assert "Seq Scan" not in {node["Node Type"] for node in scans}
    # The walk, or a page of each stream; and what the index finds, twice, as it is fetched by its place.
    assert rows_read(scans) <= isqrt(candidates.PROPERTIES[0] ** 2 * (PAGE + 1)) + 60 * (PAGE + 1) + 2 * 100


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize(
    "body",
    [
        {"sortby": "cloud,grid"},
        {"sortby": "-id", "collections": ["c3", "c20"]},
        {"sortby": "grid,cloud", "bbox": MOST, "q": ["scene"]},
    ],
    ids=str,
)
async def test_an_order_that_no_index_has_is_sorted_a_page_at_a_time(
    large: Database, body: Plan, generic: bool
) -> None:
    """And not of whole rows."""
    query = statements.items.page(Search.from_body(orjson.dumps(body)), PAGE + 1, INDEXED)
    sorts = [node for node in nodes(await explain(large, query, generic)) if node["Node Type"] == "Sort"]
    largest = max(sorts, key=lambda node: int(node["Plans"][0]["Actual Rows"]))
    assert largest["Plans"][0]["Actual Rows"] > 1000
    assert (largest["Sort Method"], largest["Sort Space Type"]) == ("top-N heapsort", "Memory")
    assert largest["Plan Width"] < 300


@pytest.mark.parametrize("seek", [None, Seek(DEEP, False), Seek(DEEP, True)], ids=["first", "next", "prev"])
@pytest.mark.parametrize(
    ("body", "index", "streams"),
    [
        ({}, TIME, 1),
        ({"datetime": "2016-01-01T00:00:00Z/2017-01-01T00:00:00Z"}, TIME, 1),
        ({"collections": ["c3", "c5"]}, COLLECTION, 2),
        ({"collections": ["c3"], "bbox": EVERYWHERE}, COLLECTION, 1),
        ({"collections": ["c3", "c4"], "bbox": MOST}, COLLECTION, 2),
        ({"bbox": REGION}, CELL, 32),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_free_text_walks_or_asks_its_index(
    large: Database, body: Plan, index: str, streams: int, seek: Seek | None
) -> None:
    """A common term comes from a walk that ends with its page; a rare one from its index, after a bounded walk.

    As the service runs it (`plan_cache_mode`): with the values, the planner would sort a year of a table this small.
    """
    bound = isqrt(candidates.WORDS[0] ** 2 * (PAGE + 1))
    # A stream may read a group of 32 for an incremental sort, which it does not test.
    for term, most, indexes in (("scene", streams * (PAGE + 33), {index}), ("rare", bound, {index, WORDS})):
        search = Search.from_body(orjson.dumps(body | {"q": [term]}))
        if seek is not None:
            search = search.behind(seek)
        plan = await explain(large, statements.items.page(search, PAGE + 1), generic=True)
        scans = [n for n in nodes(plan) if n.get("Relation Name") == "items" or n.get("Index Name") == WORDS]
        assert {node.get("Index Name", WORDS) for node in scans} >= {index, WORDS}
        assert {node.get("Index Name", WORDS) for node in scans if node["Actual Loops"]} == indexes
        assert (
            rows_read([node for node in scans if node.get("Index Name") == index])
            <= most * (1 if seek is None else 2) + streams
        )


EVERYTHING = 1_000_000
# The tests of both walks, how many are few, and what is executed then.
WAYS = {
    "near": ((EVERYTHING, 0), 0, {"near"}),
    "few": ((20, 0), 1000, {"near", "found", "few"}),
    "far": ((20, EVERYTHING), 1, {"near", "found", "far"}),
    "all": ((20, 40), 1, {"near", "found", "far", "all"}),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("body", "walked", "index"),
    [
        ({"q": ["rare"]}, TIME, WORDS),
        ({"q": ["rare"], "collections": ["c3"]}, COLLECTION, WORDS),
        ({"filter": {"op": "=", "args": [{"property": "grid"}, "g7"]}}, TIME, PROPERTY),
        ({"filter": {"op": "between", "args": [{"property": "cloud"}, 41.5, 41.52]}}, TIME, PROPERTY),
        ({"bbox": EVERYWHERE, "filter": {"op": "=", "args": [{"property": "grid"}, "g7"]}}, TIME, PROPERTY),
        ({"bbox": REGION, "filter": {"op": "=", "args": [{"property": "grid"}, "g7"]}}, CELL, PROPERTY),
        (
            {"bbox": REGION, "filter": {"op": "=", "args": [{"property": "grid"}, "g7"]}, "collections": SOME},
            SPACE,
            PROPERTY,
        ),
        ({"bbox": [120, -40, 130, -30], "sortby": "cloud"}, PROPERTY, SPACE),
        ({"q": ["rare"], "sortby": "cloud", "bbox": WIDE}, PROPERTY, WORDS),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_each_way_is_taken_only_behind_those_before_it(
    large: Database, monkeypatch: pytest.MonkeyPatch, body: Plan, walked: str, index: str, way: str
) -> None:
    tests, few, taken = WAYS[way]
    for name, value in (("WORDS", tests), ("PROPERTIES", tests), ("FEW", few)):
        monkeypatch.setattr(candidates, name, value)
    search = Search.from_body(orjson.dumps(body))
    # With the values of its parameters, the planner would read the whole table where a walk may.
    read = indexes_of_ways(await explain(large, statements.items.page(search, PAGE + 1, INDEXED), generic=True))
    assert read.keys() == taken
    assert read["near"] == read.get("far", {walked}) == {walked}
    assert read.get("found", {index}) == {index}


def indexes_of_ways(plan: Plan, way: str = "all") -> dict[str, set[str]]:
    """What each of the ways has read: the names of the indexes of `items`."""
    name = str(plan.get("Subplan Name"))
    way = name.removeprefix("CTE ") if name.startswith("CTE ") else way
    way = "few" if plan["Node Type"] == "Tid Scan" else way
    read: dict[str, set[str]] = {}
    if plan["Actual Loops"] and (plan.get("Relation Name") == "items" or "Index Name" in plan):
        names = {plan["Index Name"].rstrip("0123456789")} if "Index Name" in plan else set()
        read[way] = {name for name in names if name.startswith("items_")}
    for child in plan.get("Plans", ()):
        for of, names in indexes_of_ways(child, way).items():
            read[of] = read.get(of, set()) | names
    return read


async def test_free_text_in_another_order_and_by_ids(large: Database) -> None:
    for more, index in (({"sortby": [{"field": "id"}]}, WORDS), ({"ids": ["i5", "i77"]}, "items_pkey")):
        search = Search.from_body(orjson.dumps({"q": ["rare"]} | more))
        plan = await explain(large, statements.items.page(search, PAGE + 1), generic=True)
        scans = [n for n in nodes(plan) if n.get("Relation Name") == "items" or "Index Name" in n]
        assert index in {node.get("Index Name") for node in scans}
        assert "Seq Scan" not in {node["Node Type"] for node in scans if node.get("Relation Name") == "items"}


async def test_items_by_id_and_by_ids_use_the_primary_key(large: Database) -> None:
    for query in (statements.items.one("c3", "i5"), statements.items.page(Search(ids=("i5", "i77", "nothing")), 11)):
        plan = await explain(large, query, generic=True)
        assert [n["Index Name"] for n in nodes(plan) if n.get("Relation Name") == "items"] == ["items_pkey"]


async def explain(database: Database, query: Fragment, generic: bool) -> Plan:
    plan: Plan = (await plan_of(database, query, generic=generic))["Plan"]
    return plan


EVERY_FREQUENCY = [name for name, about in AGGREGATIONS.items() if about.kind not in SINGLE]


@pytest.mark.parametrize(
    ("body", "index"),
    [
        ({"collections": ["c3"]}, COLLECTION),
        ({"datetime": "2017-01-01T00:00:00Z/2018-01-01T00:00:00Z"}, TIME),
        ({"bbox": [10, 40, 20, 50]}, SPACE),
        ({"bbox": [10, 40, 20, 50], "collections": ["c3"]}, SPACE),
        ({"ids": ["i5", "i77"]}, "items_pkey"),
    ],
    ids=lambda value: str(value)[:60],
)
async def test_totals_are_counted_in_an_index(large: Database, body: Plan, index: str) -> None:
    """Without a condition on what the index does not have, without the table too."""
    asked = Aggregate.from_body(orjson.dumps(body | {"aggregations": ["total_count", "datetime_max"]}))
    plan = await explain(large, statements.aggregations.counted(asked, 10, 10), generic=True)
    scans = [node for node in nodes(plan) if node.get("Relation Name") == "items" or "Index Name" in node]
    names = {str(node.get("Index Name")).rstrip("0123456789") for node in scans}
    assert names & ({index} | await others_as_good(large, index))
    assert "Seq Scan" not in {node["Node Type"] for node in scans}
    if body.keys() <= {"collections"}:
        assert {node["Node Type"] for node in scans if node.get("Relation Name") == "items"} == {"Index Only Scan"}


async def others_as_good(database: Database, index: str) -> set[str]:
    """The index of a property begins with the collection and has the times as well. PostgreSQL 18 skips from one
    collection to the next, and reads the times of each.
    """
    if index == COLLECTION:
        return {"items_property_"}
    (row,) = await database.fetch(sql("SELECT current_setting('server_version_num')::int AS version"))
    return {COLLECTION} if index == TIME and row["version"] >= 180_000 else set()


@pytest.mark.parametrize("body", [case[0] for case in CASES], ids=lambda value: str(value)[:60])
async def test_the_bounds_of_time_follow_the_page(large: Database, body: Plan) -> None:
    asked = Aggregate.from_body(orjson.dumps(body))
    plan = await explain(large, statements.aggregations.extremes(asked.search), generic=True)
    assert 0 < rows_read(of_items(plan)) <= 2 * (candidates.AREA + 2 * 3 * 20)


async def test_all_frequencies_are_one_pass(large: Database) -> None:
    asked = Aggregate.from_body(orjson.dumps({"aggregations": EVERY_FREQUENCY}))
    query = statements.aggregations.counted(asked, 10, 10)
    assert "content" not in query.render()[0]
    scans = [n for n in nodes(await explain(large, query, generic=True)) if n.get("Relation Name") == "items"]
    assert len(scans) == 1
    assert scans[0]["Actual Rows"] * scans[0]["Actual Loops"] == ITEMS + TIED


@pytest.mark.parametrize("seek", [SEEKS[0], SEEKS[1]], ids=["first", "next"])
@pytest.mark.parametrize(("body", "index", "streams"), CASES, ids=lambda value: str(value)[:60])
async def test_what_is_hidden_is_passed_over_within_bounds(
    large: Database, body: Plan, index: str, streams: int, seek: Seek | None
) -> None:
    """A third of all items lie at one instant and are hidden."""
    search = replace(Search.from_body(orjson.dumps(body)), visible=("c3",))
    if seek is not None:
        search = search.behind(seek)
    await large.execute(sql("UPDATE collections SET private = id IN ('c3', 'c20')"))
    try:
        plan = await explain(large, statements.items.page(search, PAGE + 1), generic=True)
    finally:
        await large.execute(sql("UPDATE collections SET private = FALSE"))
    # What is hidden altogether is not looked for.
    scans = of_items(plan)
    assert {node["Node Type"] for node in scans} <= {"Index Scan"}
    assert {node["Index Name"] for node in scans} <= {index, COLLECTION}
    walked = isqrt(candidates.PROPERTIES[0] ** 2 * (PAGE + 1)) if index == TIME else 0
    assert rows_read(scans) <= walked + 3 * max(streams, 20 if walked else 0) * (PAGE + 1) * 2


async def test_a_page_behind_many_hidden_items_comes_from_the_visible_collections(large: Database) -> None:
    await large.execute(sql("UPDATE collections SET private = id = 'c20'"))
    try:
        search = replace(Search(), visible=()).behind(Seek(replace(IN_TIE, tie=1 << 28), False))
        plan = await explain(large, statements.items.page(search, PAGE + 1), generic=True)
    finally:
        await large.execute(sql("UPDATE collections SET private = FALSE"))
    scans = of_items(plan)
    assert {node["Index Name"] for node in scans} == {TIME, COLLECTION}
    assert rows_read(scans) < TIED / 4
