"""pystac-client, the client most people have, against a real server."""

from typing import Any

import pystac
import pytest
from pystac_client import Client, ItemSearch

from tests.conformance.conftest import COLLECTIONS, documents
from tests.factories import box, point

# The client is synchronous, and the server is another process; the fixtures alone run in an event loop.
pytestmark = pytest.mark.usefixtures("anyio_backend")

ITEMS = {document["id"]: document for document in documents() if document["type"] == "Feature"}
OPTICAL = {name for name in ITEMS if name.startswith("optical")}
AT_20_20 = {"elevation-00", *(f"optical-{number:02}" for number in range(0, 60, 10))}
SEARCHES: list[tuple[dict[str, Any], set[str]]] = [
    ({}, set(ITEMS)),
    ({"limit": 7}, set(ITEMS)),
    ({"collections": ["optical"], "limit": 11}, OPTICAL),
    ({"collections": ["without-items"]}, set()),
    ({"collections": ["optical", "elevation"], "limit": 50}, set(ITEMS)),
    ({"bbox": [20, 20, 21, 21]}, AT_20_20),
    ({"bbox": [20, 20, 21, 21], "collections": ["optical"], "limit": 2}, AT_20_20 & OPTICAL),
    ({"intersects": point(20.5, 20.5), "limit": 3}, AT_20_20),
    ({"intersects": box(20, 20, 20.1, 20.1), "collections": ["elevation"]}, {"elevation-00"}),
    ({"ids": ["optical-07", "elevation-03", "nothing"]}, {"optical-07", "elevation-03"}),
    ({"ids": ["optical-07", "elevation-03"], "collections": ["elevation"]}, {"elevation-03"}),
    ({"datetime": "2024-01-01T10:00:00.25Z"}, {"optical-00"}),
    ({"datetime": "2024-01-01/2024-01-03"}, {"optical-00", "optical-01", "optical-02"}),
    ({"datetime": "2012", "limit": 10}, set(ITEMS) - OPTICAL),
    ({"datetime": "2024-02-20T00:00:00Z/.."}, {f"optical-{number}" for number in range(47, 60)}),
    ({"datetime": "../2015-01-22T00:00:00Z", "collections": ["optical"]}, set()),
]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("parameters", "expected"), SEARCHES)
def test_a_search_finds_each_item_once(
    catalogue: str, method: str, parameters: dict[str, Any], expected: set[str]
) -> None:
    search = Client.open(catalogue).search(method=method, max_items=None, **parameters)
    found = [item.id for item in search.items()]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"q": "optical,ELEVATION"}, ["elevation", "optical"]),
        ({"bbox": [20, 20, 21, 21], "q": "without items"}, ["without-items"]),
        ({"datetime": "2012"}, ["elevation", "without-items"]),
        ({"filter": "title = 'Optical'"}, ["optical"]),
        ({"filter": {"op": "like", "args": [{"property": "id"}, "%ti%"]}, "limit": 1}, ["elevation", "optical"]),
        ({"sortby": "-title", "limit": 2}, ["without-items", "optical", "elevation"]),
        ({"sortby": [{"field": "id", "direction": "desc"}], "max_collections": 1}, ["without-items"]),
    ],
)
def test_a_collection_search_is_the_server_s(catalogue: str, parameters: dict[str, Any], expected: list[str]) -> None:
    """The client warns of what it filters itself, and a warning fails the test."""
    search = Client.open(catalogue).collection_search(**parameters)
    assert [collection.id for collection in search.collections()] == expected


def test_a_collection_search_with_fields_and_its_count(catalogue: str) -> None:
    search = Client.open(catalogue).collection_search(fields=["title"], q="optical", limit=1)
    (found,) = search.collections_as_dicts()
    assert found.keys() == {"type", "stac_version", "id", "links", "title"}
    assert Client.open(catalogue).collection_search(q="elevation,optical", limit=1).matched() == 2


@pytest.mark.parametrize(
    ("q", "parameters", "expected"),
    [
        ("SCENE", {"limit": 25}, OPTICAL),
        ("nothing,optical 07,elevation-03", {}, {"optical-07", "elevation-03"}),
        ("scene", {"bbox": [20, 20, 21, 21], "limit": 2}, AT_20_20 & OPTICAL),
    ],
)
def test_free_text_in_the_url(catalogue: str, q: str, parameters: dict[str, Any], expected: set[str]) -> None:
    """`Client.search` has no `q` yet (0.9.1), and follows a URL that has one."""
    search = ItemSearch(f"{catalogue}/search?q={q}", method="GET", client=Client.open(catalogue), **parameters)
    assert sorted(item.id for item in search.items()) == sorted(expected)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_max_items_stops_in_the_middle_of_a_page(catalogue: str, method: str) -> None:
    search = Client.open(catalogue).search(method=method, max_items=15, limit=10)
    assert [len(list(page["features"])) for page in search.pages_as_dicts()] == [10, 5]


def test_every_item_and_collection_is_valid(catalogue: str) -> None:
    client = Client.open(catalogue)
    items = list(client.search(limit=50).items_as_dicts())
    assert len(items) == len(ITEMS)
    for document in items:
        pystac.Item.from_dict(document).validate()
    for collection in client.get_collections():
        collection.validate()


def test_it_walks_from_collections_to_items(catalogue: str) -> None:
    client = Client.open(catalogue)
    assert [collection.id for collection in client.get_collections()] == COLLECTIONS
    optical = client.get_collection("optical")
    assert optical is not None
    assert {item.id for item in optical.get_items()} == OPTICAL
    item = optical.get_item("optical-42")
    assert item is not None
    assert item.get_self_href() == f"{catalogue}/collections/optical/items/optical-42"
    assert optical.get_item("nothing") is None


def test_an_item_leads_to_its_collection_and_root(catalogue: str) -> None:
    (item,) = Client.open(catalogue).search(ids=["optical-42"]).items()
    collection = item.get_collection()
    assert collection is not None
    assert collection.id == "optical"
    assert pystac.Item.from_file(str(item.get_self_href())).to_dict()["properties"] == item.to_dict()["properties"]
