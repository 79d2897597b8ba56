"""How many connections each worker has, as the others know it, and what becomes of those that cannot be taken."""

import asyncio
import os
import resource
import socket
import struct
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from uvicorn import Config
from uvicorn.server import ServerState

from app.api.connection import Connection
from app.api.listening import Loop, Tally, parted


@pytest.fixture
def path() -> Iterator[str]:
    with parted():
        yield os.environ["UPESI_WORKERS_FILE"]


def test_who_has_more_than_another_is_ahead(path: str) -> None:
    one, other = Tally(path), Tally(path)
    assert not one.is_ahead(0)
    assert one.is_ahead(1)
    other.tell(1)
    assert not one.is_ahead(1)
    assert one.is_ahead(2)


def test_who_has_ended_leaves_its_place_to_another(path: str) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    with open(path, "r+b") as file:
        file.write(struct.pack("4i", ended.pid, 0, os.getpid(), 5))
    one = Tally(path)
    assert not one.is_ahead(5)
    assert one.is_ahead(6)
    with open(path, "rb") as file:
        assert struct.unpack("4i", file.read(16)) == (os.getpid(), 0, os.getpid(), 5)


def test_worker_without_a_place_counts_the_others(path: str) -> None:
    with open(path, "r+b") as file:
        file.write(struct.pack("2i", os.getpid(), 3) * 512)
    one = Tally(path)
    one.tell(9)
    assert not one.is_ahead(3)
    assert one.is_ahead(4)


def run(test: Callable[[Loop, socket.socket], Coroutine[Any, Any, None]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, asyncio.Runner(loop_factory=Loop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, Loop)
        runner.run(test(loop, listening))


def connection(state: ServerState) -> Connection:
    config = Config(answer_nothing, interface="asgi3", lifespan="off", log_config=None)
    config.load()
    return Connection(config=config, server_state=state, app_state={})


async def answer_nothing(_scope: Any, _receive: Any, _send: Any) -> None:
    raise AssertionError("nobody asks")


@pytest.mark.usefixtures("path")
def test_connection_that_cannot_be_taken_is_taken_later(caplog: pytest.LogCaptureFixture) -> None:
    async def test(loop: Loop, listening: socket.socket) -> None:
        state, known = ServerState(), asyncio.Event()

        def arrived() -> Connection:
            known.set()
            return connection(state)

        server = await loop.create_server(arrived, sock=listening, backlog=8)
        with socket.create_connection(listening.getsockname()):
            with no_more_descriptors():
                await asyncio.sleep(0.2)
            assert not known.is_set()
            await asyncio.wait_for(known.wait(), 30)
        server.close()
        await server.wait_closed()

    run(test)
    assert [record.getMessage() for record in caplog.records if record.name == "upesi"] == [
        "a connection could not be taken: [Errno 24] Too many open files"
    ]


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(0)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_nobody_waits_for_a_worker_that_leaves(path: str) -> None:
    async def test(loop: Loop, listening: socket.socket) -> None:
        server = await loop.create_server(lambda: connection(ServerState()), sock=listening, backlog=8)
        other = Tally(path)
        assert other.is_ahead(1)
        server.close()
        await server.wait_closed()
        assert not other.is_ahead(1)

    run(test)


@pytest.mark.usefixtures("path")
def test_connection_that_arrives_while_the_worker_leaves_is_ended() -> None:
    async def test(loop: Loop, listening: socket.socket) -> None:
        state = ServerState()

        def arriving() -> Connection:
            server.close()
            return connection(state)

        server = await loop.create_server(arriving, sock=listening, backlog=8)
        with socket.create_connection(listening.getsockname()) as client:
            client.setblocking(False)
            assert await asyncio.wait_for(loop.sock_recv(client, 1), 30) == b""
        await server.wait_closed()

    run(test)
