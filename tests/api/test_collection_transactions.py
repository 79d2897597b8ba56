"""Collections written over HTTP, and what a service that is only read says of writing."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from app.settings import Settings
from app.stac import patch
from app.stac.collection import OWNED_LINKS
from app.stac.conformance import WRITES
from app.stac.document import without_links
from tests.api.assertions import JSON, assert_error
from tests.api.writing import is_taken, writing
from tests.factories import Document, collection, item, load

pytestmark = pytest.mark.anyio

COLLECTION = "/collections/things"


@pytest.fixture
async def writable(settings: Settings, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    assert not await database.fetch(sql("SELECT 1 FROM collections"))
    async with writing(settings) as client:
        yield client


async def stored(client: httpx.AsyncClient, path: str = COLLECTION) -> Document:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    document: Document = response.json()
    return without_links(document, OWNED_LINKS)


async def test_a_posted_collection_is_there(writable: httpx.AsyncClient) -> None:
    document = collection("ü/1", title="Things", links=[{"rel": "license", "href": "https://a.example"}])
    response = await writable.post("/collections", json=document)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == "http://stac.test/collections/%C3%BC%2F1"
    found = await writable.get(response.headers["location"])
    assert (found.content, found.headers["etag"]) == (response.content, response.headers["etag"])
    assert await stored(writable, response.headers["location"]) == document
    assert_error(await writable.post("/collections", json=document), 409)


async def test_collections_are_posted_all_or_none(writable: httpx.AsyncClient) -> None:
    await writable.post("/collections", json=collection("b"))
    response = await writable.post("/collections", json={"collections": [collection("c"), collection("b")]})
    assert "'b'" in assert_error(response, 409)["description"]
    response = await writable.post("/collections", json={"collections": [collection("c"), {"id": "d"}]})
    faults = assert_error(response, 400, "body")["faults"]
    assert len(faults) > 3
    assert all(fault["path"].startswith("collections.1") for fault in faults)
    response = await writable.post("/collections", json={"collections": [collection("c"), collection("a")]})
    assert response.status_code == 201
    assert "location" not in response.headers
    listed = (await writable.get("/collections")).json()["collections"]
    assert [found["id"] for found in listed] == ["a", "b", "c"]


async def test_updating_a_collection_leaves_its_items(writable: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), *(item(f"item {n}") for n in range(70)))
    before = (await writable.get(f"{COLLECTION}/items?limit=100")).json()["features"]
    extent = (await stored(writable))["extent"]
    assert (await writable.put(COLLECTION, json=collection(title="new"))).status_code == 204
    response = await writable.patch(COLLECTION, json={"title": None, "keywords": ["a"]})
    assert response.status_code == 204
    plain = await writable.get(COLLECTION, headers={"Accept-Encoding": "identity"})
    assert response.headers["etag"] == plain.headers["etag"]
    assert (await writable.get(f"{COLLECTION}/items?limit=100")).json()["features"] == before
    assert await stored(writable) == collection(keywords=["a"], extent=extent)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        (patch.MERGE, {"extent": {"temporal": {"interval": [["2010-01-01T00:00:00Z", None]]}}}),
        (
            patch.OPERATIONS,
            [{"op": "replace", "path": "/extent/temporal/interval/0/0", "value": "2010-01-01T00:00:00Z"}],
        ),
    ],
)
async def test_the_declared_extent_can_be_patched(writable: httpx.AsyncClient, media_type: str, body: Any) -> None:
    await writable.post("/collections", json=collection())
    response = await writable.patch(COLLECTION, content=orjson.dumps(body), headers={"Content-Type": media_type})
    assert response.status_code == 204, response.text
    assert (await stored(writable))["extent"]["temporal"]["interval"] == [["2010-01-01T00:00:00Z", None]]


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("members", [{"id": "other"}, {"extent": 5}, {"description": ""}, {"type": "Catalog"}], ids=str)
async def test_a_change_that_is_refused_changes_nothing(
    writable: httpx.AsyncClient, method: str, members: Document
) -> None:
    await writable.post("/collections", json=collection())
    response = await writable.request(method, COLLECTION, json=collection() | members)
    assert_error(response, 400, "body")
    assert await stored(writable) == collection()


async def test_a_collection_with_items_is_not_deleted_unless_asked_for(
    writable: httpx.AsyncClient, loader: Loader, database: Database
) -> None:
    await load(loader, collection(), *(item(f"item {n}") for n in range(70)), collection("other"), item("a", "other"))
    for path in (COLLECTION, f"{COLLECTION}?cascade=false"):
        body = assert_error(await writable.delete(path), 409, "cascade")
        assert "cascade=true" in body["description"]
    assert_error(await writable.delete(f"{COLLECTION}?cascade=yes"), 400, "cascade")
    response = await writable.delete(f"{COLLECTION}?cascade=true")
    assert (response.status_code, response.content) == (204, b"")
    assert_error(await writable.get(COLLECTION), 404)
    assert [feature["id"] for feature in (await writable.get("/search")).json()["features"]] == ["a"]
    assert not await database.fetch(sql("SELECT 1 FROM dictionaries"))


async def test_a_collection_made_again_is_written_with_its_own_dictionary(writable: httpx.AsyncClient) -> None:
    """The service remembers keys and dictionaries of collections, and this one has others now."""
    for _ in range(2):
        assert (await writable.post("/collections", json=collection())).status_code == 201
        batch = {"type": "FeatureCollection", "features": [item(f"item {n}") for n in range(70)]}
        assert (await writable.post(f"{COLLECTION}/items", json=batch)).status_code == 201
        assert (await writable.post(f"{COLLECTION}/items", json=item())).status_code == 201
        assert (await writable.get(f"{COLLECTION}/items/thing")).json()["id"] == "thing"
        assert (await writable.delete(f"{COLLECTION}?cascade=true")).status_code == 204
        assert_error(await writable.post(f"{COLLECTION}/items", json=item()), 404)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *[("POST", path) for path in ("/collections", f"{COLLECTION}/items")],
        *[(method, path) for method in ("PUT", "PATCH", "DELETE") for path in (COLLECTION, f"{COLLECTION}/items/a")],
    ],
)
async def test_without_writes_the_methods_are_405(client: httpx.AsyncClient, method: str, path: str) -> None:
    response = await client.request(method, path, headers={"Content-Type": JSON}, content=b"{}")
    assert_error(response, 405)
    assert response.headers["allow"] == "GET, HEAD, OPTIONS"


async def test_without_writes_they_are_not_spoken_of(client: httpx.AsyncClient) -> None:
    assert not set(WRITES.values()) & set((await client.get("/conformance")).json()["conformsTo"])
    paths = (await client.get("/api")).json()["paths"]
    assert {method for operations in paths.values() for method in operations} == {"get", "post"}
    assert "post" not in paths["/collections"]
    assert not any("bulk_items" in path for path in paths)


async def test_with_writes_they_are(writable: httpx.AsyncClient) -> None:
    for path in ("/", "/conformance"):
        assert set(WRITES.values()) <= set((await writable.get(path)).json()["conformsTo"])
    document = (await writable.get("/api")).json()
    OpenAPIV30SpecValidator(document).validate()
    methods = {path: set(operations) for path, operations in document["paths"].items()}
    assert methods["/collections"] == {"get", "post"}
    assert methods["/collections/{collection_id}"] == {"get", "put", "patch", "delete"}
    assert methods["/collections/{collection_id}/items"] == {"get", "post"}
    assert methods["/collections/{collection_id}/items/{item_id}"] == {"get", "put", "patch", "delete"}
    assert methods["/collections/{collection_id}/bulk_items"] == {"post"}
    for path, operations in document["paths"].items():
        asks = path.endswith(("/search", "/collections-search", "/aggregate", "/mosaic.vrt", "/cube"))
        for method in set(operations) - {"get"} - ({"post"} if asks else set()):
            assert "415" in operations[method]["responses"]
            assert ("requestBody" in operations[method]) == (method != "delete")


@pytest.mark.parametrize("path", ["/collections", COLLECTION, f"{COLLECTION}/items", f"{COLLECTION}/items/a"])
async def test_options_and_cors_name_the_methods(writable: httpx.AsyncClient, path: str) -> None:
    method = "POST" if path.endswith("s") and path != COLLECTION else "DELETE"
    assert method in (await writable.options(path)).headers["allow"].split(", ")
    headers = {"Origin": "https://app.example", "Access-Control-Request-Method": method}
    response = await writable.options(path, headers=headers | {"Access-Control-Request-Headers": "if-match"})
    assert response.status_code == 200
    assert method in response.headers["access-control-allow-methods"]


async def test_a_service_open_to_all_says_so_when_it_starts(
    settings: Settings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    await database.fetch(sql("SELECT 1"))
    async with writing(settings):
        assert [record.levelname for record in caplog.records if "UPESI_WRITES=open" in record.message] == ["WARNING"]


async def test_the_deepest_collection_is_on_the_page_of_all(writable: httpx.AsyncClient) -> None:
    places: tuple[tuple[str, ...], ...] = (("x",), ("extent", "x"), ("extent", "spatial", "x"))
    for number, place in enumerate(places):
        documents = [nested(f"{number} {steps}", place, steps) for steps in range(245, 255)]
        taken = [await is_taken(writable, "/collections", orjson.dumps(document)) for document in documents]
        assert taken == sorted(taken, reverse=True)
        assert (taken[0], taken[-1]) == (True, False)
    assert (await writable.get("/collections", headers={"Accept": "text/html"})).status_code == 200


def nested(name: str, place: tuple[str, ...], steps: int) -> Document:
    document = collection(name)
    holder = document
    for step in place[:-1]:
        holder = holder[step]
    inner: Any = 1
    for _ in range(steps - len(place)):
        inner = [inner]
    holder[place[-1]] = inner
    return document
