"""Another PostgreSQL as it is at one moment, for readers, which have no event loop of their own."""

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

import asyncpg

from app.database.fragment import Fragment
from app.errors import SetupError, UpesiError

# Rows that are fetched while those before them are used.
_AHEAD = 500
_SETTINGS = {"application_name": "upesi"}

Answer = TypeVar("Answer")


class Snapshot:
    """One read-only transaction, which sees nothing of what others write meanwhile. Replicas serve it too.

    A context manager. Its connection lives in a thread, so that rows come in while those before them are used. Raises
    SetupError where the database does not let us in or has not what is asked for, with `name` for it.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._loop.run_forever, name="snapshot", daemon=True)
        self._connection: asyncpg.Connection | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        try:
            self._connection = self._wait(self._begin())
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def rows(self, query: Fragment) -> Iterator[dict[str, Any]]:
        """By a cursor, so that memory does not follow the result."""
        assert self._connection is not None
        text, values = query.render()
        cursor = self._wait(self._open(self._connection, text, values))
        ahead = self._submit(cursor.fetch(_AHEAD))
        try:
            while rows := self._result(ahead):
                ahead = self._submit(cursor.fetch(_AHEAD))
                yield from map(dict, rows)
        finally:
            ahead.cancel()

    async def _begin(self) -> asyncpg.Connection:
        connection = await asyncpg.connect(self._url, server_settings=_SETTINGS)
        await connection.transaction(isolation="repeatable_read", readonly=True).start()
        return connection

    @staticmethod
    async def _open(connection: asyncpg.Connection, text: str, values: list[object]) -> Any:
        return await connection.cursor(text, *values)

    def _submit(self, work: Coroutine[Any, Any, Answer]) -> "Future[Answer]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _wait(self, work: Coroutine[Any, Any, Answer]) -> Answer:
        return self._result(self._submit(work))

    def _result(self, future: "Future[Answer]") -> Answer:
        try:
            return future.result()
        except (OSError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            failure = UpesiError if self._connection is not None and _is_broken(error) else SetupError
            raise failure(f"{self._name} cannot be read: {error or type(error).__name__}") from None

    def _end(self) -> None:
        """It has written nothing, so there is nothing to end in good order."""
        self._wait(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _stop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)


def _is_broken(error: Exception) -> bool:
    """Whether it was well until then: the same load may succeed the next time."""
    return isinstance(error, OSError | asyncpg.PostgresConnectionError | asyncpg.InterfaceError)
