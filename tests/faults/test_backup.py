"""A catalogue that was dumped and restored answers as before, and goes on."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app import indexing
from app.bulk.load import Loader
from app.database import schema
from app.database.pool import Database
from app.settings import Settings
from tests.api.serving import serving
from tests.factories import collection, item, load, point
from tests.faults.cluster import Node, cluster

pytestmark = pytest.mark.anyio

PATHS = [
    "/collections",
    "/collections/things",
    "/collections/things/items?limit=200&sortby=-cloud",
    "/collections/things/queryables",
    "/collections/things/items/item 7",
    "/search?bbox=0,0,30,30&limit=50",
    "/search?q=cirrus",
    "/search?filter=cloud<20&limit=100",
    "/aggregate?aggregations=total_count,datetime_max",
]


@pytest.fixture(scope="module")
def node() -> Iterator[Node]:
    with cluster(standbys=0) as made:
        schema.migrate(made.primary.url)
        yield made.primary


async def fill(url: str) -> None:
    async with Database.opened(url, 1, 60) as database:
        loader = Loader(database, "upsert", "stop", lambda place, reason: pytest.fail(f"{place}: {reason}"))
        properties = [{"cloud": number % 100, "sky": "cirrus" if number % 7 else "clear"} for number in range(150)]
        items = [
            item(f"item {number}", properties=each, geometry=point(number / 5, number / 5))
            for number, each in enumerate(properties)
        ]
        await load(loader, collection(), *items)
        await indexing.add(database, "cloud")


async def answers(client: httpx.AsyncClient) -> list[Any]:
    found = [await client.get(path) for path in PATHS]
    assert {answer.status_code for answer in found} == {200}
    return [answer.json() for answer in found]


async def test_a_restored_catalogue_answers_the_same(node: Node) -> None:
    await fill(node.url)
    async with serving(Settings(database_url=node.url, count_wait=30)) as client:
        before = await answers(client)
    where = ("-h", str(node.folder), "-p", str(node.port), "-U", "upesi")
    dump = str(node.folder / "upesi.dump")
    await asyncio.to_thread(node.run, "pg_dump", *where, "-Fc", "-f", dump, "upesi")
    await asyncio.to_thread(node.run, "createdb", *where, "restored")
    await asyncio.to_thread(node.run, "pg_restore", *where, "-d", "restored", "--no-owner", "--exit-on-error", dump)
    url = node.url.replace("@/upesi?", "@/restored?")
    await asyncio.to_thread(schema.migrate, url)
    async with serving(Settings(database_url=url, writes="open", count_wait=30)) as client:
        assert await answers(client) == before
        assert (await client.post("/collections/things/items", json=item("new"))).status_code == 201
        assert (await client.get("/collections/things/items/new")).status_code == 200
    async with Database.opened(url, 1, 60) as database:
        assert [(index.property, index.state) for index in await indexing.listed(database)] == [("cloud", "valid")]
