from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from app.errors import InvalidDocument
from app.stac import cells
from app.stac import document as documents
from app.stac.geometry import bounds_of, geometry_ewkb
from app.stac.item import check_item
from app.stac.validation import Rules
from tests.factories import Document, box, item, point

JANUARY, MARCH, JUNE = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 3, 6))
OPEN_RING = {"type": "Polygon", "coordinates": [box(0, 0, 1, 1)["coordinates"][0][:-1]]}


@pytest.mark.parametrize("version", ["1.0.0", "1.1.0"])
def test_item_of_stac(version: str) -> None:
    document = item("a/b ü", stac_version=version, geometry=box(1, 2, 3, 4))
    checked = check_item(document)
    assert (checked.collection, checked.id) == ("things", "a/b ü")
    assert checked.geometry == geometry_ewkb(box(1, 2, 3, 4))
    assert orjson.loads(checked.content) == document
    assert orjson.loads(checked.properties) == document["properties"]


@pytest.mark.parametrize(
    ("properties", "times"),
    [
        ({"datetime": "2024-03-01T00:00:00Z"}, (MARCH, MARCH, MARCH)),
        ({"datetime": "2024-03-01T02:00:00+02:00"}, (MARCH, MARCH, MARCH)),
        ({"datetime": "2024-03-01T00:00:00Z", "start_datetime": None}, (MARCH, MARCH, MARCH)),
        (
            {"datetime": None, "start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-06-01T00:00:00Z"},
            (JANUARY, JANUARY, JUNE),
        ),
        (
            {
                "datetime": "2024-03-01T00:00:00Z",
                "start_datetime": "2024-01-01T00:00:00Z",
                "end_datetime": "2024-06-01T00:00:00Z",
            },
            (MARCH, JANUARY, JUNE),
        ),
        (
            {"datetime": None, "start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-01-01T00:00:00Z"},
            (JANUARY, JANUARY, JANUARY),
        ),
    ],
)
def test_times(properties: Document, times: tuple[datetime, datetime, datetime]) -> None:
    checked = check_item(item(properties=properties))
    assert (checked.instant, checked.start, checked.end) == times


def test_the_cell_is_that_of_what_is_stored() -> None:
    """A hole outside its shell becomes an area of its own, and what lies beyond ±180 is moved."""
    apart = {"type": "Polygon", "coordinates": box(0, 0, 1, 1)["coordinates"] + box(50, 50, 51, 51)["coordinates"]}
    for geometry, bounds in ((apart, (0, 0, 51, 51)), (box(190, 0, 191, 1), (-170, 0, -169, 1))):
        checked = check_item(item(geometry=geometry), Rules(core=False))
        assert checked.cell == cells.of_item(bounds)
        assert checked.geometry is not None
        assert bounds_of(checked.geometry) == bounds


def test_a_hole_beyond_the_globe_is_refused() -> None:
    rings = box(0, 0, 1, 1)["coordinates"] + box(500, 50, 501, 51)["coordinates"]
    with pytest.raises(InvalidDocument, match=r"^geometry.coordinates: goes beyond"):
        check_item(item(geometry={"type": "Polygon", "coordinates": rings}, bbox=[0, 0, 1, 1]))


def test_null_geometry() -> None:
    assert check_item(item(geometry=None)).geometry is None


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"type": "feature"}, "type: Input should be 'Feature'"),
        ({"id": ""}, "id: String should have at least 1 character"),
        ({"id": None}, "id: Input should be a valid string"),
        ({"id": 5}, "id: Input should be a valid string"),
        ({"id": "a\0b"}, "id: has a NUL character, which PostgreSQL cannot hold"),
        ({"id": ".."}, "id: '..' is a step in the path of a URL, so that no URL leads to it"),
        ({"collection": None}, "collection: an item is stored in a collection, and this one names none"),
        ({"collection": ""}, "collection: an item is stored in a collection, and this one names none"),
        ({"collection": "a\0b"}, "collection: an item is stored in a collection, and this one names none"),
        ({"collection": 5}, "collection: Input should be a valid string"),
        ({"stac_version": "0.9.0"}, "stac_version: '0.9.0' is not STAC 1; pystac migrates older documents"),
        ({"stac_version": None}, "stac_version: Input should be a valid string"),
        ({"stac_extensions": "x"}, "stac_extensions: Input should be a valid list"),
        ({"links": None}, "links: Input should be a valid list"),
        ({"links": [{"rel": "self"}]}, "links.0.href: Field required"),
        ({"links": [{"rel": "via", "href": "x"}, {"href": "x"}]}, "links.1.rel: Field required"),
        ({"assets": None}, "assets: Input should be a valid dictionary"),
        ({"assets": {"thumb": {}}}, "assets.thumb.href: Field required"),
        ({"bbox": None}, "bbox is required if geometry is not null"),
        ({"bbox": [1, 2, 3]}, "bbox.3: Field required"),
        ({"geometry": 5}, "geometry: Input should be a valid dictionary"),
        ({"geometry": {"type": "Point"}}, "geometry.coordinates: Field required"),
        ({"geometry": OPEN_RING}, "geometry.coordinates: All linear rings MUST have the same start and end"),
        ({"properties": None}, "properties: Input should be a valid dictionary"),
        ({"properties": {}}, "properties"),
        ({"properties": {"datetime": "2024-01-01"}}, "properties.datetime: Input should have timezone info"),
        ({"properties": {"datetime": "yesterday"}}, "properties.datetime: Input should be a valid datetime"),
        ({"properties": {"datetime": "2024-06-30T23:59:60Z"}}, "properties.datetime: has a leap second"),
        ({"properties": {"datetime": "2024-06-30T23:59:61Z"}}, "properties.datetime: Input should be a valid datetime"),
        ({"properties": {"datetime": None}}, "properties: start_datetime and end_datetime must be specified"),
        (
            {"properties": {"datetime": "2024-01-01T00:00:00Z", "created": "9999-12-31T23:59:59-01:00"}},
            "has a time that is before year 1 or after year 9999 in UTC",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_faults(members: Document, reason: str) -> None:
    with pytest.raises(InvalidDocument) as failure:
        check_item(item() | members)
    assert str(failure.value).startswith(reason)
    assert "\n" not in str(failure.value)


@pytest.mark.parametrize(
    "name", ["type", "id", "geometry", "properties", "links", "assets", "bbox", "collection", "stac_version"]
)
def test_what_is_missing_is_named(name: str) -> None:
    document = item()
    del document[name]
    with pytest.raises(InvalidDocument, match=f"^{name}"):
        check_item(document)


@pytest.mark.parametrize("document", [None, 5, "text", [], {}])
def test_what_is_no_item_at_all(document: Any) -> None:
    with pytest.raises(InvalidDocument):
        check_item(document)


@pytest.mark.parametrize(
    "properties",
    [
        {"datetime": "2024-01-01 00:00:00Z"},
        {"datetime": "2024-01-01T00:00Z"},
        {"datetime": 1704067200},
        {"datetime": 1704067200.5},
        {"datetime": None, "start_datetime": 1704067200, "end_datetime": "2025-01-01T00:00:00Z"},
        {"datetime": "2024-01-01T00:00:00Z", "start_datetime": "2024-01-01T00:00:00Z"},
        {"datetime": None, "start_datetime": "2024-06-01T00:00:00Z", "end_datetime": "2024-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_time_that_is_not_rfc_3339_or_not_an_interval_is_named(properties: Document) -> None:
    with pytest.raises(InvalidDocument, match=r"^properties"):
        check_item(item(properties=properties))


def test_owned_links_are_dropped_and_the_others_kept() -> None:
    owned = [{"rel": rel, "href": "https://elsewhere.example"} for rel in ("self", "root", "parent", "collection")]
    kept = [
        {"rel": "derived_from", "href": "https://a.example", "title": "ä"},
        {"rel": "license", "href": "https://b.example"},
        {"rel": "derived_from", "href": "https://a.example"},
        {"rel": "next", "href": "https://c.example", "method": "POST"},
    ]
    content = check_item(item(links=[*owned, *kept, *owned])).content
    assert orjson.loads(content)["links"] == kept
    assert content.endswith(b"]}")


def test_content_is_the_item_to_the_last_digit() -> None:
    numbers = {"big": 2**70, "float": 1e22, "small": 5e-324, "nul": "a\0b", "nested": {"Ω": [1.0, 1, None, True]}}
    document = item(properties=numbers) | {"foreign:member": [1]}
    assert documents.parse(check_item(document).content) == document


@pytest.mark.parametrize(
    ("value", "stored"),
    [("a\0b", "a\ufffdb"), ("plain", "plain"), ("\\u0000", "\\u0000"), ("\\\0", "\\\ufffd")],
    ids=["NUL", "without", "an escape as text", "backslash and NUL"],
)
def test_nul_is_replaced_in_what_filters_read(value: str, stored: str) -> None:
    assert orjson.loads(check_item(item(properties={"a": value, value: 1})).properties)["a"] == stored


@pytest.mark.parametrize(
    "members",
    [
        {"geometry": {"type": "Point", "coordinates": [10**25, 1]}},
        {"geometry": {"type": "Point", "coordinates": ["10", "20"]}},
        {"geometry": {"type": "Point", "coordinates": [True, False]}},
        {"bbox": [10**400, 0, 1, 1]},
        {"id": "a" * 10_000},
    ],
    ids=lambda members: str(members)[:60],
)
def test_what_cannot_be_stored_is_refused(members: Document) -> None:
    """PostgreSQL's index rows end at 2,704 bytes, and neither GEOS nor orjson takes what pydantic takes for numbers."""
    with pytest.raises(InvalidDocument):
        check_item(item() | members)


@pytest.mark.parametrize("longitude", [361.0, -400.0])
def test_coordinates_beyond_the_globe_are_stored_where_nothing_is_checked(longitude: float) -> None:
    document = item(geometry=point(longitude, 0.0))
    assert check_item(document, Rules(core=False)).geometry == geometry_ewkb(point(longitude, 0.0))
    with pytest.raises(InvalidDocument, match=r"^geometry.coordinates: goes beyond"):
        check_item(document)
