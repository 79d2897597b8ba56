"""What the service does when there is too much of something: requests, clients, time."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from urllib.parse import urlsplit

import httpx
import pytest

from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from app.main import create_app
from app.settings import Settings
from tests.api.assertions import assert_error
from tests.api.serving import running, serving
from tests.factories import collection, item, load

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]
WAITING = sql(
    "SELECT pid, query FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
LOCK = sql("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")


async def until(database: Database, statements: int) -> None:
    """So many wait for the lock."""
    for _ in range(400):
        if len(await database.fetch(WAITING)) == statements:
            return
        await asyncio.sleep(0.025)
    raise AssertionError(f"{len(await database.fetch(WAITING))} wait, and not {statements}")


def changed(settings: Settings, **values: object) -> Settings:
    return Settings(**{**settings.model_dump(exclude_unset=True), **values})


async def test_more_than_the_rate_is_429_and_says_when(settings: Settings) -> None:
    async with serving(changed(settings, rate_limit="3/hour")) as client:
        answers = [await client.get("/conformance") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert [answer.headers["ratelimit"] for answer in answers][:3] == [
            '"default";r=2;t=1200',
            '"default";r=1;t=2400',
            '"default";r=0;t=3600',
        ]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"default";q=3;w=3600'}
        assert_error(answers[3], 429)
        assert 1190 <= int(answers[3].headers["retry-after"]) <= 1200
        assert "retry-after" not in answers[0].headers
        # A browser is told too, and who looks after the service is never refused.
        refused = await client.get("/search", headers={"Origin": "https://app.example"})
        assert refused.headers["access-control-allow-origin"] == "*"
        assert {"Retry-After", "RateLimit"} <= set(refused.headers["access-control-expose-headers"].split(", "))
        assert (await client.get("/_mgmt/ping")).status_code == 200


async def test_each_client_behind_a_trusted_proxy_has_its_own_rate(settings: Settings) -> None:
    async def statuses(client: httpx.AsyncClient) -> list[int]:
        addresses = ["192.0.2.1", "192.0.2.1", "192.0.2.2"]
        return [
            (await client.get("/conformance", headers={"X-Forwarded-For": address})).status_code
            for address in addresses
        ]

    async with serving(changed(settings, rate_limit="1/hour", trusted_proxies="127.0.0.0/8")) as client:
        assert await statuses(client) == [200, 429, 200]
    async with serving(changed(settings, rate_limit="1/hour")) as client:
        assert await statuses(client) == [200, 429, 429]


async def test_without_a_rate_nothing_is_said_of_one(client: httpx.AsyncClient) -> None:
    assert not [name for name in (await client.get("/")).headers if name.startswith("ratelimit")]


async def test_load_that_is_too_much_is_shed_at_once(settings: Settings, database: Database, loader: Loader) -> None:
    await load(loader, collection(), item())
    few = changed(settings, max_concurrent=2, max_waiting=3, max_wait=30, count_limit=0)
    async with serving(few) as client:
        async with database.transaction() as transaction:
            await transaction.execute(LOCK)
            first = [asyncio.create_task(client.get("/search?collections=things")) for _ in range(5)]
            await until(database, 2)
            shed = await asyncio.gather(*(client.get("/search") for _ in range(10)))
            assert (await client.get("/_mgmt/ping")).status_code == 200
            assert (await client.get("/_mgmt/health")).status_code == 200
            assert not any(task.done() for task in first)
        for answer in shed:
            assert assert_error(answer, 503)["code"] == "Busy"
            assert int(answer.headers["retry-after"]) >= 1
        assert [answer.status_code for answer in await asyncio.gather(*first)] == [200] * 5
        assert (await client.get("/search")).status_code == 200


@pytest.mark.parametrize("body", [b"", b"x"])
async def test_a_change_that_reads_no_body_passes_the_gate(settings: Settings, database: Database, body: bytes) -> None:
    async with serving(changed(settings, writes="open", max_concurrent=1, max_waiting=0)) as client:
        asked = ("DELETE", "/collections/things/items/a")
        async with database.transaction() as transaction:
            await transaction.execute(LOCK)
            first = asyncio.create_task(client.request(*asked, content=body))
            await until(database, 1)
            assert assert_error(await client.request(*asked, content=body), 503)["code"] == "Busy"
        assert_error(await first, 404)


async def test_who_is_looked_at_before_the_body_is_read_passes_the_gate(settings: Settings, database: Database) -> None:
    few = changed(settings, writes="token", max_concurrent=1, max_waiting=0)
    async with serving(few) as client:

        def change(key: str) -> Coroutine[None, None, httpx.Response]:
            return client.post("/collections", content=b"{}", headers={"X-API-Key": key})

        async with database.transaction() as transaction:
            await transaction.execute(sql("LOCK TABLE api_keys IN ACCESS EXCLUSIVE MODE"))
            first = asyncio.create_task(change("upesi_1"))
            await until(database, 1)
            assert assert_error(await change("upesi_2"), 503)["code"] == "Busy"
        assert_error(await first, 401)
        assert_error(await change("upesi_2"), 401)


async def test_who_has_waited_long_enough_is_told_so(settings: Settings, database: Database) -> None:
    async with serving(changed(settings, max_concurrent=1, max_wait=0.1, count_limit=0)) as client:
        async with database.transaction() as transaction:
            await transaction.execute(LOCK)
            first = asyncio.create_task(client.get("/search"))
            await until(database, 1)
            assert_error(await client.get("/conformance"), 503)
        assert (await first).status_code == 200
        assert (await client.get("/conformance")).status_code == 200


async def test_a_request_that_takes_too_long_is_504_and_its_statement_ends(
    settings: Settings, database: Database
) -> None:
    async with serving(changed(settings, request_timeout=0.5, query_timeout=60)) as client:
        async with database.transaction() as transaction:
            await transaction.execute(LOCK)
            assert_error(await client.get("/search"), 504)
            assert_error(await client.post("/search", json={"limit": 1}), 504)
            await until(database, 0)
        assert (await client.get("/search")).status_code == 200


async def test_a_body_that_does_not_come_is_408(settings: Settings) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b'{"limit"'
        await asyncio.sleep(5)
        yield b": 1}"

    async with serving(changed(settings, request_timeout=0.5)) as client:
        assert_error(await client.post("/search", content=slow()), 408, "body")


@pytest.fixture
async def live(settings: Settings) -> AsyncIterator[str]:
    with running(create_app(changed(settings, query_timeout=60))) as url:
        yield url


def opened(url: str, request: bytes) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=10)
    connection.sendall(request)
    return connection


BODY = b'{"collections": ["things"]}'


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /search HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /collections/things/items HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /search?f=ndjson HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY),
        b"GET /aggregate?aggregations=total_count HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
async def test_a_client_that_leaves_ends_its_statement(live: str, database: Database, request_: bytes) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(LOCK)
        connections = [opened(live, request_) for _ in range(3)]
        for _ in range(200):
            if len(await database.fetch(WAITING)) >= 3:
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the statements do not run")
        for connection in connections:
            connection.close()
        await until(database, 0)
    async with httpx.AsyncClient(base_url=live) as client:
        assert (await client.get("/search")).status_code == 200


async def test_a_client_that_leaves_does_not_end_its_change(
    settings: Settings, database: Database, loader: Loader
) -> None:
    await load(loader, collection(), item("kept"))
    with running(create_app(changed(settings, writes="open", query_timeout=60))) as url:
        async with database.transaction() as transaction:
            await transaction.execute(LOCK)
            opened(url, b"DELETE /collections/things/items/kept HTTP/1.1\r\nHost: x\r\n\r\n").close()
            await until(database, 1)
            await asyncio.sleep(0.6)
            assert len(await database.fetch(WAITING)) == 1
        for _ in range(100):
            if not await database.fetch(sql("SELECT 1 FROM items")):
                break
            await asyncio.sleep(0.05)
        else:
            raise AssertionError("the item is still there")


async def test_a_slow_reader_keeps_nobody_out(settings: Settings, loader: Loader) -> None:
    """It has its answer; that it does not take it is no reason for others to wait."""
    await load(loader, collection(), *(item(f"{n}", properties={"text": f"{n}" * 20_000}) for n in range(300)))
    with running(create_app(changed(settings, max_concurrent=1, max_wait=1))) as url:
        slow = [opened(url, b"GET /search?limit=300 HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(2)]
        assert all(connection.recv(100).startswith(b"HTTP/1.1 200") for connection in slow)
        began = time.monotonic()
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/search?limit=1")).status_code == 200
        assert time.monotonic() - began < 10
        for connection in slow:
            connection.close()


async def test_bodies_that_come_slowly_keep_nobody_out(settings: Settings, loader: Loader) -> None:
    await load(loader, collection(), item())
    head = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n"
    with running(create_app(changed(settings, max_concurrent=1, max_wait=1))) as url:
        slow = [opened(url, head + b"{") for _ in range(3)]
        async with httpx.AsyncClient(base_url=url) as client:
            assert (await client.get("/search")).status_code == 200
            assert (await client.post("/search", json={})).status_code == 200
        for connection in slow:
            connection.sendall(b'"limit": 500}')
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
            connection.close()
