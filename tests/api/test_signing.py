import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from app.bulk.load import Loader
from app.settings import Settings
from tests import factories
from tests.api.assertions import assert_error
from tests.api.serving import serving
from tests.api.writing import writing

pytestmark = pytest.mark.anyio
KEYS = {"access_key_id": "AKIATEST", "secret_access_key": "s3cr3t"}
S3 = {"type": "s3", "hosts": ["s3://bucket"], "serve": True} | KEYS
ITEM = "/collections/things/items/a"


def with_signers(settings: Settings, *said: dict[str, Any]) -> Settings:
    return settings.model_copy(update={"signers": SecretStr(json.dumps(said))})


@pytest.fixture
async def signing(settings: Settings, loader: Loader) -> AsyncIterator[httpx.AsyncClient]:
    """A service that signs, with three items."""
    assets = {"data": {"href": "s3://bucket/a.tif"}, "other": {"href": "https://data.example.com/b.tif"}}
    items = [factories.item(name, assets=assets) for name in "abc"]
    await factories.load(loader, factories.collection(), *items)
    async with serving(with_signers(settings, S3)) as client:
        yield client


def hrefs(item: dict[str, Any]) -> list[str]:
    return [asset["href"] for asset in item["assets"].values()]


def assert_signed(item: dict[str, Any]) -> None:
    signed, other = hrefs(item)
    assert signed.startswith("https://bucket.s3.us-east-1.amazonaws.com/a.tif?")
    assert "X-Amz-Signature=" in signed
    assert "s3cr3t" not in signed
    assert other == "https://data.example.com/b.tif"


async def test_item(signing: httpx.AsyncClient) -> None:
    answer = await signing.get(ITEM, params={"sign": "true"})
    assert_signed(answer.json())
    assert answer.headers["cache-control"] == "private, no-store"
    assert "etag" not in answer.headers
    plain = (await signing.get(ITEM, params={"sign": "false"})).json()
    assert plain == (await signing.get(ITEM)).json()
    assert hrefs(plain)[0] == "s3://bucket/a.tif"
    assert answer.json() | {"assets": {}} == plain | {"assets": {}}


@pytest.mark.parametrize("path", ["/search", "/collections/things/items"])
async def test_pages_by_get(signing: httpx.AsyncClient, path: str) -> None:
    first = (await signing.get(path, params={"sign": "true", "limit": 2})).json()
    following = next(link["href"] for link in first["links"] if link["rel"] == "next")
    second = (await signing.get(following)).json()
    for feature in first["features"] + second["features"]:
        assert_signed(feature)
    assert first["numberMatched"] == 3


async def test_pages_by_post(signing: httpx.AsyncClient) -> None:
    first = (await signing.post("/search?sign=true", json={"limit": 2})).json()
    following = next(link for link in first["links"] if link["rel"] == "next")
    second = (await signing.request(following["method"], following["href"], json=following["body"])).json()
    assert {feature["id"] for feature in first["features"] + second["features"]} == {"a", "b", "c"}
    for feature in first["features"] + second["features"]:
        assert_signed(feature)


async def test_fields(signing: httpx.AsyncClient) -> None:
    found = (await signing.get("/search", params={"sign": "true", "fields": "id,-assets"})).json()
    assert all("assets" not in feature for feature in found["features"])


@pytest.mark.parametrize("fields", ["-collection", "assets,-collection"])
async def test_an_item_that_does_not_say_its_collection_is_still_of_it(
    settings: Settings, loader: Loader, fields: str
) -> None:
    assets = {"data": {"href": "s3://bucket/a.tif"}}
    await factories.load(loader, factories.collection(), factories.item("a", assets=assets))
    async with serving(with_signers(settings, S3 | {"collections": ["things"]})) as client:
        (found,) = (await client.get("/search", params={"sign": "true", "fields": fields})).json()["features"]
    assert "collection" not in found
    assert "X-Amz-Signature=" in hrefs(found)[0]


async def test_grid(signing: httpx.AsyncClient) -> None:
    answer = await signing.get(f"{ITEM}/assets/data/grid", params={"sign": "true"})
    assert "X-Amz-Signature=" in answer.json()["href"]
    assert answer.json()["expires"].endswith("Z")
    assert answer.headers["cache-control"] == "private, no-store"
    assert (await signing.get(f"{ITEM}/assets/data/grid")).json()["expires"] is None


@pytest.mark.parametrize("path", [ITEM, "/search", "/collections/things/items", f"{ITEM}/assets/data/grid"])
async def test_bad_value(signing: httpx.AsyncClient, path: str) -> None:
    assert_error(await signing.get(path, params={"sign": "yes"}), 400, "sign")


async def test_streams_are_not_signed(signing: httpx.AsyncClient) -> None:
    assert_error(await signing.get("/search", params={"sign": "true", "f": "ndjson"}), 400, "sign")
    headers = {"Accept": "application/x-ndjson"}
    assert_error(await signing.get("/search", params={"sign": "true"}, headers=headers), 400, "sign")


@pytest.mark.parametrize("query", ["sign=false", "filter=design='a'%20OR%20id='a'"])
async def test_streams_that_ask_for_no_signatures(signing: httpx.AsyncClient, query: str) -> None:
    assert (await signing.get(f"/search?f=ndjson&limit=1&{query}")).status_code == 200


async def test_stream_with_a_bad_value(signing: httpx.AsyncClient) -> None:
    error = assert_error(await signing.get("/search", params={"sign": "yes", "f": "ndjson"}), 400, "sign")
    assert "neither true nor false" in error["description"]


@pytest.mark.parametrize("said", [[], [S3]])
async def test_openapi(settings: Settings, said: list[Any]) -> None:
    async with serving(with_signers(settings, *said)) as client:
        paths = (await client.get("/api")).json()["paths"]
    for path, method in (("/search", "get"), ("/search", "post"), ("/collections/{collection_id}/items", "get")):
        assert ("sign" in {parameter["name"] for parameter in paths[path][method]["parameters"]}) == bool(said)


@pytest.mark.parametrize("said", [[], [S3 | {"serve": False}], [{"type": "bearer", "hosts": ["a"], "token": "x"}]])
async def test_not_where_the_operator_serves_none(settings: Settings, loader: Loader, said: list[Any]) -> None:
    await factories.load(loader, factories.collection(), factories.item("a"))
    async with serving(with_signers(settings, *said)) as client:
        for path in (ITEM, "/search", f"{ITEM}/assets/data/grid"):
            error = assert_error(await client.get(path, params={"sign": "true"}), 400, "sign")
            assert "unknown parameter 'sign'" in error["description"]
        assert_error(await client.post("/search?sign=true", json={}), 400, "sign")


async def test_token_endpoint_that_is_down(settings: Settings, loader: Loader) -> None:
    planetary = {"type": "planetary-computer", "token_url": "http://127.0.0.1:9/token", "serve": True}
    blob = {"data": {"href": "https://acc0unt.blob.core.windows.net/container/a.tif"}}
    await factories.load(loader, factories.collection(), factories.item("a", assets=blob))
    async with serving(with_signers(settings, planetary)) as client:
        answer = await client.get(ITEM, params={"sign": "true"})
        assert "cannot be reached" in assert_error(answer, 503)["description"]
        assert (await client.get(ITEM)).status_code == 200


URL = "https://bucket.s3.us-east-1.amazonaws.com/a%20b.tif"
STORED = {
    "object": {"href": "s3://bucket/a b.tif", "alternate": {"https": {"href": URL}}},
    "url": {"href": URL, "alternate": {"s3": {"href": "s3://bucket/a b.tif"}}},
    "other": {"href": "https://data.example.com/b.tif?sig=1&X-Amz-Signature=2"},
}
BOTH = S3 | {"hosts": ["s3://bucket", "bucket.s3.us-east-1.amazonaws.com"]}


@pytest.fixture
async def written(settings: Settings, loader: Loader) -> AsyncIterator[httpx.AsyncClient]:
    """A service that signs and can be written to."""
    await factories.load(loader, factories.collection(), factories.item("a", assets=STORED))
    async with writing(with_signers(settings, BOTH)) as client:
        yield client


async def test_what_was_signed_is_stored_as_it_was(written: httpx.AsyncClient) -> None:
    """By PUT, by both kinds of patch, whole and in part."""
    signed = (await written.get(ITEM, params={"sign": "true"})).json()
    href = signed["assets"]["object"]["href"]
    assert "X-Amz-Signature=" in href
    operations = [{"op": "replace", "path": "/assets/object/href", "value": href}]
    merge = {"Content-Type": "application/merge-patch+json"}
    for answer in (
        await written.put(ITEM, json=signed),
        await written.patch(ITEM, json={"assets": signed["assets"]}, headers=merge),
        await written.patch(ITEM, json=operations, headers={"Content-Type": "application/json-patch+json"}),
    ):
        assert answer.status_code == 204, answer.text
        assert (await written.get(ITEM)).json()["assets"] == STORED


async def test_copy_of_what_was_signed_is_stored_without_signatures(written: httpx.AsyncClient) -> None:
    signed = (await written.get(ITEM, params={"sign": "true"})).json()
    items = "/collections/things/items"
    posts = [
        (items, signed | {"id": "b"}),
        (items, {"type": "FeatureCollection", "features": [signed | {"id": "c"}]}),
        ("/collections/things/bulk_items", {"items": {"d": signed | {"id": "d"}}}),
    ]
    for path, body in posts:
        answer = await written.post(path, json=body)
        assert answer.is_success, answer.text
    for name in "bcd":
        assets = (await written.get(f"{items}/{name}")).json()["assets"]
        assert assets["object"] == {"href": URL, "alternate": {"https": {"href": URL}}}
        assert assets["other"] == STORED["other"]
