"""Results as streams: NDJSON and STAC GeoParquet, to the last item, and what a client sees of a failure."""

import asyncio
import sys
import threading
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import httpx
import orjson
import pyarrow.parquet as pq
import pytest
from starlette.types import Receive, Scope, Send

from app.api.formats import Stream
from app.api.front import Front
from app.api.links import GEOJSON, HTML, NDJSON, PARQUET
from app.bulk.load import Loader
from app.bulk.readers.geoparquet import entries
from app.database.fragment import sql
from app.database.pool import Database
from app.main import create_app
from app.settings import Settings
from tests.api.assertions import assert_error
from tests.api.serving import running
from tests.factories import Document, collection, item, load

pytestmark = pytest.mark.anyio

THINGS = [item(f"{n:04}", properties={"n": n, "created": None}) for n in range(700)]


def lines(answer: httpx.Response) -> list[Document]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == NDJSON
    return [orjson.loads(line) for line in answer.content.splitlines()]


def rows(answer: httpx.Response, folder: Path) -> list[Document]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == PARQUET
    (folder / "x").write_bytes(answer.content)
    found = [entry for entry in entries(folder / "x") if not entry.place.startswith("metadata")]
    assert [entry.fault for entry in found] == [None] * len(found)
    return [entry.document for entry in found]


@pytest.mark.parametrize("path", ["/search", "/collections/things/items"])
async def test_all_items(client: httpx.AsyncClient, loader: Loader, tmp_path: Path, path: str) -> None:
    await load(loader, collection(), *THINGS)
    page = (await client.get(path, params={"limit": 1000})).json()["features"]
    assert lines(await client.get(path, params={"f": "ndjson"})) == page
    found = rows(await client.get(path, params={"f": "geoparquet"}), tmp_path)
    assert sorted(found, key=lambda one: str(one["id"])) == THINGS


async def test_search_by_post(client: httpx.AsyncClient, loader: Loader, tmp_path: Path) -> None:
    await load(loader, collection(), *THINGS)
    body = {"filter": {"op": "<", "args": [{"property": "n"}, 300]}}
    assert len(lines(await client.post("/search", json=body, headers={"Accept": NDJSON}))) == 300
    assert len(rows(await client.post("/search?f=parquet", json=body), tmp_path)) == 300


@pytest.mark.parametrize(("limit", "count"), [(1, 1), (250, 250), (251, 251), (10_000, 700)])
async def test_limit_is_the_number_of_items_at_most(
    client: httpx.AsyncClient, loader: Loader, limit: int, count: int
) -> None:
    await load(loader, collection(), *THINGS)
    assert len(lines(await client.get("/search", params={"f": "ndjson", "limit": limit}))) == count


@pytest.mark.parametrize("sortby", ["n", "-n", "datetime", "id"])
async def test_order(client: httpx.AsyncClient, loader: Loader, sortby: str) -> None:
    await load(loader, collection(), *THINGS)
    found = lines(await client.get("/search", params={"f": "ndjson", "sortby": sortby}))
    numbers = [one["properties"]["n"] for one in found]
    assert sorted(numbers) == list(range(700))
    if sortby != "datetime":
        assert numbers == sorted(numbers, reverse=sortby == "-n")


async def test_fields(client: httpx.AsyncClient, loader: Loader, tmp_path: Path) -> None:
    await load(loader, collection(), *THINGS[:3])
    (first, *_) = lines(await client.get("/search", params={"f": "ndjson", "fields": "id,properties.n"}))
    assert first.keys() == {"type", "stac_version", "id", "collection", "properties"}
    (first, *_) = rows(await client.get("/search", params={"f": "parquet", "fields": "id,properties.n"}), tmp_path)
    assert first.keys() == {"type", "stac_version", "id", "collection", "properties"}


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
async def test_nothing_found(client: httpx.AsyncClient, loader: Loader, tmp_path: Path, form: str) -> None:
    await load(loader, collection())
    answer = await client.get("/search", params={"f": form})
    assert (lines(answer) if form == "ndjson" else rows(answer, tmp_path)) == []


async def test_collections_are_in_the_metadata(client: httpx.AsyncClient, loader: Loader, tmp_path: Path) -> None:
    await load(loader, collection(), item(), collection("other"))
    (tmp_path / "x").write_bytes((await client.get("/search?f=parquet")).content)
    (found,) = orjson.loads(pq.read_schema(tmp_path / "x").metadata[b"stac-geoparquet"])["collections"].values()
    assert found["id"] == "things"
    assert found["extent"]["spatial"]["bbox"] == [[10.0, 50.0, 10.0, 50.0]]


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, GEOJSON),
        ("*/*", GEOJSON),
        ("text/html;q=0.1, */*", GEOJSON),
        ("text/html, */*;q=0.1", HTML),
        ("image/png", GEOJSON),
        (NDJSON, NDJSON),
        (f"{NDJSON}, */*", NDJSON),
        (f"{NDJSON}, {GEOJSON}", GEOJSON),
        (f"{NDJSON};q=0.5, {GEOJSON};q=0.4", NDJSON),
        (f"{NDJSON};q=0, */*", GEOJSON),
        (f"{NDJSON};q=x", GEOJSON),
        (PARQUET, PARQUET),
        (f"{PARQUET.upper()} ; q=1", PARQUET),
        (f"{GEOJSON};q=0.1, {PARQUET}", PARQUET),
    ],
)
async def test_accept(client: httpx.AsyncClient, loader: Loader, accept: str | None, media_type: str) -> None:
    await load(loader, collection(), item())
    answer = await client.get("/search", headers={} if accept is None else {"Accept": accept})
    assert answer.headers["content-type"].removesuffix("; charset=utf-8") == media_type
    assert "Accept" in answer.headers.get_list("vary", split_commas=True)
    forced = await client.get("/search?f=json", headers={} if accept is None else {"Accept": accept})
    assert forced.headers["content-type"] == GEOJSON


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("/search?f=shapefile", 400, "f"),
        ("/search?f=", 400, "f"),
        ("/search?f=ndjson&f=parquet", 400, "f"),
        ("/search?f=ndjson&bbox=1", 400, "bbox"),
        ("/collections/nothing/items?f=ndjson", 404, None),
        ("/collections/nothing/items?f=parquet", 404, None),
    ],
)
async def test_bad_requests(client: httpx.AsyncClient, path: str, status: int, parameter: str | None) -> None:
    answer = await client.get(path)
    assert answer.status_code == status
    assert answer.json().get("parameter") == parameter


async def test_token_of_a_page_is_refused(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), *THINGS[:3])
    page = (await client.get("/search?limit=1")).json()
    (following,) = [link["href"] for link in page["links"] if link["rel"] == "next"]
    assert_error(await client.get(f"{following}&f=ndjson"), 400, "token")


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
async def test_head_makes_no_stream(client: httpx.AsyncClient, database: Database, form: str) -> None:
    """The tables are away: what would read them fails."""
    await database.execute(sql("ALTER TABLE items RENAME TO away"))
    try:
        answer = await client.head("/search", params={"f": form})
    finally:
        await database.execute(sql("ALTER TABLE away RENAME TO items"))
    assert (answer.status_code, answer.content) == (200, b"")


async def test_without_the_extra(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no use to ask again."""
    monkeypatch.delattr("app.exports.geoparquet", raising=False)
    monkeypatch.delitem(sys.modules, "app.exports.geoparquet", raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    answer = await client.get("/search?f=geoparquet")
    assert_error(answer, 501)
    assert "Retry-After" not in answer.headers
    assert (await client.get("/search?f=ndjson")).status_code == 200


@pytest.fixture
def live(settings: Settings) -> Iterator[str]:
    """The service behind a socket."""
    with running(create_app(settings)) as url:
        yield url


WIDE = [item(f"{n:04}", properties={"text": f"{n}" * 12_000, "n": n}) for n in range(1000)]


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
async def test_failure_before_the_first_part_is_answered(
    loader: Loader, database: Database, live: str, form: str
) -> None:
    await load(loader, collection(), item())
    await database.execute(sql("UPDATE items SET content = 'broken'"))
    async with httpx.AsyncClient(base_url=live) as client:
        assert (await client.get("/search", params={"f": form})).status_code == 500


async def test_failure_in_mid_stream_breaks_the_connection(loader: Loader, database: Database, live: str) -> None:
    """The last item is broken, long after the first page was sent."""
    await load(loader, collection(), *WIDE)
    await database.execute(sql("UPDATE items SET content = 'broken' WHERE id = '0999'"))
    async with httpx.AsyncClient(base_url=live) as client, client.stream("GET", "/search?f=ndjson&sortby=id") as answer:
        assert answer.status_code == 200
        parts = answer.aiter_bytes()
        assert len(await anext(parts)) > 0
        with pytest.raises(httpx.RemoteProtocolError):
            [part async for part in parts]


def test_client_that_goes_away_ends_the_stream() -> None:
    """An endless one, which would go on if nobody told it."""
    ended = threading.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                await asyncio.sleep(0)
                yield b"x" * 1000
        finally:
            ended.set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        await Stream(endless(), NDJSON)(scope, receive, send)

    with running(Front(app, ())) as url, httpx.stream("GET", url) as answer:
        parts = answer.iter_bytes(10)
        assert next(parts) == b"x" * 10
        assert not ended.is_set()
        answer.close()
        assert ended.wait(30)
