"""Footprints across the antimeridian in one piece, as many are published: found on both sides, served as they came."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from app.bulk.load import Loader
from app.settings import Settings
from tests.api.writing import writing
from tests.factories import Document, box, collection, item, load, point

pytestmark = pytest.mark.anyio

ITEMS = "/collections/things/items"
PIECE = box(175, 0, 185, 10)
EAST, WEST = "176,1,177,2", "-177,1,-176,2"
HALVES = {
    "type": "MultiPolygon",
    "coordinates": [box(175, 0, 180, 10)["coordinates"], box(-180, 0, -175, 10)["coordinates"]],
}


@pytest.fixture
async def writable(settings: Settings, loader: Loader) -> AsyncIterator[httpx.AsyncClient]:
    await load(loader, collection())
    async with writing(settings) as client:
        yield client


async def found(client: httpx.AsyncClient, **asked: Any) -> list[str]:
    response = await client.post("/search", json=asked)
    assert response.status_code == 200, response.text
    return sorted(feature["id"] for feature in response.json()["features"])


async def bbox(client: httpx.AsyncClient) -> list[float]:
    (served,) = (await client.get("/collections/things")).json()["extent"]["spatial"]["bbox"]
    assert isinstance(served, list)
    return served


@pytest.mark.parametrize("way", ["post", "put", "patch", "bulk", "load"])
async def test_it_is_found_on_both_sides(writable: httpx.AsyncClient, loader: Loader, way: str) -> None:
    document = item(geometry=PIECE)
    match way:
        case "post":
            await writable.post(ITEMS, json=document)
        case "put":
            await writable.post(ITEMS, json=item(geometry=point(180, 5)))
            await writable.put(f"{ITEMS}/thing", json=document)
        case "patch":
            await writable.post(ITEMS, json=item(geometry=point(180, 5)))
            await writable.patch(f"{ITEMS}/thing", json={"geometry": PIECE, "bbox": document["bbox"]})
        case "bulk":
            await writable.post("/collections/things/bulk_items", json={"items": {"thing": document}})
        case "load":
            await load(loader, document)
    for place in (EAST, WEST):
        numbers = [float(number) for number in place.split(",")]
        assert await found(writable, bbox=numbers) == ["thing"]
        assert await found(writable, intersects=box(*numbers)) == ["thing"]
        assert (await writable.get("/search", params={"filter": f"s_contains(geometry, BBOX({place}))"})).json()[
            "numberReturned"
        ]
        assert (await writable.get("/collections", params={"bbox": place})).json()["numberReturned"]
    assert await found(writable, bbox=[170, 0, 174, 10]) == []
    assert await found(writable, bbox=[-174, 0, 170, 10]) == []
    served = (await writable.get(f"{ITEMS}/thing")).json()
    assert (served["geometry"], served["bbox"]) == (PIECE, [175, 0, -175, 10])
    assert await bbox(writable) == [175, 0, -175, 10]


@pytest.mark.parametrize(
    ("geometries", "expected"),
    [
        ([PIECE], [175, 0, -175, 10]),
        ([HALVES], [175, 0, -175, 10]),
        ([PIECE, point(170, 5)], [170, 0, -175, 10]),
        ([point(170, 5), PIECE], [170, 0, -175, 10]),
        ([PIECE, point(-170, 20), PIECE], [175, 0, -170, 20]),
        ([PIECE, point(-179, 5), box(178, 1, 180, 2)], [175, 0, -175, 10]),
        ([point(0, 0), PIECE, point(-10, 0)], [-10, 0, -175, 10]),
        ([PIECE, box(-178, 0, 177, 5)], [-180, 0, 180, 10]),
        ([PIECE, box(-180, -1, 180, 1)], [-180, -1, 180, 10]),
        ([box(-180, -1, 180, 1), PIECE], [-180, -1, 180, 10]),
        ([box(190, 0, 200, 5)], [-170, 0, -160, 5]),
        ([box(-200, 0, 200, 5)], [-180, 0, 180, 5]),
        ([box(-10, 0, 190, 5)], [-10, 0, -170, 5]),
        ([point(181, 5), point(-181, 6)], [-179, 5, 179, 6]),
        ([{"type": "LineString", "coordinates": [[179, 5], [182, 5]]}, point(178, 5)], [178, 5, -178, 5]),
        ([{"type": "GeometryCollection", "geometries": [PIECE, point(187, 5)]}, point(174, 5)], [174, 0, -173, 10]),
        ([{"type": "MultiPoint", "coordinates": [[180, 0], [-180, 5]]}], [-180, 0, 180, 5]),
    ],
)
async def test_the_extent_is_the_narrowest(
    writable: httpx.AsyncClient, loader: Loader, geometries: list[Document], expected: list[float]
) -> None:
    """West is greater than east across the antimeridian. Written one by one, and all at once."""
    items = [item(f"{number}", geometry=geometry) for number, geometry in enumerate(geometries)]
    for document in items:
        assert (await writable.post(ITEMS, json=document)).status_code == 201
    assert await bbox(writable) == expected
    await writable.delete("/collections/things")
    await load(loader, collection(), *items)
    assert await bbox(writable) == expected


async def test_what_is_served_can_be_loaded_again(writable: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, item("a", geometry=PIECE), item("b", geometry=box(-190, 5, -175, 12)))
    before = [(await writable.get(path)).json() for path in ("/collections/things", ITEMS)]
    await writable.delete("/collections/things")
    await load(loader, before[0], *before[1]["features"])
    assert [(await writable.get(path)).json() for path in ("/collections/things", ITEMS)] == before
    assert await found(writable, bbox=[-178, 6, -177, 7]) == ["a", "b"]


async def test_what_goes_beyond_itself_is_refused(writable: httpx.AsyncClient) -> None:
    """A search has a box across the antimeridian instead, and a MultiPolygon."""
    for asked in ({"bbox": [175, 0, 185, 10]}, {"intersects": PIECE}):
        assert (await writable.post("/search", json=asked)).status_code == 400
