"""All of docker/compose.cluster.yaml as processes: a primary, two replicas behind PgBouncer, API processes, HAProxy."""

import asyncio
import os
import pwd
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest

from app.database import schema
from benchmarks.services import free_port
from tests.faults.cluster import SYNCHRONOUS, Cluster, cluster
from tests.faults.load import Told, all_ids, prepare, progress, until, write_and_read
from tests.faults.service import Service, serving

_PATH = f"{os.environ['PATH']}:/usr/sbin"
HAPROXY, PGBOUNCER = shutil.which("haproxy", path=_PATH), shutil.which("pgbouncer", path=_PATH)
pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(HAPROXY is None or PGBOUNCER is None, reason="haproxy and pgbouncer are not both installed"),
]
DOCKER = Path(__file__).parents[2] / "docker" / "cluster"
CLIENTS = 8
# Of PgBouncer: nobody else asks a replica.
CONNECTIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'upesi' AND pid <> pg_backend_pid()"


@contextmanager
def process(*command: str, user: str | None = None) -> Iterator[None]:
    owner = pwd.getpwnam(user) if user is not None and os.geteuid() == 0 else None
    who = {} if owner is None else {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **who) as started:  # type: ignore[call-overload]
        try:
            yield
        finally:
            started.terminate()


@contextmanager
def pooled(servers: Cluster) -> Iterator[str]:
    """The URLs of the replicas, as the file of the composition has them, behind one PgBouncer."""
    folder, text = servers.primary.folder, (DOCKER / "pgbouncer.ini").read_text()
    for number, node in enumerate(servers.standbys, 1):
        text = text.replace(f"host=replica{number} ", f"host={folder} port={node.port} user=upesi ")
    text = text.replace("listen_addr = 0.0.0.0", f"listen_addr =\nlisten_port = 6432\nunix_socket_dir = {folder}")
    text = re.sub(r"auth_type = .*\nauth_file = .*\n", "auth_type = any\n", text)
    text = text.replace("max_prepared_statements = 200\n", "")  # Debian 12 has a PgBouncer that knows it not.
    (folder / "pgbouncer.ini").write_text(text)
    with process(str(PGBOUNCER), "-q", str(folder / "pgbouncer.ini"), user="postgres"):
        yield ",".join(f"postgresql://upesi@/replica{number}?host={folder}&port=6432" for number in (1, 2))


@contextmanager
def balanced(services: list[Service], folder: Path) -> Iterator[str]:
    port, text = free_port(), (DOCKER / "haproxy.cfg").read_text()
    text = re.sub(r"resolvers docker\n(    .*\n)+", "", text).replace("bind :8080", f"bind 127.0.0.1:{port}")
    addresses = [service.url.removeprefix("http://") for service in services]
    servers = "".join(f"    server api{at} {address} check inter 2s\n" for at, address in enumerate(addresses))
    text, found = re.subn(r"    server-template .*\n", servers, text)
    assert found == 1
    (folder / "haproxy.cfg").write_text(text)
    with process(str(HAPROXY), "-db", "-f", str(folder / "haproxy.cfg")):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def topology(tmp_path: Path) -> Iterator[tuple[str, list[Service], Cluster]]:
    """The URL of the balancer, the API processes behind it, and their servers."""
    with ExitStack() as stack:
        servers = stack.enter_context(cluster())
        schema.migrate(servers.primary.url)
        servers.primary.configure(SYNCHRONOUS)
        settings = {
            "UPESI_DATABASE_URL": servers.url,
            "UPESI_READ_DATABASE_URLS": stack.enter_context(pooled(servers)),
            "UPESI_PREPARED_STATEMENTS": "false",
        }
        services = [stack.enter_context(serving(servers.primary, 1, **settings)) for _ in range(3)]
        yield stack.enter_context(balanced(services, tmp_path)), services, servers


async def test_an_api_process_dies_and_no_read_fails(topology: tuple[str, list[Service], Cluster]) -> None:
    url, services, servers = topology
    told = Told()
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=60)) for _ in range(CLIENTS)]

        async def is_up() -> bool:
            try:
                return (await clients[0].get("/collections")).status_code == 200
            except httpx.TransportError:
                return False

        await until(is_up, 30)
        await prepare(clients[0])
        async with anyio.create_task_group() as tasks:
            for number, client in enumerate(clients):
                tasks.start_soon(write_and_read, client, told, f"client{number}")
            await progress(told, 100)
            await asyncio.to_thread(services[0].process.kill)
            await progress(told, 200)
            # Else the primary had answered all of it.
            pooled_connections = [await asyncio.to_thread(node.ask, CONNECTIONS) for node in servers.standbys]
            told.stop = True
        assert all(int(number) > 0 for number in pooled_connections)
        assert told.stored - await all_ids(clients[0]) == set()
    assert told.lost == set()
    assert set(told.reads) == {200}
    # What the dead process had in hand: one write of each client at most.
    assert set(told.writes) <= {201, 502, 503, 0}
    assert told.writes.total() - told.writes[201] <= CLIENTS
