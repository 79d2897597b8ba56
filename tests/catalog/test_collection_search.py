"""Random searches among collections, page by page in both directions, against an oracle that knows nothing of SQL."""

import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.bulk.load import Loader
from app.catalog import Catalog, CollectionPage, StoredCollection
from app.database.fragment import sql
from app.database.pool import Database
from app.stac.collection_search import CollectionSearch
from app.stopwatch import Stopwatch
from tests.factories import Document, collection, item, load, point
from tests.oracle_collections import Query, expected

pytestmark = pytest.mark.anyio

INSTANTS = [datetime(year, 1, 1, tzinfo=UTC) for year in (1850, 1999, 2000, 2024, 2150)]
TITLES = ["Sentinel-2", "sentinel 2 L2A", "Água e Élan", "a/b.tif", "Elevation", "x", "2"]
KEYWORDS = ["Earth Observation", "EO", "élan", "sea-ice", "-5", "http://x.example/a"]
TERMS = ["sentinel-2", "SENTINEL", "2", "l2a 2", "ÁGUA", "elan", "Élan", "earth observation", "observation earth"]
TERMS += [
    "eo",
    "b.tif",
    "tif",
    "sea ice",
    "ice",
    "things",
    "5",
    "-5",
    "x.example",
    "collection_7",
    "nothing",
    "…",
    "the",
]


def random_extent(dice: random.Random) -> Document:
    return {
        "spatial": {"bbox": [random_box(dice) for _ in range(dice.choice([1, 1, 2, 3]))]},
        "temporal": {"interval": [random_interval(dice)]},
    }


def random_box(dice: random.Random) -> list[float]:
    west, south = dice.randrange(-180, 176, 5), dice.randrange(-90, 86, 5)
    east, north = dice.choice([west + 5, west, dice.randrange(-180, 180, 5)]), south + dice.choice([0, 5])
    return dice.choice([[west, south, east, north], [west, south, -100, east, north, 100]])


def random_interval(dice: random.Random) -> list[str | None]:
    start, end = (instant.isoformat() for instant in sorted(dice.sample(INSTANTS, 2)))
    return dice.choice([[start, end], [start, start], [None, end], [start, None], [None, None]])


def random_collection(dice: random.Random, number: int) -> Document:
    some: Document = {
        "title": TITLES,
        "keywords": [[], KEYWORDS[:1], KEYWORDS[1:4], KEYWORDS[3:]],
        "x:rank": [1, 2, 2.5, -1, "high", True, None],
        "x:sensor": [{"gsd": 10}, {"gsd": 20.5}, {"gsd": "many"}, {}],
    }
    extra = {name: dice.choice(values) for name, values in some.items() if dice.random() < 0.7}
    return collection(dice.choice(["", "Ü/", "b'"]) + f"collection_{number}", extent=random_extent(dice), **extra)


def make_documents(seed: int) -> list[Document]:
    dice = random.Random(seed)
    collections = [random_collection(dice, number) for number in range(80)]
    items = []
    for owner in dice.sample(collections, 25):
        for number in range(dice.choice([1, 3])):
            geometry = dice.choice([None, point(dice.randrange(-180, 181, 5), dice.randrange(-90, 91, 5))])
            properties = {"datetime": dice.choice(INSTANTS).isoformat()}
            items.append(item(f"item {number}", owner["id"], geometry=geometry, properties=properties))
    return [*collections, *items]


longitudes = st.integers(-36, 36).map(lambda fives: fives * 5.0)
latitudes = st.integers(-18, 18).map(lambda fives: fives * 5.0)


@st.composite
def boxes(draw: st.DrawFn) -> list[float]:
    south, north = sorted((draw(latitudes), draw(latitudes)))
    west, east = draw(longitudes), draw(longitudes)
    return draw(st.sampled_from([[west, south, east, north], [west, south, -10.0, east, north, 500.0]]))


@st.composite
def intervals(draw: st.DrawFn) -> tuple[datetime | None, datetime | None]:
    near = st.sampled_from(INSTANTS).flatmap(lambda at: st.sampled_from([at, at + timedelta(microseconds=1)]))
    start, end = sorted((draw(near), draw(near)))
    return draw(st.sampled_from([(start, end), (start, None), (None, end), (start, start)]))


names = st.sampled_from(["title", "x:rank", "x:sensor.gsd", "description", "nothing"])
literals = st.sampled_from(["a/b.tif", "Elevation", "sentinel 2 L2A", 2, 2.5, 10, True, "high"])
comparisons = st.builds(
    lambda op, name, value: {"op": op, "args": [{"property": name}, value]},
    st.sampled_from(["=", "<>"]),
    names,
    literals,
)
conditions = st.one_of(
    comparisons,
    st.builds(lambda name: {"op": "isNull", "args": [{"property": name}]}, names),
    st.builds(lambda word: {"op": "a_contains", "args": [{"property": "keywords"}, [word]]}, st.sampled_from(KEYWORDS)),
    st.builds(lambda text: {"op": "like", "args": [{"property": "title"}, text]}, st.sampled_from(["S%", "%e%", "_"])),
)
filters = st.recursive(
    conditions,
    lambda inner: st.one_of(
        st.builds(
            lambda op, each: {"op": op, "args": each}, st.sampled_from(["and", "or"]), st.lists(inner, min_size=2)
        ),
        st.builds(lambda each: {"op": "not", "args": [each]}, inner),
    ),
    max_leaves=4,
)
orders = st.lists(
    st.tuples(
        st.sampled_from(["id", "title", "x:rank", "x:sensor.gsd", "datetime", "nothing"]),
        st.sampled_from(["asc", "desc"]),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda key: key[0],
)
queries = st.builds(
    Query,
    bbox=st.none() | boxes(),
    interval=st.none() | intervals(),
    q=st.none() | st.lists(st.sampled_from(TERMS), min_size=1, max_size=3, unique=True),
    filter=st.none() | filters,
    sortby=st.none() | orders,
)


class Loaded:
    """A catalogue, and its collections as each is served by itself, with the extent of its items where it has some."""

    def __init__(self, catalog: Catalog, served: list[Document]) -> None:
        self.catalog = catalog
        self.served = served

    def __repr__(self) -> str:
        return "Loaded"  # A failure shows its arguments.


@pytest.fixture(scope="module")
async def loaded(database_url: str) -> AsyncIterator[Loaded]:
    def fail(place: str, reason: str) -> None:
        raise AssertionError(f"{place}: {reason}")

    async with Database.opened(database_url, size=1, query_timeout=60) as database:
        await database.execute(sql("TRUNCATE collections RESTART IDENTITY CASCADE"))
        await load(Loader(database, "insert", "stop", fail), *make_documents(seed=11))
        catalog = Catalog(database, default_limit=10, max_limit=1000)
        page = await catalog.collections(CollectionSearch(limit=1000), Stopwatch())
        yield Loaded(catalog, [document(await catalog.collection(found.id)) for found in page.collections])


def document(stored: StoredCollection) -> Document:
    return {**orjson.loads(stored.content), "extent": orjson.loads(stored.extent)}


async def walk(catalog: Catalog, query: Query, limit: int) -> tuple[list[str], int | None]:
    """All pages forward, and then all of them back, which must be the same ones; and how many it says there are."""
    search = CollectionSearch.from_body(orjson.dumps(query.body() | {"limit": limit}))
    forward = [await catalog.collections(search, Stopwatch())]
    assert forward[0].previous is None
    while (seek := forward[-1].next) is not None:
        assert len(forward) < 100, "a next link leads round in a circle"
        forward.append(await catalog.collections(search.behind(seek), Stopwatch()))
        assert forward[-1].collections, "a next link led to an empty page"
    backward = [forward[-1]]
    while (seek := backward[-1].previous) is not None:
        assert len(backward) < 100, "a prev link leads round in a circle"
        backward.append(await catalog.collections(search.behind(seek), Stopwatch()))
    assert [ids(page) for page in reversed(backward)] == [ids(page) for page in forward]
    (matched,) = {page.matched for page in [*forward, *backward]}
    return [found for page in forward for found in ids(page)], matched


def ids(page: CollectionPage) -> list[str]:
    return [found.id for found in page.collections]


@given(query=queries, limit=st.sampled_from([3, 10, 100]))
@hypothesis_settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
async def test_pages_hold_what_the_oracle_finds(loaded: Loaded, query: Query, limit: int) -> None:
    right = expected(query, loaded.served)
    assert await walk(loaded.catalog, query, limit) == (right, len(right))


@pytest.mark.parametrize("term", TERMS)
async def test_each_term_alone(loaded: Loaded, term: str) -> None:
    query = Query(q=[term])
    right = expected(query, loaded.served)
    assert await walk(loaded.catalog, query, 100) == (right, len(right))
    assert bool(right) == (term not in ("…", "nothing", "the", "elan", "l2a 2", "observation earth"))


@pytest.mark.parametrize("limit", [1, 2])
@pytest.mark.parametrize(
    "sortby",
    [None, [("id", "desc")], [("title", "desc")], [("x:rank", "asc"), ("title", "asc")], [("datetime", "asc")]],
)
async def test_ties_between_pages(loaded: Loaded, sortby: list[tuple[str, str]] | None, limit: int) -> None:
    query = Query(sortby=sortby)
    assert await walk(loaded.catalog, query, limit) == (expected(query, loaded.served), len(loaded.served))


async def test_times_without_a_beginning(loaded: Loaded) -> None:
    datetime = {"property": "datetime"}
    query = Query(filter={"op": "isNull", "args": [{"interval": [datetime, ".."]}]})
    starts = {each["id"]: each["extent"]["temporal"]["interval"][0][0] for each in loaded.served}
    right = sorted(name for name, start in starts.items() if start is None)
    assert right
    assert await walk(loaded.catalog, query, 100) == (right, len(right))
