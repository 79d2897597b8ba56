"""Items: the list of a collection, one item, its odd ids, and that it is served as it was stored."""

import io
import json
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from stac_pydantic.api import Collection, Item, ItemCollection

from app.bulk.load import Loader
from app.bulk.readers import entries
from app.stac.document import without_links
from app.stac.item import OWNED_LINKS
from tests.api.assertions import assert_error, href, ids, link, links, valid
from tests.factories import Document, box, collection, item, load, point

pytestmark = pytest.mark.anyio

ODD_IDS = [
    *("a/b", "/", "a//b", "a/", "100%", "%", "%%", "a%2Fb", "%2F", "%252F", "a%20b", "%zz", "%00", "a b", " a ", "a+b"),
    *(
        "ünï",
        "日本",
        "🛰",
        "e\u0301",
        "\u200b",
        "\u202eabc",
        'quo"te',
        "it's",
        "a:b",
        "what?",
        "?",
        "ha#sh",
        "a&b=c",
        "a,b",
    ),
    *(
        "a;b",
        "a\\b",
        "{item_id}",
        "[a]",
        "<b>",
        "a|b",
        "^",
        "`",
        "~a",
        "@",
        "!$&()*=",
        "a\nb",
        "a\tb",
        "\x7f",
        "...",
        "-",
        "_",
    ),
    *("items", "collections", "search", "0", "null", "a" * 300, "docs/../a", "S2A_MSIL2A.20240716T103631_N0510_R008"),
]


async def test_links_of_an_item(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), item())
    served = valid(await client.get("/collections/things/items/thing"), Item)
    assert {link["rel"]: link["href"] for link in served["links"]} == {
        "self": "http://stac.test/collections/things/items/thing",
        "root": "http://stac.test/",
        "parent": "http://stac.test/collections/things",
        "collection": "http://stac.test/collections/things",
        "alternate": "http://stac.test/collections/things/items/thing?f=html",
    }
    assert link(served, "self")["type"] == "application/geo+json"


async def test_links_of_others_are_kept_and_stale_ones_replaced(client: httpx.AsyncClient, loader: Loader) -> None:
    foreign = [
        {"rel": "license", "href": "https://example.com/licence", "type": "text/html", "title": "Licence"},
        {"rel": "derived_from", "href": "https://example.com/item.json", "x:note": {"deep": [1, None]}},
        {"rel": "license", "href": "https://example.com/second"},
        {"rel": "alternate", "href": "https://example.com/about", "type": "text/html"},
    ]
    page = {"rel": "alternate", "type": "text/html", "href": "https://stale.example/collections/a/items/b?f=html"}
    stale = [page, *({"rel": rel, "href": f"https://stale.example/{rel}"} for rel in sorted(OWNED_LINKS))]
    await load(loader, collection(), item(links=[*stale, *foreign]))
    served = (await client.get("/collections/things/items/thing")).json()
    assert without_links(served, OWNED_LINKS)["links"] == foreign
    assert len(served["links"]) == len(foreign) + len(stale)
    assert "stale" not in str(served)


async def test_the_items_of_a_collection(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), collection("others"), item("a"), item("b"), item("c", "others"))
    page = valid(await client.get("/collections/things/items"), ItemCollection)
    assert sorted(ids(page)) == ["a", "b"]
    assert {link["rel"]: link["href"] for link in page["links"]} == {
        "self": "http://stac.test/collections/things/items",
        "root": "http://stac.test/",
        "parent": "http://stac.test/collections/things",
        "collection": "http://stac.test/collections/things",
        "alternate": "http://stac.test/collections/things/items?f=html",
    }
    for listed in page["features"]:
        assert listed == valid(await client.get(href(listed, "self")), Item)


async def test_a_collection_without_items_has_an_empty_page(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection())
    page = valid(await client.get("/collections/things/items"), ItemCollection)
    assert page["features"] == []
    assert page["numberReturned"] == 0


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("bbox=0,0,1,1", {"a"}),
        ("bbox=170,-1,-170,1", {"c"}),
        ("datetime=2024-01-01T00:00:00Z", {"a"}),
        ("datetime=2024-01-02T00:00:00Z/..", {"b", "c"}),
        ("bbox=0,0,3,3&datetime=2024-01-02T00:00:00Z/..", {"b"}),
        ("bbox=50,50,51,51", set()),
    ],
)
async def test_filters_of_the_items(client: httpx.AsyncClient, loader: Loader, query: str, expected: set[str]) -> None:
    for number, (name, at) in enumerate({"a": (0, 0), "b": (2, 2), "c": (-175, 0)}.items(), start=1):
        instant = {"datetime": f"2024-01-{number:02}T00:00:00Z"}
        await load(loader, collection(), item(name, geometry=point(*at), properties=instant))
    await load(loader, collection("others"), item("elsewhere", "others", geometry=point(0, 0)))
    page = valid(await client.get(f"/collections/things/items?{query}"), ItemCollection)
    assert set(ids(page)) == expected
    assert href(page, "self") == f"http://stac.test/collections/things/items?{query}"


@pytest.mark.parametrize("query", ["", "&bbox=9,49,11,51", "&datetime=2020-01-01T00:00:00%2B00:00/.."])
async def test_pages_of_the_items_forth_and_back(client: httpx.AsyncClient, loader: Loader, query: str) -> None:
    await load(loader, collection(), collection("others"), item("other", "others"))
    await load(loader, *(item(f"item-{number}") for number in range(11)))
    whole = ids((await client.get("/collections/things/items?limit=100")).json())
    page = valid(await client.get(f"/collections/things/items?limit=4{query}"), ItemCollection)
    forth, back = [ids(page)], []
    while links(page, "next"):
        page = valid(await client.get(href(page, "next")), ItemCollection)
        forth.append(ids(page))
    while links(page, "prev"):
        page = valid(await client.get(href(page, "prev")), ItemCollection)
        back.append(ids(page))
    assert [item_id for page in forth for item_id in page] == whole
    assert [len(page) for page in forth] == [4, 4, 3]
    assert back == forth[-2::-1]


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *(("limit=0", "limit"), ("bbox=1,2,3", "bbox"), ("datetime=2024", "datetime"), ("token=x", "token")),
        *(("intersects={}", "intersects"), ("unknown=1", "unknown"), ("limit=1&limit=1", "limit")),
    ],
)
async def test_faults_of_the_items(client: httpx.AsyncClient, loader: Loader, query: str, parameter: str) -> None:
    await load(loader, collection())
    assert_error(await client.get(f"/collections/things/items?{query}"), 400, parameter)


async def test_a_token_belongs_to_its_collection(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), collection("others"), item("a"), item("b"), item("c", "others"))
    found = href((await client.get("/collections/things/items?limit=1")).json(), "next")
    assert_error(await client.get(found.replace("/things/", "/others/")), 400, "token")


@pytest.mark.parametrize(
    "path",
    [
        *(
            "things/items/nothing",
            "things/items/Thing",
            "others/items/thing",
            "nothing/items/thing",
            "things/items/%20thing",
        ),
        *(
            "things/items/thing/",
            "things/items/",
            "things/item",
            "things/items/thing/more",
            "things/items/a%00b",
            "things/items/%FF",
        ),
    ],
)
async def test_an_item_that_is_not_there_is_404(client: httpx.AsyncClient, loader: Loader, path: str) -> None:
    await load(loader, collection(), collection("others"), item())
    assert_error(await client.get(f"/collections/{path}"), 404)


async def test_one_item_takes_no_parameters(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), item())
    assert_error(await client.get("/collections/things/items/thing?fields=id"), 400, "fields")


async def test_one_id_in_two_collections_is_two_items(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), collection("others"), item(), item("thing", "others"))
    for name in ("things", "others"):
        assert valid(await client.get(f"/collections/{name}/items/thing"), Item)["collection"] == name
    assert len((await client.get("/search?ids=thing")).json()["features"]) == 2


@pytest.mark.parametrize("odd", ODD_IDS)
async def test_any_id_is_found_at_its_url_and_names_that_url(
    client: httpx.AsyncClient, loader: Loader, odd: str
) -> None:
    await load(loader, collection(odd), item(odd, odd), item("second", odd))
    url = f"http://stac.test/collections/{quote(odd, safe='')}"
    assert valid(await client.get(url), Collection)["id"] == odd
    served = valid(await client.get(f"{url}/items/{quote(odd, safe='')}"), Item)
    assert (served["id"], served["collection"]) == (odd, odd)
    assert href(served, "self") == f"{url}/items/{quote(odd, safe='')}"
    assert valid(await client.get(href(served, "self")), Item) == served
    assert valid(await client.get(href(served, "collection")), Collection)["id"] == odd
    assert sorted(ids(valid(await client.get(f"{url}/items"), ItemCollection))) == sorted([odd, "second"])


@pytest.mark.parametrize("odd", ODD_IDS)
async def test_any_id_can_be_searched_for_and_paged_over(client: httpx.AsyncClient, loader: Loader, odd: str) -> None:
    await load(loader, collection(odd), item(odd, odd), item(odd + "2", odd), item(odd + "3", odd))
    body = {"ids": [odd, odd + "2"], "collections": [odd]}
    assert sorted(ids((await client.post("/search", json=body)).json())) == [odd, odd + "2"]
    if "," not in odd:
        page = valid(await client.get("/search", params={"ids": odd, "collections": odd}), ItemCollection)
        assert ids(page) == [odd]
    page, found = (await client.get("/search?limit=1")).json(), []
    while True:
        found += ids(page)
        if not links(page, "next"):
            break
        page = valid(await client.get(href(page, "next")), ItemCollection)
    assert sorted(found) == [odd, odd + "2", odd + "3"]


def exactly(document: Document) -> str:
    """Text that differs where anything does, `1` and `1.0` too; without the links the server owns."""
    return json.dumps(without_links(document, OWNED_LINKS), sort_keys=True)


async def served_as_stored(client: httpx.AsyncClient, loader: Loader, sent: Document) -> None:
    """From text to text, as a file is loaded."""
    await load(loader, collection())
    await loader.load(entries(io.BytesIO(json.dumps(sent).encode())))
    response = await client.get(f"/collections/things/items/{quote(sent['id'], safe='')}")
    assert response.status_code == 200
    assert exactly(json.loads(response.content)) == exactly(sent)
    (listed,) = json.loads((await client.get("/collections/things/items")).content)["features"]
    assert exactly(listed) == exactly(sent)


LINE = {"type": "LineString", "coordinates": [[1, 2, 3], [4.5, 5, 6.25]]}
UNCHANGED: list[Document] = [
    item(),
    item(stac_version="1.0.0"),
    item(geometry=None, bbox=None),
    item(geometry={"type": "Point", "coordinates": [10, 50, 8848.86]}, bbox=[10, 50, 8848.86, 10, 50, 8848.86]),
    item(geometry=LINE),
    item(geometry={"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2, 3]}, LINE]}),
    item(
        geometry={
            "type": "MultiPolygon",
            "coordinates": [box(0, 0, 1, 1)["coordinates"], box(2, 2, 3, 3)["coordinates"]],
        }
    ),
    item(geometry=box(170, -10, 190, 10), bbox=[170, -10, -170, 10]),
    item(geometry={"type": "Polygon", "coordinates": [[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]}),
    item(properties={"datetime": "2024-07-16T12:00:00.123456789+05:30"}),
    item(
        properties={"datetime": None, "start_datetime": "2020-01-01T00:00:00Z", "end_datetime": "2021-01-01T00:00:00Z"}
    ),
    item(
        properties={
            "x:big": 2**64,
            "x:huge": -(10**40),
            "x:float": 1e22,
            "x:tiny": 5e-324,
            "x:largest": 1.7976931348623157e308,
        }
    ),
    item(
        properties={"x:zero": -0.0, "x:whole": 1.0, "x:exponent": 1e16, "x:digits": 0.1 + 0.2, "x:both": [10**22, 1e22]}
    ),
    item(properties={"x:nul": "a\0b", "x:\0": "\0", "x:escaped": "\\u0000", "x:empty": "", "": "x", "x:none": None}),
    item(
        properties={
            "x:control": "".join(map(chr, range(32))),
            "x:astral": "🛰\U0010ffff",
            "x:separators": "\u2028\u2029\ufeff",
        }
    ),
    item(properties={"x:deep": {"a": [{"b": [[[]], {}]}]}}, assets={}),
    item() | {"x:member": {"links": [1]}, "x:text": '"links":[]}', "stac_extensions": []},
    item(assets={"a b/c": {"href": "./relative.tif", "x:more": 2**65}, "": {"href": "s3://bucket/key"}}),
]


@pytest.mark.parametrize("sent", UNCHANGED, ids=[str(number) for number in range(len(UNCHANGED))])
async def test_an_item_is_served_as_it_was_stored(client: httpx.AsyncClient, loader: Loader, sent: Document) -> None:
    await served_as_stored(client, loader, sent)


numbers = st.one_of(st.integers(-(2**80), 2**80), st.floats(allow_nan=False, allow_infinity=False), st.just(1e22))
scalars = st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=12), st.just("\0"))
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
extras = st.dictionaries(st.text(max_size=8).map("x:".__add__), values, max_size=4)
foreign_links = st.lists(
    st.fixed_dictionaries({"rel": st.sampled_from(["license", "via", "x"]), "href": st.just("https://example.com")}),
    max_size=2,
)


@given(members=extras, properties=extras, asset=extras, foreign=foreign_links)
@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_item_is_served_as_it_was_stored(
    client: httpx.AsyncClient,
    loader: Loader,
    members: Document,
    properties: Document,
    asset: Document,
    foreign: list[Any],
) -> None:
    assets = {"data": {"href": "https://example.com/data.tif"} | asset}
    sent = item("thing", properties=properties, assets=assets, links=foreign, **members)
    await served_as_stored(client, loader, sent)


def test_the_comparison_tells_numbers_apart() -> None:
    assert exactly(item(properties={"x": 1})) != exactly(item(properties={"x": 1.0}))
    assert exactly(item(properties={"x": 1e22})) != exactly(item(properties={"x": 10**22}))
    assert exactly(item(properties={"x": 0.0})) != exactly(item(properties={"x": -0.0}))
