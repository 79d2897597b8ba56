"""Fields 1.0.0 over HTTP, on search and on items."""

import httpx
import pytest

from app.bulk.load import Loader
from tests.api.assertions import GEOJSON, assert_error
from tests.factories import Document, collection, item, load

pytestmark = pytest.mark.anyio

IDENTITY = {"type": "Feature", "stac_version": "1.1.0", "collection": "things"}


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    await load(loader, collection(), item("a", properties={"gsd": 10}), item("b", properties={"gsd": 20}))
    return client


def features(response: httpx.Response) -> list[Document]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == GEOJSON
    found: list[Document] = response.json()["features"]
    return found


@pytest.mark.parametrize("path", ["/search", "/collections/things/items"])
async def test_get(filled: httpx.AsyncClient, path: str) -> None:
    found = features(await filled.get(f"{path}?fields=id,properties.gsd&sortby=id"))
    assert found == [
        IDENTITY | {"id": "a", "properties": {"gsd": 10}},
        IDENTITY | {"id": "b", "properties": {"gsd": 20}},
    ]


async def test_post_and_the_next_page(filled: httpx.AsyncClient) -> None:
    body = {"fields": {"include": ["id"]}, "limit": 1, "sortby": [{"field": "id"}]}
    first = await filled.post("/search", json=body)
    assert features(first) == [IDENTITY | {"id": "a"}]
    (next_page,) = [link for link in first.json()["links"] if link["rel"] == "next"]
    assert features(await filled.post(next_page["href"], json=next_page["body"])) == [IDENTITY | {"id": "b"}]


async def test_links_can_be_left_out(filled: httpx.AsyncClient) -> None:
    assert "links" not in features(await filled.get("/search?fields=-links"))[0]


@pytest.mark.parametrize("fields", [None, [], 1, {"include": "id"}])
async def test_faults(filled: httpx.AsyncClient, fields: object) -> None:
    assert_error(await filled.post("/search", json={"fields": fields}), 400, parameter="fields")
