"""Reads from two streaming standbys of a real primary, which lag, cancel, fall silent and die."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from itertools import count

import anyio
import httpx
import pytest

from app.api import freshness
from app.database import schema
from app.database.connections import each_host
from app.database.fragment import Fragment, Parameter, sql
from app.database.pool import Database, Reads
from app.errors import TimedOut, Unavailable, UpesiError
from app.settings import Settings
from tests.api.serving import serving
from tests.factories import collection, item
from tests.faults.cluster import Cluster, Node, cluster
from tests.faults.load import until

pytestmark = pytest.mark.anyio

PORT = sql("SELECT current_setting('port')::int AS port")


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    with cluster() as made:
        schema.migrate(made.primary.url)
        yield made


@pytest.fixture
async def database(servers: Cluster) -> AsyncIterator[Database]:
    async with opened(servers) as database:
        yield database


@asynccontextmanager
async def opened(servers: Cluster, lag: float = 10.0) -> AsyncIterator[Database]:
    reads = Reads([node.url for node in servers.standbys], lag)
    async with Database.opened(servers.url, 4, 20, reads) as database:
        await database.execute(sql("TRUNCATE collections CASCADE"))
        await caught_up(database, servers)
        yield database


async def caught_up(database: Database, servers: Cluster) -> None:
    place = await database.position()

    async def is_replayed() -> bool:
        # What an aborted page of the log leaves at its end is not replayed until there is more.
        found = [await asyncio.to_thread(node.ask, REPLAYED) for node in servers.standbys]
        return min(map(int, found)) + 8192 >= place

    await until(is_replayed, 20)


REPLAYED = "SELECT (pg_last_wal_replay_lsn() - '0/0')::bigint"


async def ports(database: Database, times: int = 12) -> set[int]:
    """Who answers reads."""
    return {(await database.read(PORT))[0]["port"] for _ in range(times)}


@contextmanager
def paused(servers: Cluster) -> Iterator[None]:
    """Standbys that receive the log, and do not replay it."""
    for node in servers.standbys:
        node.ask("SELECT pg_wal_replay_pause()::text")
        while node.ask("SELECT pg_get_wal_replay_pause_state()") != "paused":
            pass
    try:
        yield
    finally:
        for node in servers.standbys:
            node.ask("SELECT pg_wal_replay_resume()::text")


async def eventually(database: Database, expected: set[int], seconds: float = 20) -> None:
    async def is_so() -> bool:
        return await ports(database) == expected

    await until(is_so, seconds)


def of(*nodes: Node) -> set[int]:
    return {node.port for node in nodes}


async def test_reads_come_from_replicas_and_writes_go_to_the_primary(database: Database, servers: Cluster) -> None:
    assert await ports(database) == of(*servers.standbys)
    assert (await database.fetch(PORT))[0]["port"] == servers.primary.port
    async with database.transaction() as transaction:
        assert (await transaction.fetch(PORT))[0]["port"] == servers.primary.port


async def test_answers_are_as_new_as_they_are_asked_for(database: Database, servers: Cluster) -> None:
    seen = database.since(await database.position())
    assert await ports(seen) <= of(*servers.nodes)
    with paused(servers):
        await database.execute(insert("new"))
        place = await database.position()
        assert [row["count"] for row in await database.read(COUNT)] == [0]
        assert [row["count"] for row in await database.since(place).read(COUNT)] == [1]
    await eventually(database.since(place), of(*servers.standbys))


async def test_a_replica_that_is_too_far_behind_is_not_read_from(servers: Cluster) -> None:
    async with opened(servers, lag=0.5) as database:
        assert await ports(database) == of(*servers.standbys)
        with paused(servers):
            await database.execute(insert("new"))
            await eventually(database, of(servers.primary), seconds=5)
        await eventually(database, of(*servers.standbys))


async def test_a_dead_replica_is_left_out_until_it_is_back(database: Database, servers: Cluster) -> None:
    victim, other = servers.standbys
    victim.kill()
    assert await ports(database) == of(other)
    victim.start()
    await eventually(database, of(*servers.standbys))


async def test_without_replicas_the_primary_answers(database: Database, servers: Cluster) -> None:
    for node in servers.standbys:
        node.kill()
    assert await ports(database) == of(servers.primary)
    async with opened_beside(servers) as late:
        assert await ports(late) == of(servers.primary)
    for node in servers.standbys:
        node.start()
    await eventually(database, of(*servers.standbys))


@asynccontextmanager
async def opened_beside(servers: Cluster) -> AsyncIterator[Database]:
    reads = Reads([node.url for node in servers.standbys], 10.0)
    async with Database.opened(servers.url, 4, 20, reads) as database:
        yield database


async def test_a_silent_replica_holds_nobody_up_for_long(database: Database, servers: Cluster) -> None:
    victim, other = servers.standbys
    await ports(database)
    victim.freeze()
    try:
        with anyio.fail_after(12):
            assert await ports(database, times=20) == of(other)
    finally:
        victim.thaw()
    await eventually(database, of(*servers.standbys))


async def test_a_read_that_a_standby_cancels_is_answered_by_the_primary(database: Database, servers: Cluster) -> None:
    for node in servers.standbys:
        node.configure("max_standby_streaming_delay = 0\n")
    await anyio.sleep(0.5)
    found: list[int] = []

    async def ask() -> None:
        slow = sql("SELECT current_setting('port')::int AS port, pg_sleep(2) FROM (SELECT count(*) FROM items) AS i")
        found.append((await database.read(slow))[0]["port"])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.sleep(0.5)
        # The standbys replay the lock, for which the read has to go.
        await database.execute(sql("TRUNCATE items"))
    assert found == [servers.primary.port]
    assert await ports(database) == of(*servers.standbys)


async def test_a_read_that_takes_too_long_is_not_tried_again(servers: Cluster) -> None:
    reads = Reads([node.url for node in servers.standbys], 10.0)
    async with Database.opened(servers.url, 4, 0.5, reads) as database:
        with pytest.raises(TimedOut), anyio.fail_after(2):
            await database.read(sql("SELECT pg_sleep(20)"))
        assert await ports(database) == of(*servers.standbys)


async def test_reads_go_on_while_the_primary_is_away(database: Database, servers: Cluster) -> None:
    servers.primary.stop("immediate")
    assert await ports(database) == of(*servers.standbys)
    with pytest.raises(Unavailable), anyio.fail_after(10):
        await database.execute(insert("lost"))
    async with opened_beside(servers) as late:
        assert await ports(late) == of(*servers.standbys)
    servers.primary.start()
    await database.execute(insert("kept"))


async def test_who_has_written_reads_it(servers: Cluster, database: Database) -> None:
    del database  # which empties the tables first
    settings = Settings(
        database_url=servers.url,
        read_database_urls=tuple(node.url for node in servers.standbys),
        writes="open",
    )
    path = "/collections/things/items/thing"
    async with serving(settings) as writer:
        await writer.post("/collections", json=collection())
        reader = httpx.AsyncClient(transport=writer._transport, base_url=writer.base_url)

        async def is_there() -> bool:
            return (await reader.get("/collections/things")).status_code == 200

        await until(is_there, 20)
        with paused(servers):
            created = await writer.post("/collections/things/items", json=item())
            assert created.status_code == 201
            assert (await writer.get(path)).status_code == 200
            assert (await writer.get("/search")).json()["numberMatched"] == 1
            assert (await reader.get(path)).status_code == 404
            told = {freshness.HEADER: created.headers[freshness.HEADER]}
            assert (await reader.get(path, headers=told)).status_code == 200
            assert (await reader.delete(path)).status_code == 204
            assert (await reader.get(path)).status_code == 404
            assert "max-age=20" in created.headers["set-cookie"].lower()
        await reader.aclose()


@pytest.mark.parametrize("failure", [Unavailable("away"), TimedOut("late")], ids=["away", "late"])
async def test_a_change_whose_place_is_not_known_is_no_failure(
    servers: Cluster, database: Database, monkeypatch: pytest.MonkeyPatch, failure: UpesiError
) -> None:
    async def position(_: Database) -> int:
        raise failure

    monkeypatch.setattr(Database, "position", position)
    settings = Settings(database_url=servers.url, read_database_urls=(servers.standbys[0].url,), writes="open")
    async with serving(settings) as client:
        created = await client.post("/collections", json=collection())
        assert (created.status_code, created.headers[freshness.HEADER]) == (201, str(2**63 - 1))
    (row,) = await database.fetch(COUNT)
    assert row["count"] == 1


async def test_a_commit_that_waits_too_long_is_not_said_to_be_undone(servers: Cluster, database: Database) -> None:
    del database  # which empties the tables first
    settings = Settings(database_url=servers.url, writes="open", query_timeout=2, request_timeout=0.5)
    async with serving(settings) as client:
        assert (await client.post("/collections", json=collection())).status_code == 201
        numbers = count()

        async def is_late() -> bool:
            """The server has heard of it."""
            return (await client.patch("/collections/things", json={"n": next(numbers)})).status_code == 504

        servers.primary.configure("synchronous_standby_names = 'nobody'\n")
        try:
            await until(is_late, 20)
            late = await client.post("/collections/things/items", json=item())
        finally:
            servers.primary.configure("synchronous_standby_names = ''\n")
        assert (late.status_code, "may have been made" in late.json()["description"]) == (504, True)
        assert (await client.get("/collections/things/items/thing")).status_code == 200


@pytest.mark.parametrize("place", ["", "-1", "0/16B3740", "\uff19", str(2**63), "1" * 40])
async def test_a_place_that_cannot_be_is_refused(servers: Cluster, place: str) -> None:
    settings = Settings(database_url=servers.url, read_database_urls=(servers.standbys[0].url,))
    async with serving(settings) as client:
        answer = await client.get("/search", headers={freshness.HEADER.encode(): place.encode()})
        assert (answer.status_code, answer.json()["parameter"]) == (400, freshness.HEADER)
        assert (await client.get("/search", headers={"Cookie": f"{freshness.COOKIE}=odd"})).status_code == 200
        assert (await client.get("/search", headers={freshness.HEADER: str(2**63 - 1)})).status_code == 200


COUNT = sql("SELECT count(*) FROM collections")


def insert(name: str) -> Fragment:
    return sql(
        "INSERT INTO collections (id, content, extent, document) VALUES (", Parameter(name, "text"), ", '', '', '{}')"
    )


@pytest.mark.parametrize(
    ("url", "each"),
    [
        ("postgresql://u:p@h:1/d", ["postgresql://u:p@h:1/d"]),
        ("postgresql://u@/d?host=/s", ["postgresql://u@/d?host=/s"]),
        (
            "postgresql://u:p@a:1,b/d?sslmode=require",
            [
                "postgresql://u:p@/d?sslmode=require&target_session_attrs=read-write&host=a&port=1",
                "postgresql://u:p@/d?sslmode=require&target_session_attrs=read-write&host=b&port=5432",
            ],
        ),
        (
            "postgresql://u@/d?host=/s,/t&port=1,2&target_session_attrs=any",
            [
                "postgresql://u@/d?target_session_attrs=any&host=%2Fs&port=1",
                "postgresql://u@/d?target_session_attrs=any&host=%2Ft&port=2",
            ],
        ),
        (
            "postgresql://[::1]:1,[::2]/d",
            [
                "postgresql:///d?target_session_attrs=read-write&host=%3A%3A1&port=1",
                "postgresql:///d?target_session_attrs=read-write&host=%3A%3A2&port=5432",
            ],
        ),
    ],
)
def test_each_host_of_a_url_has_one_of_its_own(url: str, each: list[str]) -> None:
    assert each_host(url) == each
