"""`upesi serve` on its embedded cluster, as a person runs it: started, stopped, killed, and started again."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

import asyncpg
import httpx
import orjson
import psutil
import pytest

from app.database import embedded
from benchmarks.services import free_port
from tests.factories import collection, item

UPESI = Path(sys.executable).with_name("upesi")


@pytest.fixture
def data_dir() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="upesi-life-"))
    folder.chmod(0o755)
    yield folder / "data"
    postmaster = server_pid(folder / "data")
    assert postmaster is None or not is_alive(postmaster), "PostgreSQL still runs"
    shutil.rmtree(folder)


@contextmanager
def serving(
    data_dir: Path, *options: str, stderr: IO[bytes] | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    port = free_port()
    environment = {**os.environ, "UPESI_DATA_DIR": str(data_dir)}
    command = [str(UPESI), "serve", "--port", str(port), *options]
    process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=stderr)
    try:
        yield process, wait_for(f"http://127.0.0.1:{port}", process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> str:
    for _ in range(900):
        assert process.poll() is None, "the service stopped by itself"
        if connects(url):
            return url
        time.sleep(0.1)
    raise AssertionError("the service does not answer")


def load(data_dir: Path, *documents: object) -> None:
    lines = b"\n".join(orjson.dumps(document) for document in documents)
    environment = {**os.environ, "UPESI_DATA_DIR": str(data_dir)}
    subprocess.run([UPESI, "load", "-"], input=lines, env=environment, check=True, capture_output=True)


def server_pid(data_dir: Path) -> int | None:
    found = list(data_dir.glob("*/postmaster.pid"))
    return int(found[0].read_text().splitlines()[0]) if found else None


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]


def ids(url: str) -> set[str]:
    return {feature["id"] for feature in httpx.get(f"{url}/search").json()["features"]}


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_ends_service_and_cluster(data_dir: Path, stop: signal.Signals, workers: str) -> None:
    with serving(data_dir, "--workers", workers) as (process, _):
        postmaster = server_pid(data_dir)
        assert postmaster is not None
        assert is_alive(postmaster)
        # A terminal sends Ctrl-C to all processes of its group.
        os.killpg(process.pid, stop)
        process.wait(timeout=30)
    assert not is_alive(postmaster)
    assert server_pid(data_dir) is None


def test_items_are_loaded_while_it_serves_and_are_there_after_a_restart(data_dir: Path) -> None:
    with serving(data_dir) as (_, url):
        load(data_dir, collection(), item("first"))
        assert ids(url) == {"first"}
    with serving(data_dir) as (_, url):
        assert ids(url) == {"first"}


@pytest.mark.parametrize("victim", ["service", "postgresql"])
def test_nothing_is_lost_by_a_kill(data_dir: Path, victim: str) -> None:
    with serving(data_dir) as (process, _):
        load(data_dir, collection(), item("first"))
        postmaster = server_pid(data_dir)
        assert postmaster is not None
        os.kill(process.pid if victim == "service" else postmaster, signal.SIGKILL)
        if victim == "postgresql":
            process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
    with serving(data_dir) as (_, url):
        assert ids(url) == {"first"}


def test_without_its_database_the_service_says_so(data_dir: Path) -> None:
    with serving(data_dir) as (_, url):
        postmaster = server_pid(data_dir)
        assert postmaster is not None
        os.kill(postmaster, signal.SIGKILL)
        time.sleep(0.2)
        answer = httpx.get(f"{url}/search")
        assert answer.status_code == 503
        assert answer.json()["code"] == "Unavailable"
        assert answer.headers["retry-after"] == "1"


def test_two_catalogues_on_one_machine(data_dir: Path) -> None:
    other = data_dir.with_name("other")
    with serving(data_dir) as (_, url), serving(other) as (_, other_url):
        load(data_dir, collection(), item("here"))
        load(other, collection(), item("there"))
        assert ids(url) == {"here"}
        assert ids(other_url) == {"there"}


def open_slowly(url: str, path: str) -> "subprocess.Popen[bytes]":
    command = [sys.executable, "-c", f"import httpx; print(httpx.get({url + path!r}, timeout=60).status_code)"]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@contextmanager
def locked_items(data_dir: Path) -> Iterator[None]:
    """Whoever reads items waits meanwhile."""
    with embedded.running(data_dir) as url:
        ready, done = threading.Event(), threading.Event()

        async def hold() -> None:
            connection = await asyncpg.connect(url)
            async with connection.transaction():
                await connection.execute("LOCK TABLE items IN ACCESS EXCLUSIVE MODE")
                ready.set()
                await asyncio.to_thread(done.wait)
            await connection.close()

        thread = threading.Thread(target=asyncio.run, args=(hold(),))
        thread.start()
        assert ready.wait(30)
        try:
            yield
        finally:
            done.set()
            thread.join()


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_lets_requests_end(data_dir: Path, workers: str) -> None:
    with serving(data_dir, "--workers", workers) as (process, url):
        with locked_items(data_dir):
            client = open_slowly(url, "/search")
            time.sleep(2)
            process.send_signal(signal.SIGTERM)
            time.sleep(1)
            assert process.poll() is None
            assert client.poll() is None
        assert client.communicate(timeout=30)[0] == b"200\n"
        process.wait(timeout=30)


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_stop_answers_who_has_just_connected(data_dir: Path, workers: str) -> None:
    log = data_dir.parent / "log"
    with log.open("wb") as told, serving(data_dir, "--workers", workers, stderr=told) as (process, url):
        with socket.create_connection(address_of(url), timeout=60) as client:
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            wait_until(lambda: log.read_text().count("Shutting down") == int(workers))
            client.sendall(b"GET /conformance HTTP/1.1\r\nHost: stac.test\r\n\r\n")
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert b"\r\nconnection: close\r\n" in answer.lower()
        process.wait(timeout=30)


def test_a_stop_ends_who_has_connected_and_asks_nothing(data_dir: Path) -> None:
    with serving(data_dir) as (process, url):
        with socket.create_connection(address_of(url), timeout=60) as client:
            time.sleep(1)
            process.send_signal(signal.SIGTERM)
            assert client.recv(1) == b""
        process.wait(timeout=30)


def test_a_stop_waits_no_longer_than_it_may(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPESI_STOP_TIMEOUT", "1")
    with serving(data_dir) as (process, url), locked_items(data_dir):
        client = open_slowly(url, "/search")
        time.sleep(2)
        process.send_signal(signal.SIGTERM)
        began = time.monotonic()
        client.communicate(timeout=30)
        wait_until(lambda: connects(url) is False)
        assert time.monotonic() - began < 20


def connects(url: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(address_of(url)) == 0


def address_of(url: str) -> tuple[str, int]:
    return "127.0.0.1", int(url.rpartition(":")[2])


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(1200):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("it does not come to that")


def test_workers_are_replaced_and_no_connection_is_refused(data_dir: Path) -> None:
    with serving(data_dir, "--workers", "2") as (process, url):
        before = workers_of(process.pid)
        assert len(before) == 2
        statuses: list[int] = []
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                statuses.append(httpx.get(f"{url}/search", timeout=60).status_code)

        failures: list[BaseException] = []

        def asking() -> None:
            try:
                ask()
            except httpx.HTTPError as error:
                failures.append(error)

        threads = [threading.Thread(target=asking) for _ in range(4)]
        for thread in threads:
            thread.start()
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: len(workers_of(process.pid)) == 2 and not workers_of(process.pid) & before)
        os.kill(min(workers_of(process.pid)), signal.SIGTERM)
        time.sleep(2)
        stop.set()
        for thread in threads:
            thread.join()
        assert failures == []
        assert set(statuses) == {200}
        assert len(statuses) > 20
        wait_until(lambda: len(workers_of(process.pid)) == 2)


def test_connections_are_parted_among_workers(data_dir: Path) -> None:
    log = data_dir.parent / "log"
    with log.open("wb") as told, serving(data_dir, "--workers", "2", stderr=told) as (process, url):
        wait_until(lambda: log.read_text().count("startup complete") == 2)
        fewest = []
        for _ in range(5):
            with ExitStack() as clients:
                for _ in range(32):
                    clients.enter_context(socket.create_connection(address_of(url), timeout=60))
                wait_until(lambda: sum(connections(process.pid, url)) == 32)
                fewest.append(min(connections(process.pid, url)))
            wait_until(lambda: sum(connections(process.pid, url)) == 0)
    assert sorted(fewest)[2] >= 12
    log.unlink()


def connections(pid: int, url: str) -> list[int]:
    """How many each worker has with clients."""
    return [
        sum(
            each.laddr == address_of(url) and each.status == psutil.CONN_ESTABLISHED
            for each in psutil.Process(worker).net_connections("tcp")
        )
        for worker in workers_of(pid)
    ]


def test_workers_end_when_the_process_that_started_them_is_killed(data_dir: Path) -> None:
    with serving(data_dir, "--workers", "2") as (process, url):
        started = workers_of(process.pid)
        process.kill()
        wait_until(lambda: not any(map(is_alive, started)))
        assert not connects(url)
    with serving(data_dir, "--workers", "2") as (_, url):
        assert ids(url) == set()


def workers_of(pid: int) -> set[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def test_several_workers_say_once_that_anybody_can_write(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPESI_WRITES", "open")
    monkeypatch.setenv("UPESI_LOG_FORMAT", "json")
    monkeypatch.setenv("UPESI_METRICS", "on")
    with (data_dir.parent / "log").open("wb+") as log:
        with serving(data_dir, "--workers", "3", stderr=log) as (process, url):
            wait_until(lambda: len(workers_of(process.pid)) == 3)
            time.sleep(2)
            assert {httpx.get(f"{url}/conformance").status_code for _ in range(30)} == {200}
            told = httpx.get(f"{url}/metrics").text
        log.seek(0)
        lines = [orjson.loads(line) for line in log]
    assert len([line for line in lines if "UPESI_WRITES=open" in line["message"]]) == 1
    assert 'upesi_requests_total{method="GET",route="/conformance",status="200"} 30.0' in told
    (data_dir.parent / "log").unlink()
