"""Query 1.0.0 over HTTP: https://github.com/stac-api-extensions/query/tree/v1.0.0."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.bulk.load import Loader
from tests.api.assertions import assert_error
from tests.factories import collection, item, load, point

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    items = [
        item(
            f"{number:02}",
            geometry=point(number, 10),
            properties={
                "datetime": f"2024-01-{number + 1:02}T00:00:00Z",
                "eo:cloud_cover": number * 10,
                "platform": "sentinel-2a" if number % 2 else "sentinel-2b",
                "instruments": ["msi"] if number < 8 else ["oli", "tirs"],
                "created": f"2024-02-01T{number:02}:00:00+01:00",
            },
        )
        for number in range(10)
    ]
    await load(loader, collection(), *items, item("none", properties={"platform": None}))
    return client


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return sorted(feature["id"] for feature in response.json()["features"])


CASES: list[tuple[Any, list[str]]] = [
    ({"eo:cloud_cover": {"gte": 20, "lt": 40}}, ["02", "03"]),
    ({"properties.eo:cloud_cover": {"eq": 20}}, ["02"]),
    ({"eo:cloud_cover": {"eq": "20"}}, ["02"]),
    ({"eo:cloud_cover": {"neq": 0, "lte": 20}, "platform": {"endsWith": "2b"}}, ["02"]),
    ({"platform": {"startsWith": "sentinel", "contains": "2a"}, "eo:cloud_cover": {"gt": 60}}, ["07", "09"]),
    ({"platform": {"in": ["sentinel-2a", "landsat"]}, "id": {"lt": "04"}}, ["01", "03"]),
    ({"instruments": {"in": ["oli", "x"]}}, ["08", "09"]),
    ({"instruments": {"contains": "tirs"}, "collection": {"eq": "things"}}, ["08", "09"]),
    ({"datetime": {"gte": "2024-01-09T00:00:00Z", "lt": "2024-02-01T00:00:00Z"}}, ["08", "09"]),
    ({"created": {"lt": "2024-02-01T00:30:00Z"}}, ["00", "01"]),
    ({"eo:cloud_cover": {"eq": "clear"}}, []),
]


@pytest.mark.parametrize("path", ["/search", "/collections/things/items"])
@pytest.mark.parametrize(("asked", "found"), CASES, ids=str)
async def test_get(filled: httpx.AsyncClient, path: str, asked: Any, found: list[str]) -> None:
    assert ids(await filled.get(f"{path}?limit=20&query={quote(json.dumps(asked))}")) == found


@pytest.mark.parametrize(("asked", "found"), CASES, ids=str)
async def test_post(filled: httpx.AsyncClient, asked: Any, found: list[str]) -> None:
    assert ids(await filled.post("/search", json={"query": asked})) == found


async def test_all_parameters_restrict_together(filled: httpx.AsyncClient) -> None:
    clear = {"eo:cloud_cover": {"lt": 50}}
    filter_ = {"op": "=", "args": [{"property": "platform"}, "sentinel-2a"]}
    body: dict[str, Any] = {"query": clear, "filter": filter_, "bbox": [2, 0, 20, 20], "collections": ["things"]}
    assert ids(await filled.post("/search", json=body)) == ["03"]
    assert ids(await filled.post("/search", json=body | {"query": {}})) == ["03", "05", "07", "09"]
    asked = {"query": json.dumps(clear), "filter": "platform = 'sentinel-2a'", "ids": "01,02,05", "sortby": "id"}
    assert ids(await filled.get("/search", params=asked)) == ["01"]


@pytest.mark.parametrize("sortby", ["", "&sortby=-eo:cloud_cover", "&bbox=0,0,20,20"])
async def test_pages(filled: httpx.AsyncClient, sortby: str) -> None:
    asked = quote(json.dumps({"eo:cloud_cover": {"gte": 30, "lte": 70}}))
    url: str | None = f"/search?limit=2&query={asked}{sortby}"
    walked: list[str] = []
    while url is not None:
        page = await filled.get(url)
        walked += ids(page)
        url = next((link["href"] for link in page.json()["links"] if link["rel"] == "next"), None)
    assert sorted(walked) == ["03", "04", "05", "06", "07"]
    assert len(walked) == 5


async def test_a_token_belongs_to_its_query(filled: httpx.AsyncClient) -> None:
    page = await filled.post("/search", json={"query": {"eo:cloud_cover": {"gte": 30}}, "limit": 1})
    (body,) = [link["body"] for link in page.json()["links"] if link["rel"] == "next"]
    assert body["query"] == {"eo:cloud_cover": {"gte": 30}}
    assert len(ids(await filled.post("/search", json=body))) == 1
    changed = body | {"query": {"eo:cloud_cover": {"gte": 31}}}
    assert_error(await filled.post("/search", json=changed), 400, parameter="token")


@pytest.mark.parametrize(
    "asked", ["", "x", "[]", "5", '{"a": 1}', '{"a": {"like": 1}}', '{"a": {"in": 1}}', "[" * 5000, "null"]
)
async def test_faults(filled: httpx.AsyncClient, asked: str) -> None:
    for path in ("/search", "/collections/things/items"):
        body = assert_error(await filled.get(f"{path}?query={quote(asked)}"), 400, parameter="query")
        assert body["description"].startswith("query: ")


async def test_faults_of_a_body(filled: httpx.AsyncClient) -> None:
    faulty: list[Any] = ["x", [], 5, {"a": {"gt": None}}, {"a": {"eq": {"b": {"c": []}}}}]
    for asked in faulty:
        assert_error(await filled.post("/search", json={"query": asked}), 400, parameter="query")
