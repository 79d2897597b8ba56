"""`created` and `updated`, kept by the service or left to the client."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from app.bulk.load import Loader
from app.database.pool import Database
from app.settings import Settings
from app.sql import loading
from app.stac.interval import parse_instant
from app.stac.item import check_item
from app.writer import Writer
from tests.api.assertions import assert_error
from tests.api.test_limits import until
from tests.api.writing import writing
from tests.factories import Document, collection, item, load

pytestmark = pytest.mark.anyio

ITEMS = "/collections/things/items"
ITEM = f"{ITEMS}/thing"
OLD = {"created": "2001-01-01T00:00:00Z", "updated": "2002-01-01T00:00:00Z"}


@pytest.fixture
async def keeping(settings: Settings, loader: Loader) -> AsyncIterator[httpx.AsyncClient]:
    await load(loader, collection())
    async with writing(settings, keep_timestamps=True) as client:
        yield client


async def stamps(client: httpx.AsyncClient, path: str = ITEM) -> tuple[datetime, datetime]:
    document: Document = (await client.get(path)).json()
    holder = document.get("properties", document)
    return parse_instant(holder["created"]), parse_instant(holder["updated"])


def recent(instant: datetime) -> bool:
    return abs(datetime.now(UTC) - instant) < timedelta(minutes=5)


async def test_the_client_keeps_them_where_nothing_is_said(settings: Settings, loader: Loader) -> None:
    await load(loader, collection())
    async with writing(settings) as client:
        await client.post(ITEMS, json=item(properties=OLD))
        await client.put(ITEM, json=item(properties=OLD | {"n": 1}))
        await client.patch(ITEM, json={"properties": {"m": 1}})
        assert await stamps(client) == tuple(map(parse_instant, OLD.values()))


@pytest.mark.parametrize("many", [False, True])
async def test_both_are_now_when_an_item_is_created(keeping: httpx.AsyncClient, many: bool) -> None:
    document = item(properties=OLD)
    body = {"type": "FeatureCollection", "features": [document]} if many else document
    assert (await keeping.post(ITEMS, json=body)).status_code == 201
    created, updated = await stamps(keeping)
    assert created == updated
    assert recent(created)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "bulk"])
async def test_created_is_kept_when_an_item_is_changed(keeping: httpx.AsyncClient, method: str) -> None:
    await keeping.post(ITEMS, json=item())
    created, _ = await stamps(keeping)
    for number in (1, 2):
        document = item(properties=OLD | {"n": number})
        if method == "bulk":
            body = {"items": {"thing": document}, "method": "upsert"}
            response = await keeping.post("/collections/things/bulk_items", json=body)
            assert response.json()["replaced"] == 1
        else:
            assert (await keeping.request(method, ITEM, json=document)).status_code == 204
    found, updated = await stamps(keeping)
    assert found == created < updated


async def test_created_of_a_load_is_kept(keeping: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, item(properties=OLD))
    await keeping.put(ITEM, json=item(properties={"n": 1}))
    created, updated = await stamps(keeping)
    assert created == parse_instant(OLD["created"])
    assert recent(updated)


async def test_created_of_what_is_stored_meanwhile_is_kept(keeping: httpx.AsyncClient, database: Database) -> None:
    """The bulk has looked for the item, has not found it, and waits for who stores it."""
    body = {"items": {"thing": item(properties={"n": 1}), "other": item("other")}, "method": "upsert"}
    keys = {row["id"]: row["key"] for row in await database.fetch(loading.keys(["things"]))}
    async with database.transaction() as transaction:
        await Writer(database).put(transaction, [check_item(item(properties=OLD))], keys, "insert")
        bulk = asyncio.create_task(keeping.post("/collections/things/bulk_items", json=body))
        await until(database, 1)
    assert (await bulk).json() == {"received": 2, "created": 1, "replaced": 1, "unchanged": 0}
    created, updated = await stamps(keeping)
    assert created == parse_instant(OLD["created"])
    assert recent(updated)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "bulk"])
async def test_what_changes_nothing_is_no_update(keeping: httpx.AsyncClient, method: str) -> None:
    links = [{"rel": "self", "href": "https://elsewhere.example"}, {"rel": "via", "href": "https://a.example"}]
    posted = await keeping.post(ITEMS, json=item(links=links))
    if method == "bulk":
        body = {"items": {"thing": item(links=links)}, "method": "upsert"}
        response = await keeping.post("/collections/things/bulk_items", json=body)
        assert response.json()["unchanged"] == 1
    else:
        assert (await keeping.request(method, ITEM, json=item(links=links))).status_code == 204
    assert (await keeping.get(ITEM)).headers["etag"] == posted.headers["etag"]


async def test_of_a_collection_they_are_members(keeping: httpx.AsyncClient) -> None:
    await keeping.post("/collections", json=collection("new") | OLD)
    created, updated = await stamps(keeping, "/collections/new")
    assert created == updated
    assert recent(created)
    assert (await keeping.patch("/collections/new", json={"title": "New"})).status_code == 204
    found, updated = await stamps(keeping, "/collections/new")
    assert found == created < updated
    etag = (await keeping.get("/collections/new")).headers["etag"]
    assert (await keeping.put("/collections/new", json=collection("new", title="New"))).status_code == 204
    assert (await keeping.get("/collections/new")).headers["etag"] == etag


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_links_that_are_no_list_are_refused(keeping: httpx.AsyncClient, method: str) -> None:
    """And not taken out, as the links of the server are."""
    assert (await keeping.post(ITEMS, json=item("other" if method == "POST" else "thing"))).status_code == 201
    response = await keeping.request(method, ITEMS if method == "POST" else ITEM, json=item(links={"via": "x"}))
    assert assert_error(response, 400)["faults"][0]["path"] == "links"


async def test_a_number_in_the_place_of_a_truth_is_new(keeping: httpx.AsyncClient) -> None:
    """Python takes `true` and 1 for equal."""
    await keeping.post(ITEMS, json=item(properties={"n": True}))
    _, before = await stamps(keeping)
    assert (await keeping.patch(ITEM, json={"properties": {"n": 1}})).status_code == 204
    assert (await stamps(keeping))[1] > before
