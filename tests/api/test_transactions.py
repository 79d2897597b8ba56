"""Items written over HTTP: what is answered, what is there afterwards, and what is refused."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from app.settings import Settings
from app.stac import patch
from tests.api.assertions import GEOJSON, JSON, assert_error, href
from tests.api.writing import is_taken, writing
from tests.factories import Document, box, collection, item, load, point

pytestmark = pytest.mark.anyio

ITEMS = "/collections/things/items"
ITEM = f"{ITEMS}/thing"
BULK = "/collections/things/bulk_items"
PREFER = {"Prefer": "return=representation"}


@pytest.fixture
async def writable(settings: Settings, loader: Loader) -> AsyncIterator[httpx.AsyncClient]:
    """A service that can be written to, with a collection in it."""
    await load(loader, collection())
    async with writing(settings) as client:
        yield client


async def stored(client: httpx.AsyncClient, path: str = ITEM) -> Document:
    """The item without the links of the server, which come last."""
    response = await client.get(path)
    assert response.status_code == 200, response.text
    document: Document = response.json()
    return document | {"links": document["links"][:-5]}


async def ids(client: httpx.AsyncClient) -> set[str]:
    return {feature["id"] for feature in (await client.get(ITEMS, params={"limit": 1000})).json()["features"]}


async def test_a_posted_item_is_there(writable: httpx.AsyncClient) -> None:
    document = item("a/b ü", geometry=box(1, 2, 3, 4), links=[{"rel": "via", "href": "https://a.example"}])
    response = await writable.post(ITEMS, json=document)
    assert response.status_code == 201, response.text
    assert response.headers["content-type"] == GEOJSON
    location = response.headers["location"]
    assert location == "http://stac.test/collections/things/items/a%2Fb%20%C3%BC"
    found = await writable.get(location)
    assert (found.content, found.headers["etag"]) == (response.content, response.headers["etag"])
    assert await stored(writable, location) == document
    assert (await writable.get("/search?bbox=1,2,3,4")).json()["numberReturned"] == 1


@pytest.mark.parametrize("name", [".", ".."])
async def test_an_id_that_is_a_step_in_a_path_is_refused(writable: httpx.AsyncClient, name: str) -> None:
    """Its Location would be that of all items, or of the collection, which a client may delete there."""
    response = await writable.post(ITEMS, json=item(name))
    assert assert_error(response, 400)["faults"][0]["path"] == "id"
    for document in (item("a.."), item("...")):
        location = (await writable.post(ITEMS, json=document)).headers["location"]
        assert (await writable.get(location)).json()["id"] == document["id"]


async def test_the_extent_grows_with_a_posted_item(writable: httpx.AsyncClient) -> None:
    for longitude, instant in ((5.0, "2001-01-01T00:00:00Z"), (7.0, "2003-01-01T00:00:00Z")):
        document = item(f"at {longitude}", geometry=point(longitude, 1.0), properties={"datetime": instant})
        assert (await writable.post(ITEMS, json=document)).status_code == 201
    extent = (await writable.get("/collections/things")).json()["extent"]
    assert extent["spatial"]["bbox"] == [[5.0, 1.0, 7.0, 1.0]]
    assert extent["temporal"]["interval"] == [["2001-01-01T00:00:00Z", "2003-01-01T00:00:00Z"]]


async def test_a_partial_item_is_filled_in(writable: httpx.AsyncClient) -> None:
    document = item()
    for name in ("collection", "links", "assets"):
        del document[name]
    assert (await writable.post(ITEMS, json=document)).status_code == 201
    assert await stored(writable) == document | {"collection": "things", "links": [], "assets": {}}


async def test_a_second_item_of_one_id_is_409(writable: httpx.AsyncClient) -> None:
    assert (await writable.post(ITEMS, json=item())).status_code == 201
    body = assert_error(await writable.post(ITEMS, json=item(properties={"x": 1})), 409)
    assert "'thing'" in body["description"]
    assert "x" not in (await stored(writable))["properties"]


@pytest.mark.parametrize("document", [item(), {"type": "FeatureCollection", "features": [item()]}, {"items": {}}])
async def test_a_collection_that_is_not_there_is_404(writable: httpx.AsyncClient, document: Document) -> None:
    path = "/collections/nothing/bulk_items" if "items" in document else "/collections/nothing/items"
    text = orjson.dumps(document).replace(b'"things"', b'"nothing"')
    response = await writable.post(path, content=text, headers={"Content-Type": JSON})
    assert "'nothing'" in assert_error(response, 404)["description"]


FAULTS: list[tuple[Document, list[str]]] = [
    (item() | {"collection": "other"}, ["collection"]),
    (item() | {"stac_version": "0.9.0"}, ["stac_version"]),
    (item("a\0b"), ["id"]),
    (item() | {"properties": {"datetime": "yesterday"}}, ["properties.datetime"]),
    (item() | {"links": [{"rel": "via"}, {"href": 5}]}, ["links.0.href", "links.1.rel", "links.1.href"]),
    (item() | {"assets": {"a": {}, "b": {"href": 5}}}, ["assets.a.href", "assets.b.href"]),
    (item(geometry=point(400.0, 1.0)) | {"bbox": [400.0, 1.0, 400.0, 1.0]}, ["bbox", "geometry.coordinates"]),
    (item() | {"bbox": [50.0, 10.0, 50.0, 10.0]}, ["bbox"]),
    (item() | {"id": 5, "properties": {"datetime": None}, "bbox": None}, ["", "id", "properties.datetime"]),
]


@pytest.mark.parametrize(("document", "paths"), FAULTS, ids=lambda value: str(value)[-60:])
async def test_every_fault_is_named_with_its_place(
    writable: httpx.AsyncClient, document: Document, paths: list[str]
) -> None:
    body = assert_error(await writable.post(ITEMS, json=document), 400, "body")
    assert body["code"] == "InvalidDocument"
    assert sorted(fault["path"] for fault in body["faults"]) == sorted(paths)
    assert not await ids(writable)


async def test_faults_in_an_item_collection_are_named_with_their_places(writable: httpx.AsyncClient) -> None:
    features = [item("a"), item("b") | {"bbox": [9, 9, 9, 9]}, item("a"), 5, item("c", properties={"datetime": "x"})]
    body = assert_error(
        await writable.post(ITEMS, json={"type": "FeatureCollection", "features": features}), 400, "body"
    )
    paths = [fault["path"] for fault in body["faults"]]
    assert paths == ["features.1.bbox", "features.2.id", "features.3", "features.4.properties.datetime"]
    assert not await ids(writable)


@pytest.mark.parametrize("amount", [0, 1, 63, 64, 200])
async def test_an_item_collection_is_stored(writable: httpx.AsyncClient, database: Database, amount: int) -> None:
    features = [item(f"item {number}", properties={"n": number}) for number in range(amount)]
    response = await writable.post(ITEMS, json={"type": "FeatureCollection", "features": features})
    assert response.status_code == 201, response.text
    assert "location" not in response.headers
    assert response.json() == {"received": amount, "created": amount, "replaced": 0, "unchanged": 0}
    assert await ids(writable) == {feature["id"] for feature in features}
    trained = await database.fetch(sql("SELECT key FROM dictionaries"))
    assert len(trained) == (amount >= 64)
    if trained:
        # What is posted after it is compressed with it.
        assert (await writable.post(ITEMS, json=item("later"))).status_code == 201
        (row,) = await database.fetch(sql("SELECT dictionary FROM items WHERE id = 'later'"))
        assert row["dictionary"] == trained[0]["key"]
        assert await stored(writable, f"{ITEMS}/later") == item("later")


async def test_an_item_collection_is_stored_whole_or_not_at_all(writable: httpx.AsyncClient) -> None:
    for name in ("b", "d"):
        assert (await writable.post(ITEMS, json=item(name))).status_code == 201
    features = [item(name) for name in "abcde"]
    response = await writable.post(ITEMS, json={"type": "FeatureCollection", "features": features})
    description = assert_error(response, 409)["description"]
    assert "'b', 'd'" in description
    assert "'a'" not in description
    assert await ids(writable) == {"b", "d"}


async def test_bulk_items(writable: httpx.AsyncClient) -> None:
    listed = {name: item(name) for name in "abc"}
    report = await writable.post(BULK, json={"items": listed})
    assert report.json() == {"received": 3, "created": 3, "replaced": 0, "unchanged": 0}
    assert_error(await writable.post(BULK, json={"items": listed, "method": "insert"}), 409)
    changed = {**listed, "b": item("b", properties={"n": 1}), "d": item("d")}
    report = await writable.post(BULK, json={"items": changed, "method": "upsert"})
    assert report.json() == {"received": 4, "created": 1, "replaced": 1, "unchanged": 2}
    assert await stored(writable, f"{ITEMS}/b") == changed["b"]


@pytest.mark.parametrize(
    ("body", "paths"),
    [
        ([], [""]),
        ({}, ["items"]),
        ({"items": []}, ["items"]),
        ({"items": {"a": item("b")}}, ["items.a.id"]),
        ({"items": {"a": 5}}, ["items.a"]),
        ({"items": {}, "method": "replace"}, ["method"]),
        ({"items": {}, "method": []}, ["method"]),
        ({"items": {}, "mode": "upsert"}, ["mode"]),
        ({"items": {"a": item("a") | {"bbox": None}, "b": item("b", "other")}}, ["items.a", "items.b.collection"]),
    ],
    ids=str,
)
async def test_bulk_items_that_are_none(writable: httpx.AsyncClient, body: Any, paths: list[str]) -> None:
    response = await writable.post(BULK, json=body)
    assert [fault["path"] for fault in assert_error(response, 400, "body")["faults"]] == paths


async def test_put_replaces(writable: httpx.AsyncClient) -> None:
    posted = await writable.post(ITEMS, json=item(properties={"old": 1}))
    document = item(properties={"new": 1})
    response = await writable.put(ITEM, json=document)
    assert (response.status_code, response.content) == (204, b"")
    assert "content-type" not in response.headers
    assert await stored(writable) == document
    assert response.headers["etag"] == (await writable.get(ITEM)).headers["etag"] != posted.headers["etag"]


async def test_put_of_the_same_changes_nothing(writable: httpx.AsyncClient, database: Database) -> None:
    posted = await writable.post(ITEMS, json=item())
    before = await database.fetch(sql("SELECT xmin::text, updated FROM items"))
    # As it was served, with the links of the server in it.
    response = await writable.put(ITEM, json=(await writable.get(ITEM)).json())
    assert (response.status_code, response.headers["etag"]) == (204, posted.headers["etag"])
    assert await database.fetch(sql("SELECT xmin::text, updated FROM items")) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
async def test_the_content_is_sent_to_who_prefers_it(writable: httpx.AsyncClient, method: str) -> None:
    await writable.post(ITEMS, json=item())
    response = await writable.request(method, ITEM, json=item(properties={"n": 1}), headers=PREFER)
    assert response.status_code == 200
    assert response.headers["preference-applied"] == "return=representation"
    found = await writable.get(ITEM)
    assert (response.content, response.headers["etag"]) == (found.content, found.headers["etag"])


@pytest.mark.parametrize(
    ("preferences", "wanted"),
    [
        (["return=representation"], True),
        (['Return = "representation"; strict, return=minimal'], True),
        (['wait=10, foo="a, b"', "return=representation"], True),
        (["return=minimal, return=representation"], False),
        (["return=minimal", "return=representation"], False),
        (["return=representationx"], False),
        (["xreturn=representation"], False),
        (['foo="x, return=representation"'], False),
        (["return"], False),
        (['"'], False),
        ([], False),
    ],
)
async def test_preferences(writable: httpx.AsyncClient, preferences: list[str], wanted: bool) -> None:
    await writable.post(ITEMS, json=item())
    response = await writable.put(ITEM, json=item(), headers=[("Prefer", said) for said in preferences])
    assert response.status_code == (200 if wanted else 204)
    assert ("preference-applied" in response.headers) is wanted


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [ITEM, "/collections/nothing/items/thing", "/collections/nothing"])
async def test_what_is_not_there_cannot_be_changed(writable: httpx.AsyncClient, method: str, path: str) -> None:
    body: Any = {} if method == "DELETE" else {"json": {}}
    assert_error(await writable.request(method, path, **body), 404)
    assert_error(await writable.request(method, path, headers={"If-Match": '"x"'}, **body), 404)


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(("members", "path"), [({"id": "other"}, "id"), ({"collection": "other"}, "collection")])
async def test_an_item_keeps_its_place(writable: httpx.AsyncClient, method: str, members: Document, path: str) -> None:
    await writable.post(ITEMS, json=item())
    body = assert_error(await writable.request(method, ITEM, json=item() | members), 400)
    assert [fault["path"] for fault in body["faults"]] == [path]
    assert await stored(writable) == item()


async def test_put_fills_in_what_the_path_says(writable: httpx.AsyncClient) -> None:
    await writable.post(ITEMS, json=item())
    document = item(properties={"n": 1})
    partial = {name: value for name, value in document.items() if name not in ("id", "collection", "links")}
    assert (await writable.put(ITEM, json=partial)).status_code == 204
    assert await stored(writable) == document


@pytest.mark.parametrize("media_type", [patch.MERGE, JSON])
async def test_merge_patch(writable: httpx.AsyncClient, media_type: str) -> None:
    await writable.post(ITEMS, json=item(properties={"a": 1, "b": {"c": 1, "d": 2}, "e": [1, 2]}))
    body = orjson.dumps({"properties": {"a": None, "b": {"c": None, "x": 5}, "e": [3]}})
    response = await writable.patch(ITEM, content=body, headers={"Content-Type": media_type})
    assert response.status_code == 204, response.text
    assert await stored(writable) == item(properties={"b": {"d": 2, "x": 5}, "e": [3]})
    assert response.headers["etag"] == (await writable.get(ITEM)).headers["etag"]


async def test_json_patch(writable: httpx.AsyncClient) -> None:
    await writable.post(ITEMS, json=item(properties={"a": 1, "e": [1, 2]}))
    operations = [
        {"op": "test", "path": "/properties/a", "value": 1},
        {"op": "replace", "path": "/properties/a", "value": 2},
        {"op": "add", "path": "/properties/e/-", "value": 3},
        {"op": "move", "from": "/properties/e", "path": "/properties/f"},
        {"op": "copy", "from": "/properties/a", "path": "/properties/~1"},
        {"op": "remove", "path": "/assets/data/roles"},
    ]
    response = await writable.patch(ITEM, content=orjson.dumps(operations), headers={"Content-Type": patch.OPERATIONS})
    assert response.status_code == 204, response.text
    changed = item(properties={"a": 2, "f": [1, 2, 3], "/": 2})
    del changed["assets"]["data"]["roles"]
    assert await stored(writable) == changed


@pytest.mark.parametrize(
    ("media_type", "body", "path"),
    [
        (patch.OPERATIONS, [{"op": "test", "path": "/id", "value": "x"}], "0"),
        (patch.OPERATIONS, [{"op": "add", "path": "/properties/x", "value": 1}, {"op": "remove", "path": "/no"}], "1"),
        (patch.OPERATIONS, [{"op": "remove", "path": "/geometry"}], "geometry"),
        (patch.OPERATIONS, [{"op": "remove", "path": "/properties/datetime"}], "properties"),
        (patch.OPERATIONS, [{"op": "replace", "path": "", "value": 5}], ""),
        (patch.OPERATIONS, {}, ""),
        (patch.MERGE, [], ""),
        (patch.MERGE, None, ""),
        (patch.MERGE, {"properties": None}, "properties"),
        (patch.MERGE, {"geometry": None, "bbox": 5}, "bbox"),
        (patch.MERGE, {"properties": {"datetime": "x"}}, "properties.datetime"),
    ],
    ids=str,
)
async def test_a_patch_that_is_refused_changes_nothing(
    writable: httpx.AsyncClient, media_type: str, body: Any, path: str
) -> None:
    await writable.post(ITEMS, json=item())
    response = await writable.patch(ITEM, content=orjson.dumps(body), headers={"Content-Type": media_type})
    faults = assert_error(response, 400, "body")["faults"]
    assert faults[0]["path"].startswith(path)
    assert await stored(writable) == item()


async def test_delete(writable: httpx.AsyncClient) -> None:
    await writable.post(ITEMS, json=item())
    response = await writable.delete(ITEM)
    assert (response.status_code, response.content) == (204, b"")
    assert_error(await writable.get(ITEM), 404)
    assert_error(await writable.delete(ITEM), 404)


async def change(client: httpx.AsyncClient, method: str, path: str, etag: str | None) -> httpx.Response:
    headers = {} if etag is None else {"If-Match": etag}
    document = item(properties={"n": 5}) if path == ITEM else collection(title="new")
    body: Any = {} if method == "DELETE" else {"json": document}
    return await client.request(method, path, headers=headers, **body)


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [ITEM, "/collections/things"])
async def test_if_match(writable: httpx.AsyncClient, method: str, path: str) -> None:
    if path == ITEM:
        await writable.post(ITEMS, json=item())
    etag = (await writable.get(path, headers={"Accept-Encoding": "gzip"})).headers["etag"]
    assert etag.startswith('"')
    for other in ('"other"', f"W/{etag}", "", etag.strip('"'), '"a,*,b"', "other, *", f'"other, {etag[1:]}'):
        assert_error(await change(writable, method, path, other), 412, "If-Match")
    assert (await change(writable, method, path, f'"other", {etag}')).status_code == 204


async def test_lines_of_if_match_are_one_list(writable: httpx.AsyncClient) -> None:
    etag = (await writable.post(ITEMS, json=item())).headers["etag"]
    lines = [("If-Match", '"other"'), ("If-Match", etag)]
    assert (await writable.patch(ITEM, json={"properties": {"n": 5}}, headers=lines)).status_code == 204


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [ITEM, "/collections/things"])
async def test_if_none_match(writable: httpx.AsyncClient, method: str, path: str) -> None:
    if path == ITEM:
        await writable.post(ITEMS, json=item())
    etag = (await writable.get(path)).headers["etag"]
    document = item(properties={"n": 5}) if path == ITEM else collection(title="new")
    body: Any = {} if method == "DELETE" else {"json": document}
    for known in ("*", etag, f"W/{etag}", f'"other", {etag}'):
        response = await writable.request(method, path, headers={"If-None-Match": known}, **body)
        assert_error(response, 412, "If-None-Match")
    assert (await writable.get(path)).headers["etag"] == etag
    headers = {"If-None-Match": '"other"', "If-Match": etag}
    assert (await writable.request(method, path, headers=headers, **body)).status_code == 204


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
async def test_any_state_matches_an_asterisk(writable: httpx.AsyncClient, method: str) -> None:
    await writable.post(ITEMS, json=item())
    assert (await change(writable, method, ITEM, "*")).status_code == 204


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [ITEM, "/collections/things"])
async def test_if_match_can_be_asked_for(settings: Settings, loader: Loader, method: str, path: str) -> None:
    await load(loader, collection(), *([item()] if path == ITEM else []))
    async with writing(settings, require_if_match=True) as client:
        assert_error(await change(client, method, path, None), 428, "If-Match")
        assert (await change(client, method, path, (await client.get(path)).headers["etag"])).status_code == 204
        assert (await client.post("/collections", json=collection("new"))).status_code == 201


async def test_a_tag_is_good_for_one_change(writable: httpx.AsyncClient) -> None:
    """Of several that read the same state one changes it."""
    etag = (await writable.post(ITEMS, json=item())).headers["etag"]
    headers = {"If-Match": etag}
    changes = [writable.patch(ITEM, json={"properties": {f"k{n}": n}}, headers=headers) for n in range(8)]
    statuses = sorted(response.status_code for response in await asyncio.gather(*changes))
    assert statuses == [204] + [412] * 7
    assert len([name for name in (await stored(writable))["properties"] if name.startswith("k")]) == 1


WRONG_TYPES = [
    ("POST", ITEMS, "text/plain"),
    ("POST", ITEMS, patch.MERGE),
    ("POST", ITEMS, "application/x-www-form-urlencoded"),
    ("POST", ITEMS, None),
    ("PUT", ITEM, patch.MERGE),
    ("PATCH", ITEM, "application/xml"),
    ("PATCH", ITEM, GEOJSON),
    ("POST", "/collections", "text/json"),
    ("PATCH", "/collections/things", ""),
]


@pytest.mark.parametrize(("method", "path", "media_type"), WRONG_TYPES)
async def test_a_body_of_another_type_is_415(
    writable: httpx.AsyncClient, method: str, path: str, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    body = assert_error(await writable.request(method, path, content=b"{}", headers=headers), 415, "body")
    assert JSON in body["description"]


@pytest.mark.parametrize("media_type", [JSON, GEOJSON, "application/json; charset=utf-8", "Application/JSON"])
async def test_types_of_a_body(writable: httpx.AsyncClient, media_type: str) -> None:
    response = await writable.post(ITEMS, content=orjson.dumps(item()), headers={"Content-Type": media_type})
    assert response.status_code == 201


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_a_body_that_is_no_json_is_400(writable: httpx.AsyncClient, method: str) -> None:
    await writable.post(ITEMS, json=item())
    for text in (b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 5000):
        path = ITEMS if method == "POST" else ITEM
        response = await writable.request(method, path, content=text, headers={"Content-Type": JSON})
        assert_error(response, 400, "body")


async def test_a_body_that_is_too_large_is_413(settings: Settings, loader: Loader) -> None:
    await load(loader, collection())
    async with writing(settings, max_body_bytes=500) as client:
        assert_error(await client.post(ITEMS, json=item(properties={"x": "y" * 500})), 413, "body")


async def test_an_unknown_parameter_is_400(writable: httpx.AsyncClient) -> None:
    assert_error(await writable.post(f"{ITEMS}?upsert=true", json=item()), 400, "upsert")
    assert_error(await writable.delete(f"{ITEM}?cascade=true"), 400, "cascade")


async def test_a_long_body_is_checked_beside_the_event_loop(writable: httpx.AsyncClient) -> None:
    document = item(properties={"x": "y" * 300_000})
    assert (await writable.post(ITEMS, json=document)).status_code == 201
    assert (await writable.patch(ITEM, json={"properties": {"n": 1}})).status_code == 204
    assert (await stored(writable))["properties"]["n"] == 1
    assert_error(await writable.put(ITEM, json=document | {"bbox": None}), 400)


async def test_the_links_of_the_server_are_not_stored(writable: httpx.AsyncClient) -> None:
    own = [{"rel": "self", "href": "https://elsewhere.example"}, {"rel": "via", "href": "https://a.example"}]
    served = (await writable.post(ITEMS, json=item(links=own))).json()
    assert href(served, "self") == "http://stac.test/collections/things/items/thing"
    assert (await stored(writable))["links"] == own[1:]


names = st.sampled_from(
    ["id", "type", "collection", "geometry", "bbox", "properties", "links", "assets", "stac_version"]
)
texts = st.text(st.characters(codec="utf-8"), max_size=8)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            texts | st.sampled_from(["href", "rel", "datetime", "coordinates", "type"]), inner, max_size=4
        )
    ),
    max_leaves=8,
)
operations = st.fixed_dictionaries(
    {"op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]) | values},
    optional={
        "path": st.sampled_from(["", "/properties", "/properties/-", "/links/0", "/id", "/geometry/coordinates"])
        | texts,
        "from": st.sampled_from(["", "/properties", "/bbox/1"]) | values,
        "value": values,
    },
)
FUZZED = [("POST", ITEMS, JSON), ("PUT", ITEM, JSON), ("PATCH", ITEM, patch.MERGE), ("POST", BULK, JSON)]


@given(
    members=st.dictionaries(names, values, min_size=1, max_size=3),
    patches=st.lists(operations, max_size=4),
    where=st.sampled_from(FUZZED),
)
@hypothesis_settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_no_body_is_too_much(
    writable: httpx.AsyncClient, members: Document, patches: list[Document], where: tuple[str, str, str]
) -> None:
    await writable.post(ITEMS, json=item())
    method, path, media_type = where
    document: Any = members if media_type == patch.MERGE else item() | members
    if path == BULK:
        document = {"items": {"thing": document}, "method": "upsert"}
    headers = {"Content-Type": media_type}
    response = await writable.request(method, path, content=_encoded(document), headers=headers)
    assert response.status_code in (200, 201, 204, 400, 409), response.text
    headers = {"Content-Type": patch.OPERATIONS}
    response = await writable.patch(ITEM, content=_encoded(patches), headers=headers)
    assert response.status_code in (204, 400), response.text
    assert (await writable.get("/search")).status_code == 200


def _encoded(document: Any) -> bytes:
    """With whole numbers of any size."""
    return json.dumps(document).encode()


@pytest.mark.parametrize("number", [1, 10**30])
async def test_what_is_stored_can_be_read_on_every_page(writable: httpx.AsyncClient, number: int) -> None:
    """And be made no deeper by a patch than by a POST."""
    steps = 254
    while not await is_taken(writable, ITEMS, deep(steps, number)):
        steps -= 1
    assert steps > 245
    further = [{"op": "add", "path": "/x" + "/a" * (steps - 1), "value": {"a": {}}}]
    response = await writable.patch(ITEM, content=orjson.dumps(further), headers={"Content-Type": patch.OPERATIONS})
    assert_error(response, 400)
    for path in (ITEM, ITEMS, "/search", "/search?fields=x"):
        assert (await writable.get(path)).status_code == 200
        assert (await writable.get(path, headers={"Accept": "text/html"})).status_code == 200


def deep(steps: int, number: int) -> bytes:
    nested = b'{"a":' * steps + b"1" + b"}" * steps
    return json.dumps(item(first=number)).encode()[:-1] + b',"x":' + nested + b"}"
