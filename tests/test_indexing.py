"""Indexes on properties, made and dropped as an operator does."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from app import doctor, indexing
from app.bulk.load import Loader
from app.catalog import Catalog
from app.database.fragment import sql
from app.database.pool import Database
from app.errors import SetupError, TimedOut
from app.indexing import KnownIndexes, PropertyIndex
from app.settings import Settings
from app.sql import indexing as statements
from app.stac.search import Search
from app.stopwatch import Stopwatch
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(loader: Loader, database_url: str) -> AsyncIterator[Database]:
    """With one connection."""
    properties = {"eo:cloud_cover": 5, "s2:mgrs": "32UQD", "a": {"b": 1}, "it's": 2, "bands": [1], "long": "é" * 5000}
    await load(loader, collection(), item("a", properties=properties), item("b"))
    async with Database.opened(database_url, size=1, query_timeout=None) as single:
        yield single
        for index in await indexing.listed(single):
            await indexing.drop(single, index.property)


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(1000):
        if await holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it does not happen")


async def is_state(database: Database, state: str) -> bool:
    return set((await states(database)).values()) == {state}


async def knows(known: KnownIndexes, properties: set[str]) -> bool:
    return known.properties == properties


async def states(database: Database) -> dict[str, str]:
    return {index.property: index.state for index in await indexing.listed(database)}


@pytest.mark.parametrize("name", ["eo:cloud_cover", "s2:mgrs", "a.b", "it's", "long"])
async def test_add_and_drop(filled: Database, loader: Loader, name: str) -> None:
    made = await indexing.add(filled, name)
    assert isinstance(made, PropertyIndex)
    assert (made.property, made.state) == (name, "valid")
    assert made.bytes > 0
    await load(loader, item("c", properties={name: "x" * 100_000}), item("d", properties={name: 1}))
    assert await indexing.add(filled, f"properties.{name}") is None
    await indexing.drop(filled, name)
    assert await states(filled) == {}
    assert not await filled.fetch(sql("SELECT 1 FROM pg_class WHERE relname LIKE 'items\\_property\\_%'"))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("eo:cloud-cover", "no item has a number or a text in .*: did you mean 'eo:cloud_cover'"),
        ("cloud", "did you mean 'eo:cloud_cover'"),
        ("bands", "no item has a number or a text in 'bands'"),
        ("properties.datetime", "has its index from the start"),
        ("geometry", "has its index from the start"),
        ("", "not the name of a property"),
        ("x" * 101, "not the name of a property"),
        ("a\nb", "not the name of a property"),
        ("a\\'); DROP TABLE items; --", "not the name of a property"),
        ("a'); DROP TABLE items; --", "no item has"),
    ],
)
async def test_names_no_index_is_for(filled: Database, name: str, reason: str) -> None:
    with pytest.raises(SetupError, match=reason):
        await indexing.add(filled, name)
    assert await states(filled) == {}


async def test_drop_of_none(filled: Database) -> None:
    with pytest.raises(SetupError, match="no index on 'eo:cloud_cover'"):
        await indexing.drop(filled, "eo:cloud_cover")


async def test_a_build_that_was_stopped_is_done_again(filled: Database, database_url: str) -> None:
    """A writer that does not end keeps the build waiting, so that it can be stopped in its middle."""
    writer = await asyncpg.connect(database_url)
    builder = await asyncpg.connect(database_url)
    await filled.execute(sql("INSERT INTO property_indexes (property) VALUES ('eo:cloud_cover')"))
    (index,) = await indexing.listed(filled)
    assert index.state == "missing"
    async with writer.transaction():
        await writer.execute("UPDATE items SET updated = now()")
        text, _ = statements.create(index.key, index.property).render()
        building = asyncio.create_task(builder.execute(text))
        await until(lambda: is_state(filled, "building"))
        building.cancel()
        with pytest.raises(asyncio.CancelledError):
            await building
        # PostgreSQL is told to stop on another connection, and hears of it a little later.
        await until(lambda: is_state(filled, "invalid"))
    await builder.close()
    await writer.close()
    assert await states(filled) == {"eo:cloud_cover": "invalid"}
    known = KnownIndexes()
    await known.refresh(filled)
    assert known.properties == set()
    found = {each.name: each for each in await asyncio.to_thread(findings, database_url)}
    assert found["index on eo:cloud_cover"].state == "invalid"
    assert "upesi index add eo:cloud_cover" in (found["index on eo:cloud_cover"].remedy or "")
    assert found["indexes"].remedy is None
    await indexing.add(filled, "eo:cloud_cover")
    assert await states(filled) == {"eo:cloud_cover": "valid"}
    found = {each.name: each for each in await asyncio.to_thread(findings, database_url)}
    assert found["index on eo:cloud_cover"].remedy is None
    await known.refresh(filled)
    assert known.properties == {"eo:cloud_cover"}


def findings(url: str) -> list[doctor.Finding]:
    return list(doctor.findings(Settings(database_url=url)))


async def test_two_at_once(filled: Database, database_url: str) -> None:
    async with Database.opened(database_url, size=1, query_timeout=None) as other:
        await other.fetch_one(statements.lock())
        for change in (indexing.add, indexing.drop):
            with pytest.raises(SetupError, match="at work in this database"):
                await change(filled, "eo:cloud_cover")


async def test_a_load_that_ends_while_an_index_is_made(
    filled: Database, database: Database, loader: Loader, database_url: str
) -> None:
    """A build waits for all statements that are older, also for one that waits for it."""
    writer = await asyncpg.connect(database_url)
    async with asyncio.TaskGroup() as tasks:
        async with writer.transaction():
            await writer.execute("UPDATE items SET updated = now()")
            building = tasks.create_task(indexing.add(filled, "eo:cloud_cover"))
            await until(lambda: is_state(database, "building"))
            # Until it is done, or long enough for it to wait.
            await asyncio.wait([tasks.create_task(loader.finish())], timeout=1)
        await writer.close()
    made = building.result()
    assert made is not None
    assert made.state == "valid"


async def test_a_collection_with_a_quarter_of_all_items_is_large(loader: Loader, database: Database) -> None:
    """As far as PostgreSQL has looked."""
    known = KnownIndexes()
    await load(loader, collection("many"), collection("more"), collection("few"), collection("none"))
    await known.refresh(database)
    assert known.large == set()
    await load(
        loader, *(item(f"i{number}", "many" if number % 2 else "more") for number in range(30)), item("a", "few")
    )
    await loader.finish()
    await known.refresh(database)
    assert known.large == {"many", "more"}


async def test_a_running_service_learns_of_it(
    filled: Database, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "_SECONDS", 0.01)
    known = KnownIndexes()
    async with known.followed(database):
        assert known.properties == set()
        await indexing.add(filled, "eo:cloud_cover")
        await until(lambda: knows(known, {"eo:cloud_cover"}))
        await indexing.drop(filled, "eo:cloud_cover")
        await until(lambda: knows(known, set()))


@pytest.mark.parametrize(
    ("sortby", "known", "advice"),
    [
        ("-eo:cloud_cover", set(), "; the operator could help it with `upesi index add eo:cloud_cover`"),
        ("gsd,-datetime", {"eo:cloud_cover"}, "; the operator could help it with `upesi index add gsd`"),
        ("-eo:cloud_cover", {"eo:cloud_cover"}, "narrow it down"),
        ("id", set(), "narrow it down"),
    ],
)
async def test_a_search_that_took_too_long_says_which_index_would_help(
    database_url: str, filled: Database, sortby: str, known: set[str], advice: str
) -> None:
    """Items that are locked keep it waiting."""
    async with Database.opened(database_url, size=1, query_timeout=0.3) as impatient:
        catalog = Catalog(impatient, 10, 1000, KnownIndexes(frozenset(known)))
        async with filled.transaction() as transaction:
            await transaction.execute(sql("LOCK items"))
            with pytest.raises(TimedOut) as raised:
                await catalog.search(Search.from_query({"sortby": sortby}), Stopwatch())
    assert raised.value.description.endswith(advice)
