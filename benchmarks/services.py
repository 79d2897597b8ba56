"""What is measured, as processes: a private cluster, and the services in front of it."""

import asyncio
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import httpx
import psutil

from app.api.listening import parted
from app.database import embedded, schema

WORKERS = 2
UPESI, SKETCH = "Upesi", "sketch"
UPESI_COMMAND = Path(sys.executable).with_name("upesi")
Answer = TypeVar("Answer")
_PATIENCE = 60  # seconds for a service to answer, and to have nothing more to do
_GLANCE, _IDLE = 0.2, 0.1  # seconds, and the share of a processor that is as good as nothing


@dataclass(frozen=True)
class Service:
    """`database` is the URL of its own; `lacks` names the kinds of request that it cannot answer, and it is left out of
    those rows."""

    name: str
    base: str
    pid: int
    database: str
    lacks: frozenset[str] = frozenset()

    def megabytes(self) -> float:
        """Resident memory of its largest process, what it shares with others included."""
        first = psutil.Process(self.pid)
        return max(each.memory_info().rss for each in (first, *first.children(recursive=True))) / 1e6


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user can reach too, gone afterwards."""
    path = Path(tempfile.mkdtemp(prefix="upesi-bench-"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@contextmanager
def database(path: Path) -> Iterator[str]:
    """The URL of a new cluster, which syncs each commit to its disk, with the schema of this version in it."""
    with embedded.running(path) as url:
        schema.migrate(url)
        yield url


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def process(command: Sequence[str | Path], port: int, environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The base URL and the pid of a service that answers by now, and is stopped afterwards."""
    running = subprocess.Popen([str(part) for part in command], env={**os.environ, **environment})
    base = f"http://127.0.0.1:{port}"
    try:
        _await(base, running)
        yield base, running.pid
    finally:
        running.terminate()
        running.wait()


def _await(base: str, running: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end and running.poll() is None:
        try:
            httpx.get(base, timeout=_PATIENCE)
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise SystemExit(f"{running.args!r} does not answer")


def uvicorn(target: str, port: int, *options: str, python: str | Path = sys.executable) -> list[str | Path]:
    quiet = ["--no-access-log", "--log-level", "warning", "--no-proxy-headers"]
    return [python, "-m", "uvicorn", target, *options, "--port", str(port), "--workers", str(WORKERS), *quiet]


@contextmanager
def upesi(url: str, name: str = UPESI, **settings: str) -> Iterator[Service]:
    port = free_port()
    command: list[str | Path] = [UPESI_COMMAND, "serve", "--port", str(port), "--workers", str(WORKERS)]
    with process(command, port, {"UPESI_DATABASE_URL": url, **settings}) as (base, pid):
        yield Service(name, base, pid, url)


@contextmanager
def sketch(url: str) -> Iterator[Service]:
    """On the event loop of `upesi serve`: what one worker more or less has to do is no matter of the sketch."""
    port = free_port()
    command = uvicorn("benchmarks.sketch:app", port, "--loop", "app.api.listening:Loop")
    with parted(), process(command, port, {"UPESI_DATABASE_URL": url}) as (base, pid):
        yield Service(SKETCH, base, pid, url, frozenset({"landing"}))


def settle(service: Service) -> None:
    """Wait until a service has nothing to do: what it still works at, for clients that have left, would take the time
    of the one that is measured next."""
    processes = psutil.Process(service.pid), server(service.database)
    spent, end = sum(map(cpu_seconds, processes)), time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        time.sleep(_GLANCE)
        before, spent = spent, sum(map(cpu_seconds, processes))
        if spent - before < _IDLE * _GLANCE:
            return


@dataclass(frozen=True)
class Cost:
    seconds: float
    megabytes: float


def cost(command: Sequence[str | Path], environment: dict[str, str] | None = None) -> Cost:
    """Run a command to its end: the time it took, and the memory of its largest process at its peak."""
    started = time.perf_counter()
    running = subprocess.Popen(
        [str(part) for part in command], env={**os.environ, **(environment or {})}, stdout=subprocess.DEVNULL
    )
    _, status, usage = os.wait4(running.pid, 0)
    running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        raise SystemExit(f"{running.args!r} failed")
    unit = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss, in bytes
    return Cost(time.perf_counter() - started, usage.ru_maxrss * unit / 1e6)


def cpu_seconds(process: psutil.Process) -> float:
    """Of a process, its children, and those of them that have ended."""
    spent = 0.0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            spent += times.user + times.system
    ended = process.cpu_times()
    return spent + float(ended.children_user + ended.children_system)


def server(url: str) -> psutil.Process:
    """The first process of a PostgreSQL on this machine."""
    pid = _value(url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
    parent = psutil.Process(pid).parent()
    assert parent is not None
    return parent


def execute(url: str, *statements: str) -> None:
    """Each in a transaction of its own."""

    async def act(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        for statement in statements:
            await connection.execute(statement)

    _connected(url, act)


def tidied_size(url: str) -> int:
    """Bytes of the database, vacuumed and analysed, as it is when it has been there for a while."""
    execute(url, "VACUUM ANALYZE")
    size: int = _value(url, "SELECT pg_database_size(current_database())")
    return size


def _connected(url: str, act: "Callable[[asyncpg.Connection[asyncpg.Record]], Awaitable[Answer]]") -> Answer:
    async def run() -> Answer:
        connection = await asyncpg.connect(url)
        try:
            return await act(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def _value(url: str, query: str) -> Any:
    return _connected(url, lambda connection: connection.fetchval(query))


def versions(url: str) -> list[str]:
    """Of Upesi and of its database."""
    postgresql = _value(url, "SHOW server_version").split()[0]
    postgis = _value(url, "SELECT postgis_lib_version()")
    return [f"Upesi {version('upesi')}", f"PostgreSQL {postgresql}", f"PostGIS {postgis}"]
