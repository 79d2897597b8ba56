"""Connections of asyncpg's pool, kept at hand between statements.

The pool lends a connection through a task of its own and takes it back through another: 29 µs for each statement, where
asyncpg itself takes 19. So those that are given back after a success wait here for the next statement. Who has to wait
for the pool gets the first that is given back, and what failed goes to the pool, which knows what to do with it.

While some are at work, the next statement waits a moment for one of them: more at once would only take turns on the
cores that they share, and all of them would end late. Behind statements that take longer it does not wait.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from time import monotonic

import asyncpg
from asyncpg import Record
from asyncpg.pool import PoolConnectionProxy

# Longer idle, a connection goes back to the pool, which closes it some minutes later.
_SECONDS_KEPT = 60.0
# How many are at work before others wait, and for how many seconds. A worker makes and reads statements one at a time,
# which costs it more than most of them cost PostgreSQL.
_AT_ONCE = 3
_PATIENCE = 0.005


class Pool:
    """asyncpg's, with what the service needs of it. Errors are the driver's."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        # The last that was given back is the first to go.
        self._kept: list[tuple[PoolConnectionProxy, float]] = []
        # Those that the pool has lent since all were made anew; one that was asked for before is in the set of then.
        self._fresh: set[PoolConnectionProxy] = set()
        self._at_work = 0
        self._patient: deque[asyncio.Future[PoolConnectionProxy | None]] = deque()
        self._waiting = 0
        self._closing = False

    @property
    def used(self) -> int:
        return self._pool.get_size() - self.free

    @property
    def free(self) -> int:
        return self._pool.get_idle_size() + len(self._kept)

    @property
    def at_most(self) -> int:
        return self._pool.get_max_size()

    async def fetch(self, text: str, values: Sequence[object]) -> list[Record]:
        connection = await self._take()
        try:
            rows: list[Record] = await connection.fetch(text, *values)
        except BaseException:
            await self._give_up(connection)
            raise
        await self._give(connection)
        return rows

    @asynccontextmanager
    async def acquire(self) -> AsyncIterator[PoolConnectionProxy]:
        connection = await self._take()
        try:
            yield connection
        except BaseException:
            await self._give_up(connection)
            raise
        await self._give(connection)

    async def expire(self) -> None:
        """All connections are made anew before they are used again, and those at work when they are given back."""
        self._fresh = set()
        await self._pool.expire_connections()
        await self._release_kept()

    async def close(self) -> None:
        """When those at work are given back."""
        self._closing = True
        await self._release_kept()
        await self._pool.close()

    def terminate(self) -> None:
        self._closing = True
        self._kept.clear()
        self._pool.terminate()

    async def _take(self) -> PoolConnectionProxy:
        if self._at_work >= _AT_ONCE and (connection := await self._handed_over()) is not None:
            return connection
        self._at_work += 1
        try:
            return await self._kept_or_pooled()
        except BaseException:
            self._at_work -= 1
            raise

    async def _handed_over(self) -> PoolConnectionProxy | None:
        """Of who is done with it, if that is soon."""
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()
        self._patient.append(waiter)
        timer = loop.call_later(_PATIENCE, _end_of_patience, waiter)
        try:
            connection: PoolConnectionProxy | None = await waiter
        except asyncio.CancelledError:
            if not waiter.cancelled() and (connection := waiter.result()) is not None:
                await self._give(connection)
            raise
        finally:
            timer.cancel()
        return connection

    async def _kept_or_pooled(self) -> PoolConnectionProxy:
        while self._kept:
            connection, since = self._kept.pop()
            if connection in self._fresh and not _is_lost(connection) and monotonic() - since < _SECONDS_KEPT:
                return connection
            await self._release(connection)
        fresh = self._fresh
        self._waiting += 1
        try:
            connection = await self._pool.acquire()
        finally:
            self._waiting -= 1
        fresh.add(connection)
        return connection

    async def _give(self, connection: PoolConnectionProxy) -> None:
        if self._waiting or self._closing or connection not in self._fresh or _is_lost(connection):
            await self._give_up(connection)
            return
        while self._patient:
            waiter = self._patient.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return
        self._at_work -= 1
        now = monotonic()
        self._kept.append((connection, now))
        if now - self._kept[0][1] > _SECONDS_KEPT:
            idle, _ = self._kept.pop(0)
            await self._release(idle)

    async def _give_up(self, connection: PoolConnectionProxy) -> None:
        """To the pool, which knows what to do with it."""
        self._at_work -= 1
        await self._release(connection)

    async def _release_kept(self) -> None:
        while self._kept:  # Who is cancelled meanwhile leaves the others there.
            connection, _ = self._kept.pop()
            await self._release(connection)

    async def _release(self, connection: PoolConnectionProxy) -> None:
        self._fresh.discard(connection)
        await self._pool.release(connection)


def _end_of_patience(waiter: "asyncio.Future[PoolConnectionProxy | None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _is_lost(connection: PoolConnectionProxy) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # The pool has taken it back when the other end closed it.
        return True
