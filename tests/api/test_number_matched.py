"""`numberMatched` (OGC API Features 7.16.4): exact where it is there, and never what a page waits for long."""

import asyncio
from collections.abc import AsyncIterator
from math import inf

import httpx
import pytest

from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from app.settings import Settings
from tests.api.assertions import ids, links
from tests.api.serving import serving
from tests.factories import Document, collection, item, load, point

pytestmark = pytest.mark.anyio

ITEMS = [item(f"i{number}", geometry=point(float(number), 0.0), properties={"number": number}) for number in range(12)]


@pytest.fixture
async def filled(settings: Settings, loader: Loader) -> Settings:
    await load(loader, collection(), collection("others"), *ITEMS, item("other", "others", geometry=None))
    return settings


@pytest.fixture
async def counting(filled: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Waits for each count as long as this machine may need."""
    async with serving(filled.model_copy(update={"count_wait": 20.0})) as client:
        yield client


@pytest.mark.parametrize("limit", [1, 5, 100])
@pytest.mark.parametrize(
    ("asked", "matched"),
    [
        ({}, 13),
        ({"collections": "things"}, 12),
        ({"bbox": "-0.5,-1,7.5,1"}, 8),
        ({"bbox": "170,-1,7.5,1"}, 8),
        ({"ids": "i1,i2,i3,nothing"}, 3),
        ({"filter": "number > 3"}, 8),
        ({"datetime": "2024-01-01T00:00:00Z/.."}, 13),
        ({"sortby": "-number", "fields": "id"}, 13),
        ({"collections": "nowhere"}, 0),
    ],
)
async def test_first_pages_say_it(counting: httpx.AsyncClient, asked: Document, matched: int, limit: int) -> None:
    page = (await counting.get("/search", params=asked | {"limit": limit})).json()
    assert page["numberMatched"] == matched
    assert page["numberReturned"] == min(matched, limit)


async def test_post_and_items_say_it(counting: httpx.AsyncClient) -> None:
    assert (await counting.post("/search", json={"limit": 2})).json()["numberMatched"] == 13
    assert (await counting.get("/collections/things/items?limit=2")).json()["numberMatched"] == 12
    assert (await counting.get("/collections/others/items")).json()["numberMatched"] == 1


async def test_pages_behind_a_token_do_not_count(counting: httpx.AsyncClient) -> None:
    page, walked = (await counting.get("/search?limit=5")).json(), 0
    assert page["numberMatched"] == 13
    while links(page, "next"):
        walked += len(ids(page))
        page = (await counting.get(links(page, "next")[0]["href"])).json()
        assert "numberMatched" not in page
    assert walked + len(ids(page)) == 13
    back = (await counting.get(links(page, "prev")[0]["href"])).json()
    assert "numberMatched" not in back


@pytest.mark.parametrize(("bound", "said"), [(0, None), (12, None), (13, 13)])
async def test_it_goes_as_far_as_the_bound(filled: Settings, bound: int, said: int | None) -> None:
    async with serving(filled.model_copy(update={"count_limit": bound, "count_wait": 20.0})) as client:
        assert (await client.get("/search?limit=2")).json().get("numberMatched") == said
        # What the page shows by itself costs nothing, and has no bound.
        assert (await client.get("/search?limit=100")).json()["numberMatched"] == 13


async def test_a_page_does_not_wait_for_a_slow_count(
    filled: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.sql.conditions.count", lambda *_: sql("SELECT count(*) AS found FROM pg_sleep(3600)"))
    async with serving(filled.model_copy(update={"count_wait": 0.01})) as client:
        page = (await client.get("/search?limit=2")).json()
        assert (len(ids(page)), "numberMatched" in page) == (2, False)
        # The count ends with its page, in the database too.
        sleeping = sql("SELECT 1 FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(3600)'")
        for _ in range(200):
            if not await database.fetch(sleeping):
                return
            await asyncio.sleep(0.05)
        raise AssertionError("the count is still there")


async def test_what_was_in_vain_is_not_counted_again(
    filled: Settings, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until it is forgotten, and no other search because of it."""
    async with serving(filled.model_copy(update={"count_limit": 12, "count_wait": 20.0})) as client:
        for _ in range(2):
            assert "numberMatched" not in (await client.get("/search?limit=2")).json()
        await database.execute(sql("DELETE FROM items WHERE id = 'other'"))
        assert "numberMatched" not in (await client.get("/search?limit=2")).json()
        assert (await client.get("/search?limit=2&collections=things")).json()["numberMatched"] == 12
        monkeypatch.setattr("app.counting.monotonic", lambda: inf)
        assert (await client.get("/search?limit=2")).json()["numberMatched"] == 12


async def test_a_count_that_fails_is_left_out(counting: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.sql.conditions.count", lambda *_: sql("SELECT pg_terminate_backend(pg_backend_pid())"))
    page = (await counting.get("/search?limit=2")).json()
    assert (len(ids(page)), "numberMatched" in page) == (2, False)


async def test_searches_side_by_side_are_not_counted(counting: httpx.AsyncClient, database: Database) -> None:
    """The first one is; it would take from the others what they need."""
    async with database.transaction() as transaction:
        await transaction.execute(sql("LOCK TABLE items IN ACCESS EXCLUSIVE MODE"))
        together = [asyncio.create_task(counting.get("/search?limit=2")) for _ in range(4)]
        await asyncio.sleep(0.5)
    pages = [answer.json() for answer in await asyncio.gather(*together)]
    assert [len(ids(page)) for page in pages] == [2] * 4
    assert [page.get("numberMatched") for page in pages].count(13) == 1
    assert (await counting.get("/search?limit=2")).json()["numberMatched"] == 13
