"""Searches among ten thousand collections: the plans, and that nothing is lost on the way through the pages."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import orjson
import pytest

from app import sql as statements
from app.catalog import Catalog
from app.database.fragment import sql
from app.database.pool import Database
from app.stac.collection_search import CollectionSearch
from app.stac.paging import Position, Seek
from app.stopwatch import Stopwatch
from benchmarks.plans.explain import Plan, nodes
from tests.factories import Document
from tests.sql.test_plans import explain

pytestmark = pytest.mark.anyio

COLLECTIONS = 10_000
PAGE = 10
DEEP = Position(datetime(1970, 1, 1, tzinfo=UTC), 0, "c05000", 5000)
SEEKS = [None, Seek(DEEP, backward=False), Seek(DEEP, backward=True)]
# Boxes of 2 by 2 degrees, 100 at each of 100 places; a hundredth of all are of fires, at one place.
_INSERT = """INSERT INTO collections (id, content, extent, document, declared_area, declared_times)
    SELECT 'c' || lpad(n::text, 5, '0'), '{"links":[]}', '{}',
        jsonb_build_object('title', 'Number ' || n, 'description', repeat(md5(n::text) || ' ', 60), 'n', n,
            'keywords', CASE n % 100 WHEN 7 THEN '["forest-fire", "smoke"]' ELSE '["sea"]' END::jsonb),
        ST_MakeEnvelope(n % 100 * 3 - 150, 0, n % 100 * 3 - 148, 2, 4326),
        tstzmultirange(tstzrange(timestamptz '2000-01-01Z' + n * interval '1 hour', NULL, '[]'))
    FROM generate_series(1, 10000) AS numbered (n)"""


@pytest.fixture(scope="module")
async def large(database_url: str) -> AsyncIterator[Database]:
    async with Database.opened(database_url, size=2, query_timeout=120) as database:
        await database.execute(sql("TRUNCATE collections RESTART IDENTITY CASCADE"))
        await database.execute(sql(_INSERT))
        await database.execute(sql("VACUUM ANALYZE collections"))
        yield database


def search_of(body: Document) -> CollectionSearch:
    return CollectionSearch.from_body(orjson.dumps(body))


async def walked(database: Database, body: Document) -> tuple[list[int], int | None]:
    """The numbers of the collections on all pages, and how many the first page says there are."""
    catalog = Catalog(database, default_limit=10, max_limit=1000)
    search = search_of(body)
    page = await catalog.collections(search, Stopwatch())
    matched, found = page.matched, [each.id for each in page.collections]
    while page.next is not None:
        page = await catalog.collections(search.behind(page.next), Stopwatch())
        assert page.matched == matched
        found += [each.id for each in page.collections]
    return [int(name[1:]) for name in found], matched


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ({"limit": 1000}, range(1, COLLECTIONS + 1)),
        ({"q": "forest fire", "limit": 9}, range(7, COLLECTIONS, 100)),
        ({"bbox": [-129, 0, -128, 1], "limit": 30}, range(7, COLLECTIONS, 100)),
        ({"bbox": [179, 0, -149.5, 1], "limit": 30}, range(100, COLLECTIONS + 1, 100)),
        ({"datetime": "../2000-01-01T10:00:00Z", "limit": 3}, range(1, 11)),
        ({"filter": {"op": "like", "args": [{"property": "id"}, "c012%"]}, "limit": 30}, range(1200, 1300)),
        ({"filter": {"op": "<=", "args": [{"property": "n"}, 45]}, "limit": 10}, range(1, 46)),
        ({"q": "SMOKE", "bbox": [-129, 0, -128, 1], "sortby": "-n", "limit": 40}, range(9907, 0, -100)),
        ({"sortby": "-id", "limit": 1000}, range(COLLECTIONS, 0, -1)),
    ],
    ids=str,
)
async def test_pages_hold_all(large: Database, body: Document, right: range) -> None:
    assert await walked(large, body) == ([*right], len(right))


def scans(plan: Plan) -> list[Plan]:
    """Of the page; what is matched in all is counted in a plan of its own."""
    children = [child for child in plan.get("Plans", ()) if child.get("Parent Relationship") != "InitPlan"]
    own = [plan] if plan.get("Relation Name") == "collections" or "Bitmap Index" in plan["Node Type"] else []
    return own + [scan for child in children for scan in scans(child)]


@pytest.mark.parametrize("generic", [False, True], ids=["custom", "generic"])
@pytest.mark.parametrize("seek", SEEKS, ids=["first", "next", "prev"])
@pytest.mark.parametrize("sortby", ["id", "-id"])
async def test_the_order_of_ids_follows_the_page(
    large: Database, sortby: str, seek: Seek | None, generic: bool
) -> None:
    search = search_of({"sortby": sortby})
    if seek is not None:
        search = search.behind(seek)
    plan = await explain(large, statements.collections.page(search, PAGE + 1), generic)
    (scan,) = scans(plan)
    assert (scan["Node Type"], scan["Index Name"]) == ("Index Scan", "collections_id_key")
    assert scan["Actual Rows"] == PAGE + 1
    assert "Sort" not in {node["Node Type"] for node in nodes(plan)}


async def test_a_filter_is_tested_once(large: Database) -> None:
    """For the page and for the count."""
    search = search_of({"filter": {"op": "like", "args": [{"property": "id"}, "c002%"]}})
    plan = await explain(large, statements.collections.page(search, PAGE + 1), generic=True)
    tests = [node for node in nodes(plan) if "LIKE" in node.get("Filter", "") or "~~" in node.get("Filter", "")]
    assert [test["Actual Loops"] for test in tests] == [1]
    # The members of those on the page alone are read again.
    read = [node for node in nodes(plan) if node.get("Relation Name") == "collections" and node not in tests]
    assert sum(node["Actual Rows"] * node["Actual Loops"] for node in read) == PAGE + 1


@pytest.mark.parametrize(
    ("body", "index"),
    [
        ({"q": "forest-fire"}, "collections_words"),
        ({"q": "smoke,nothing"}, "collections_words"),
        ({"q": "smoke", "sortby": "-title"}, "collections_words"),
        ({"bbox": [-129, 0, -128, 1]}, "collections_area"),
        ({"bbox": [179, 0, -149.5, 1]}, "collections_area"),
        ({"bbox": [-129, 0, -128, 1], "sortby": "title"}, "collections_area"),
    ],
    ids=str,
)
async def test_words_and_places_come_from_their_index(large: Database, body: Document, index: str) -> None:
    plan = await explain(large, statements.collections.page(search_of(body), PAGE + 1), generic=True)
    used = {node["Index Name"] for node in nodes(plan) if "Index Name" in node}
    assert used - {"collections_pkey"} == {index}
    assert "Seq Scan" not in {node["Node Type"] for node in nodes(plan)}


async def test_a_box_around_everything_reads_each_collection_once(large: Database) -> None:
    search = search_of({"bbox": [-180, -90, 180, 90]})
    plan = await explain(large, statements.collections.page(search, PAGE + 1), generic=True)
    assert all(node["Actual Rows"] * node["Actual Loops"] <= COLLECTIONS for node in nodes(plan))
