"""Free-Text 1.0.0-rc.1, the basic class: https://github.com/stac-api-extensions/freetext-search."""

import httpx
import orjson
import pytest

from app.bulk.load import Loader
from tests.api.assertions import assert_error
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    texts = {"a": "Earth Observation", "b": "the Earth", "c": "Observation of Earth", "d": "EO, and more", "e": "water"}
    times = {name: f"2024-01-0{day}T00:00:00Z" for day, name in enumerate(texts, start=1)}
    items = [item(name, properties={"description": text, "datetime": times[name]}) for name, text in texts.items()]
    await load(loader, collection(), *items)
    return client


def ids(response: httpx.Response) -> str:
    assert response.status_code == 200, response.text
    return "".join(feature["id"] for feature in response.json()["features"])


@pytest.mark.parametrize("path", ["/search", "/collections/things/items"])
@pytest.mark.parametrize(
    ("q", "found"),
    [
        ("EO,Earth Observation", "da"),
        ("earth", "cba"),
        ("EARTH%20OBSERVATION", "a"),
        ("earth+observation", "a"),
        ("water,earth,nothing", "ecba"),
        ("!!!", ""),
        ("earth%26observation", "a"),
        ("earth%20|%20water", ""),
        ("earth&sortby=id&limit=2", "ab"),
        ("earth&limit=2", "cb"),
        ("earth&ids=a,e", "a"),
        ("earth&datetime=2024-01-02T00:00:00Z/..", "cb"),
    ],
)
async def test_get(filled: httpx.AsyncClient, path: str, q: str, found: str) -> None:
    assert ids(await filled.get(f"{path}?q={q}")) == found


@pytest.mark.parametrize("q", [["EO", "Earth Observation"], "EO,Earth Observation", ["EO, and more", "observation"]])
async def test_post(filled: httpx.AsyncClient, q: object) -> None:
    assert set("da") <= set(ids(await filled.post("/search", json={"q": q}))) <= set("dca")


async def test_pages_forth_and_back(filled: httpx.AsyncClient) -> None:
    first = await filled.get("/search?q=earth&limit=2")
    second = await filled.get(link(first, "next"))
    assert ids(first) + ids(second) == "cba"
    assert ids(await filled.get(link(second, "prev"))) == "cb"
    posted = await filled.post("/search", json={"q": ["earth"], "limit": 2})
    (onward,) = (each for each in posted.json()["links"] if each["rel"] == "next")
    assert ids(await filled.post("/search", json=onward["body"])) == "a"


@pytest.mark.parametrize("q", ["", ",", "%20", "x" * 2001, ",".join(map(str, range(10_000))), "a%00b"])
async def test_fault(filled: httpx.AsyncClient, q: str) -> None:
    assert_error(await filled.get(f"/search?q={q}"), 400, "q")
    assert_error(await filled.get(f"/collections/things/items?q={q}"), 400, "q")


@pytest.mark.parametrize("q", [[], [5], {}, 7, True, [["a"]], ["\0"], [" "], ["a"] * 3 + ["b" * 2000]])
async def test_fault_in_a_body(filled: httpx.AsyncClient, q: object) -> None:
    assert_error(await filled.post("/search", content=orjson.dumps({"q": q})), 400, "q")


@pytest.mark.parametrize(
    "q", ["a & b | !c", "a <-> b", "a:*", "'", "''", "\\", "\x01", "(", "ÿ\U0010ffff", "x" * 2000, "é" * 2000]
)
async def test_any_text_is_a_term(filled: httpx.AsyncClient, q: str) -> None:
    ids(await filled.post("/search", json={"q": [q]}))


def link(response: httpx.Response, relation: str) -> str:
    (found,) = (each["href"] for each in response.json()["links"] if each["rel"] == relation)
    return str(found)
