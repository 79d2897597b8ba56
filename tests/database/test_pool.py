from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from urllib.parse import urlsplit

import anyio
import asyncpg
import pytest

from app.bulk.load import Loader
from app.catalog import Catalog
from app.database.fragment import Fragment, Parameter, sql
from app.database.pool import Database
from app.errors import TimedOut, Unavailable
from app.stac.search import Search
from app.stopwatch import Stopwatch
from tests.database.fresh import fresh_database, run
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio

PID = sql("SELECT pg_backend_pid() AS pid")
COUNT = sql("SELECT count(*) FROM collections")


def insert(collection_id: str) -> Fragment:
    id_ = Parameter(collection_id, "text")
    return sql("INSERT INTO collections (id, content, extent, document) VALUES (", id_, ", '', '', '{}')")


@pytest.fixture
async def single(database_url: str, database: Database) -> AsyncIterator[Database]:
    """One connection, so that the test knows which one it kills."""
    del database  # which empties the tables first
    async with Database.opened(database_url, size=1, query_timeout=5) as opened:
        yield opened


async def pid_of(database: Database) -> int:
    row = await database.fetch_one(PID)
    assert row is not None
    pid: int = row["pid"]
    return pid


async def terminate(database: Database, pid: int) -> None:
    await database.execute(sql("SELECT pg_terminate_backend(", Parameter(pid, "int"), ", 5000)"))


async def test_a_connection_has_loaded_postgis_before_a_query_can_be_cancelled(database: Database) -> None:
    try:
        libraries = await anyio.Path(f"/proc/{await pid_of(database)}/maps").read_text()
    except OSError as error:
        pytest.skip(f"what the server has loaded is not to be seen from here: {error}")
    assert "postgis-3" in libraries


async def test_cancelling_whoever_opens_a_connection_leaves_postgresql_alive(
    database_url: str, database: Database
) -> None:
    """Without the wait in the pool about one in 200 of these takes PostgreSQL down."""
    pid = await pid_of(database)
    for attempt in range(50):
        async with Database.opened(database_url, size=2, query_timeout=5) as opened, opened.transaction():
            with anyio.move_on_after(attempt / 2000):  # the second connection, cut off anywhere in its beginning
                await opened.fetch(sql("SELECT ST_Area('POINT EMPTY'::geometry)"))
    assert await pid_of(database) == pid


async def test_timeout_is_timed_out(database_url: str) -> None:
    async with Database.opened(database_url, size=1, query_timeout=0.2) as database:
        for query in (database.fetch, database.fetch_one, database.execute):
            with pytest.raises(TimedOut):
                await query(sql("SELECT pg_sleep(20)"))
        assert await database.fetch(sql("SELECT 1 AS one"))


async def test_timeout_in_a_transaction_is_timed_out(database_url: str, database: Database) -> None:
    async with Database.opened(database_url, size=1, query_timeout=0.2) as impatient:
        with pytest.raises(TimedOut):
            await in_transaction(impatient, insert("lost"), sql("SELECT pg_sleep(20)"))
    assert [row["count"] for row in await database.fetch(COUNT)] == [0]


async def test_query_cancelled_by_the_server_is_timed_out(database_url: str) -> None:
    separator = "&" if "?" in database_url else "?"
    url = f"{database_url}{separator}statement_timeout=200"
    async with Database.opened(url, size=1, query_timeout=60) as database:
        with pytest.raises(TimedOut):
            await database.fetch(sql("SELECT pg_sleep(20)"))


@pytest.mark.parametrize(
    ("setting", "query", "told"),
    [
        ("lock_timeout=100", sql("SELECT 1 FROM collections"), "stood in the way"),
        ("temp_file_limit=0", sql("SELECT n FROM generate_series(1, 2000000) AS n ORDER BY -n"), "no room"),
    ],
)
async def test_what_an_operator_bounds_is_unavailable(
    database: Database, database_url: str, setting: str, query: Fragment, told: str
) -> None:
    separator = "&" if "?" in database_url else "?"
    async with Database.opened(f"{database_url}{separator}{setting}", size=1, query_timeout=60) as bounded:
        async with database.transaction() as transaction:
            await transaction.execute(sql("LOCK TABLE collections IN ACCESS EXCLUSIVE MODE"))
            with pytest.raises(Unavailable, match=told):
                await bounded.fetch(query)
        assert await bounded.fetch(COUNT)


@pytest.mark.parametrize(
    "url",
    ["postgresql://upesi@127.0.0.1:1/x", "postgresql://upesi@/x?host=/nowhere", "postgresql://upesi@nowhere.invalid/x"],
)
async def test_unreachable_is_unavailable(url: str) -> None:
    with pytest.raises(Unavailable):
        async with Database.opened(url, size=1, query_timeout=5):
            pass


async def test_database_that_is_not_there_is_unavailable(database_url: str) -> None:
    with pytest.raises(Unavailable):
        async with Database.opened(urlsplit(database_url)._replace(path="/nowhere").geturl(), 1, 5):
            pass


@pytest.fixture
def own_url(database_url: str) -> Iterator[str]:
    """Of a database that nobody else is in."""
    with fresh_database(database_url) as url:
        run(url, "CREATE EXTENSION postgis")
        yield url


async def test_a_database_that_lets_nobody_in_is_unavailable_meanwhile(database: Database, own_url: str) -> None:
    name = urlsplit(own_url).path[1:]

    async def ask(statement: str) -> None:
        await database.primary.pool.fetch(statement.format(name), [])

    async with Database.opened(own_url, size=1, query_timeout=5) as own:
        await ask("ALTER DATABASE {0} ALLOW_CONNECTIONS false")
        await ask("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{0}'")
        with suppress(Unavailable):  # the connection that is lost
            await own.fetch(PID)
        with pytest.raises(Unavailable, match="does not let us in"):
            await own.fetch(PID)
        await ask("ALTER DATABASE {0} RENAME TO {0}_away")
        with pytest.raises(Unavailable, match="does not let us in"):
            await own.fetch(PID)
        await ask("ALTER DATABASE {0}_away RENAME TO {0}")
        await ask("ALTER DATABASE {0} ALLOW_CONNECTIONS true")
        assert await own.fetch(PID)


async def test_value_that_does_not_fit_its_type_is_not_taken_for_a_lost_connection(database: Database) -> None:
    with pytest.raises(asyncpg.DataError):
        await database.fetch(sql("SELECT ", Parameter(2**40, "int")))


async def test_connection_killed_between_queries(single: Database, database: Database) -> None:
    await terminate(database, await pid_of(single))
    with suppress(Unavailable):
        assert await single.fetch(PID)
    assert await single.fetch(PID)


async def test_connection_killed_during_a_query(single: Database, database: Database) -> None:
    pid = await pid_of(single)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(terminate_busy, database, pid)
        with pytest.raises(Unavailable):
            await single.fetch(sql("SELECT pg_sleep(20)"))
    assert await single.fetch(PID)


async def test_connection_killed_in_a_transaction(single: Database, database: Database) -> None:
    pid = await pid_of(single)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(terminate_busy, database, pid)
        with pytest.raises(Unavailable):
            await in_transaction(single, insert("lost"), sql("SELECT pg_sleep(20)"))
    assert [row["count"] for row in await single.fetch(COUNT)] == [0]


async def terminate_busy(database: Database, pid: int) -> None:
    """Once the query runs."""
    await database.execute(
        sql(
            "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()",
            " AND wait_event = 'PgSleep')",
            " LOOP PERFORM pg_stat_clear_snapshot(); END LOOP; END $$",
        )
    )
    await terminate(database, pid)


async def test_transaction_takes_effect_as_a_whole(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(insert("a"))
        await transaction.execute(insert("b"))
        assert [row["count"] for row in await database.fetch(COUNT)] == [0]
    assert [row["count"] for row in await database.fetch(COUNT)] == [2]


async def test_transaction_that_fails_leaves_nothing(database: Database) -> None:
    with pytest.raises(asyncpg.UniqueViolationError):
        await in_transaction(database, insert("a"), insert("b"), insert("a"))
    with pytest.raises(RuntimeError, match="of the caller"):
        await fail_inside(database)
    assert [row["count"] for row in await database.fetch(COUNT)] == [0]


async def in_transaction(database: Database, *queries: Fragment) -> None:
    async with database.transaction() as transaction:
        for query in queries:
            await transaction.execute(query)


async def fail_inside(database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(insert("a"))
        raise RuntimeError("of the caller")


async def test_pool_never_opens_more_than_its_size(database_url: str) -> None:
    pids: set[int] = set()

    async def ask() -> None:
        (row,) = await database.fetch(sql("SELECT pg_backend_pid() AS pid, pg_sleep(0.01)"))
        pids.add(row["pid"])

    async with Database.opened(database_url, size=2, query_timeout=5) as database, anyio.create_task_group() as tasks:
        for _ in range(20):
            tasks.start_soon(ask)
    assert len(pids) <= 2


async def test_geometry_and_jsonb_are_bytes_in_and_out(database: Database) -> None:
    point = bytes.fromhex("0101000020E6100000000000000000F03F0000000000000040")
    values = Parameter([point], "geometry[]"), Parameter(b'{"a": 1}', "jsonb")
    (row,) = await database.fetch(
        sql("SELECT (", values[0], ")[1] AS one, ST_AsText((", values[0], ")[1]) AS text, ", values[1], " AS a")
    )
    assert (row["one"], row["text"], row["a"][1:]) == (point, "POINT(1 2)", b'{"a": 1}')


async def test_dictionaries_made_later_are_found(database: Database, loader: Loader, database_url: str) -> None:
    async with Database.opened(database_url, size=1, query_timeout=5) as early:
        catalog = Catalog(early, default_limit=100, max_limit=1000)
        assert (await catalog.search(Search(), Stopwatch())).items == []
        for number in range(3):
            name = f"c{number}"
            items = [item(f"item {n}", name) for n in range(40 if number == 1 else 80)]
            await load(loader, collection(name), *items)
        page = await catalog.search(Search(limit=1000), Stopwatch())
    assert len(page.items) == 200
    assert all(found.content.startswith(b'{"type":"Feature"') for found in page.items)
    keys = {row["dictionary"] for row in await database.fetch(sql("SELECT DISTINCT dictionary FROM items"))}
    assert len(keys) == 3
    assert None in keys
