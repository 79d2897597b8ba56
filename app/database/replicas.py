"""Reads from streaming replicas: which of them may answer, and what is done where one does not.

A replica is looked at every second, by a connection of its own. It is read from while it answers and is no further
behind the primary than it may be; after a failure it rests for some seconds. A reader who knows of a change names the
place of that change in the primary's log, and only a replica that has come so far answers him.
"""

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from random import uniform
from time import monotonic

import asyncpg
from asyncpg import Record

from app.database.connections import LOST, POSITION, SHUT_OUT, Behind, Server
from app.database.fragment import Fragment

_LOOK_SECONDS = 1.0
# Of a look that is not answered; then the server is taken for gone, whatever runs there.
_SILENCE_SECONDS = 5.0
_REST_SECONDS = 5.0
# Who is shut out is so the longer for asking, where too many ask. A time is doubled so many times.
_DOUBLED = 4
_log = logging.getLogger("upesi")


@dataclass(slots=True, eq=False)
class Watched:
    """A server and what is known of it: how far it has come, in bytes of the log; None while it does not answer."""

    name: str
    server: Server
    position: int | None = None
    busy: int = 0
    turn: int = 0
    _rests_until: float = 0.0
    _refusals: int = 0
    _asked_again: float = 0.0
    _line: asyncpg.Connection | None = None

    def rests(self) -> bool:
        return monotonic() < self._rests_until

    def rest(self) -> None:
        self._rests_until = monotonic() + _REST_SECONDS

    async def look(self, renews: bool) -> None:
        """`renews` says that a silent server's connections are given up, for there are others to ask.

        A server that does not let us in is asked more and more seldom, and not by all workers at once.
        """
        if monotonic() < self._asked_again:
            return
        before, self.position = self.position, await self._asked(renews)
        if (before is None) != (self.position is None):
            _log.warning("%s %s", self.name, "answers" if before is None else "does not answer")

    async def _asked(self, renews: bool) -> int | None:
        try:
            async with asyncio.timeout(_SILENCE_SECONDS):
                if self._line is None or self._line.is_closed():
                    self._line = await self.server.dial()
                async with self.server.whole(self._line):
                    found: int = await self._line.fetchval(POSITION.render()[0])
            self._refusals = 0
            return found
        except TimeoutError:
            self.leave()
            if renews:
                await self.server.renew()
        except (asyncpg.TooManyConnectionsError, *SHUT_OUT):
            self.leave()
            self._refusals = min(self._refusals + 1, _DOUBLED)
            self._asked_again = monotonic() + _LOOK_SECONDS * 2**self._refusals * uniform(0.5, 1)
        except (*LOST, asyncpg.PostgresError):
            self.leave()
        return None

    def leave(self) -> None:
        if self._line is not None:
            self._line.terminate()
            self._line = None


@dataclass(slots=True)
class Replicas:
    """`lag` is how many seconds a replica may be behind at most."""

    primary: Watched
    replicas: list[Watched]
    lag: float
    # When the primary was how far.
    _history: deque[tuple[float, int]] = field(default_factory=deque)
    _turns: "count[int]" = field(default_factory=count)

    @classmethod
    @asynccontextmanager
    async def watched(cls, primary: Server, servers: list[Server], lag: float) -> AsyncIterator["Replicas"]:
        replicas = cls(
            Watched("the primary", primary),
            [Watched(f"replica {number}", server) for number, server in enumerate(servers, 1)],
            lag,
        )
        for server in servers:
            await server.open(0)
        await replicas.look()
        task = asyncio.create_task(replicas._follow())
        try:
            yield replicas
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
            for each in (replicas.primary, *replicas.replicas):
                each.leave()
            await asyncio.gather(*(server.close() for server in servers))

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """At the primary first: what it says is what the replicas are compared with."""
        await asyncio.gather(self.primary.look(True), *(replica.look(True) for replica in self.replicas))
        position = self.primary.position
        if position is None:
            return
        if self._history and position < self._history[-1][1]:
            self._history.clear()  # Another server has become the primary, and had not come as far.
        self._history.append((monotonic(), position))
        while len(self._history) > 1 and self._history[1][0] < monotonic() - self.lag:
            self._history.popleft()

    async def fetch(self, query: Fragment, since: int) -> list[Record] | None:
        """None where the primary has to be asked: no replica may answer, or the one that tried could not.

        A replica cancels what stands in the way of replaying the primary's log, and lacks what a migration has just
        made. What fails there for such a reason may not fail on the primary.
        """
        for replica in self._usable():
            replica.busy += 1
            replica.turn = next(self._turns)
            try:
                return await replica.server.fetch(query, since)
            except Behind:
                continue
            except (TimeoutError, asyncpg.QueryCanceledError):
                raise
            except (*LOST, *SHUT_OUT):
                replica.rest()
            except asyncpg.PostgresError:
                return None
            finally:
                replica.busy -= 1
        return None

    def _usable(self) -> Iterator[Watched]:
        """Those with the least to do first, in turn."""
        floor = self._floor()
        for replica in sorted(self.replicas, key=lambda replica: (replica.busy, replica.turn)):
            if replica.position is not None and replica.position >= floor and not replica.rests():
                yield replica

    def _floor(self) -> int:
        """How far a replica has to be. While the primary is away nobody can tell, and a replica has what it has."""
        if self.primary.position is None or not self._history:
            return 0
        when, position = self._history[0]
        return position if when <= monotonic() - self.lag else 0
