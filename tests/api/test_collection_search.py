"""Collection Search 1.0.0-rc.1: https://github.com/stac-api-extensions/collection-search/tree/v1.0.0-rc.1."""

import httpx
import orjson
import pytest
from stac_pydantic.api import Collections

from app.bulk.load import Loader
from tests.api.assertions import JSON, assert_error, href, link, links, valid
from tests.factories import Document, collection, item, load, point

pytestmark = pytest.mark.anyio


def extent(bbox: list[float], *interval: str | None) -> Document:
    return {"spatial": {"bbox": [bbox]}, "temporal": {"interval": [interval]}}


DOCUMENTS = [
    collection(
        "sentinel-2-l2a",
        title="Sentinel-2 Level-2A",
        keywords=["Earth Observation", "MSI"],
        license="CC-BY-4.0",
        extent=extent([-180, -90, 180, 90], "2015-06-27T10:25:31Z", None),
        summaries={"gsd": [10, 20, 60]},
    ),
    collection(
        "dem", title="Elevation", extent=extent([170, -50, -170, -30], "2010-01-01T00:00:00Z", "2015-01-01T00:00:00Z")
    ),
    collection("fires", title="Incêndios", keywords=["forest-fire"], extent=extent([-60, -30, -40, 0], None, None)),
    item(collection_id="fires", geometry=point(5, 45), properties={"datetime": "2020-05-05T00:00:00Z"}),
]


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    await load(loader, *DOCUMENTS)
    return client


def ids(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == JSON
    page = response.json()
    found = [listed["id"] for listed in page["collections"]]
    assert page["numberReturned"] == len(found)
    return found


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, "dem fires sentinel-2-l2a"),
        ({"bbox": "-175,-40,-174,-39"}, "dem sentinel-2-l2a"),
        ({"bbox": "178,-40,-100,-178,-39,100"}, "dem sentinel-2-l2a"),
        ({"bbox": "5,45,6,46"}, "fires sentinel-2-l2a"),
        ({"bbox": "-50,-10,-49,-9"}, "sentinel-2-l2a"),
        ({"datetime": "2015-01-01T00:00:00Z"}, "dem"),
        ({"datetime": "2020-01-01T00:00:00Z/.."}, "fires sentinel-2-l2a"),
        ({"datetime": "../2000-01-01T00:00:00Z"}, ""),
        ({"q": "SENTINEL 2"}, "sentinel-2-l2a"),
        ({"q": "incÊndios,elevation"}, "dem fires"),
        ({"q": "fire"}, "fires"),
        ({"q": "earth-observation"}, "sentinel-2-l2a"),
        ({"q": "observation earth"}, ""),
        ({"q": "'; DROP TABLE collections; --"}, ""),
        ({"filter": "license = 'CC-BY-4.0'"}, "sentinel-2-l2a"),
        ({"filter": "a_contains(keywords, ('forest-fire'))"}, "fires"),
        ({"filter": "a_contains(summaries.gsd, (10))"}, "sentinel-2-l2a"),
        ({"filter": "casei(title) LIKE casei('ele%') OR id = 'fires'"}, "dem fires"),
        ({"filter": "collection IN ('dem', 'x')"}, "dem"),
        ({"filter": "S_INTERSECTS(geometry, POINT(5 45))"}, "fires sentinel-2-l2a"),
        ({"filter": "T_AFTER(datetime, TIMESTAMP('2015-01-02T00:00:00Z'))"}, "fires sentinel-2-l2a"),
        ({"filter": "keywords IS NULL"}, "dem"),
        ({"sortby": "-title"}, "sentinel-2-l2a fires dem"),
        ({"sortby": "+license,-id"}, "sentinel-2-l2a fires dem"),
        ({"sortby": "datetime"}, "dem sentinel-2-l2a fires"),
        ({"q": "sentinel,fire", "datetime": "2020-05-05T00:00:00Z", "sortby": "-id", "limit": "1"}, "sentinel-2-l2a"),
    ],
    ids=str,
)
async def test_get(filled: httpx.AsyncClient, parameters: dict[str, str], found: str) -> None:
    assert ids(await filled.get("/collections", params=parameters)) == found.split()


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({}, "dem fires sentinel-2-l2a"),
        ({"bbox": [-175, -40, -174, -39], "q": ["elevation", "x"]}, "dem"),
        ({"q": "elevation,fire"}, "dem fires"),
        ({"filter": {"op": "=", "args": [{"property": "license"}, "CC-BY-4.0"]}}, "sentinel-2-l2a"),
        ({"filter": "license = 'CC-BY-4.0'", "filter-lang": "cql2-text"}, "sentinel-2-l2a"),
        ({"sortby": [{"field": "title", "direction": "desc"}], "limit": 2}, "sentinel-2-l2a fires"),
    ],
    ids=str,
)
async def test_post(filled: httpx.AsyncClient, body: Document, found: str) -> None:
    assert ids(await filled.post("/collections-search", json=body)) == found.split()


async def test_number_matched_is_of_all_pages(filled: httpx.AsyncClient) -> None:
    page = valid(await filled.get("/collections?limit=2&q=elevation,sentinel,fire"), Collections)
    assert (page["numberMatched"], page["numberReturned"]) == (3, 2)
    last = valid(await filled.get(href(page, "next")), Collections)
    assert (last["numberMatched"], last["numberReturned"]) == (3, 1)
    assert href(last, "self") == href(page, "next")


@pytest.mark.parametrize("sortby", ["id", "-title", "license"])
async def test_pages_of_get(filled: httpx.AsyncClient, sortby: str) -> None:
    whole = ids(await filled.get("/collections", params={"sortby": sortby}))
    page = await filled.get("/collections", params={"sortby": sortby, "limit": 1})
    walked = ids(page)
    while links(page.json(), "next"):
        page = await filled.get(href(page.json(), "next"))
        walked += ids(page)
    assert walked == whole
    assert ids(await filled.get(href(page.json(), "prev"))) == whole[-2:-1]


async def test_pages_of_post(filled: httpx.AsyncClient) -> None:
    body = {"limit": 1, "fields": {"include": ["title"]}, "sortby": "-title"}
    first = (await filled.post("/collections-search", json=body)).json()
    next_page = link(first, "next")
    assert next_page == {
        "rel": "next",
        "href": "http://stac.test/collections-search",
        "type": JSON,
        "method": "POST",
        "body": body | {"token": next_page["body"]["token"]},
        "merge": False,
    }
    second = await filled.post(next_page["href"], json=next_page["body"])
    assert ids(second) == ["fires"]
    previous = link(second.json(), "prev")
    assert ids(await filled.post(previous["href"], json=previous["body"])) == ["sentinel-2-l2a"]


async def test_a_token_of_items_is_none_of_collections(filled: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, item("second", "fires"))
    token = href((await filled.get("/search?limit=1")).json(), "next").partition("token=")[2]
    assert_error(await filled.get(f"/collections?token={token}"), 400, "token")


async def test_fields(filled: httpx.AsyncClient) -> None:
    (dem,) = (await filled.get("/collections?q=elevation&fields=title,extent.spatial,-links")).json()["collections"]
    assert dem == {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": "dem",
        "title": "Elevation",
        "extent": {"spatial": {"bbox": [[170, -50, -170, -30]]}},
    }
    least = valid(await filled.get("/collections?fields="), Collections)["collections"][0]
    assert least.keys() == {"type", "stac_version", "id", "links", "description", "license", "extent"}
    most = (await filled.get("/collections?fields=-summaries,-links")).json()["collections"][2]
    assert "keywords" in most
    assert not {"summaries", "links"} & most.keys()


@pytest.mark.parametrize(
    ("name", "value"),
    [("bbox", "1,2,3"), ("datetime", "2020"), ("q", ","), ("filter", "a ="), ("sortby", "-"), ("fields", "a,,b")],
)
async def test_faults(filled: httpx.AsyncClient, name: str, value: str) -> None:
    assert_error(await filled.get("/collections", params={name: value}), 400, name)
    assert_error(await filled.post("/collections-search", json={name: value}), 400, name)


async def test_faults_of_post(filled: httpx.AsyncClient) -> None:
    assert_error(await filled.post("/collections-search", content=b"{"), 400, "body")
    assert_error(await filled.post("/collections-search?limit=1"), 400, "limit")
    assert_error(await filled.post("/collections-search", json={"intersects": point(0, 0)}), 400, "intersects")


@pytest.mark.parametrize(
    "q", ["a" * 500, "ű" * 500, "\U00020000" * 500, "İ" * 500, "1e5 -3 x@y.z <b> &amp; %", "\\", "''", "a\tb"]
)
async def test_any_term_is_answered(filled: httpx.AsyncClient, q: str) -> None:
    assert ids(await filled.post("/collections-search", json={"q": [q]})) == []


async def test_what_jsonb_and_tsvector_cannot_hold_is_kept(client: httpx.AsyncClient, loader: Loader) -> None:
    words = " ".join(f"{number:x}ü" for number in range(200_000))
    odd = collection(description=words, title="a\0b", keywords=["x" * 3000, 'q"uo\\te'])
    await load(loader, odd)
    served = orjson.loads((await client.get("/collections/things")).content)
    assert {name: served[name] for name in ("title", "description", "keywords")} == {
        name: odd[name] for name in ("title", "description", "keywords")
    }
    assert ids(await client.get("/collections?q=ffü")) == ["things"]


@pytest.mark.parametrize(("rel", "member"), [("queryables", "keywords"), ("sortables", "title")])
async def test_what_can_be_named_is_linked(filled: httpx.AsyncClient, rel: str, member: str) -> None:
    found = link((await filled.get("/collections")).json(), f"http://www.opengis.net/def/rel/ogc/1.0/{rel}")
    assert found["href"] == f"http://stac.test/collections-{rel}"
    response = await filled.get(found["href"])
    assert response.headers["content-type"] == found["type"] == "application/schema+json"
    schema = response.json()
    assert (schema["$id"], schema["type"], schema["additionalProperties"]) == (found["href"], "object", True)
    assert schema["properties"][member]["title"]


async def test_a_collection_that_is_replaced_is_found_as_it_is_now(filled: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection("dem", title="Bathymetry", extent=extent([0, 0, 1, 1], "2030-01-01T00:00:00Z", None)))
    assert ids(await filled.get("/collections?q=elevation")) == []
    assert ids(await filled.get("/collections?q=bathymetry&bbox=0,0,1,1&datetime=2031-01-01T00:00:00Z")) == ["dem"]
    assert ids(await filled.get("/collections?filter=title='Bathymetry'")) == ["dem"]
