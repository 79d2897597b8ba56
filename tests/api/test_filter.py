"""CQL2 over HTTP: both encodings, by GET and POST, on search and on items, page by page."""

import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.bulk.load import Loader
from tests.api.assertions import assert_error
from tests.factories import box, collection, item, load, point

pytestmark = pytest.mark.anyio

CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    items = [
        item(f"{number:02}", geometry=point(number, 10), properties={"eo:cloud_cover": number * 10, "platform": "S2A"})
        for number in range(10)
    ]
    await load(loader, collection(), *items, item("none", properties={"platform": "Élan"}))
    return client


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return sorted(feature["id"] for feature in response.json()["features"])


CASES: list[tuple[str, Any, list[str]]] = [
    ("eo:cloud_cover < 20", {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]}, ["00", "01"]),
    ("properties.eo:cloud_cover IS NULL", {"op": "isNull", "args": [{"property": "eo:cloud_cover"}]}, ["none"]),
    (
        "id IN ('03', '04') AND collection = 'things'",
        {"op": "in", "args": [{"property": "id"}, ["03", "04"]]},
        ["03", "04"],
    ),
    (
        "S_INTERSECTS(geometry, BBOX(6.5, 0, 8.5, 20))",
        {"op": "s_intersects", "args": [{"property": "geometry"}, box(6.5, 0, 8.5, 20)]},
        ["07", "08"],
    ),
    (
        "CASEI(ACCENTI(platform)) = CASEI(ACCENTI('ELAN'))",
        {"op": "like", "args": [{"op": "casei", "args": [{"property": "platform"}]}, {"op": "casei", "args": ["É%"]}]},
        ["none"],
    ),
    ("eo:cloud_cover = 'x'", {"op": "=", "args": [{"property": "eo:cloud_cover"}, "x"]}, []),
]


@pytest.mark.parametrize("path", ["/search", "/collections/things/items"])
@pytest.mark.parametrize(("text", "tree", "found"), CASES, ids=[case[0] for case in CASES])
async def test_get(filled: httpx.AsyncClient, path: str, text: str, tree: Any, found: list[str]) -> None:
    assert ids(await filled.get(f"{path}?limit=20&filter={quote(text)}&filter-crs={quote(CRS84)}")) == found
    encoded = quote(json.dumps(tree))
    assert ids(await filled.get(f"{path}?limit=20&filter-lang=cql2-json&filter={encoded}")) == found


@pytest.mark.parametrize(("text", "tree", "found"), CASES, ids=[case[0] for case in CASES])
async def test_post(filled: httpx.AsyncClient, text: str, tree: Any, found: list[str]) -> None:
    assert ids(await filled.post("/search", json={"filter": tree})) == found
    assert ids(await filled.post("/search", json={"filter": text, "filter-lang": "cql2-text"})) == found


@pytest.mark.parametrize("sortby", ["", "&sortby=-eo:cloud_cover", "&bbox=0,0,20,20"])
async def test_pages(filled: httpx.AsyncClient, sortby: str) -> None:
    url: str | None = f"/search?limit=2&filter={quote('eo:cloud_cover BETWEEN 25 AND 75')}{sortby}"
    walked: list[str] = []
    while url is not None:
        page = await filled.get(url)
        walked += ids(page)
        url = next((link["href"] for link in page.json()["links"] if link["rel"] == "next"), None)
    assert sorted(walked) == ["03", "04", "05", "06", "07"]
    assert len(walked) == 5


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("filter=", "filter"),
        ("filter=a%20%3D", "filter"),
        ("filter=nosuch(1)", "filter"),
        ("filter=" + "(" * 2000 + "a%3D1" + ")" * 2000, "filter"),
        ("filter=1%3D1&filter-lang=cql-text", "filter-lang"),
        ("filter-lang=cql-text", "filter-lang"),
        ("filter=1%3D1&filter-crs=EPSG:3857", "filter-crs"),
        ("filter=%7B&filter-lang=cql2-json", "filter"),
    ],
)
async def test_faults(filled: httpx.AsyncClient, query: str, parameter: str) -> None:
    assert_error(await filled.get(f"/search?{query}"), 400, parameter=parameter)
