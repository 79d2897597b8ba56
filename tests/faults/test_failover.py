"""A standby is killed, the primary is killed, and a standby takes its place, while clients write and read."""

from collections.abc import Iterator
from contextlib import AsyncExitStack

import anyio
import httpx
import pytest

from app.database import schema
from app.settings import Settings
from tests.api.serving import serving
from tests.faults.cluster import SYNCHRONOUS, Cluster, Node, cluster
from tests.faults.load import Told, all_ids, prepare, progress, write_and_read

pytestmark = pytest.mark.anyio

CLIENTS = 8


@pytest.fixture
def servers() -> Iterator[Cluster]:
    with cluster() as made:
        schema.migrate(made.primary.url)
        made.primary.configure(SYNCHRONOUS)
        yield made


def furthest(standbys: tuple[Node, ...]) -> Node:
    """Whoever promotes another one loses what only this one has."""
    return max(standbys, key=lambda node: int(node.ask("SELECT (pg_last_wal_receive_lsn() - '0/0')::bigint")))


async def break_everything(servers: Cluster, told: Told) -> None:
    await progress(told, 100)
    servers.standbys[0].kill()
    await progress(told, 100)
    servers.standbys[0].start()
    await progress(told, 100)
    servers.primary.kill()
    await anyio.sleep(1)
    promoted = furthest(servers.standbys)
    promoted.promote()
    (other,) = set(servers.standbys) - {promoted}
    other.follow(promoted)
    await progress(told, 200)
    told.stop = True


async def test_nothing_that_was_acknowledged_is_lost(servers: Cluster) -> None:
    settings = Settings(
        database_url=servers.url,
        read_database_urls=tuple(node.url for node in servers.standbys),
        writes="open",
    )
    told = Told()
    async with serving(settings) as client, AsyncExitStack() as stack, anyio.create_task_group() as tasks:
        await prepare(client)
        for number in range(CLIENTS):
            one = await stack.enter_async_context(
                httpx.AsyncClient(transport=client._transport, base_url=client.base_url)
            )
            tasks.start_soon(write_and_read, one, told, f"client{number}")
        await break_everything(servers, told)
    async with serving(settings) as client:
        found = await all_ids(client)
    assert told.stored - found == set()
    assert told.lost == set()
    assert set(told.writes) <= {201, 503}
    assert set(told.reads) <= {200, 503}
