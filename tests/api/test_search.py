"""Item search: every parameter by GET and by POST, and the pages."""

import base64
import json
from typing import Any

import httpx
import orjson
import pytest
from stac_pydantic.api import ItemCollection

from app.bulk.load import Loader
from tests.api.assertions import assert_error, href, ids, link, links, valid
from tests.factories import Document, box, collection, item, load, point

pytestmark = pytest.mark.anyio

METHODS = ["GET", "POST"]
METHOD = pytest.mark.parametrize("method", METHODS)

PERIOD = {"datetime": None, "start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "2020-12-31T23:59:59Z"}
CATALOGUE = [
    collection(),
    collection("others"),
    collection("without-items"),
    item("noon", geometry=point(10, 50), properties={"datetime": "2024-07-16T12:00:00Z"}),
    item("micro", geometry=point(11, 50), properties={"datetime": "2024-07-16T12:00:00.000001Z"}),
    item("period", geometry=box(0, 0, 1, 1), properties=PERIOD),
    item("eastern", geometry=box(170, -20, 179, -10), properties={"datetime": "2024-08-01T00:00:00Z"}),
    item("western", geometry=box(-179, -20, -170, -10), properties={"datetime": "2024-08-02T00:00:00Z"}),
    item("nowhere", geometry=None, properties={"datetime": "2021-01-01T00:00:00Z"}),
    item("other", "others", geometry=point(10, 50), properties={"datetime": "2023-01-01T00:00:00+01:00"}),
]
NEWEST_FIRST = ["western", "eastern", "micro", "noon", "other", "nowhere", "period"]
EVERYWHERE = set(NEWEST_FIRST) - {"nowhere"}


def query(parameters: Document) -> dict[str, str]:
    """The members of a POST body as a query string has them."""

    def text(value: Any) -> str:
        if isinstance(value, list):
            return ",".join(map(str, value))
        return value if isinstance(value, str) else orjson.dumps(value).decode()

    return {name: text(value) for name, value in parameters.items()}


async def ask(client: httpx.AsyncClient, method: str, parameters: Document) -> httpx.Response:
    if method == "GET":
        return await client.get("/search", params=query(parameters))
    return await client.post("/search", json=parameters)


@pytest.fixture
async def searched(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    await load(loader, *CATALOGUE)
    return client


@METHOD
async def test_a_search_for_nothing_finds_all_newest_first(searched: httpx.AsyncClient, method: str) -> None:
    page = valid(await ask(searched, method, {}), ItemCollection)
    assert ids(page) == NEWEST_FIRST
    assert page["numberReturned"] == 7
    assert [(link["rel"], link["href"]) for link in page["links"]] == [
        ("self", "http://stac.test/search"),
        ("root", "http://stac.test/"),
        *([("alternate", "http://stac.test/search?f=html")] if method == "GET" else []),
    ]


DATETIMES: list[tuple[str, set[str]]] = [
    ("2024-07-16T12:00:00Z", {"noon"}),
    ("2024-07-16t12:00:00z", {"noon"}),
    ("2024-07-16T12:00:00.0Z", {"noon"}),
    ("2024-07-16T12:00:00.000000000Z", {"noon"}),
    ("2024-07-16T12:00:00.000000999Z", {"noon"}),
    ("2024-07-16T12:00:00.000001Z", {"micro"}),
    ("2024-07-16T12:00:00.000001000000Z", {"micro"}),
    ("2024-07-16T12:00:00+00:00", {"noon"}),
    ("2024-07-16T12:00:00-00:00", {"noon"}),
    ("2024-07-16T14:00:00+02:00", {"noon"}),
    ("2024-07-16T06:30:00-05:30", {"noon"}),
    ("2022-12-31T23:00:00Z", {"other"}),
    ("2016-12-31T23:59:60Z", set()),
    ("0001-01-01T00:00:00Z/9999-12-31T23:59:59Z", set(NEWEST_FIRST)),
    ("2024-07-16T12:00:00Z/2024-07-16T12:00:00Z", {"noon"}),
    ("2024-07-16T12:00:00Z/2024-07-16T12:00:00.000001Z", {"noon", "micro"}),
    ("2024-07-16T00:00:00Z/2024-07-16T12:00:00Z", {"noon"}),
    ("2024-07-16T12:00:00.000001Z/2024-07-31T00:00:00Z", {"micro"}),
    ("2024-07-16T12:00:00.000002Z/2024-07-31T23:59:59.999999Z", set()),
    ("2024-08-01T00:00:00Z/..", {"eastern", "western"}),
    ("2024-08-01T00:00:00Z/", {"eastern", "western"}),
    ("2024-08-01T00:00:00.000001Z/..", {"western"}),
    ("../2021-01-01T00:00:00Z", {"nowhere", "period"}),
    ("/2021-01-01T00:00:00Z", {"nowhere", "period"}),
    ("../2020-12-31T23:59:59.999999Z", {"period"}),
    ("../2019-12-31T23:59:59.999999Z", set()),
    ("../2020-01-01T00:00:00Z", {"period"}),
    ("2020-06-01T00:00:00Z", {"period"}),
    ("2020-01-01T00:00:00Z", {"period"}),
    ("2020-12-31T23:59:59Z", {"period"}),
    ("2020-12-31T23:59:59.000001Z", set()),
    ("2020-06-01T00:00:00Z/2020-06-02T00:00:00Z", {"period"}),
    ("2019-06-01T00:00:00Z/2021-06-02T00:00:00Z", {"period", "nowhere"}),
    ("2020-12-31T23:59:59Z/2020-12-31T23:59:59.5Z", {"period"}),
]


@METHOD
@pytest.mark.parametrize(("text", "expected"), DATETIMES)
async def test_datetime(searched: httpx.AsyncClient, method: str, text: str, expected: set[str]) -> None:
    assert set(ids(valid(await ask(searched, method, {"datetime": text}), ItemCollection))) == expected


ILLEGAL_DATETIMES = [
    *("", "/", "//", "../..", "/..", "../", "..", "2024-07-16T12:00:00Z/../..", "now", "null", " "),
    *("2024", "2024-07", "2024-07-16", "2024-07-16T12:00:00", "2024-07-16 12:00:00Z", "2024-07-16T12:00Z"),
    *("24-07-16T12:00:00Z", "12024-07-16T12:00:00Z", "2024-7-16T12:00:00Z", "20240716T120000Z"),
    *("2024-13-16T12:00:00Z", "2024-00-16T12:00:00Z", "2024-07-32T12:00:00Z", "2023-02-29T12:00:00Z"),
    *("2024-07-16T25:00:00Z", "2024-07-16T12:60:00Z", "2024-07-16T12:00:61Z", "0000-01-01T00:00:00Z"),
    *("2024-07-16T12:00:50.Z", "2024-07-16T12:00:50,5Z", "2024-07-16T12:00:00+0100", "2024-07-16T12:00:00+01"),
    *("2024-07-16T12:00:00+24:00", "2024-07-16T12:00:00+01:60", "2024-07-16T12:00:00ZZ", "2024-07-16T12:00:00UTC"),
    *("2024-08-01T00:00:00Z/2024-07-01T00:00:00Z", "2024-07-16T12:00:00Z/2024", "2024/2025", "-2024-07-16T12:00:00Z"),
    *("2024-07-16T12:00:00Z,2024-07-17T12:00:00Z", "\uff12024-07-16T12:00:00Z", "2024-07-16T12:00:00Z\n"),
]


@METHOD
@pytest.mark.parametrize("text", ILLEGAL_DATETIMES)
async def test_illegal_datetime(client: httpx.AsyncClient, method: str, text: str) -> None:
    assert_error(await ask(client, method, {"datetime": text}), 400, "datetime")


BOXES: list[tuple[list[float], set[str]]] = [
    ([-180, -90, 180, 90], EVERYWHERE),
    ([-180, -90, -500, 180, 90, 9000], EVERYWHERE),
    ([9, 49, 12, 51], {"noon", "micro", "other"}),
    ([9, 49, 0, 12, 51, 0], {"noon", "micro", "other"}),
    ([9, 49, -1, 12, 51, 1], {"noon", "micro", "other"}),
    ([10, 50, 10, 50], {"noon", "other"}),
    ([10, 49, 10, 51], {"noon", "other"}),
    ([9, 50, 12, 50], {"noon", "micro", "other"}),
    ([1, 1, 5, 5], {"period"}),
    ([1.0000001, 1, 5, 5], set()),
    ([0.25, 0.25, 0.5, 0.5], {"period"}),
    ([175, -30, -175, 0], {"eastern", "western"}),
    ([175, -30, -1, -175, 0, 1], {"eastern", "western"}),
    ([178, -15, -180, -12], {"eastern"}),
    ([180, -15, -172, -12], {"western"}),
    ([160, -30, 165, 0], set()),
    ([20, -90, 5, 90], EVERYWHERE - {"noon", "micro", "other"}),
]


@METHOD
@pytest.mark.parametrize(("bbox", "expected"), BOXES)
async def test_bbox(searched: httpx.AsyncClient, method: str, bbox: list[float], expected: set[str]) -> None:
    assert set(ids(valid(await ask(searched, method, {"bbox": bbox}), ItemCollection))) == expected


FAULTY_BOXES: list[list[float]] = [
    [],
    [1],
    [1, 2],
    [1, 2, 3],
    [1, 2, 3, 4, 5],
    [1, 2, 3, 4, 5, 6, 7],
    [0, 1, 1, 0],
    [0, 0, 5, 1, 1, 4],
    [-181, 0, 1, 1],
    [0, -91, 1, 1],
    [0, 0, 180.1, 1],
    [0, 0, 1, 90.1],
    [0, 0, 0, 1, 91, 1],
]


@METHOD
@pytest.mark.parametrize("bbox", FAULTY_BOXES)
async def test_illegal_bbox(client: httpx.AsyncClient, method: str, bbox: list[float]) -> None:
    assert_error(await ask(client, method, {"bbox": bbox}), 400, "bbox")


@pytest.mark.parametrize(
    "text",
    [
        *("[0,0,1,1]", "(0,0,1,1)", "0,0,1", "0,0,1,", "0 0 1 1", "a,b,c,d", "0;0;1;1", '"0","0","1","1"', "null"),
        *(
            "nan,0,1,1",
            "0,0,inf,1",
            "0,0,Infinity,1",
            "-inf,0,1,1",
            "0,0,1e999,1",
            "0x1,0,1,1",
            "1_0,0,20,1",
            "\u0660,0,1,1",
        ),
    ],
)
async def test_illegal_bbox_of_a_query_string(client: httpx.AsyncClient, text: str) -> None:
    assert_error(await client.get("/search", params={"bbox": text}), 400, "bbox")


@pytest.mark.parametrize("text", ["9,49,12,51", " 9, 49, 12, 51", "9.0,4.9e1,+12,51.", "9,49,0,12,51,100.5"])
async def test_numbers_of_a_query_string(searched: httpx.AsyncClient, text: str) -> None:
    page = valid(await searched.get("/search", params={"bbox": text}), ItemCollection)
    assert set(ids(page)) == {"noon", "micro", "other"}


@pytest.mark.parametrize(
    "bbox", ["9,49,12,51", ["9", "49", "12", "51"], [True, 0, 1, 1], [[0, 0, 1, 1]], {}, 5, [0, 0, None, 1]]
)
async def test_illegal_bbox_of_a_body(client: httpx.AsyncClient, bbox: object) -> None:
    assert_error(await client.post("/search", json={"bbox": bbox}), 400, "bbox")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999"])
async def test_numbers_json_does_not_have(client: httpx.AsyncClient, number: str) -> None:
    assert_error(await client.post("/search", content=f'{{"bbox": [{number}, 0, 1, 1]}}'), 400)


POLYGON = box(9, 49, 10.5, 51)
GEOMETRIES: list[tuple[Document, set[str]]] = [
    (point(10, 50), {"noon", "other"}),
    ({"type": "Point", "coordinates": [10, 50, 8848]}, {"noon", "other"}),
    ({"type": "MultiPoint", "coordinates": [[11, 50], [0.5, 0.5]]}, {"micro", "period"}),
    ({"type": "LineString", "coordinates": [[9, 50], [10.5, 50]]}, {"noon", "other"}),
    ({"type": "MultiLineString", "coordinates": [[[10.5, 50], [12, 50]], [[0, 0], [1, 1]]]}, {"micro", "period"}),
    (POLYGON, {"noon", "other"}),
    (
        {
            "type": "Polygon",
            "coordinates": [*box(9, 49, 12, 51)["coordinates"], *box(9.5, 49.5, 10.5, 50.5)["coordinates"]],
        },
        {"micro"},
    ),
    (
        {"type": "MultiPolygon", "coordinates": [POLYGON["coordinates"], box(0, 0, 9, 9)["coordinates"]]},
        {"noon", "other", "period"},
    ),
    ({"type": "GeometryCollection", "geometries": [point(11, 50), POLYGON]}, {"noon", "other", "micro"}),
    (
        {"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection", "geometries": [point(11, 50)]}]},
        {"micro"},
    ),
    (point(100, 0), set()),
    (box(-180, -90, 180, 90), EVERYWHERE),
]


@METHOD
@pytest.mark.parametrize(("geometry", "expected"), GEOMETRIES)
async def test_intersects(searched: httpx.AsyncClient, method: str, geometry: Document, expected: set[str]) -> None:
    assert set(ids(valid(await ask(searched, method, {"intersects": geometry}), ItemCollection))) == expected


@METHOD
@pytest.mark.parametrize(
    "geometry",
    [
        *(
            {},
            [],
            5,
            "POINT (10 50)",
            {"type": "Point"},
            {"type": "Circle", "coordinates": [1, 1]},
            {"coordinates": [1, 1]},
        ),
        *(
            {"type": "Point", "coordinates": []},
            {"type": "Point", "coordinates": ["1", "b"]},
            {"type": "Point", "coordinates": [1]},
        ),
        {"type": "LineString", "coordinates": [[1, 1]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1]]]},
        {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]},
        {"type": "Polygon", "coordinates": []},
        {"type": "MultiPoint", "coordinates": []},
        {"type": "GeometryCollection", "geometries": []},
        {"type": "GeometryCollection", "geometries": [{"type": "Point"}]},
        {"type": "Feature", "geometry": point(1, 1), "properties": {}},
        {"type": "Point", "coordinates": [181, 0]},
        {"type": "Point", "coordinates": [0, 90.5]},
    ],
)
async def test_illegal_intersects(client: httpx.AsyncClient, method: str, geometry: object) -> None:
    assert_error(await ask(client, method, {"intersects": geometry}), 400, "intersects")


@pytest.mark.parametrize("text", ["", "notjson", "{", '{"type":"Point","coordinates":[NaN,0]}', "\x00", "[" * 20_000])
async def test_intersects_that_is_not_json(client: httpx.AsyncClient, text: str) -> None:
    assert_error(await client.get("/search", params={"intersects": text}), 400, "intersects")


@METHOD
async def test_bbox_and_intersects_exclude_each_other(client: httpx.AsyncClient, method: str) -> None:
    assert_error(await ask(client, method, {"bbox": [0, 0, 1, 1], "intersects": point(0, 0)}), 400, "intersects")


COMBINED: list[tuple[Document, set[str]]] = [
    ({"ids": ["noon", "other", "missing"]}, {"noon", "other"}),
    ({"ids": ["noon", "noon"]}, {"noon"}),
    ({"ids": ["missing"]}, set()),
    ({"ids": []}, set(NEWEST_FIRST)),
    ({"collections": []}, set(NEWEST_FIRST)),
    ({"collections": ["others"]}, {"other"}),
    ({"collections": ["others", "things"]}, set(NEWEST_FIRST)),
    ({"collections": ["others", "missing"]}, {"other"}),
    ({"collections": ["missing"]}, set()),
    ({"collections": ["without-items"]}, set()),
    ({"ids": ["noon", "other"], "collections": ["others"]}, {"other"}),
    ({"ids": ["noon", "other"], "datetime": "2024-01-01T00:00:00Z/.."}, {"noon"}),
    ({"ids": ["noon", "eastern", "western"], "bbox": [175, -30, -175, 0]}, {"eastern", "western"}),
    ({"ids": ["noon", "micro"], "intersects": point(11, 50)}, {"micro"}),
    ({"bbox": [10, 50, 10, 50], "collections": ["others"]}, {"other"}),
    ({"bbox": [10, 50, 10, 50], "datetime": "../2024-01-01T00:00:00Z"}, {"other"}),
    ({"collections": ["things"], "datetime": "../2022-01-01T00:00:00Z"}, {"nowhere", "period"}),
    (
        {"bbox": [0, 0, 1, 1], "datetime": "2020-06-01T00:00:00Z", "collections": ["things"], "ids": ["period"]},
        {"period"},
    ),
    ({"bbox": [0, 0, 1, 1], "datetime": "2021-06-01T00:00:00Z", "collections": ["things"], "ids": ["period"]}, set()),
]


@METHOD
@pytest.mark.parametrize(("parameters", "expected"), COMBINED)
async def test_filters_combine(
    searched: httpx.AsyncClient, method: str, parameters: Document, expected: set[str]
) -> None:
    assert set(ids(valid(await ask(searched, method, parameters), ItemCollection))) == expected


async def test_a_bare_string_is_a_list_of_one(searched: httpx.AsyncClient) -> None:
    assert ids((await searched.post("/search", json={"collections": "others"})).json()) == ["other"]
    assert ids((await searched.post("/search", json={"ids": "noon"})).json()) == ["noon"]


async def test_members_that_are_null_say_nothing(searched: httpx.AsyncClient) -> None:
    names = ("bbox", "intersects", "datetime", "ids", "collections", "limit", "token")
    page = valid(await searched.post("/search", json=dict.fromkeys(names)), ItemCollection)
    assert ids(page) == NEWEST_FIRST
    assert ids((await searched.post("/search", json={"bbox": None, "intersects": point(11, 50)})).json()) == ["micro"]


async def test_an_empty_body_is_an_empty_search(searched: httpx.AsyncClient) -> None:
    assert ids(valid(await searched.post("/search"), ItemCollection)) == NEWEST_FIRST


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        *((b"[]", "body"), (b"null", "body"), (b"5", "body"), (b'"text"', "body"), (b"{", "body"), (b"bbox=1", "body")),
        *((b"\xff\xfe", "body"), (b'{"ids": ["\\ud800"]}', "body"), (b"[" * 100_000, "body"), (b"\0", "body")),
        *((b'{"unknown": null}', "unknown"), (b'{"filter": {}}', "filter"), (b'{"q": []}', "q")),
        *(
            (b'{"ids": [5]}', "ids"),
            (b'{"ids": {}}', "ids"),
            (b'{"ids": [null]}', "ids"),
            (b'{"ids": ["a\\u0000"]}', "ids"),
        ),
        *((b'{"collections": 5}', "collections"), (b'{"collections": [["a"]]}', "collections")),
        *((b'{"datetime": 2024}', "datetime"), (b'{"datetime": ["2024-01-01T00:00:00Z"]}', "datetime")),
        *(
            (b'{"limit": "10"}', "limit"),
            (b'{"limit": 1.5}', "limit"),
            (b'{"limit": true}', "limit"),
            (b'{"limit": []}', "limit"),
        ),
        *(
            (b'{"limit": 0}', "limit"),
            (b'{"limit": -1}', "limit"),
            (b'{"token": 5}', "token"),
            (b'{"token": {}}', "token"),
        ),
    ],
)
async def test_faults_of_a_body(client: httpx.AsyncClient, body: bytes, parameter: str) -> None:
    response = await client.post("/search", content=body, headers={"Content-Type": "application/json"})
    assert_error(response, 400, parameter)


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *(
            ("limit=0", "limit"),
            ("limit=-1", "limit"),
            ("limit=ten", "limit"),
            ("limit=1.5", "limit"),
            ("limit=", "limit"),
        ),
        *(("limit=1e3", "limit"), ("limit=%D9%A1", "limit"), ("limit=1&limit=2", "limit"), ("limit=+", "limit")),
        *(
            ("bbox=0,0,1,1&bbox=0,0,1,1", "bbox"),
            ("collections=a&collections=b", "collections"),
            ("ids=a&ids=b", "ids"),
        ),
        *(
            ("bbox=", "bbox"),
            ("unknown=1", "unknown"),
            ("unknown", "unknown"),
            ("Limit=1", "Limit"),
            ("bbox[]=1", "bbox[]"),
        ),
        *(("filter=a%3D", "filter"), ("words=text", "words"), ("conf={}", "conf"), ("querie={}", "querie")),
        *(("ids=a%00b", "ids"), ("collections=%00", "collections")),
    ],
)
async def test_faults_of_a_query_string(client: httpx.AsyncClient, query: str, parameter: str) -> None:
    assert_error(await client.get(f"/search?{query}"), 400, parameter)


async def test_a_post_takes_nothing_from_the_query_string(client: httpx.AsyncClient) -> None:
    assert_error(await client.post("/search?limit=1", json={}), 400, "limit")


@METHOD
@pytest.mark.parametrize(
    ("limit", "count"),
    [(1, 1), (2, 2), (6, 6), (7, 7), (10, 7), (1000, 7), (10_000, 7), (2**31, 7), (2**63, 7), (10**30, 7)],
)
async def test_a_page_has_never_more_than_its_limit(
    searched: httpx.AsyncClient, method: str, limit: int, count: int
) -> None:
    content = b'{"limit": %d}' % limit
    response = await (
        searched.get(f"/search?limit={limit}") if method == "GET" else searched.post("/search", content=content)
    )
    page = valid(response, ItemCollection)
    assert page["numberReturned"] == len(page["features"]) == count
    assert bool(links(page, "next")) == (count < 7)


async def test_a_limit_above_the_maximum_is_the_maximum(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), *(item(f"{number}") for number in range(1010)))
    page = (await client.get("/search?limit=10000")).json()
    assert page["numberReturned"] == 1000
    assert (await client.get(href(page, "next"))).json()["numberReturned"] == 10
    assert (await client.get("/search")).json()["numberReturned"] == 10


async def follow(client: httpx.AsyncClient, page: Document, rel: str) -> Document:
    """The page behind a link, asked for exactly as the link says."""
    found = link(page, rel)
    if found["method"] == "GET":
        assert "body" not in found
        return valid(await client.get(found["href"]), ItemCollection)
    assert not found.get("merge", False)
    return valid(await client.post(found["href"], json=found["body"]), ItemCollection)


async def walk(client: httpx.AsyncClient, page: Document, rel: str) -> list[Document]:
    """The page and all behind it."""
    pages = [page]
    while links(page, rel):
        page = await follow(client, page, rel)
        pages.append(page)
        assert len(pages) < 100, "the pages do not end"
    return pages


MANY = [
    item(
        f"item-{number:02}",
        "things" if number % 3 else "others",
        properties={"datetime": f"2024-01-{1 + number // 6:02}T00:00:00Z"},
    )
    for number in range(31)
]
WALKS: list[Document] = [
    {},
    {"collections": ["things"]},
    {"collections": ["things", "others"]},
    {"bbox": [9, 49, 11, 51]},
    {"bbox": [9, 49, 11, 51], "collections": ["others"]},
    {"intersects": box(9, 49, 11, 51)},
    {"datetime": "2024-01-02T00:00:00+00:00/.."},
    {"ids": [f"item-{number:02}" for number in range(0, 31, 2)]},
    {
        "ids": [f"item-{number:02}" for number in range(20)],
        "bbox": [9, 49, 11, 51],
        "datetime": "../2024-01-03T00:00:00Z",
    },
]


@METHOD
@pytest.mark.parametrize("limit", [1, 4])
@pytest.mark.parametrize("parameters", WALKS)
async def test_pages_forth_and_back_lose_and_repeat_nothing(
    client: httpx.AsyncClient, loader: Loader, method: str, limit: int, parameters: Document
) -> None:
    await load(loader, collection(), collection("others"), *MANY)
    whole = ids(valid(await ask(client, method, parameters | {"limit": 1000}), ItemCollection))
    first = valid(await ask(client, method, parameters | {"limit": limit}), ItemCollection)
    assert not links(first, "prev")
    forth = await walk(client, first, "next")
    assert [item_id for page in forth for item_id in ids(page)] == whole
    assert all(len(page["features"]) == limit for page in forth[:-1])
    back = await walk(client, forth[-1], "prev")
    assert [ids(page) for page in reversed(back)] == [ids(page) for page in forth]


@METHOD
async def test_a_page_link_repeats_the_search(client: httpx.AsyncClient, loader: Loader, method: str) -> None:
    await load(loader, collection(), collection("others"), *MANY)
    parameters = {"collections": ["things"], "limit": 5, "datetime": "2024-01-01T00:00:00+00:00/.."}
    page = (await ask(client, method, parameters)).json()
    found = link(page, "next")
    assert found["type"] == "application/geo+json"
    if method == "POST":
        assert found["href"] == "http://stac.test/search"
        assert found["body"] == {**parameters, "token": found["body"]["token"]}
    else:
        asked = dict(httpx.URL(found["href"]).params)
        assert asked == {**query(parameters), "token": asked["token"]}


async def test_self_is_the_url_that_was_asked(searched: httpx.AsyncClient) -> None:
    url = "http://stac.test/search?limit=1&datetime=2024-01-01T00:00:00%2B00:00/..&collections=things,others"
    assert href((await searched.get(url)).json(), "self") == url


async def test_pages_stay_whole_while_items_come_in(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), collection("others"), *MANY)
    first = (await client.get("/search?limit=10")).json()
    await load(loader, item("newer", properties={"datetime": "2025-01-01T00:00:00Z"}))
    rest = await walk(client, await follow(client, first, "next"), "next")
    found = ids(first) + [item_id for page in rest for item_id in ids(page)]
    assert sorted(found) == sorted(document["id"] for document in MANY)


def packed(values: object) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=").decode()


BAD_TOKENS = [
    "",
    "x",
    "!!!",
    "ü",
    "a b",
    "W10",
    packed({}),
    packed([1, 2]),
    packed("text"),
    "A" * 5000,
    "\x00",
    "next:1",
]


@METHOD
@pytest.mark.parametrize("token", BAD_TOKENS)
async def test_a_malformed_token_is_refused(client: httpx.AsyncClient, method: str, token: str) -> None:
    assert_error(await ask(client, method, {"token": token}), 400, "token")


@METHOD
async def test_a_token_of_another_search_is_refused(searched: httpx.AsyncClient, method: str) -> None:
    found = link((await searched.post("/search", json={"limit": 1})).json(), "next")
    token = found["body"]["token"]
    assert_error(await ask(searched, method, {"token": token, "ids": ["noon"]}), 400, "token")
    assert ids(valid(await ask(searched, method, {"token": token}), ItemCollection)) == NEWEST_FIRST[1:]


@METHOD
@pytest.mark.parametrize(
    ("place", "value"),
    [
        *(
            (0, "other"),
            (0, None),
            (1, 1),
            (1, None),
            (2, 10**30),
            (2, -(10**18)),
            (2, "now"),
            (2, 1.5),
            (3, -1),
            (3, 2**28),
        ),
        *((3, 2**70), (4, "a\0b"), (4, 5), (4, None), (5, -1), (5, 2**31), (5, 2**70), (5, "things")),
    ],
)
async def test_a_token_that_was_tampered_with_is_refused(
    searched: httpx.AsyncClient, method: str, place: int, value: object
) -> None:
    token = link((await searched.post("/search", json={"limit": 1})).json(), "next")["body"]["token"]
    values = orjson.loads(base64.urlsafe_b64decode(token + "=="))
    values[place] = value
    text = base64.urlsafe_b64encode(json.dumps(values).encode()).rstrip(b"=").decode()
    assert_error(await ask(searched, method, {"token": text}), 400, "token")


@METHOD
@pytest.mark.parametrize("microseconds", [-62_135_596_800_000_000, 253_402_300_799_999_999])
@pytest.mark.parametrize("backward", [True, False])
@pytest.mark.parametrize("parameters", [{}, {"bbox": [-180, -90, 180, 90]}])
async def test_a_token_at_the_ends_of_time_is_a_place(
    searched: httpx.AsyncClient, method: str, microseconds: int, backward: bool, parameters: Document
) -> None:
    token = link((await searched.post("/search", json={"limit": 1, **parameters})).json(), "next")["body"]["token"]
    values = orjson.loads(base64.urlsafe_b64decode(token + "=="))
    values[1:3] = [backward, microseconds]
    found = ids(valid(await ask(searched, method, {"token": packed(values), **parameters}), ItemCollection))
    assert bool(found) == (backward == (microseconds < 0))
