"""Connections to PostgreSQL: how one is made, to whichever host of a URL answers, and a pool of them."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import asyncpg
from asyncpg import Record

from app.database.fragment import Fragment, sql
from app.database.lending import Pool

# The plans of our statements do not depend on their values (tests/sql/test_plans.py), and making a plan costs more than
# running it: without this PostgreSQL plans each search anew.
# A bitmap of all that an index finds that does not fit into work_mem makes PostgreSQL test each row of a page again:
# 32 MB hold 400,000 pages, 12 times what the default does.
SERVER_SETTINGS = {"plan_cache_mode": "force_generic_plan", "jit": "off", "work_mem": "32MB"}
# Statements that are longer are planned each time they run. asyncpg's 15 kB are less than that of some pages.
_LONGEST_PREPARED = 64 * 1024
# A host that is gone does not even refuse.
_CONNECT_SECONDS = 3
# The path of a Unix socket begins with a slash, and may hold a colon.
_HOST_AND_PORT = re.compile(r"(\[[^]]*\]|/.*|[^:]*)(?::(\d+))?$")

# What a server that is gone, or lets nobody in, fails with.
LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.IdleSessionTimeoutError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    # No host takes changes; or the end of the connection came between two steps of a statement.
    asyncpg.InternalClientError,
)
# What one fails with that lets us in no more: the database takes no connections, or is not there, or the role has none.
SHUT_OUT = (
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InvalidAuthorizationSpecificationError,
)
_log = logging.getLogger("upesi")

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
# What is told of a statement: its text, the seconds it took, and what it failed with.
Listener = Callable[[str, float, BaseException | None], None]

# How far the log of a server reaches that has been replayed, or written, in bytes.
POSITION = sql(
    "SELECT coalesce(CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END",
    " - '0/0', 0)::bigint AS position",
)


class Behind(Exception):
    """A replica that has not yet replayed what the reader knows of."""


class _Connection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        """Nothing: no session state is ever set, and resetting it would cost each request a second round trip."""
        return ""


def each_host(url: str) -> list[str]:
    """A URL for each of the hosts that a URL names. Of several, the one that takes changes is meant if none is said."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query))
    authority, at, named = parts.netloc.rpartition("@")
    hosts = (named or query.get("host", "")).split(",")
    if len(hosts) < 2:
        return [url]
    ports = query.pop("port", "").split(",")
    query.pop("host", None)
    query.setdefault("target_session_attrs", "read-write")
    found = []
    for index, host in enumerate(hosts):
        name, port = _split(host)
        port = port or ports[min(index, len(ports) - 1)] or "5432"
        asked = urlencode({**query, "host": name.strip("[]"), "port": port})
        found.append(f"{parts.scheme}://{authority}{at}{parts.path}?{asked}")
    return found


def _split(host: str) -> tuple[str, str | None]:
    found = _HOST_AND_PORT.match(host)
    return (found[1], found[2]) if found else (host, None)


async def connect(url: str, **options: Any) -> asyncpg.Connection:
    """Hosts are tried in turn, each for a few seconds: asyncpg gives all of them one time limit, and the first host
    that is silent takes it. Raises what the last one failed with.
    """
    last: Exception | None = None
    for one in each_host(url):
        try:
            return await asyncpg.connect(one, timeout=_CONNECT_SECONDS, **options)
        except TimeoutError:
            last = ConnectionError("the server does not answer")
        except LOST as error:
            if isinstance(error, asyncpg.ProtocolViolationError):
                raise
            last = error
    assert last is not None
    raise last


@asynccontextmanager
async def in_transaction(connection: Connection) -> AsyncIterator[None]:
    """What failed inside is what is told, also where the connection has broken meanwhile and cannot be rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        yield
    except BaseException:
        with suppress(*LOST):
            await transaction.rollback()
        raise
    await transaction.commit()


@dataclass(frozen=True, slots=True)
class Manner:
    """How a server is spoken to. `prepares` is false behind a pooler that knows no prepared statements; `listener` is
    told of each statement that has ended; at the end statements have `close_timeout` seconds to.
    """

    prepares: bool = True
    listener: Listener | None = None
    close_timeout: float = 10


ORDINARY = Manner()


class Server:
    """A pool of connections to the server of a URL. Errors are the driver's."""

    def __init__(self, url: str, size: int, query_timeout: float | None, manner: Manner = ORDINARY) -> None:
        self.url = url
        self.pool: Pool
        self._size = size
        self._query_timeout = query_timeout
        self._prepares = manner.prepares
        self._listener = manner.listener
        self._close_timeout = manner.close_timeout
        self._settings: dict[str, str] | None = SERVER_SETTINGS

    async def open(self, connections: int) -> None:
        """`connections` are made now, the others when they are needed."""
        pool = asyncpg.create_pool(
            self.url,
            min_size=connections,
            max_size=self._size,
            command_timeout=self._query_timeout,
            connect=self._dial,
            max_cacheable_statement_size=_LONGEST_PREPARED,
            statement_cache_size=100 if self._prepares else 0,
            connection_class=_Connection,
            init=self._prepare_connection,
        )
        await pool
        self.pool = Pool(pool)

    async def close(self) -> None:
        """Let running queries end, but not for ever."""
        try:
            await asyncio.wait_for(self.pool.close(), self._close_timeout)
        except TimeoutError:
            self.pool.terminate()

    async def renew(self) -> None:
        """Give up all connections, with what runs on them: it would wait for a server that has fallen silent."""
        silent = self.pool
        await self.open(0)
        silent.terminate()

    async def dial(self) -> asyncpg.Connection:
        """A connection outside the pool."""
        return await self._dial(statement_cache_size=0)

    def whole(self, connection: Connection) -> AbstractAsyncContextManager[Any]:
        """One server behind a pooler for both steps of a statement, which PgBouncer would else part."""
        return nullcontext() if self._prepares else in_transaction(connection)

    async def fetch(self, query: Fragment, since: int = 0) -> list[Record]:
        """Raises Behind where the server has not come as far as `since`."""
        text, values = query.render()
        if self._prepares and not since:
            return await self.pool.fetch(text, values)
        async with self.pool.acquire() as connection, self.whole(connection):
            if since and await connection.fetchval(POSITION.render()[0]) < since:
                raise Behind
            return await connection.fetch(text, *values)

    async def fetch_one(self, query: Fragment) -> Record | None:
        text, values = query.render()
        async with self.pool.acquire() as connection, self.whole(connection):
            return await connection.fetchrow(text, *values)

    async def execute(self, query: Fragment) -> None:
        text, values = query.render()
        async with self.pool.acquire() as connection, self.whole(connection) if values else nullcontext():
            await connection.execute(text, *values)

    async def _dial(self, dsn: str | None = None, **options: Any) -> asyncpg.Connection:
        url = dsn or self.url
        if self._settings is not None:
            with suppress(asyncpg.ProtocolViolationError):
                return await connect(url, server_settings=self._settings, **options)
            # PgBouncer takes no settings, and does not say what it is in another way. `upesi migrate` has set them.
            self._settings = None
            connection = await connect(url, **options)
            await self._warn(connection)
            return connection
        return await connect(url, **options)

    async def _warn(self, connection: Connection) -> None:
        async with self.whole(connection):
            found = await connection.fetchval("SELECT current_setting('plan_cache_mode')")
        if found != SERVER_SETTINGS["plan_cache_mode"]:
            _log.warning(
                "the pooler takes no settings and this role has none, so each search is planned anew: "
                "run `upesi migrate` as the role that serves"
            )

    async def _prepare_connection(self, connection: asyncpg.Connection) -> None:
        """EWKB goes in and out of `geometry` columns and parameters as it is, whichever schema PostGIS is in."""
        async with self.whole(connection):
            schema = await connection.fetchval(
                "SELECT n.nspname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace"
                " WHERE t.typname = 'geometry'"
            )
            if schema is None:
                # On a replica that has not come as far as the first migration.
                raise asyncpg.InterfaceError("there is no PostGIS in this database")
            await _to_the_end(connection.execute("SELECT 'POINT EMPTY'::geometry"))
            await connection.set_type_codec("geometry", schema=schema, encoder=bytes, decoder=bytes, format="binary")
            await connection.set_type_codec(
                "jsonb", schema="pg_catalog", encoder=_jsonb, decoder=bytes, format="binary"
            )
        listener = self._listener
        if listener is not None:
            connection.add_query_logger(lambda ended: listener(ended.query, ended.elapsed, ended.exception))


async def _to_the_end(loading: Coroutine[Any, Any, object]) -> None:
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
