"""The connection: a pool that runs fragments, and the border where the driver's errors become ours."""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from asyncpg import Record

from app.database.content import Decoder
from app.database.fragment import Fragment, Parameter, sql
from app.errors import Dangling, TimedOut, Unavailable

# The plans of our statements do not depend on their values (tests/sql/test_plans.py), and making a plan costs more than
# running it: without this PostgreSQL plans each search anew.
# A bitmap of all that an index finds that does not fit into work_mem makes PostgreSQL test each row of a page again:
# 32 MB hold 400,000 pages, 12 times what the default does.
_SERVER_SETTINGS = {"plan_cache_mode": "force_generic_plan", "jit": "off", "work_mem": "32MB"}
# Statements that are longer are planned each time they run. asyncpg's 15 kB are less than that of some pages.
_LONGEST_PREPARED = 64 * 1024

Connection = asyncpg.pool.PoolConnectionProxy


class _Connection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        """Nothing: no session state is ever set, and resetting it would cost each request a second round trip."""
        return ""


async def _prepare(connection: asyncpg.Connection) -> None:
    """EWKB goes in and out of `geometry` columns and parameters as it is, whichever schema PostGIS is in."""
    schema = await connection.fetchval(
        "SELECT n.nspname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.typname = 'geometry'"
    )
    if schema:
        await _whole(connection.execute("SELECT 'POINT EMPTY'::geometry"))
    await connection.set_type_codec(
        "geometry", schema=schema or "public", encoder=bytes, decoder=bytes, format="binary"
    )
    await connection.set_type_codec("jsonb", schema="pg_catalog", encoder=_jsonb, decoder=bytes, format="binary")


async def _whole(loading: Coroutine[Any, Any, object]) -> None:
    """Wait for it to the end, also when the caller has been cancelled, and only then say so.

    PostgreSQL loads PostGIS at a connection's first geometry. A query that is cancelled in the midst of that corrupts
    the memory of its server process, which takes all others down with it: one cancel in 200 with PostGIS 3.3.2.
    """
    task, cancelled = asyncio.ensure_future(loading), None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:  # more than once where anyio cancels
            cancelled = error
    if cancelled:
        raise cancelled
    await task


def _jsonb(text: bytes) -> bytes:
    return b"\x01" + text  # the version of the binary form


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (TimeoutError, asyncpg.QueryCanceledError):
        raise TimedOut("the query took longer than this service allows: narrow it down") from None
    except asyncpg.ForeignKeyViolationError as error:
        raise Dangling("the collection was deleted in the meantime") from error
    except asyncpg.DeadlockDetectedError as error:
        raise Unavailable("another change stood in the way of this one: ask again") from error
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise Unavailable("the database takes no changes now") from error
    except (
        OSError,
        asyncpg.PostgresConnectionError,
        asyncpg.CannotConnectNowError,
        asyncpg.AdminShutdownError,
        asyncpg.CrashShutdownError,
        asyncpg.TooManyConnectionsError,
        asyncpg.InterfaceError,
    ) as error:
        raise Unavailable("the database cannot be reached") from error


@dataclass(frozen=True, slots=True)
class Database:
    """A pool of connections. Made by `opened`."""

    pool: asyncpg.Pool
    _decoders: dict[int | None, Decoder]

    @classmethod
    @asynccontextmanager
    async def opened(cls, url: str, size: int, query_timeout: float | None) -> AsyncIterator["Database"]:
        """`size` connections at most, opened when they are needed. A query ends after `query_timeout` seconds,
        or when it is done.

        Raises Unavailable.
        """
        pool = asyncpg.create_pool(
            url,
            min_size=1,
            max_size=size,
            command_timeout=query_timeout,
            server_settings=_SERVER_SETTINGS,
            max_cacheable_statement_size=_LONGEST_PREPARED,
            connection_class=_Connection,
            init=_prepare,
        )
        with _translated():
            try:
                await pool
            except (asyncpg.InvalidCatalogNameError, asyncpg.InvalidAuthorizationSpecificationError) as error:
                raise Unavailable(f"the database does not let us in: {error}") from None
        try:
            yield cls(pool, {None: Decoder()})
        finally:
            await _close(pool)

    async def fetch(self, query: Fragment) -> list[Record]:
        text, values = query.render()
        with _translated():
            return await self.pool.fetch(text, *values)

    async def fetch_one(self, query: Fragment) -> Record | None:
        text, values = query.render()
        with _translated():
            return await self.pool.fetchrow(text, *values)

    async def execute(self, query: Fragment) -> None:
        text, values = query.render()
        with _translated():
            await self.pool.execute(text, *values)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Transaction"]:
        """All or nothing of what is done inside; the driver's errors are translated here too."""
        with _translated():
            async with self.pool.acquire() as connection, connection.transaction():
                yield Transaction(connection)

    async def load_dictionaries(self, keys: set[int | None], transaction: "Transaction | None" = None) -> None:
        """Dictionaries never change, so each is read once in the life of a process.

        Who holds a connection passes its transaction: waiting for a second one, all who have one would wait for ever.
        """
        missing = [key for key in keys if key not in self._decoders]
        if missing:
            rows = await (transaction or self).fetch(
                sql("SELECT key, content FROM dictionaries WHERE key = ANY(", Parameter(missing, "int[]"), ")")
            )
            self._decoders.update((row["key"], Decoder(row["content"])) for row in rows)

    async def decoded(
        self, rows: Sequence[Record | dict[str, Any]], transaction: "Transaction | None" = None
    ) -> list[bytes]:
        """The contents of rows that have `content` and `dictionary`."""
        keys = {row["dictionary"] for row in rows}
        if not keys <= self._decoders.keys():
            await self.load_dictionaries(keys, transaction)
        decoders = self._decoders
        return [decoders[row["dictionary"]].decode(row["content"]) for row in rows]


@dataclass(frozen=True, slots=True)
class Transaction:
    """Statements that take effect together."""

    connection: Connection

    async def execute(self, query: Fragment) -> None:
        text, values = query.render()
        await self.connection.execute(text, *values)

    async def fetch(self, query: Fragment) -> list[Record]:
        text, values = query.render()
        return await self.connection.fetch(text, *values)


async def _close(pool: asyncpg.Pool) -> None:
    """Let running queries end, but not for ever."""
    try:
        await asyncio.wait_for(pool.close(), timeout=10)
    except TimeoutError:
        pool.terminate()
