"""Connections at hand: never kept while somebody waits for one, and none that something happened to."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import asyncpg
import pytest

from app.database import lending
from app.database.lending import Pool

pytestmark = pytest.mark.anyio

PID = "SELECT pg_backend_pid() AS pid, pg_sleep($1::float8)"


@pytest.fixture
async def pool(database_url: str) -> AsyncIterator[Pool]:
    made = Pool(await asyncpg.create_pool(database_url, min_size=0, max_size=2))
    yield made
    await asyncio.wait_for(made.close(), 10)


async def pid_of(pool: Pool, seconds: float = 0.0) -> int:
    (row,) = await pool.fetch(PID, [seconds])
    pid: int = row["pid"]
    return pid


async def test_statements_in_turn_share_a_connection(pool: Pool) -> None:
    assert (pool.used, pool.free, pool.at_most) == (0, 0, 2)
    assert len({await pid_of(pool) for _ in range(5)}) == 1
    assert (pool.used, pool.free) == (0, 1)
    async with pool.acquire() as connection:
        assert await connection.fetchval("SELECT 1") == 1
        assert (pool.used, pool.free) == (1, 0)


async def test_all_who_wait_are_served_by_as_many_as_there_may_be(pool: Pool) -> None:
    async def transaction() -> int:
        async with pool.acquire() as connection, connection.transaction():
            pid: int = await connection.fetchval("SELECT pg_backend_pid()")
            return pid

    asked = [pid_of(pool, 0.01) if number % 2 else transaction() for number in range(40)]
    assert len(set(await asyncio.wait_for(asyncio.gather(*asked), 30))) == 2
    assert (pool.used, pool.free) == (0, 2)


async def test_what_fails_or_is_cancelled_harms_nobody_behind_it(pool: Pool) -> None:
    with pytest.raises(asyncpg.PostgresSyntaxError):
        await pool.fetch("SELECT nothing from nowhere where", [])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await pid_of(pool, 60)
    with suppress(ZeroDivisionError):
        async with pool.acquire() as connection:
            await connection.execute("SELECT 1")
            raise ZeroDivisionError
    assert (pool.used, await asyncio.wait_for(pid_of(pool), 10) > 0) == (0, True)


async def test_a_connection_that_is_lost_or_too_long_idle_is_not_taken(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool.acquire() as watching:
        lost = await pid_of(pool)
        await watching.execute("SELECT pg_terminate_backend($1::int, 5000)", lost)
    await asyncio.sleep(0.1)
    assert {await pid_of(pool) for _ in range(3)}.isdisjoint({lost})
    monkeypatch.setattr(lending, "_SECONDS_KEPT", 0.0)
    await asyncio.gather(pid_of(pool, 0.05), pid_of(pool, 0.05))
    assert pool.free == 2
    assert await pid_of(pool)


async def test_expired_connections_are_made_anew(pool: Pool) -> None:
    before = set(await asyncio.gather(pid_of(pool, 0.1), pid_of(pool, 0.1)))
    await pool.expire()
    assert before.isdisjoint(await asyncio.gather(pid_of(pool, 0.1), pid_of(pool, 0.1)))


async def test_connections_that_are_at_work_when_they_expire_are_not_lent_again(pool: Pool) -> None:
    async with pool.acquire() as connection:
        at_work: int = await connection.fetchval("SELECT pg_backend_pid()")
        asked = asyncio.create_task(pid_of(pool, 0.3))
        await asyncio.sleep(0.1)
        await pool.expire()
    before = {at_work, await asked}
    assert before.isdisjoint(await asyncio.gather(pid_of(pool, 0.1), pid_of(pool, 0.1)))


async def test_who_is_cancelled_while_they_expire_loses_none(pool: Pool) -> None:
    await asyncio.gather(pid_of(pool, 0.1), pid_of(pool, 0.1))
    expiring = asyncio.create_task(pool.expire())
    await asyncio.sleep(0)
    expiring.cancel()
    with pytest.raises(asyncio.CancelledError):
        await expiring
    assert await asyncio.wait_for(asyncio.gather(pid_of(pool, 0.1), pid_of(pool, 0.1)), 10)
    assert (pool.used, pool.free) == (0, 2)


async def test_closing_waits_for_those_at_work(database_url: str) -> None:
    made = Pool(await asyncpg.create_pool(database_url, min_size=0, max_size=2))
    await pid_of(made)
    late = asyncio.create_task(pid_of(made, 0.2))
    await asyncio.sleep(0.05)
    await asyncio.wait_for(made.close(), 10)
    assert late.done()
    assert await late
    assert made.used == 0


@pytest.fixture
async def wide(database_url: str) -> AsyncIterator[Pool]:
    """A pool of more connections than are at work at once."""
    made = Pool(await asyncpg.create_pool(database_url, min_size=0, max_size=10))
    yield made
    await asyncio.wait_for(made.close(), 10)


async def test_short_statements_take_turns_on_a_few_connections(wide: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lending, "_PATIENCE", 60.0)
    pids = await asyncio.wait_for(asyncio.gather(*(pid_of(wide) for _ in range(40))), 30)
    assert len(set(pids)) <= lending._AT_ONCE
    assert wide.used == 0


async def test_nobody_waits_long_behind_long_statements(wide: Pool) -> None:
    long = [asyncio.create_task(pid_of(wide, 60)) for _ in range(lending._AT_ONCE + 2)]
    for _ in range(3000):
        if wide.used == len(long):
            break
        await asyncio.sleep(0.01)
    assert await asyncio.wait_for(pid_of(wide), 10)
    assert not any(task.done() for task in long)
    assert wide.used == len(long)
    for task in long:
        task.cancel()
    await asyncio.gather(*long, return_exceptions=True)
    assert wide.used == 0


@pytest.mark.parametrize("handed", [False, True], ids=["before-its-turn", "at-its-turn"])
async def test_who_is_cancelled_while_waiting_keeps_no_connection(
    wide: Pool, monkeypatch: pytest.MonkeyPatch, handed: bool
) -> None:
    monkeypatch.setattr(lending, "_PATIENCE", 60.0)
    async with AsyncExitStack() as others:
        for _ in range(lending._AT_ONCE - 1):
            await others.enter_async_context(wide.acquire())
        async with wide.acquire():
            waiting = asyncio.create_task(pid_of(wide))
            await asyncio.sleep(0.1)
            assert not waiting.done()
            if not handed:
                waiting.cancel()
        # What is given back is the waiting one's now, and it has not run since.
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await asyncio.wait_for(pid_of(wide), 10)
    assert (wide.used, wide.free) == (0, lending._AT_ONCE)
