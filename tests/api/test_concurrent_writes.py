"""Clients that write at once: nothing is lost, nothing is there twice, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

import anyio
import httpx
import pytest

from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from app.settings import Settings
from tests.api.writing import writing
from tests.factories import collection, item, load, point

pytestmark = pytest.mark.anyio

ITEMS = "/collections/things/items"
AT_ONCE = 20
Result = TypeVar("Result")


@pytest.fixture
async def writable(settings: Settings, loader: Loader) -> AsyncIterator[httpx.AsyncClient]:
    """Fewer connections than clients, so that some wait for one."""
    await load(loader, collection())
    async with writing(settings, pool_size=8) as client:
        yield client


async def together(*requests: Coroutine[Any, Any, Result]) -> list[Result]:
    with anyio.fail_after(60):
        return await asyncio.gather(*requests)


async def test_one_of_many_posts_of_one_id_creates_it(writable: httpx.AsyncClient) -> None:
    responses = await together(*(writable.post(ITEMS, json=item(properties={"n": n})) for n in range(AT_ONCE)))
    assert sorted(response.status_code for response in responses) == [201] + [409] * (AT_ONCE - 1)
    (created,) = (response for response in responses if response.status_code == 201)
    assert (await writable.get(f"{ITEMS}/thing")).content == created.content


async def test_one_of_many_posts_of_one_collection_creates_it(writable: httpx.AsyncClient) -> None:
    responses = await together(*(writable.post("/collections", json=collection("new")) for _ in range(AT_ONCE)))
    assert sorted(response.status_code for response in responses) == [201] + [409] * (AT_ONCE - 1)


@pytest.mark.parametrize("path", [f"{ITEMS}/thing", "/collections/things"])
async def test_no_patch_is_lost(writable: httpx.AsyncClient, path: str) -> None:
    await writable.post(ITEMS, json=item())
    bodies = [{"properties": {f"key {n}": n}} if path.endswith("thing") else {f"key {n}": n} for n in range(AT_ONCE)]
    responses = await together(*(writable.patch(path, json=body) for body in bodies))
    assert {response.status_code for response in responses} == {204}
    document = (await writable.get(path)).json()
    found = document.get("properties", document)
    assert [found.get(f"key {n}") for n in range(AT_ONCE)] == list(range(AT_ONCE))


async def test_item_collections_in_opposite_orders(writable: httpx.AsyncClient) -> None:
    """Over the same ids: one of them is stored, and the others are refused whole."""
    features = [item(f"item {n:02}") for n in range(50)]
    bodies = [{"type": "FeatureCollection", "features": features[::way]} for way in (1, -1) * 5]
    responses = await together(*(writable.post(ITEMS, json=body) for body in bodies))
    assert sorted(response.status_code for response in responses) == [201] + [409] * 9


async def test_everything_at_once(writable: httpx.AsyncClient, database: Database) -> None:
    """Into several collections that grow, while they are read, changed, filled in bulk and deleted."""
    owners = [f"c{n}" for n in range(4)]
    await together(*(writable.post("/collections", json=collection(owner)) for owner in owners))

    async def write(owner: str, number: int) -> None:
        path = f"/collections/{owner}/items"
        name = f"item {number % 10}"
        place = {"geometry": point(float(number), 1.0), "properties": {"n": number}}
        document = item(name, owner, **place)
        bulk = {"items": {f"item {n}": item(f"item {n}", owner, **place) for n in range(10)}, "method": "upsert"}
        answers = [
            await writable.post(path, json=document),
            await writable.put(f"{path}/{name}", json=document),
            await writable.post(f"/collections/{owner}/bulk_items", json=bulk),
            await writable.patch(f"/collections/{owner}", json={"title": f"{number}"}),
            await writable.patch(f"{path}/{name}", json={"properties": {"m": number}}),
            await writable.delete(f"{path}/{name}"),
        ]
        if number == 5:
            answers.append(await writable.delete(f"/collections/{owner}?cascade=true"))
            answers.append(await writable.post("/collections", json=collection(owner)))
        assert all(answer.status_code in (200, 201, 204, 404, 409) for answer in answers), answers

    async def read() -> None:
        for _ in range(20):
            assert (await writable.get("/search?bbox=-180,-90,180,90")).status_code == 200
            assert (await writable.get("/collections")).status_code == 200

    await together(*(write(owner, number) for owner in owners for number in range(10)), read())
    # The bounds of each collection still hold all of its items, or searches would miss some.
    outside = await database.fetch(
        sql(
            "SELECT i.id FROM items i JOIN collections c ON c.key = i.collection WHERE NOT ST_Covers(c.envelope,"
            " i.geometry) OR i.datetime NOT BETWEEN c.first_datetime AND c.last_datetime OR c.envelope IS NULL"
        )
    )
    assert outside == []


async def test_a_reader_does_not_wait_for_a_writer(writable: httpx.AsyncClient, database: Database) -> None:
    await writable.post(ITEMS, json=item())
    async with database.transaction() as transaction:
        await transaction.execute(sql("SELECT 1 FROM items FOR UPDATE"))
        await transaction.execute(sql("SELECT 1 FROM collections FOR UPDATE"))
        with anyio.fail_after(10):
            for path in ("/search", ITEMS, f"{ITEMS}/thing", "/collections/things"):
                assert (await writable.get(path)).status_code == 200


async def test_batches_of_a_collection_that_gets_its_first_dictionary(writable: httpx.AsyncClient) -> None:
    for number in range(6):
        owner = f"c{number}"
        await writable.post("/collections", json=collection(owner))
        path = f"/collections/{owner}/items"
        assert (await writable.post(path, json=item("first", owner))).status_code == 201
        batches = [[item(f"{batch} {n}", owner) for n in range(100)] for batch in range(4)]
        bodies = [{"type": "FeatureCollection", "features": features} for features in batches]
        responses = await together(*(writable.post(path, json=body) for body in bodies))
        assert {response.status_code for response in responses} == {201}


async def test_collection_goes_while_items_of_it_are_written(writable: httpx.AsyncClient) -> None:
    many = [item(f"item {n}", properties={"n": n}) for n in range(2000)]
    assert (await writable.post(ITEMS, json={"type": "FeatureCollection", "features": many})).status_code == 201
    begun, gone = asyncio.Event(), asyncio.Event()

    async def write(client: int) -> set[int]:
        statuses = set()
        for number in range(10_000):
            document = item(f"{client} {number}", properties={"n": number})
            statuses.add((await writable.post(ITEMS, json=document)).status_code)
            if number == 20:
                begun.set()
            if gone.is_set():
                break
        return statuses

    async def delete() -> set[int]:
        await begun.wait()
        try:
            return {(await writable.delete("/collections/things?cascade=true")).status_code}
        finally:
            gone.set()

    deleted, *written = await together(delete(), *map(write, range(4)))
    assert deleted == {204}
    assert set().union(*written) <= {201, 404}
    assert 404 in set().union(*written)
