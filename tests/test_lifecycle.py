"""`upesi serve` on its embedded cluster, as a person runs it: started, stopped, killed, and started again."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import orjson
import pytest

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
def serving(data_dir: Path, *options: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "UPESI_DATA_DIR": str(data_dir)}
    command = [str(UPESI), "serve", "--port", str(port), *options]
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        yield process, wait_for(f"http://127.0.0.1:{port}", process)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(timeout=30)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> str:
    for _ in range(300):
        assert process.poll() is None, "the service stopped by itself"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0:
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
