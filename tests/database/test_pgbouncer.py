"""The service behind a real PgBouncer that hands each transaction to another server connection."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import anyio
import httpx
import pytest

from app.database import schema
from app.database.connections import Manner
from app.database.fragment import sql
from app.database.pool import Database
from app.errors import TimedOut, Unavailable
from app.settings import Settings
from tests.api.serving import serving
from tests.factories import collection, item

PROGRAM = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(PROGRAM is None, reason="pgbouncer is not installed (scripts/install --dev does)"),
]

CONFIGURATION = """[databases]
upesi = host={host} port={port} dbname={name} user={user} connect_query='SELECT ''POINT EMPTY''::geometry'
[pgbouncer]
pool_mode = transaction
default_pool_size = 3
max_client_conn = 200
listen_addr =
listen_port = 6543
unix_socket_dir = {folder}
auth_type = any
logfile = {folder}/log
"""


def is_old() -> bool:
    """PgBouncer keeps prepared statements since 1.21, if it is told to."""
    version = subprocess.run([str(PROGRAM), "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(map(int, version.split()[1].split(".")[:2])) < (1, 21)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not below pytest's own folder, which another user cannot enter when the tests run as root.
    folder = Path(tempfile.mkdtemp(prefix="upesi-pgbouncer-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="module")
def pooled_url(database_url: str, folder: Path) -> Iterator[str]:
    schema.migrate(database_url)  # which gives the role its settings, as PgBouncer takes none
    parts = urlsplit(database_url)
    query = {name: values[0] for name, values in parse_qs(parts.query).items()}
    values = {
        "host": query.get("host", parts.hostname),
        "port": query.get("port", parts.port or 5432),
        "name": parts.path.removeprefix("/"),
        "user": parts.username,
        "folder": folder,
    }
    keeping = "" if is_old() else "max_prepared_statements = 200\n"
    (folder / "pgbouncer.ini").write_text(CONFIGURATION.format(**values) + keeping)
    user = pwd.getpwnam("postgres") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
    shutil.chown(folder, user.pw_uid, user.pw_gid)
    command = [str(PROGRAM), "-q", str(folder / "pgbouncer.ini")]
    is_root = os.geteuid() == 0
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        user=user.pw_uid if is_root else None,
        group=user.pw_gid if is_root else None,
        extra_groups=[] if is_root else None,
    )
    with process:
        while not (folder / ".s.PGSQL.6543").exists():
            assert process.poll() is None, (folder / "log").read_text()
            time.sleep(0.05)
        yield f"postgresql://upesi@/upesi?host={folder}&port=6543"
        process.terminate()


@pytest.fixture(params=[False, True], ids=["without-prepared-statements", "with-prepared-statements"])
async def pooled(
    request: pytest.FixtureRequest, pooled_url: str, database: Database
) -> AsyncIterator[httpx.AsyncClient]:
    del database  # which empties the tables first
    if request.param and is_old():
        pytest.skip("this PgBouncer knows no prepared statements")
    settings = Settings(database_url=pooled_url, prepared_statements=request.param, writes="open")
    async with serving(settings) as client:
        yield client


async def test_many_write_and_read_at_once(pooled: httpx.AsyncClient) -> None:
    assert (await pooled.post("/collections", json=collection())).status_code == 201
    statuses: list[int] = []

    async def work(client: int) -> None:
        for number in range(8):
            item_id = f"{client}-{number}"
            path = f"/collections/things/items/{item_id}"
            statuses.append((await pooled.post("/collections/things/items", json=item(item_id))).status_code)
            body = {"bbox": [0, 40, 20, 60], "ids": [item_id], "filter": {"op": "=", "args": [1, 1]}}
            found = (await pooled.post("/search", json=body)).json()
            statuses.append(found["features"][0]["id"] == item_id and 200)
            patch = {"properties": {"number": number}}
            statuses.append((await pooled.patch(path, json=patch)).status_code)
            statuses.append((await pooled.get(path)).json()["properties"]["number"] == number and 200)

    async with anyio.create_task_group() as tasks:
        for client in range(12):
            tasks.start_soon(work, client)
    assert {status: statuses.count(status) for status in set(statuses)} == {201: 96, 200: 192, 204: 96}
    listed = await pooled.get("/search?limit=1")
    assert listed.json()["numberMatched"] == 96


async def test_settings_are_in_force(pooled_url: str) -> None:
    async with Database.opened(pooled_url, 5, 20, manner=Manner(prepares=False)) as database:
        (row,) = await database.fetch(
            sql("SELECT current_setting('plan_cache_mode') || current_setting('work_mem') AS both")
        )
    assert row["both"] == "force_generic_plan32MB"


async def test_a_query_that_takes_too_long_is_cancelled(pooled_url: str) -> None:
    async with Database.opened(pooled_url, 2, 0.3, manner=Manner(prepares=False)) as database:
        for _ in range(4):
            with pytest.raises(TimedOut):
                await database.fetch(sql("SELECT pg_sleep(20)"))
        with anyio.fail_after(5):
            assert await database.fetch(sql("SELECT 1 AS one"))


async def test_prepared_statements_that_get_lost_are_told(pooled_url: str) -> None:
    if not is_old():
        pytest.skip("this PgBouncer knows prepared statements")
    told: list[str] = []

    async def ask(database: Database) -> None:
        try:
            for number in range(20):
                await database.fetch(sql(f"SELECT {number} AS one, pg_sleep(0.001)"))
        except Unavailable as error:
            told.append(error.description)

    async def ask_as_one_of_many() -> None:
        try:
            async with Database.opened(pooled_url, 3, 20) as database:
                await ask(database)
        except Unavailable as error:
            told.append(error.description)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(ask_as_one_of_many)
    assert told
    assert all("UPESI_PREPARED_STATEMENTS=false" in text for text in told)
