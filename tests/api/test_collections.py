"""Collections: the list and its pages, extents, and one collection."""

import httpx
import pytest
from stac_pydantic.api import Collection, Collections

from app.bulk.load import Loader
from tests.api.assertions import assert_error, href, link, links, valid
from tests.factories import Document, box, collection, item, load

pytestmark = pytest.mark.anyio

DECLARED = {
    "spatial": {"bbox": [[-10.0, -20.0, 30.0, 40.0]]},
    "temporal": {"interval": [["2001-02-03T04:05:06Z", None]]},
}


def named(page: Document) -> list[str]:
    return [listed["id"] for listed in page["collections"]]


async def test_an_empty_catalogue_lists_nothing(client: httpx.AsyncClient) -> None:
    page = valid(await client.get("/collections"), Collections)
    assert page["collections"] == []
    assert page["numberReturned"] == page["numberMatched"] == 0
    described = {f"http://www.opengis.net/def/rel/ogc/1.0/{name}" for name in ("queryables", "sortables")}
    assert {link["rel"] for link in page["links"]} == {"self", "root", "parent", "alternate", *described}


async def test_the_list_has_the_collections_as_each_is_served(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection("b"), collection("a", title="First"), item(collection_id="b"))
    page = valid(await client.get("/collections"), Collections)
    assert named(page) == ["a", "b"]
    for listed in page["collections"]:
        assert listed == valid(await client.get(href(listed, "self")), Collection)


async def test_links_of_a_collection(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection())
    served = valid(await client.get("/collections/things"), Collection)
    assert {link["rel"]: link["href"] for link in served["links"]} == {
        "self": "http://stac.test/collections/things",
        "root": "http://stac.test/",
        "parent": "http://stac.test/",
        "items": "http://stac.test/collections/things/items",
        "alternate": "http://stac.test/collections/things?f=html",
        "aggregate": "http://stac.test/collections/things/aggregate",
        "aggregations": "http://stac.test/collections/things/aggregations",
        "http://www.opengis.net/def/rel/ogc/1.0/queryables": "http://stac.test/collections/things/queryables",
        "http://www.opengis.net/def/rel/ogc/1.0/sortables": "http://stac.test/collections/things/sortables",
    }
    assert link(served, "items")["type"] == "application/geo+json"


async def test_links_of_others_are_kept(client: httpx.AsyncClient, loader: Loader) -> None:
    licence = {"rel": "license", "href": "https://example.com/licence", "type": "text/html", "title": "Licence"}
    stale = [{"rel": rel, "href": "https://elsewhere.example"} for rel in ("self", "root", "parent", "items", "child")]
    await load(loader, collection(links=[licence, *stale]))
    served = (await client.get("/collections/things")).json()
    assert link(served, "license") == licence
    assert "elsewhere" not in str(served)


async def test_all_but_extent_and_links_is_served_as_it_was(client: httpx.AsyncClient, loader: Loader) -> None:
    more: Document = {
        "summaries": {"gsd": {"minimum": 1, "maximum": 10}},
        "x:count": 2**70,
        "keywords": ["ä", ""],
        "title": "T",
    }
    sent = collection(**more)
    await load(loader, sent)
    served = (await client.get("/collections/things")).json()
    assert served | {"links": []} == sent


async def test_the_extent_is_that_of_the_items(client: httpx.AsyncClient, loader: Loader) -> None:
    period = {"datetime": None, "start_datetime": "2019-01-01T00:00:00Z", "end_datetime": "2022-01-01T00:00:00Z"}
    await load(
        loader,
        collection(extent=DECLARED),
        item("a", geometry=box(1, 2, 3, 4), properties={"datetime": "2020-01-01T00:00:00Z"}),
        item("b", geometry=box(-5, 3, 2, 8.5), properties=period),
        item("c", geometry=None, bbox=None, properties={"datetime": "2021-06-01T12:00:00.5Z"}),
    )
    extent = valid(await client.get("/collections/things"), Collection)["extent"]
    assert extent["spatial"]["bbox"] == [[-5, 2, 3, 8.5]]
    assert extent["temporal"]["interval"] == [["2019-01-01T00:00:00Z", "2022-01-01T00:00:00Z"]]


async def test_without_items_the_extent_is_the_declared_one(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(extent=DECLARED))
    assert valid(await client.get("/collections/things"), Collection)["extent"] == DECLARED


async def test_items_nowhere_leave_the_declared_box(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(extent=DECLARED), item(geometry=None, bbox=None))
    extent = valid(await client.get("/collections/things"), Collection)["extent"]
    assert extent["spatial"] == DECLARED["spatial"]
    assert extent["temporal"]["interval"] == [["2024-07-16T12:00:00Z", "2024-07-16T12:00:00Z"]]


async def test_pages_forth_and_back(client: httpx.AsyncClient, loader: Loader) -> None:
    names = [f"c{number:02}" for number in range(11)]
    await load(loader, *map(collection, names))
    page = valid(await client.get("/collections", params={"limit": 4}), Collections)
    assert not links(page, "prev")
    forth = [named(page)]
    while links(page, "next"):
        page = valid(await client.get(href(page, "next")), Collections)
        forth.append(named(page))
    assert forth == [names[:4], names[4:8], names[8:]]
    back = []
    while links(page, "prev"):
        page = valid(await client.get(href(page, "prev")), Collections)
        back.append(named(page))
    assert back == [names[4:8], names[:4]]


async def test_without_a_limit_no_client_has_to_page(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, *(collection(f"c{number}") for number in range(60)))
    assert len((await client.get("/collections")).json()["collections"]) == 60


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=ten", "limit"),
        ("limit=", "limit"),
        ("limit=1&limit=2", "limit"),
        ("token=nonsense", "token"),
        ("token=", "token"),
        ("token=%00", "token"),
        ("token=W10", "token"),
        ("token=WyJhXHUwMDAwIixmYWxzZV0", "token"),
        ("unknown=1", "unknown"),
    ],
)
async def test_faults_of_the_list(client: httpx.AsyncClient, query: str, parameter: str) -> None:
    assert_error(await client.get(f"/collections?{query}"), 400, parameter)


@pytest.mark.parametrize("limit", ["1", "100", "10000", str(2**31), str(10**30)])
async def test_a_limit_beyond_the_maximum_is_the_maximum(client: httpx.AsyncClient, limit: str) -> None:
    valid(await client.get("/collections", params={"limit": limit}), Collections)


@pytest.mark.parametrize("path", ["nothing", "Things", "nothing/items", "nothing/items/thing", "a%00b", "%FF", "%25"])
async def test_a_collection_that_is_not_there_is_404(client: httpx.AsyncClient, loader: Loader, path: str) -> None:
    await load(loader, collection(), item())
    assert_error(await client.get(f"/collections/{path}"), 404)


async def test_one_collection_takes_no_parameters(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection())
    assert_error(await client.get("/collections/things?limit=1"), 400, "limit")
