"""The requests, each kind in many variants, so that nothing is answered from one cached page."""

import json
import random
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from benchmarks.catalogue import CLOUD, Document, Written

VARIANTS = 200
_NOWHERE = (-150, -30)  # in the Pacific, where no item lies

# Rough outlines, counterclockwise.
_COUNTRIES: dict[str, list[tuple[float, float]]] = {
    "Brazil": [(-70, -10), (-58, -17), (-57, -30), (-53, -33), (-48, -26), (-39, -18), (-35, -8), (-50, 0), (-60, 4)],
    "Chad": [(14, 13), (15, 8), (22, 11), (24, 16), (24, 20), (15, 23), (15, 17)],
    "France": [(-2, 47), (-1, 43), (3, 42), (7, 44), (7, 48), (4, 50), (2, 51), (-4, 48.5)],
    "India": [(69, 22), (73, 19), (77, 8), (80, 13), (83, 17), (87, 21), (92, 22), (88, 27), (78, 31), (74, 33)],
    "Kenya": [(34, -1), (39, -4.6), (41, -2), (42, 4), (36, 4.4), (34, 4)],
    "Mongolia": [(88, 48), (97, 43), (105, 41.6), (112, 44), (119, 47), (114, 50), (102, 51), (92, 50)],
}


@dataclass(frozen=True)
class Request:
    path: str
    body: dict[str, Any] | None = None

    def text(self) -> str:
        return json.dumps(self.body)


@dataclass(frozen=True)
class Scenario:
    """`kind` is what a service may lack, `sorted_by` the property that decides the order instead of the instant.

    One that is `unbounded` may take a service longer than it lets a search take.
    """

    name: str
    requests: list[Request]
    kind: str = "search"
    sorted_by: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    unbounded: bool = False


@dataclass(frozen=True)
class Post:
    """Bodies in pieces; between two pieces goes the id of an item."""

    name: str
    path: str
    bodies: list[list[str]]
    items: int


def _search(**body: Any) -> Request:
    return Request("/search", body)


def _near(item: Document, limit: int) -> Request:
    west, south = min(item["bbox"][0], 179.0), min(item["bbox"][1], 89.0)
    month = item["properties"]["datetime"][:7]
    interval = f"{month}-01T00:00:00Z/{month}-28T00:00:00Z"
    box = [west, south, west + 1, south + 1]
    return _search(collections=[item["collection"]], bbox=box, datetime=interval, limit=limit)


def _in_country(outline: list[tuple[float, float]], cloud: int) -> Request:
    polygon = {"type": "Polygon", "coordinates": [[*outline, outline[0]]]}
    less_cloudy = {"op": "<", "args": [{"property": CLOUD}, cloud]}
    return Request("/search", {"intersects": polygon, "filter-lang": "cql2-json", "filter": less_cloudy, "limit": 50})


def _chosen(written: Written) -> list[Document]:
    dice = random.Random(2)
    return [dice.choice(written.sample) for _ in range(VARIANTS)]


def limits(written: Written) -> list[Scenario]:
    """What the sketch can answer."""
    large, chosen = written.catalogue.large, _chosen(written)
    return [
        Scenario("GET newest of a collection, limit 10", [Request(f"/search?collections={large}&limit=10")]),
        *near(chosen),
        Scenario("item by id", [_item(item) for item in chosen], "item"),
    ]


def near(chosen: list[Document]) -> list[Scenario]:
    return [
        Scenario("1° box + month, limit 10", [_near(item, 10) for item in chosen]),
        Scenario("1° box + month, limit 100", [_near(item, 100) for item in chosen]),
    ]


def default() -> Scenario:
    return Scenario("default (GET /search)", [Request("/search")])


def searches(written: Written) -> list[Scenario]:
    catalogue, chosen = written.catalogue, _chosen(written)
    several = [catalogue.large, catalogue.second, catalogue.small]
    countries = [_in_country(outline, cloud) for outline in _COUNTRIES.values() for cloud in (5, 10, 20, 40)]
    few, empty = small(written)
    ids = [[item["id"] for item in chosen[n : n + 10]] for n in range(0, VARIANTS, 10)]
    return [
        default(),
        *near(chosen),
        Scenario("country + cloud cover, limit 50", countries, "filter"),
        Scenario("world box, newest", [_search(bbox=[-180, -90, 180, 90], limit=10)]),
        few,
        Scenario("several collections, limit 50", [_search(collections=several, limit=50)]),
        Scenario("10 ids", [_search(ids=several) for several in ids]),
        empty,
        Scenario(
            "1° box + month, limit 100, gzip",
            [_near(item, 100) for item in chosen],
            "gzip",
            headers={"Accept-Encoding": "gzip"},
        ),
    ]


def small(written: Written) -> tuple[Scenario, Scenario]:
    """What costs any service as little as a search can."""
    west, south = _NOWHERE
    empty = [_search(bbox=[west, south + n / 100, west + 1, south + 1 + n / 100]) for n in range(VARIANTS)]
    few = [_search(collections=[written.catalogue.small], limit=10)]
    return Scenario("small collection in a large catalogue", few), Scenario("empty box", empty)


def pages(written: Written) -> tuple[Scenario, Scenario]:
    """Whole pages of 100 large items, plain and as requests and pystac-client ask for them."""
    asked = [_search(collections=[written.catalogue.large], limit=100)]
    name = "newest 100 of a collection"
    return Scenario(name, asked), Scenario(f"{name}, gzip", asked, "gzip", headers={"Accept-Encoding": "gzip"})


def many_collections(count: int) -> Scenario:
    return Scenario(f"collections, 100 of {count:,}", [Request("/collections?limit=100")], "paging")


def sorts(written: Written, indexed: bool) -> Scenario:
    order = [{"field": CLOUD, "direction": "asc"}]
    asked = [_search(collections=[written.catalogue.large], sortby=order, limit=10)]
    name = f"sort by cloud cover, {'indexed' if indexed else 'no index'}"
    return Scenario(name, asked, "sort", CLOUD, unbounded=not indexed)


def reads(written: Written) -> list[Scenario]:
    return [
        Scenario("item by id", [_item(item) for item in _chosen(written)], "item"),
        Scenario("collections", [Request("/collections")], "collections"),
        Scenario("landing page", [Request("/")], "landing"),
    ]


def _item(item: Document) -> Request:
    return Request(f"/collections/{item['collection']}/items/{quote(item['id'])}")


def walk(written: Written, limit: int) -> Request:
    return _search(collections=[written.catalogue.large], limit=limit)


_ID = "@the-id@"


def posts(collection: str, models: list[Document]) -> tuple[Post, Post]:
    """One item a request, and an ItemCollection of 100."""
    path = f"/collections/{collection}/items"
    blank = [{name: value for name, value in model.items() if name != "links"} | {"links": []} for model in models]
    blank = [model | {"id": _ID} for model in blank]
    hundred = {"type": "FeatureCollection", "features": [blank[n % len(blank)] for n in range(100)]}
    return (
        Post("POST an item", path, [json.dumps(model).split(_ID) for model in blank], 1),
        Post("POST an ItemCollection of 100", path, [json.dumps(hundred).split(_ID)], 100),
    )
