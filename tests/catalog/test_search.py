"""Random searches, page by page in both directions, against an oracle that knows nothing of SQL."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import cql2
import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app import indexing
from app.bulk.load import Loader
from app.catalog import Catalog, ItemPage
from app.database.fragment import sql
from app.database.pool import Database
from app.indexing import KnownIndexes
from app.sql import candidates, space
from app.stac.search import Search
from app.stopwatch import Stopwatch
from tests.factories import Document, box, collection, item, load, point
from tests.oracle import Query, expected

pytestmark = pytest.mark.anyio

INDEXED = {"cloud", "name"}
COLLECTIONS = ["first", "second", "third", "without-items"]
MICROSECOND = timedelta(microseconds=1)
BASE = datetime(2024, 7, 16, 12, tzinfo=UTC)
# Long before and after the others, neighbours a microsecond apart, and few enough for many ties.
INSTANTS = [
    datetime(1850, 1, 1, tzinfo=UTC),
    datetime(1850, 1, 1, tzinfo=UTC) + MICROSECOND,
    datetime(1850, 1, 1, tzinfo=UTC) + 2 * MICROSECOND,
    datetime(1999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    BASE,
    BASE + MICROSECOND,
    BASE + 2 * MICROSECOND,
    BASE + timedelta(days=30),
    datetime(2150, 6, 1, tzinfo=UTC),
    datetime(2150, 6, 1, tzinfo=UTC) + MICROSECOND,
]


# Three ids of one `tie`, and again: what the index returns in no order of its own.
COLLIDING = [
    *("item-2503", "item-6779", "item-208810"),
    *("item-49044", "item-1025256", "item-1423090"),
    *("item-62993", "item-1419063", "item-1514538"),
    *("item-101715", "item-498968", "item-885896"),
]


# Alike as far as an order looks.
LONG = ["b" * 199 + "c", "b" * 200 + "c", "b" * 200 + "d", "é" * 300]
# The first is in most titles, the last in none; what is rare is found by its index.
WORDS = ["the", "snow", "Sentinel-2", "übers Eis", "a.b/c", "e@f"]
TERMS = [*WORDS, "THE", "snow the", "sentinel 2", "id", "item 2503", "eis", "b", "nothing", "!", "old 7", "2024"]


def iso(instant: datetime) -> str:
    return instant.isoformat()


def random_geometry(dice: random.Random) -> Document | None:
    west, south = dice.uniform(-179, 170), dice.uniform(-80, 70)
    match dice.randrange(7):
        case 0:
            return None
        case 6:
            return beyond_the_globe(dice)
        case 1:
            return point(round(west), round(south))
        case 2:
            halves = [box(178.0, south, 180.0, south + 3), box(-180.0, south, -177.0, south + 3)]
            return {"type": "MultiPolygon", "coordinates": [half["coordinates"] for half in halves]}
        case 3:
            return {"type": "Point", "coordinates": [west, south, 120.5]}
        case _:
            return box(west, south, west + dice.uniform(0.1, 9), south + dice.uniform(0.1, 9))


def beyond_the_globe(dice: random.Random) -> Document:
    """Published in one piece across the antimeridian, or as a whole behind it; some begin or end on it."""
    west = dice.choice(
        [dice.uniform(171, 200), dice.uniform(-200, -181), *(5.0 * n for n in (34, 35, 36, 37, -37, -38))]
    )
    south, width = dice.uniform(-80, 70), dice.choice([5, 10, dice.uniform(1, 9)])
    piece = box(west, south, west + width, south + 5)
    match dice.randrange(6):
        case 0:
            return point(dice.choice([-1, 1]) * dice.choice([181, 190, 205]), south)
        case 1:
            return {"type": "LineString", "coordinates": [[west, south], [west + width, south + 3]]}
        case 2:
            hole = box(west + width / 4, south + 1, west + width / 2, south + 2)
            return {"type": "Polygon", "coordinates": [*piece["coordinates"], *hole["coordinates"]]}
        case 3:
            other = box(west + width + 1, south, west + width + 3, south + 3)
            return {"type": "MultiPolygon", "coordinates": [piece["coordinates"], other["coordinates"]]}
        case 4:
            return {"type": "GeometryCollection", "geometries": [piece, point(west - 3, south)]}
        case _:
            return piece


def random_properties(dice: random.Random) -> Document:
    some: Document = {
        "cloud": [None, 0, 5, 5.5, -1, 1e300, "many", True, [5]],
        "name": ["b", "B", "é", "", 3, True, False, None, *LONG],
    }
    extra: Document = {name: dice.choice(values) for name, values in some.items() if dice.random() < 0.8}
    words = dice.sample(WORDS, dice.randrange(len(WORDS)))
    texts: Document = {"title": " ".join(words), "keywords": words[:2], "made:by": {"whom": words[-1:]}}
    return extra | texts | random_times(dice)


def random_times(dice: random.Random) -> Document:
    instant = dice.choice(INSTANTS)
    if dice.random() < 0.7:
        return {"datetime": instant.isoformat()}
    start, end = instant - timedelta(days=dice.randrange(40)), instant + timedelta(days=dice.randrange(400))
    return {
        "datetime": dice.choice([None, instant.isoformat()]),
        "start_datetime": start.isoformat(),
        "end_datetime": end.isoformat(),
    }


def make_items(count: int, seed: int) -> list[Document]:
    dice = random.Random(seed)
    names = [*COLLIDING, *(f"id {number}/ü'\"" for number in range(count))]
    items = {}
    for name in names[:count]:
        for owner in dice.sample(COLLECTIONS[:3], dice.choice([1, 1, 2])):
            items[owner, name] = item(name, owner, geometry=random_geometry(dice), properties=random_properties(dice))
    # Where an index of distances is at its limits: equal `tie`s of one instant, and neighbours 300 years from the end.
    for name in COLLIDING:
        items["third", name] = item(name, "third", geometry=point(1.0, 1.0), properties={"datetime": iso(BASE)})
    for number in range(60):
        properties = {"datetime": iso(INSTANTS[0] - number % 2 * MICROSECOND if number else INSTANTS[-1])}
        items["second", f"old {number}"] = item(
            f"old {number}", "second", geometry=point(2.0, 2.0), properties=properties
        )
    # In the order of their collections, as the oracle takes the collections' keys from it.
    return sorted(items.values(), key=lambda document: COLLECTIONS.index(document["collection"]))


ITEMS = make_items(250, seed=7)

coordinates = st.integers(-36, 36).map(lambda tens: tens * 5.0)
latitudes = st.integers(-18, 18).map(lambda tens: tens * 5.0)


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    south, north = sorted((draw(latitudes), draw(latitudes)))
    west, east = draw(coordinates), draw(coordinates)
    return draw(st.sampled_from([[west, south, east, north], [west, south, -10.0, east, north, 500.0]]))


@st.composite
def intervals(draw: st.DrawFn) -> tuple[datetime | None, datetime | None]:
    near = st.sampled_from(INSTANTS).flatmap(
        lambda instant: st.sampled_from([instant, instant + timedelta(days=3), instant - MICROSECOND])
    )
    start, end = sorted((draw(near), draw(near)))
    return draw(st.sampled_from([(start, end), (start, None), (None, end), (start, start)]))


shapes = st.one_of(
    st.builds(point, coordinates, latitudes),
    boxes().filter(lambda b: len(b) == 4 and b[0] < b[2] and b[1] < b[3]).map(lambda b: box(*b)),
    st.lists(st.tuples(coordinates, latitudes).map(list), min_size=2, max_size=4).map(
        lambda line: {"type": "LineString", "coordinates": line}
    ),
    st.lists(st.builds(point, coordinates, latitudes), min_size=1, max_size=3).map(
        lambda points: {"type": "GeometryCollection", "geometries": [*points, box(0.0, 0.0, 20.0, 20.0)]}
    ),
)


orders = st.lists(
    st.tuples(
        st.sampled_from(["datetime", "id", "collection", "cloud", "properties.name", "nothing"]),
        st.sampled_from(["asc", "desc"]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda key: key[0],
)


filters = st.sampled_from(
    [
        *("cloud = 5", "cloud < 5", "cloud <= 5", "0 < cloud", "cloud >= 5", "cloud BETWEEN -1 AND 5", "cloud <> 5"),
        *("cloud IN (5, -1, 7)", "cloud = 'many'", "NOT cloud = 5", "cloud = 5 OR name = 'b'", "cloud + 1 = 6"),
        *("name = 'b'", "name = 'true'", "name IN ('b', 'B')", "name LIKE 'b%'", "name LIKE '%b%'", "name > 'B'"),
        *(f"name = '{text}'" for text in LONG),
        *(f"name < '{LONG[1]}'", f"name > '{LONG[1]}'", f"name LIKE '{LONG[1]}%'", f"name IN ('{LONG[1]}', 'b')"),
        *("cloud > 0 AND name >= 'b'", "cloud > 0 AND cloud < 5.5", "cloud < 5 AND cloud = 'many'", "name LIKE 'é_%'"),
    ]
).map(lambda text: cql2.parse_text(text).to_json())


@st.composite
def queries(draw: st.DrawFn) -> Query:
    bbox, intersects = draw(
        st.one_of(
            st.just((None, None)),
            st.tuples(boxes(), st.none()),
            st.just(([-180.0, -90.0, 180.0, 90.0], None)),
            st.tuples(st.none(), shapes),
        )
    )
    return Query(
        collections=draw(st.none() | st.lists(st.sampled_from([*COLLECTIONS, "nowhere"]), min_size=1, unique=True)),
        ids=draw(st.none() | st.lists(st.sampled_from([d["id"] for d in ITEMS]), min_size=1, max_size=60)),
        bbox=bbox,
        intersects=intersects,
        interval=draw(st.none() | intervals()),
        q=draw(st.none() | st.lists(st.sampled_from(TERMS), min_size=1, max_size=3)),
        sortby=draw(st.none() | orders),
        filter=draw(st.none() | filters),
    )


@pytest.fixture(scope="module")
async def filled(database_url: str) -> AsyncIterator[str]:
    async with Database.opened(database_url, size=1, query_timeout=60) as database:
        await database.execute(sql("TRUNCATE collections RESTART IDENTITY CASCADE"))
        await fill(database, ITEMS)
        for name in INDEXED:
            await indexing.add(database, name)
        yield database_url
        for name in INDEXED:
            await indexing.drop(database, name)


@pytest.fixture(scope="module", params=["planner", "near", "few", "far", "all", "mixed"])
async def loaded(filled: str, request: pytest.FixtureRequest) -> AsyncIterator[Catalog]:
    """The planner sorts a table as small as this one, so that the order of the indexes must be asked for; and each of
    the ways of candidates.py is gone only if the bounds of those before it are small."""
    way = "on" if request.param == "planner" else "off"
    async with Database.opened(filled, size=1, query_timeout=60) as database:
        async with database.pool.acquire() as connection:
            for plan in ("seqscan", "bitmapscan"):
                await connection.execute(f"SET enable_{plan} = {way}")
            await connection.execute(f"SET cpu_operator_cost = {1 if way == 'off' else 'DEFAULT'}")
        indexes = KnownIndexes()
        if request.param != "planner":
            await indexes.refresh(database)
            assert indexes.properties == INDEXED
            indexes.large = frozenset(COLLECTIONS[:2])
        with pytest.MonkeyPatch.context() as patch:
            for bound, value in BOUNDS.get(request.param, {}).items():
                patch.setattr(candidates, bound, value)
            if request.param != "planner":
                # An area is looked for in its cells, or everywhere, however little it is of them.
                patch.setattr(space, "_is_likely", lambda share, _: share >= 0.02)
            yield Catalog(database, default_limit=10, max_limit=1000, indexes=indexes)


def bounds(near: int, few: int, far: int) -> dict[str, object]:
    return {"WORDS": (near, far), "PROPERTIES": (near, far), "FEW": few, "AREA": near}


ALL = 10_000
# A walk of no tests tests a page.
BOUNDS = {
    "near": bounds(ALL, 0, 0),
    "few": bounds(0, ALL, 0),
    "far": bounds(0, 0, ALL),
    "all": bounds(0, 0, 0),
    "mixed": bounds(2, 12, 6),
}


async def fill(database: Database, items: list[Document]) -> None:
    def fail(place: str, reason: str) -> None:
        raise AssertionError(f"{place}: {reason}")

    await load(Loader(database, "insert", "stop", fail), *map(collection, COLLECTIONS), *items)


async def walk(catalog: Catalog, query: Query, limit: int) -> list[tuple[str, str]]:
    """All pages forward, and then all of them back, which must be the same ones."""
    search = Search.from_body(orjson.dumps(query.body() | {"limit": limit}))
    forward = [await catalog.search(search, Stopwatch())]
    assert forward[0].previous is None
    while (seek := forward[-1].next) is not None:
        forward.append(await catalog.search(search.behind(seek), Stopwatch()))
        assert forward[-1].items, "a next link led to an empty page"
    backward = [forward[-1]]
    while (seek := backward[-1].previous) is not None:
        backward.append(await catalog.search(search.behind(seek), Stopwatch()))
    assert [ids(page) for page in reversed(backward)] == [ids(page) for page in forward]
    return [found for page in forward for found in ids(page)]


def ids(page: ItemPage) -> list[tuple[str, str]]:
    return [(found.collection, found.id) for found in page.items]


@given(query=queries(), limit=st.sampled_from([10, 40, 100, 1000]))
@hypothesis_settings(
    max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_pages_hold_what_the_oracle_finds(loaded: Catalog, query: Query, limit: int) -> None:
    assert await walk(loaded, query, limit) == expected(query, ITEMS)


@pytest.mark.parametrize("limit", [1, 2, 10])
@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(bbox=[-180, -90, 180, 90]),
        Query(bbox=[2, 2, 3, 3]),
        Query(collections=COLLECTIONS),
        Query(bbox=[-180, -90, 180, 90], sortby=[("datetime", "asc")]),
        Query(sortby=[("cloud", "desc"), ("name", "asc")]),
        Query(sortby=[("cloud", "asc")]),
        Query(sortby=[("cloud", "desc"), ("datetime", "asc")], collections=["third", "first"]),
        Query(sortby=[("name", "desc")]),
        Query(sortby=[("name", "asc"), ("datetime", "asc")]),
        Query(q=["item", "the"]),
        Query(q=["item", "old 7"], bbox=[-180, -90, 180, 90]),
        Query(q=["snow"], collections=COLLECTIONS, sortby=[("datetime", "asc")]),
    ],
    ids=[
        *("all", "world", "place", "collections", "oldest", "sorted", "least", "most", "last-name", "first-name"),
        *("words", "words-in-world", "words-oldest"),
    ],
)
async def test_ties_between_pages(loaded: Catalog, query: Query, limit: int) -> None:
    """With pages of one item ties fall between pages; a first page of 10 at one place goes 300 years back."""
    assert await walk(loaded, query, limit) == expected(query, ITEMS)
