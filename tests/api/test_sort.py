"""Sort 1.1.0: https://github.com/stac-api-extensions/sort/tree/v1.1.0."""

import base64

import httpx
import orjson
import pytest

from app.bulk.load import Loader
from tests.api.assertions import assert_error
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio

CLOUDS = {"a": 5, "b": None, "c": 50.5, "d": "many", "e": 5}


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    items = [item(name, properties={"eo:cloud_cover": cloud}) for name, cloud in CLOUDS.items()]
    await load(loader, collection(), *items, item("f", properties={"datetime": "2020-01-01T00:00:00Z"}))
    return client


def ids(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return "".join(feature["id"] for feature in response.json()["features"])


@pytest.mark.parametrize("path", ["/search", "/collections/things/items"])
@pytest.mark.parametrize(
    ("sortby", "order"),
    [
        ("id", "abcdef"),
        ("-id", "fedcba"),
        ("%2Bid", "abcdef"),
        ("+id", "abcdef"),
        ("properties.eo:cloud_cover,id", "aecdbf"),
        ("-eo:cloud_cover,-id", "ceadfb"),
        ("properties.datetime,-id", "fedcba"),
        ("no:such,id", "abcdef"),
    ],
)
async def test_get(filled: httpx.AsyncClient, path: str, sortby: str, order: str) -> None:
    assert ids(await filled.get(f"{path}?sortby={sortby}")) == order


async def test_post(filled: httpx.AsyncClient) -> None:
    sortby = [{"field": "properties.eo:cloud_cover", "direction": "desc"}, {"field": "id", "direction": "asc"}]
    assert ids(await filled.post("/search", json={"sortby": sortby})) == "caedbf"


@pytest.mark.parametrize("sortby", ["id", "-eo:cloud_cover", "datetime"])
async def test_pages_forth_and_back(filled: httpx.AsyncClient, sortby: str) -> None:
    whole = ids(await filled.get(f"/search?sortby={sortby}"))
    page, walked = await filled.get(f"/search?sortby={sortby}&limit=2"), ""
    for _ in range(2):
        walked += ids(page)
        page = await filled.get(link(page, "next"))
    assert walked + ids(page) == whole
    assert ids(await filled.get(link(page, "prev"))) == whole[2:4]


def link(response: httpx.Response, rel: str) -> str:
    (href,) = [found["href"] for found in response.json()["links"] if found["rel"] == rel]
    return str(href)


@pytest.mark.parametrize("sortby", ["", "-", ",", "id,,id"])
async def test_faults(filled: httpx.AsyncClient, sortby: str) -> None:
    assert_error(await filled.get(f"/search?sortby={sortby}"), 400, parameter="sortby")


@pytest.mark.parametrize("value", ["one", 1, None, "5); DROP TABLE items; --"])
async def test_a_token_with_other_values(filled: httpx.AsyncClient, value: object) -> None:
    href = link(await filled.get("/search?sortby=eo:cloud_cover&limit=1"), "next")
    head, _, token = href.partition("token=")
    values = orjson.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    values[6] = value
    forged = base64.urlsafe_b64encode(orjson.dumps(values)).decode().rstrip("=")
    response = await filled.get(f"{head}token={forged}")
    assert response.status_code == (200 if value is None else 400)


async def test_a_dot_in_a_name_or_between_two(filled: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, item("n", properties={"a": {"b": 2}}), item("m", properties={"a.b": 1}))
    assert ids(await filled.get("/search?sortby=a.b,id")) == "mnabcdef"
