"""What breaks below and beside a running service, while clients write and read (docs/reliability.md)."""

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import httpx
import orjson
import pytest

from app.database import schema
from tests.factories import collection, item
from tests.faults.cluster import Node, cluster
from tests.faults.load import Told, all_ids, prepare, progress, until, write_and_read
from tests.faults.service import Service, serving
from tests.faults.soak import soak

pytestmark = pytest.mark.anyio

CLIENTS = 8


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with cluster(standbys=0) as made:
        schema.migrate(made.primary.url)
        yield made.primary


@pytest.fixture
def service(node: Node) -> Iterator[Service]:
    node.ask("TRUNCATE collections CASCADE")
    with serving(node) as service:
        yield service


@asynccontextmanager
async def under_load(service: Service) -> AsyncIterator[Told]:
    """Nothing that was acknowledged may be missing afterwards, and no answer may be a 500."""
    told = Told()
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        await prepare(client)
        async with anyio.create_task_group() as tasks:
            for number in range(CLIENTS):
                tasks.start_soon(write_and_read, client, told, f"client{number}")
            await progress(told, 50)
            yield told
            await progress(told, 50)
            told.stop = True
        assert told.stored - await all_ids(client) == set()
    assert told.lost == set()
    assert set(told.writes) <= {201, 503}
    assert set(told.reads) <= {200, 503}


async def aside(work: Callable[[], object]) -> None:
    await asyncio.to_thread(work)


@pytest.mark.parametrize("mode", ["fast", "immediate"])
async def test_postgresql_is_restarted(service: Service, node: Node, mode: str) -> None:
    async with under_load(service):
        await aside(lambda: node.stop(mode))
        await anyio.sleep(0.5)
        await aside(node.start)


async def test_postgresql_is_killed(service: Service, node: Node) -> None:
    async with under_load(service):
        await aside(node.kill)
        await anyio.sleep(0.5)
        await aside(node.start)


async def test_connections_are_cut(service: Service, node: Node) -> None:
    cut = (
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND usename <> ''"
    )
    async with under_load(service) as told:
        for _ in range(20):
            assert int(await asyncio.to_thread(node.ask, cut)) > 0
            await anyio.sleep(0.1)
    # Reads are asked once more, on another connection.
    assert told.reads[503] <= told.reads[200] / 20


async def test_a_worker_is_killed(service: Service) -> None:
    broken: list[int] = []

    async def ask(client: httpx.AsyncClient, number: int) -> None:
        try:
            answer = await client.post("/collections/things/items", json=item(f"item {number}"))
            if answer.status_code == 201:
                stored.append(number)
        except httpx.TransportError:
            broken.append(number)

    stored: list[int] = []
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        await prepare(client)
        before = service.workers()
        async with anyio.create_task_group() as tasks:
            for number in range(300):
                tasks.start_soon(ask, client, number)
                if number == 100:
                    os.kill(before[0], signal.SIGKILL)
                await anyio.sleep(0.005)

        async def is_replaced() -> bool:
            return len(set(service.workers()) - {before[0]}) == 2

        await until(is_replaced, 30)
        assert {f"item {number}" for number in stored} <= await all_ids(client)
    # What the dead worker had in hand, and no more.
    assert len(stored) + len(broken) == 300
    assert len(broken) < 150


async def test_five_hundred_clients_at_once(service: Service) -> None:
    statuses: list[int] = []

    async def ask(number: int) -> None:
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            statuses.append((await client.post("/collections/things/items", json=item(f"{number}"))).status_code)
            statuses.append((await client.get(f"/search?ids={number}&bbox=0,40,20,60")).json()["numberReturned"])

    async with httpx.AsyncClient(base_url=service.url) as client:
        await prepare(client)
    async with anyio.create_task_group() as tasks:
        for number in range(500):
            tasks.start_soon(ask, number)
    assert sorted(statuses) == [1] * 500 + [201] * 500


async def test_bodies_that_never_end_hold_nobody_up(service: Service) -> None:
    address = urlsplit(service.url)
    head = b"POST /search HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    async with AsyncExitStack() as stack:
        writers = []
        for _ in range(200):
            _, writer = await asyncio.open_connection(address.hostname, address.port)
            stack.callback(writer.close)
            writer.write(head)
            writers.append(writer)
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=service.url, timeout=20))
        await prepare(client)
        for number in range(50):
            for writer in writers:
                writer.write(b" ")
            assert (await client.get("/search")).status_code == 200, number


@pytest.fixture
def small_disk() -> Iterator[Path]:
    folder = Path(f"/tmp/upesi-disk-{os.getpid()}")
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256m", "upesi", folder], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip("no file system can be mounted here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
    folder.rmdir()


async def test_the_disk_is_full(small_disk: Path) -> None:
    with cluster(standbys=0, parent=small_disk) as made:
        await asyncio.to_thread(schema.migrate, made.primary.url)
        with serving(made.primary) as service:
            await fill(service, made.primary, small_disk)


async def fill(service: Service, node: Node, disk: Path) -> None:
    stored: set[str] = set()
    ballast = disk / "ballast"
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        assert (await client.post("/collections", json=collection())).status_code == 201

        async def store(number: int) -> int:
            path = f"batch {number}"
            noise = os.urandom(30_000).hex()
            batch = {f"{path} {each}": item(f"{path} {each}", properties={"noise": noise}) for each in range(20)}
            body = orjson.dumps({"items": batch, "method": "insert"})
            headers = {"Content-Type": "application/json"}
            answer = await client.post("/collections/things/bulk_items", content=body, headers=headers)
            if answer.status_code == 200:
                stored.update(batch)
            return answer.status_code

        assert await store(0) == 200
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        # Room for some batches, and for the log, which PostgreSQL cannot go on without.
        ballast.write_bytes(b"\0" * max(0, free - 12_000_000))
        statuses = [await store(number) for number in range(1, 40)]
        assert set(statuses) == {200, 503}
        ballast.unlink()
        if not node.pids():
            await aside(node.start)

        async def takes() -> bool:
            return await store(len(statuses) + len(stored)) == 200

        await until(takes, 60)
        assert stored - await all_ids(client) == set()


async def test_a_soak_of_reads_and_writes(service: Service) -> None:
    """`python -m tests.faults.soak` goes on for as long as it is told to."""
    told, missing, memory = await soak(service.url, 45, 8, service.process.pid)
    assert missing == told.lost == set()
    assert told.writes.keys() == {201, 204}
    assert told.reads.keys() == {200, 400, 404}
    growth = list(memory.growth())
    assert len(growth) == 2
    # A kilobyte kept of each request would be several megabytes.
    assert [(before, after) for _, before, after in growth if after > before + 5] == []
