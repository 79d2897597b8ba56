"""The database: fragments are run on the primary or a replica, and the driver's errors become ours."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

import asyncpg
from asyncpg import Record
from zstandard import ZstdError

from app.database.connections import LOST, ORDINARY, POSITION, SHUT_OUT, Manner, Server, in_transaction
from app.database.content import Decoder
from app.database.fragment import Fragment, Parameter, sql
from app.database.lending import Pool
from app.database.replicas import Replicas
from app.errors import Dangling, TimedOut, Unavailable

Connection = asyncpg.pool.PoolConnectionProxy
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Reads:
    """The URLs of replicas, and how many seconds one may be behind at most."""

    urls: Sequence[str]
    lag: float


class _Demand:
    """How many have asked for a connection and not given it back."""

    __slots__ = ("number",)

    def __init__(self) -> None:
        self.number = 0


@contextmanager
def _translated(demand: _Demand) -> Iterator[None]:
    demand.number += 1
    try:
        yield
    except (TimeoutError, asyncpg.QueryCanceledError):
        raise TimedOut("the query took longer than this service allows: narrow it down") from None
    except asyncpg.ForeignKeyViolationError as error:
        raise Dangling("the collection was deleted in the meantime") from error
    except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError) as error:
        raise Unavailable("another change stood in the way of this one: ask again") from error
    except (asyncpg.DiskFullError, asyncpg.OutOfMemoryError, asyncpg.ConfigurationLimitExceededError) as error:
        raise Unavailable("the database has no room now") from error
    except asyncpg.ReadOnlySQLTransactionError as error:
        raise Unavailable("the database takes no changes now") from error
    except (asyncpg.InvalidSQLStatementNameError, asyncpg.DuplicatePreparedStatementError) as error:
        raise Unavailable(
            "a pooler before the database loses prepared statements: it has to keep them, or set"
            " UPESI_PREPARED_STATEMENTS=false"
        ) from error
    except LOST as error:
        raise Unavailable("the database cannot be reached") from error
    except SHUT_OUT as error:
        raise Unavailable("the database does not let us in") from error
    finally:
        demand.number -= 1


@dataclass(frozen=True, slots=True)
class Database:
    """A primary, and replicas for reads where there are such. Made by `opened`.

    What changes something, and what a change is made of, is asked with `fetch`, `fetch_one`, `execute` and
    `transaction`, and comes from the primary; an answer that is a moment old will do for `read` and `read_one`.
    """

    primary: Server
    _decoders: dict[int | None, Decoder]
    replicas: Replicas | None = None
    # The place in the primary's log that answers must not be older than.
    _seen: int = 0
    _demand: _Demand = field(default_factory=_Demand)

    @classmethod
    @asynccontextmanager
    async def opened(
        cls,
        url: str,
        size: int,
        query_timeout: float | None,
        reads: Reads | None = None,
        manner: Manner = ORDINARY,
    ) -> AsyncIterator["Database"]:
        """`size` connections at most to each server, opened when they are needed. A query ends after `query_timeout`
        seconds, or when it is done.

        Raises Unavailable, unless there are replicas.
        """
        primary = Server(url, size, query_timeout, manner)
        async with AsyncExitStack() as stack:
            with _translated(_Demand()):
                try:
                    await primary.open(1 if reads is None else 0)
                except SHUT_OUT as error:
                    raise Unavailable(f"the database does not let us in: {error}") from None
            stack.push_async_callback(primary.close)
            if reads is None:
                yield cls(primary, {None: Decoder()})
                return
            servers = [Server(each, size, query_timeout, manner) for each in reads.urls]
            replicas = await stack.enter_async_context(Replicas.watched(primary, servers, reads.lag))
            yield cls(primary, {None: Decoder()}, replicas)

    @property
    def pool(self) -> Pool:
        return self.primary.pool

    def use(self) -> dict[str, int]:
        """Of the primary: how many connections are at work, how many are idle, and how many statements wait for one."""
        waiting = max(0, self._demand.number - self.pool.at_most)
        return {"pool_used": self.pool.used, "pool_free": self.pool.free, "pool_waiting": waiting}

    def since(self, position: int) -> "Database":
        """The same, with answers that know of all that had happened at `position`."""
        return replace(self, _seen=position)

    async def position(self) -> int:
        """A place in the log behind all that has been committed."""
        (row,) = await self.fetch(POSITION)
        found: int = row["position"]
        return found

    async def read(self, query: Fragment) -> list[Record]:
        """From a replica, where there is one that may answer. A connection that breaks is made again once."""
        if self.replicas is not None:
            with _translated(_Demand()):
                rows = await self.replicas.fetch(query, self._seen)
            if rows is not None:
                return rows
        try:
            return await self.fetch(query)
        except Unavailable:
            return await self.fetch(query)

    async def read_one(self, query: Fragment) -> Record | None:
        rows = await self.read(query)
        return rows[0] if rows else None

    async def newest(self, query: Fragment) -> Record | None:
        """One row as the primary has it, or a replica while that is away: then nothing can have changed since."""
        try:
            return await self.fetch_one(query)
        except Unavailable:
            if self.replicas is None:
                raise
            return await self.read_one(query)

    async def fetch(self, query: Fragment) -> list[Record]:
        return await self._answered(self.primary.fetch(query))

    async def fetch_one(self, query: Fragment) -> Record | None:
        return await self._answered(self.primary.fetch_one(query))

    async def execute(self, query: Fragment) -> None:
        await self._answered(self.primary.execute(query))

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["Transaction"]:
        """All or nothing of what is done inside; the driver's errors are translated here too."""
        with _translated(self._demand):
            try:
                async with self.pool.acquire() as connection, in_transaction(connection):
                    yield Transaction(connection)
            except asyncpg.ReadOnlySQLTransactionError:
                await self.pool.expire()
                raise

    async def _answered(self, asked: Awaitable[Answer]) -> Answer:
        with _translated(self._demand):
            try:
                return await asked
            except asyncpg.ReadOnlySQLTransactionError:
                # Another server has become the primary: connections that are made now find it.
                await self.pool.expire()
                raise

    async def load_dictionaries(self, keys: set[int | None], transaction: "Transaction | None" = None) -> None:
        """Dictionaries never change, so each is read once in the life of a process, unless the server loses it.

        Who holds a connection passes its transaction: waiting for a second one, all who have one would wait for ever.
        """
        for fetch in (transaction.fetch,) if transaction else (self.read, self.fetch):
            missing = [key for key in keys if key not in self._decoders]
            if missing:
                # A replica may be behind the one that the rows are from.
                self._decoders.update(await _decoders_of(missing, fetch))
        if not keys <= self._decoders.keys():
            raise Unavailable("items were rewritten while they were read: ask again")

    async def decoded(
        self, rows: Sequence[Record | dict[str, Any]], transaction: "Transaction | None" = None
    ) -> list[bytes]:
        """The contents of rows that have `content` and `dictionary`."""
        keys = {row["dictionary"] for row in rows}
        if not keys <= self._decoders.keys():
            await self.load_dictionaries(keys, transaction)
        try:
            return self._decoded(rows)
        except ZstdError:
            # A server that has lost a dictionary, in a failover or by a restore, gives its key to another.
            self._decoders.update(await _decoders_of(keys, transaction.fetch if transaction else self.fetch))
            return self._decoded(rows)

    def _decoded(self, rows: Sequence[Record | dict[str, Any]]) -> list[bytes]:
        decoders = self._decoders
        return [decoders[row["dictionary"]].decode(row["content"]) for row in rows]


async def _decoders_of(
    keys: Iterable[int | None], fetch: Callable[[Fragment], Awaitable[list[Record]]]
) -> dict[int | None, Decoder]:
    wanted = Parameter(list(keys), "int[]")
    rows = await fetch(sql("SELECT key, content FROM dictionaries WHERE key = ANY(", wanted, ")"))
    return {row["key"]: Decoder(row["content"]) for row in rows}


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
