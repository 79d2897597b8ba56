"""How the connections of clients are parted among the workers of a service.

All workers listen at one socket, and a connection is its worker's for as long as it is kept alive. An event loop takes
whatever waits there at once: of 64 clients that came together one worker of two had all, more often than not, and the
other had nothing to do. Here a worker takes one at a time, and lets others go first that have fewer.
docs/decisions/0028-workers-part-connections.md.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, lockf
from mmap import mmap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import uvloop
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from app.errors import SetupError
from app.observing.processes import is_alive

_FILE = "UPESI_WORKERS_FILE"
# Two numbers of four bytes for each worker: its process, and how many connections it has.
_PAGE_BYTES = 4096
_MOST = 2**31 - 1
# Who has more than others steps aside for so many seconds, and so many times for one connection: they may be busy.
_ASIDE, _TIMES = 0.001, 3
# Until the next attempt where a connection could not be taken, as for want of file descriptors.
_FAILED = 1.0
_log = logging.getLogger("upesi")

_Factory = Callable[[], asyncio.BaseProtocol]


def check_address(host: str, port: int) -> None:
    """Raises SetupError where nobody can listen, before anything is done or announced."""
    try:
        socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        raise SetupError(f"cannot listen at {host}, port {port}: {error.strerror}") from None


@contextmanager
def parted() -> Iterator[None]:
    """While workers are started that shall part their connections: where the `Tally` is they learn from the
    environment."""
    with TemporaryDirectory(prefix="upesi-workers-") as folder:
        path = Path(folder, "tally")
        path.write_bytes(bytes(_PAGE_BYTES))
        os.environ[_FILE] = str(path)
        yield


class Tally:
    """How many connections each worker has, in memory that all of them have. Each writes its own number alone."""

    def __init__(self, path: str) -> None:
        """Takes a free place; without one, among hundreds of workers, nobody knows of this one."""
        with open(path, "r+b") as file:
            lockf(file, LOCK_EX)
            self._numbers = memoryview(mmap(file.fileno(), _PAGE_BYTES)).cast("i")
            self._places = range(0, len(self._numbers), 2)
            self._own = next((place for place in self._places if not self._is_taken(place)), None)
            if self._own is not None:
                self._numbers[self._own + 1] = 0
                self._numbers[self._own] = os.getpid()

    def tell(self, connections: int) -> None:
        if self._own is not None:
            self._numbers[self._own + 1] = connections

    def is_ahead(self, connections: int) -> bool:
        """Whether another worker has fewer than this one."""
        for place in self._places:
            if not self._numbers[place]:
                break  # Places are taken from the first on.
            if place != self._own and self._numbers[place + 1] < connections and self._is_taken(place):
                return True
        return False

    def _is_taken(self, place: int) -> bool:
        process = self._numbers[place]
        return process != 0 and is_alive(process)


class Listener:
    """What uvicorn needs of a server, at a socket that several workers listen at."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listening: socket.socket, factory: _Factory, tally: Tally):
        self._loop = loop
        self._listening = listening
        self._factory = factory
        self._tally = tally
        # Those that have their protocol are known to uvicorn.
        self._known: set[Any] = set()
        self._arriving: set[asyncio.Task[None]] = set()
        self._times_aside = 0
        self._pause: asyncio.TimerHandle | None = None
        self._closed = False
        listening.setblocking(False)
        self._listen()

    def close(self) -> None:
        self._closed = True
        self._tally.tell(_MOST)  # Nobody waits for who takes no more.
        self._loop.remove_reader(self._listening)
        if self._pause is not None:
            self._pause.cancel()

    async def wait_closed(self) -> None:
        await asyncio.gather(*self._arriving)

    def _listen(self) -> None:
        self._loop.add_reader(self._listening, self._take_turn)

    def _step_aside(self, seconds: float) -> None:
        self._loop.remove_reader(self._listening)
        self._pause = self._loop.call_later(seconds, self._listen)

    def _take_turn(self) -> None:
        connections = len(self._known) + len(self._arriving)
        self._tally.tell(connections)
        if self._times_aside < _TIMES and self._tally.is_ahead(connections):
            self._times_aside += 1
            self._step_aside(_ASIDE)
            return
        self._times_aside = 0
        try:
            client, _ = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # Another one has it, or it has left.
        except OSError as error:
            _log.error("a connection could not be taken: %s", error)
            self._step_aside(_FAILED)
            return
        self._tally.tell(connections + 1)
        arriving = self._loop.create_task(self._receive(client))
        self._arriving.add(arriving)
        arriving.add_done_callback(self._arriving.discard)

    async def _receive(self, client: socket.socket) -> None:
        client.setblocking(False)
        try:
            _, protocol = await self._loop.connect_accepted_socket(self._factory, client)
        except OSError:
            client.close()  # It has left again.
            return
        assert isinstance(protocol, HttpToolsProtocol)
        self._known = protocol.connections
        if self._closed:
            # uvicorn has told all others, of those it knew.
            protocol.shutdown()


class Loop(uvloop.Loop):
    """An event loop whose servers, at a socket that workers share, part the connections."""

    async def create_server(  # type: ignore[override]  # as uvicorn calls it
        self, protocol_factory: _Factory, *, backlog: int, sock: socket.socket | None = None, **options: Any
    ) -> asyncio.AbstractServer | Listener:
        if sock is None or options.get("ssl"):
            return await super().create_server(protocol_factory, backlog=backlog, sock=sock, **options)
        sock.listen(backlog)
        return Listener(self, sock, protocol_factory, Tally(os.environ[_FILE]))
