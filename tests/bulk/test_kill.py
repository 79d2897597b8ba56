"""Loads that are killed at random moments, or whose database is, and then go on: everything is there once."""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import asyncpg
import orjson
import pytest

from app.database import embedded, schema
from tests.database.fresh import asked, fresh_database
from tests.factories import collection, item

UPESI = Path(sys.executable).with_name("upesi")
ITEMS = 8_000
# So much that processes are started for it.
PAD = "x" * 2500
ROUNDS = 6
# So that a load is not done before the signal reaches it.
_WAITS = "'BEGIN PERFORM pg_sleep(0.7); RETURN NULL; END'"
NAMES = sorted(f"item {number}" for number in range(ITEMS))


@pytest.fixture(scope="module", autouse=True)
def interruptible() -> Iterator[None]:
    """Also where the tests run in the background: a shell has these ignore SIGINT, and processes inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def file() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="upesi-test-") as folder:
        path = Path(folder) / "items.ndjson"
        documents = [collection(), *(item(f"item {n}", properties={"n": n, "pad": PAD}) for n in range(ITEMS))]
        path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
        yield path


def start(url: str, file: Path | str, *options: str) -> subprocess.Popen[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("UPESI_")}
    return subprocess.Popen(
        [UPESI, "load", file, "--workers", "2", *options],
        env=environment | {"UPESI_DATABASE_URL": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def stored(url: str) -> int:
    return int(asked(url, "SELECT count(*) FROM items"))


def told(url: str) -> tuple[int, bool]:
    """The items that the place kept in the database says are stored."""
    row = asked(url, "SELECT (SELECT (report->>'items')::int FROM loads)")
    return (0, False) if row is None else (int(row), True)


def wait_for(url: str, process: subprocess.Popen[str], more_than: int) -> None:
    """Until the load has stored something in this run."""
    while process.poll() is None and stored(url) <= more_than:
        time.sleep(0.02)


def check_is_complete(url: str) -> None:
    assert asked(url, "SELECT array_agg(id ORDER BY id) FROM items") == NAMES
    assert asked(url, "SELECT count(*) FROM loads") == 0
    assert asked(url, "SELECT count(DISTINCT (properties->>'n')::int) FROM items") == ITEMS
    assert asked(url, "SELECT count(*) FROM collections") == 1


def went_on(url: str, file: Path) -> dict[str, Any]:
    process = start(url, file, "--resume", "--report", "-")
    said, failed = process.communicate(timeout=60)
    assert process.returncode == 0, failed
    check_is_complete(url)
    report: dict[str, Any] = orjson.loads(said)
    assert (report["outcome"], report["items"], report["refused"]) == ("complete", ITEMS, 0)
    return report


def processes_of(file: Path) -> list[int]:
    """Those whose parent is gone too: a worker has the environment of what it works for."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if str(file).encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def test_loader_killed_again_and_again(database_url: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KILLED_LOAD_OF", str(file))
    dice = random.Random(5)
    with fresh_database(database_url) as url:
        schema.migrate(url)
        options: tuple[str, ...] = ()
        for _ in range(ROUNDS):
            before = stored(url)
            process = start(url, file, *options)
            wait_for(url, process, before if dice.random() < 0.8 else -1)
            time.sleep(dice.uniform(0, 0.15))
            process.kill()
            process.communicate()
            time.sleep(0.1)
            number, begun = told(url)
            assert stored(url) == number, "what is stored is what the place says"
            options = ("--resume",) if begun else ()
        went_on(url, file)
        for _ in range(100):
            if left := set(processes_of(file)) - {os.getpid()}:
                time.sleep(0.05)
        assert not left, "workers end with the process they work for"


def test_worker_killed(database_url: str, file: Path) -> None:
    with fresh_database(database_url) as url:
        schema.migrate(url)
        process = start(url, file)
        while process.poll() is None and not (workers := workers_of(process.pid)):
            time.sleep(0.01)
        os.kill(workers[-1], signal.SIGKILL)
        _, failed = process.communicate(timeout=60)
        assert process.returncode == 1
        assert "error: a worker process was killed, perhaps for want of memory" in failed
        assert "Traceback" not in failed
        assert stored(url) == told(url)[0] > 0
        went_on(url, file)


def workers_of(pid: int) -> list[int]:
    """They are forked by a process that this one started."""
    return [worker for first in children(pid) for worker in children(first)]


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_load_that_is_asked_to_end(database_url: str, file: Path, sent: int, code: int) -> None:
    with fresh_database(database_url) as url:
        schema.migrate(url)
        asked(url, f"CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS {_WAITS}")
        asked(url, "CREATE TRIGGER wait BEFORE INSERT ON items FOR EACH STATEMENT EXECUTE FUNCTION wait()")
        process = start(url, file)
        wait_for(url, process, 999)
        process.send_signal(sent)
        _, failed = process.communicate(timeout=60)
        assert process.returncode == code
        assert "Interrupted: all batches before this one are stored" in failed
        assert "Traceback" not in failed
        assert 0 < stored(url) == told(url)[0] < ITEMS
        asked(url, "DROP TRIGGER wait ON items")
        went_on(url, file)


@pytest.mark.parametrize("form", ["static", "api"])
def test_ctrl_c_while_a_server_is_to_be_asked_again(database_url: str, form: str) -> None:
    asked_for = threading.Event()

    class Busy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(503)
            self.send_header("Retry-After", "60")
            self.end_headers()
            asked_for.set()

    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        process = start(database_url, f"http://127.0.0.1:{server.server_port}/", "--format", form)
        try:
            assert asked_for.wait(30)
            process.send_signal(signal.SIGINT)
            process.wait(timeout=20)
        finally:
            server.shutdown()
            process.kill()
            _, failed = process.communicate()
    assert process.returncode == 130
    assert "Interrupted: all batches before this one are stored" in failed
    assert "Traceback" not in failed


def test_postgresql_killed_in_mid_load(file: Path) -> None:
    """One backend, upon which PostgreSQL ends all of them and recovers, and then all of it."""
    with tempfile.TemporaryDirectory(prefix="upesi-test-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        data = Path(folder) / "data"
        dice = random.Random(7)
        options: tuple[str, ...] = ()
        for killed in ("backend", "server"):
            with embedded.running(data) as url:
                schema.migrate(url)
                before = stored(url)
                process = start(url, file, "--workers", "1", *options)
                wait_for(url, process, before)
                time.sleep(dice.uniform(0, 0.03))
                kill(url, data, killed)
                _, failed = process.communicate(timeout=60)
                assert process.returncode == 1
                assert "the database cannot be reached" in failed
                assert "Traceback" not in failed
            with embedded.running(data) as url:
                assert stored(url) == told(url)[0] > before
            options = ("--resume",)
        with embedded.running(data) as url:
            assert 1000 < stored(url) < ITEMS
            went_on(url, file)


def kill(url: str, data: Path, what: str) -> None:
    if what == "server":
        os.kill(int((data / "cluster" / "postmaster.pid").read_text().split()[0]), signal.SIGKILL)
        return
    others = "backend_type = 'client backend' AND pid <> pg_backend_pid()"
    began = "SELECT backend_start FROM pg_stat_activity WHERE backend_type = 'checkpointer'"
    before = asked(url, began)
    os.kill(asked(url, f"SELECT pid FROM pg_stat_activity WHERE {others}"), signal.SIGKILL)  # noqa: S608
    # It notices a little later, ends all backends and recovers.
    for _ in range(400):
        try:
            if asked(url, began) != before:
                return
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            pass
        time.sleep(0.05)
