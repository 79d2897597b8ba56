"""UPESI_VALIDATE_QUERYABLES: a search may name only what items have."""

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.bulk.load import Loader
from app.settings import Settings
from tests.api.assertions import assert_error
from tests.api.serving import serving
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio


@pytest.fixture
async def strict(settings: Settings, loader: Loader) -> AsyncIterator[httpx.AsyncClient]:
    await load(loader, collection(), collection("others"), collection("none"))
    await load(loader, item(properties={"eo:cloud_cover": 5, "k": {"l": 1}, "a.b": 1, "list": [1], "id": 5}))
    await load(loader, item("other", "others", properties={"platform": "L9"}))
    async with serving(settings.model_copy(update={"validate_queryables": True})) as client:
        yield client


KNOWN = ["eo:cloud_cover", "properties.eo:cloud_cover", "k.l", "a.b", "list", "properties.id", "id", "collection"]
KNOWN += ["datetime", "properties.datetime", "start_datetime", "properties.end_datetime"]


@pytest.mark.parametrize("path", ["/search", "/collections/things/items"])
@pytest.mark.parametrize("name", KNOWN)
async def test_what_items_have_can_be_named(strict: httpx.AsyncClient, path: str, name: str) -> None:
    assert (await strict.get(f"{path}?filter={name} IS NULL")).status_code == 200
    if name != "list":
        assert (await strict.get(f"{path}?sortby={name}")).status_code == 200


@pytest.mark.parametrize("path", ["/search", "/collections/things/items"])
@pytest.mark.parametrize(
    ("query", "parameter", "said"),
    [
        ("filter=eo:cloud_cver < 5 OR id = 'x'", "filter", "'eo:cloud_cver'; near to it: eo:cloud_cover"),
        ("filter=NOT (datetime IS NULL AND (casei(x) LIKE casei('y')))", "filter", "'x'"),
        ("filter=t_after(INTERVAL('2020-01-01', ending), datetime)", "filter", "'ending'"),
        ("filter=a_overlaps(lists, (1))", "filter", "'lists'; near to it: list"),
        ("filter=eo:cloud_cover * nope.k = 1", "filter", "'nope.k'"),
        (f"query={quote(json.dumps({'eo:cloud': {'lt': 5}}))}", "filter", "'eo:cloud'; near to it: eo:cloud_cover"),
        ("sortby=-properties.eo:cloud", "sortby", "'eo:cloud'; near to it: eo:cloud_cover"),
        ("sortby=list", "sortby", "'list' has arrays"),
        ("sortby=k", "sortby", "'k' has arrays or objects"),
        ("sortby=geometry", "sortby", "'geometry'"),
        (f"filter={'x' * 900} = 1", "filter", "xxx"),
    ],
    ids=lambda value: value[:50],
)
async def test_what_no_item_has(strict: httpx.AsyncClient, path: str, query: str, parameter: str, said: str) -> None:
    body = assert_error(await strict.get(f"{path}?{query}"), 400, parameter=parameter)
    assert said in body["description"]


async def test_a_collection_has_its_own(strict: httpx.AsyncClient) -> None:
    assert (await strict.get("/search?filter=platform='L9'")).status_code == 200
    assert (await strict.get("/collections/others/items?filter=platform='L9'")).status_code == 200
    for name in ("things", "none"):
        assert_error(await strict.get(f"/collections/{name}/items?filter=platform='L9'"), 400, parameter="filter")
    assert_error(await strict.get("/collections/nowhere/items?filter=platform='L9'"), 404)


async def test_by_post(strict: httpx.AsyncClient) -> None:
    body: Any = {"sortby": [{"field": "nope"}], "query": {"eo:cloud_cover": {"lt": 10}}}
    assert_error(await strict.post("/search", json=body), 400, parameter="sortby")
    assert len((await strict.post("/search", json=body | {"sortby": [{"field": "id"}]})).json()["features"]) == 1


@pytest.mark.parametrize("path", ["/queryables", "/collections/things/sortables"])
async def test_schemas_are_closed(strict: httpx.AsyncClient, path: str) -> None:
    assert (await strict.get(path)).json()["additionalProperties"] is False


async def test_without_it_any_name_is_taken(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), item())
    assert (await client.get("/search?filter=nope IS NULL&sortby=nope")).json()["numberReturned"] == 1
