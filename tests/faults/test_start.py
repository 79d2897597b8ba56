"""A service that starts while its database, or a part of it, is away."""

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from app.database import schema
from benchmarks.services import free_port
from tests.factories import collection
from tests.faults.cluster import Cluster, Node, cluster
from tests.faults.load import until
from tests.faults.service import UPESI

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def servers() -> Iterator[Cluster]:
    with cluster(standbys=1) as made:
        schema.migrate(made.primary.url)
        yield made


@contextmanager
def started(log: Path, url: str, *options: str, **settings: str) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Its URL, whether it answers or not."""
    port = str(free_port())
    environment = {**os.environ, "UPESI_DATABASE_URL": url, "UPESI_WRITES": "open", **settings}
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(UPESI), "serve", "--port", port, *options], env=environment, stdout=file, stderr=file
        )
    try:
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


async def answers(url: str, path: str = "/collections") -> None:
    async with httpx.AsyncClient(base_url=url) as client:

        async def is_well() -> bool:
            try:
                return (await client.get(path)).status_code == 200
            except httpx.TransportError:
                return False

        await until(is_well, 60)


@pytest.fixture
def primary(servers: Cluster) -> Iterator[Node]:
    """It is away at first, and there again for the next test."""
    servers.primary.stop("immediate")
    yield servers.primary
    if not servers.primary.pids():
        servers.primary.start()


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_database_that_comes_later_is_waited_for(primary: Node, tmp_path: Path, workers: str) -> None:
    log = tmp_path / "log"
    with started(log, primary.url, "--workers", workers) as (url, process):

        async def is_said() -> bool:
            return "waiting for it, 30 s at most" in log.read_text()

        await until(is_said, 30)
        primary.start()
        await answers(url)
        assert process.poll() is None
    assert log.read_text().count("waiting for it") == 1


async def test_a_database_that_does_not_come_is_told_in_a_line(primary: Node, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with started(log, primary.url, UPESI_DATABASE_WAIT="1") as (_, process):
        assert process.wait(timeout=60) == 1
    said = log.read_text().splitlines()
    assert said[-1].startswith("error: the database cannot be reached: ")
    assert "Traceback" not in log.read_text()


@pytest.mark.parametrize("fault", ["no_such_database", "unread"])
async def test_what_does_not_pass_by_itself_is_not_waited_for(servers: Cluster, tmp_path: Path, fault: str) -> None:
    urls = {
        "no_such_database": servers.primary.url.replace("/upesi?", "/nothing?"),
        "unread": "postgresql://upesi@localhost:port/x",
    }
    log = tmp_path / "log"
    with started(log, urls[fault], UPESI_DATABASE_WAIT="600") as (_, process):
        assert process.wait(timeout=60) == 1
    assert "waiting" not in log.read_text()


async def test_with_a_replica_alone_reads_are_answered_and_writes_follow(
    servers: Cluster, primary: Node, tmp_path: Path
) -> None:
    reads = {"UPESI_READ_DATABASE_URLS": servers.standbys[0].url}
    with started(tmp_path / "log", servers.url, "--workers", "2", **reads) as (url, _):
        for path in ("/collections", "/search", "/queryables"):
            await answers(url, path)
        async with httpx.AsyncClient(base_url=url, timeout=30) as client:
            refused = await client.post("/collections", json=collection("later"))
            assert (refused.status_code, refused.json()["code"]) == (503, "Unavailable")
            assert refused.headers["Retry-After"]
            primary.start()

            async def is_taken() -> bool:
                return (await client.post("/collections", json=collection("later"))).status_code == 201

            await until(is_taken, 60)
            assert (await client.get("/collections/later")).status_code == 200
