from typing import Any

import orjson
import pytest

from app.errors import InvalidDocument
from app.stac.collection import check_collection
from tests.factories import Document, collection


def extent(boxes: Any, intervals: Any) -> Document:
    return {"spatial": {"bbox": boxes}, "temporal": {"interval": intervals}}


WORLD = [-180, -90, 180, 90]
SINCE = ["2000-01-01T00:00:00Z", None]


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_collection_of_stac(version: str) -> None:
    document = collection("ü/1", stac_version=version, keywords=["a"], summaries={"gsd": [10]}, item_assets={})
    checked = check_collection(document)
    assert checked.id == "ü/1"
    assert orjson.loads(checked.extent) == document.pop("extent")
    assert orjson.loads(checked.content) == document
    assert checked.content.endswith(b'"links":[]}')
    assert orjson.loads(checked.document) == {name: value for name, value in document.items() if name != "links"}


@pytest.mark.parametrize(
    "declared",
    [
        extent([WORLD], [SINCE]),
        extent([WORLD], [[None, "2020-01-01T00:00:00Z"]]),
        extent([WORLD], [[None, None]]),
        extent([[170, -10, -170, 10]], [SINCE]),
        extent([[-180, -90, 0, 180, 90, 100]], [SINCE]),
        extent([[0, 0, 1, 1], [5, 5, 6, 6]], [SINCE]),
        extent([WORLD], [SINCE, ["2001-01-01T00:00:00Z", "2002-01-01T00:00:00Z"]]),
    ],
    ids=str,
)
def test_extents_in_the_wild(declared: Document) -> None:
    assert orjson.loads(check_collection(collection(extent=declared)).extent) == declared


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"type": "Catalog"}, "type: Input should be 'Collection'"),
        ({"id": ""}, "id: String should have at least 1 character"),
        ({"id": 5}, "id: Input should be a valid string"),
        ({"id": "a\0b"}, "id: has a NUL character, which PostgreSQL cannot hold"),
        ({"id": ".."}, "id: '..' is a step in the path of a URL, so that no URL leads to it"),
        ({"id": "a" * 10_000}, "id: "),
        ({"stac_version": "0.9.0"}, "stac_version: '0.9.0' is not STAC 1; pystac migrates older documents"),
        ({"description": ""}, "description: String should have at least 1 character"),
        ({"license": None}, "license: Input should be a valid string"),
        ({"links": None}, "links: Input should be a valid list"),
        ({"links": [{"rel": "self"}]}, "links.0.href: Field required"),
        ({"extent": None}, "extent: Input should be a valid dictionary"),
        ({"extent": {}}, "extent.spatial: Field required"),
        ({"extent": {"spatial": {"bbox": [WORLD]}}}, "extent.temporal: Field required"),
        ({"extent": extent("x", [SINCE])}, "extent.spatial.bbox: Input should be a valid list"),
        ({"extent": extent([[1, 2]], [SINCE])}, "extent.spatial.bbox.0.2: Field required"),
        (
            {"extent": extent([["0", 1, True, "3"]], [[5, None]])},
            "extent.spatial.bbox.0: is not a list of four or six numbers; extent.temporal.interval.0.0: '5' is not an",
        ),
        ({"extent": extent([WORLD, "x"], [SINCE])}, "extent.spatial.bbox.1: is not a list of four or six numbers"),
        ({"extent": extent([WORLD, [0, 0, 5]], [SINCE])}, "extent.spatial.bbox.1: is not a list of four or six num"),
        ({"extent": extent([WORLD], [[None, "2000-01-01T00:00Z"]])}, "extent.temporal.interval.0.1: '2000-01-01T00:0"),
        ({"extent": extent([WORLD], "x")}, "extent.temporal.interval: Input should be a valid list"),
        (
            {"extent": extent([WORLD], [["2016-12-31T23:59:60Z", None]])},
            "extent.temporal.interval.0.0: has a leap second, which pystac",
        ),
        (
            {"extent": extent([WORLD], [["2001-01-01T00:00:00Z", "2000-01-01T00:00:00Z"]])},
            "extent.temporal.interval: `Start` time 2001-01-01 00:00:00+00:00 older than `End` time",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_faults(members: Document, reason: str) -> None:
    with pytest.raises(InvalidDocument) as failure:
        check_collection(collection() | members)
    assert str(failure.value).startswith(reason)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize("name", ["type", "id", "description", "license", "extent", "links", "stac_version"])
def test_what_is_missing_is_named(name: str) -> None:
    document = collection()
    del document[name]
    with pytest.raises(InvalidDocument, match=f"^{name}"):
        check_collection(document)


@pytest.mark.parametrize("document", [None, 5, "text", [], {}])
def test_what_is_no_collection_at_all(document: Any) -> None:
    with pytest.raises(InvalidDocument):
        check_collection(document)


def test_owned_links_are_dropped_and_the_others_kept() -> None:
    queryables = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
    owned = ["self", "root", "parent", "items", "item", "child", queryables]
    kept = ["license", "about", "via", "example"]
    links = [{"rel": rel, "href": "https://elsewhere.example"} for rel in [*owned, *kept]]
    content = orjson.loads(check_collection(collection(links=links)).content)
    assert [link["rel"] for link in content["links"]] == kept


def test_document_itself_is_left_as_it_is() -> None:
    document = collection(extent=extent([[0, 0, 1, 1], [5, 5, 6, 6]], [SINCE]))
    before = orjson.dumps(document)
    check_collection(document)
    assert orjson.dumps(document) == before
