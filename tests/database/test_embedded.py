"""Real clusters. Their folders are in /tmp, since root's server runs as a user to whom pytest's are closed."""

import asyncio
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import asyncpg
import pytest

from app.database import embedded
from app.database.embedded import find_programs, running, state
from app.errors import SetupError

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root's server runs as another user")
# Counts one more in the database, and says so, so that the test knows when it is inside.
USER = """
import asyncio, sys, time
from pathlib import Path
import asyncpg
from app.database.embedded import running

async def count(url):
    connection = await asyncpg.connect(url)
    await connection.execute("INSERT INTO visits VALUES (1)")
    await connection.close()

for _ in range(int(sys.argv[2])):
    with running(Path(sys.argv[1])) as url:
        asyncio.run(count(url))
        print("inside", flush=True)
        time.sleep(float(sys.argv[3]))
"""


def ask(url: str, query: str) -> object:
    async def fetch() -> object:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(query)
        finally:
            await connection.close()

    return asyncio.run(fetch())


def start_user(data_dir: Path, rounds: int, seconds: float) -> "subprocess.Popen[str]":
    arguments = [str(data_dir), str(rounds), str(seconds)]
    return subprocess.Popen([sys.executable, "-c", USER, *arguments], stdout=subprocess.PIPE, text=True)


def server_pid(data_dir: Path) -> int:
    return int((data_dir / "cluster" / "postmaster.pid").read_text().split("\n")[0])


def kill_server(data_dir: Path) -> None:
    os.kill(server_pid(data_dir), signal.SIGKILL)


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    def give_up(*_: object) -> None:
        raise TimeoutError("the test takes too long")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.alarm(60)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the user whom PostgreSQL runs as can reach."""
    with tempfile.TemporaryDirectory(prefix="upesi-test-", dir="/tmp") as name:
        os.chmod(name, 0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """One cluster for all tests that leave it as it was: with a table `visits`, and not running."""
    with tempfile.TemporaryDirectory(prefix="upesi-test-", dir="/tmp") as name:
        with running(Path(name)) as url:
            ask(url, "CREATE TABLE visits (number int)")
        yield Path(name)


@pytest.fixture(autouse=True)
def nothing_left_running(data_dir: Path) -> Iterator[None]:
    yield
    assert not state(data_dir).is_running


def test_first_use_makes_the_cluster(folder: Path) -> None:
    assert not state(folder / "data").has_cluster
    with running(folder / "data") as url:
        assert ask(url, "SELECT current_database() || ' ' || current_user") == "upesi upesi"
        assert ask(url, "SHOW server_encoding") == "UTF8"
        assert ask(url, "SHOW listen_addresses") == ""
        assert ask(url, "SHOW fsync") == "on"
    assert (folder / "data").stat().st_mode & 0o777 == 0o700
    assert state(folder / "data").has_cluster


def test_data_stays(data_dir: Path) -> None:
    with running(data_dir) as url:
        ask(url, "CREATE TABLE kept AS SELECT 42 AS answer")
    with running(data_dir) as url:
        assert ask(url, "SELECT answer FROM kept") == 42


def test_postgis_can_be_made(data_dir: Path) -> None:
    with running(data_dir) as url:
        ask(url, "CREATE EXTENSION IF NOT EXISTS postgis")
        ask(url, "CREATE EXTENSION IF NOT EXISTS btree_gist")
        assert ask(url, "SELECT ST_AsText(ST_Transform('SRID=4326;POINT(0 0)'::geometry, 3857))") == "POINT(0 0)"


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="tells what a process has loaded on Linux only")
def test_postgis_is_there_before_the_first_query(data_dir: Path) -> None:
    """A query that is cancelled while it loads PostGIS crashes the server."""

    async def loaded(url: str) -> str:
        connection = await asyncpg.connect(url)
        try:
            maps = Path(f"/proc/{connection.get_server_pid()}/maps")
            return await asyncio.to_thread(maps.read_text)
        finally:
            await connection.close()

    with running(data_dir) as url:
        assert "postgis" in asyncio.run(loaded(url))


def test_last_user_stops_it(data_dir: Path) -> None:
    first, second = running(data_dir), running(data_dir)
    url = first.__enter__()
    assert second.__enter__() == url
    first.__exit__(None, None, None)
    assert ask(url, "SELECT 1") == 1
    second.__exit__(None, None, None)
    assert not state(data_dir).is_running


def test_users_come_and_go(data_dir: Path) -> None:
    with running(data_dir) as url:
        ask(url, "TRUNCATE visits")
    users = [start_user(data_dir, rounds=5, seconds=0.02) for _ in range(4)]
    said = [user.communicate()[0] for user in users]
    assert [user.returncode for user in users] == [0, 0, 0, 0]
    assert said == ["inside\n" * 5] * 4
    with running(data_dir) as url:
        assert ask(url, "SELECT count(*) FROM visits") == 20


def test_killed_user_leaves_it_usable(data_dir: Path) -> None:
    with start_user(data_dir, rounds=1, seconds=60) as user:
        assert user.stdout
        assert user.stdout.readline() == "inside\n"
        pid = server_pid(data_dir)
        user.kill()
    assert state(data_dir).is_running
    with running(data_dir) as url:
        assert server_pid(data_dir) == pid
        assert ask(url, "SELECT 1") == 1


def test_killed_server_loses_nothing(data_dir: Path) -> None:
    with running(data_dir) as url:
        ask(url, "CREATE TABLE committed AS SELECT 42 AS answer")
        kill_server(data_dir)
    with running(data_dir) as url:
        assert ask(url, "SELECT answer FROM committed") == 42


def test_server_that_does_not_stop_is_ended(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One of its processes hears nothing, so that the orderly stop would wait for it without an end."""
    monkeypatch.setattr(embedded, "_STOP_SECONDS", 3)
    with running(data_dir) as url:
        ask(url, "CREATE TABLE kept_too AS SELECT 42 AS answer")
        os.kill(backend(server_pid(data_dir)), signal.SIGSTOP)
    assert not (data_dir / "cluster" / "postmaster.pid").exists()
    with running(data_dir) as url:
        assert ask(url, "SELECT answer FROM kept_too") == 42


def test_server_that_recovers_is_ended_at_once(data_dir: Path) -> None:
    """A backend that is killed makes it recover, and recovering it does not take connections."""
    with running(data_dir) as url:
        ask(url, "CREATE TABLE recovered AS SELECT 42 AS answer")
        os.kill(backend(server_pid(data_dir)), signal.SIGKILL)
    assert not (data_dir / "cluster" / "postmaster.pid").exists()
    with running(data_dir) as url:
        assert ask(url, "SELECT answer FROM recovered") == 42


def backend(postmaster: int) -> int:
    """A process of the server that writes."""
    for child in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split():
        if b"walwriter" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise AssertionError("it has no such process")


def test_start_waits_for_a_query_of_a_killed_server(data_dir: Path) -> None:
    """A backend that computes does not notice the death of its server, and holds on to the shared memory."""
    compute = "DO $$ BEGIN WHILE clock_timestamp() < now() + interval '3 s' LOOP END LOOP; END $$"

    def query() -> None:
        with suppress(asyncpg.PostgresError, OSError):
            ask(url, compute)

    with running(data_dir) as url:
        thread = threading.Thread(target=query)
        thread.start()
        time.sleep(0.5)
        kill_server(data_dir)
        with running(data_dir) as again:
            assert ask(again, "SELECT 1") == 1
        thread.join()


def test_pid_of_a_dead_server_may_be_taken(data_dir: Path) -> None:
    owner = (data_dir / "cluster").stat().st_uid
    with running(data_dir):
        file = data_dir / "cluster" / "postmaster.pid"
        text = file.read_text()
        kill_server(data_dir)
    with subprocess.Popen(["sleep", "30"], cwd="/", user=owner if os.geteuid() == 0 else None) as other:
        file.write_text("\n".join([str(other.pid), *text.split("\n")[1:]]))
        with running(data_dir) as url:
            assert ask(url, "SELECT 1") == 1
        assert other.poll() is None
        other.kill()


def test_ctrl_c_does_not_reach_it(data_dir: Path) -> None:
    with running(data_dir):
        assert os.getsid(server_pid(data_dir)) != os.getsid(0)


def test_half_made_cluster_is_made_again(folder: Path) -> None:
    (folder / "cluster.new-killed").mkdir()
    (folder / "cluster.new-killed" / "PG_VERSION").write_text("15\n")
    with running(folder) as url:
        assert ask(url, "SELECT 1") == 1
    assert not list(folder.glob("cluster.new-*"))


@pytest.mark.parametrize("name", ["x" * 120, 'it\'s "$HOME" `here`, 100 % ü'])
def test_two_clusters_in_any_path(data_dir: Path, folder: Path, name: str) -> None:
    with running(folder / name) as odd, running(data_dir) as plain:
        assert ask(odd, "SELECT to_regclass('visits') IS NULL")
        assert ask(plain, "SELECT to_regclass('visits') IS NOT NULL")
    assert not state(folder / name).is_running


def test_large_log_is_emptied(data_dir: Path) -> None:
    log = data_dir / "postgresql.log"
    with log.open("a") as file:
        file.truncate(20_000_000)
    with running(data_dir):
        assert log.stat().st_size < 100_000


def test_failed_start_shows_the_log(folder: Path) -> None:
    with running(folder):
        pass
    with (folder / "cluster" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(SetupError, match="no_such_setting"), running(folder):
        pass


def test_missing_programs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(embedded, "_PLACES", ())
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SetupError, match=r"PostgreSQL 15 or newer .* UPESI_DATABASE_URL") as raised:
        find_programs()
    assert state(tmp_path).problem == str(raised.value)


def test_programs_of_another_version_than_the_cluster(folder: Path) -> None:
    (folder / "cluster").mkdir()
    (folder / "cluster" / "PG_VERSION").write_text("99\n")
    with pytest.raises(SetupError, match=r"PostgreSQL 99 .*found"), running(folder):
        pass


@as_root
def test_closed_parent_folder_is_named(folder: Path) -> None:
    (folder / "closed").mkdir(mode=0o700)
    with (
        pytest.raises(SetupError, match=rf"{folder}/closed is closed to the user .* UPESI_DATA_DIR"),
        running(folder / "closed" / "open" / "data"),
    ):
        pass


@as_root
def test_socket_folder_of_another_user_is_refused(folder: Path) -> None:
    cluster = embedded._Cluster.of(folder / ("x" * 120))
    cluster.socket_folder.mkdir()
    os.chown(cluster.socket_folder, 54321, 54321)
    try:
        with pytest.raises(SetupError, match="belongs to someone else"), running(cluster.data_dir):
            pass
    finally:
        with suppress(FileNotFoundError):
            cluster.socket_folder.rmdir()


def test_folder_that_cannot_be_made() -> None:
    with pytest.raises(SetupError, match="UPESI_DATA_DIR"), running(Path("/dev/null/data")):
        pass
