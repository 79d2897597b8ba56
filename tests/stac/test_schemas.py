from pathlib import Path
from typing import Any

import orjson
import pytest

from app.errors import Fault, InvalidDocument, SetupError
from app.settings import Settings
from app.stac.collection import check_collection
from app.stac.item import check_item
from app.stac.schemas import Schemas
from app.stac.validation import CORE, Rules, refuse
from tests.factories import Document, box, collection, item, point

EO = "https://stac.example/eo/v1.0.0/schema.json"
SHARED = "https://stac.example/shared.json"
SCHEMA = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "$id": f"{EO}#",
    "properties": {
        "properties": {
            "required": ["eo:bands", "eo:note"],
            "properties": {"eo:cloud_cover": {"$ref": f"{SHARED}#/definitions/percent"}},
        }
    },
}
PERCENT = {"$id": SHARED, "definitions": {"percent": {"type": "number", "maximum": 100}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "deep" / "eo.json", SCHEMA)
    write(tmp_path / "shared.json", PERCENT)
    return tmp_path


def write(path: Path, schema: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(orjson.dumps(schema))


def faults(document: Document, rules: Rules) -> list[tuple[str, str]]:
    with pytest.raises(InvalidDocument) as failure:
        check_collection(document, rules) if document["type"] == "Collection" else check_item(document, rules)
    return [(fault.path, fault.message) for fault in failure.value.faults]


def test_an_item_is_checked_by_the_schemas_of_its_extensions(folder: Path) -> None:
    rules = Rules(schemas=Schemas(folder))
    good = {"eo:bands": [], "eo:note": "", "eo:cloud_cover": 5}
    for name in (EO, f"{EO}#"):
        check_item(item(properties=good, stac_extensions=[name]), rules)
    check_item(item(properties={"eo:cloud_cover": "much"}), rules)
    bad = item(properties={"eo:cloud_cover": 101}, stac_extensions=[EO])
    assert sorted(faults(bad, rules)) == [
        ("properties", '"eo:bands" is a required property'),
        ("properties", '"eo:note" is a required property'),
        ("properties.eo:cloud_cover", "101 is greater than the maximum of 100"),
    ]
    check_item(bad, CORE)


@pytest.mark.parametrize("document", [item(), collection()])
def test_an_extension_that_is_not_there_is_refused_by_name(folder: Path, document: Document) -> None:
    name = EO.replace("v1", "v9")
    ((path, message),) = faults(document | {"stac_extensions": [EO, name][1:]}, Rules(schemas=Schemas(folder)))
    assert path == "stac_extensions.0"
    assert name in message


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (b"{", "cannot be read"),
        (b"[]", r"has no \$id"),
        (b"{}", r"has no \$id"),
        (orjson.dumps(SCHEMA), f"the schema {EO} cannot be used: .*{SHARED}"),
        (orjson.dumps({"$id": EO, "type": "nothing"}), f"the schema {EO} cannot be used"),
    ],
)
def test_a_folder_that_cannot_be_used_is_told_at_the_start(tmp_path: Path, contents: bytes, reason: str) -> None:
    (tmp_path / "schema.json").write_bytes(contents)
    with pytest.raises(SetupError, match=reason):
        Rules.of(Settings(validation="extensions", schema_dir=tmp_path))


@pytest.mark.parametrize(
    "document",
    [
        item() | {"stac_version": None, "links": None, "assets": 5, "bbox": "x", "stac_extensions": 7} | {"links": []},
        item(geometry=point(400.0, 1.0)),
        {"type": "Feature", "id": "a", "collection": "things", "properties": {"datetime": "2024-01-01T00:00:00Z"}},
    ],
    ids=str,
)
def test_without_checks_what_the_columns_take_is_stored(document: Document) -> None:
    rules = Rules.of(Settings(validation="off"))
    assert orjson.loads(check_item(document, rules).content)["id"] == document["id"]
    faults(document, CORE)


@pytest.mark.parametrize(
    ("members", "paths"),
    [
        ({"id": 5}, ["id"]),
        ({"type": "feature", "links": 5}, ["type", "links"]),
        ({"collection": None, "geometry": {"type": "Point"}}, ["collection", "geometry"]),
        ({"geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1]]]}}, ["geometry"]),
        ({"properties": {"datetime": "2024"}}, ["properties.datetime"]),
        ({"properties": []}, ["properties"]),
    ],
    ids=str,
)
def test_what_the_columns_need_is_checked_always(members: Document, paths: list[str]) -> None:
    found = faults(item() | members, Rules(core=False))
    assert [path for path, _ in found] == paths


@pytest.mark.parametrize("extent", [None, 5, {}, {"spatial": {}}, {"spatial": [], "temporal": {}}])
def test_a_collection_has_an_extent_always(extent: Any) -> None:
    assert faults(collection() | {"extent": extent}, Rules(core=False))[0][0] == "extent"


SQUARE = box(10, 40, 20, 50)


@pytest.mark.parametrize(
    "bbox",
    [
        [10, 40, 20, 50],
        [10, 40, 0, 20, 50, 100],
        [9.1, 39.1, 20.9, 50.9],
        [10.9, 40.9, 19.1, 49.1],
    ],
)
def test_a_box_with_a_margin_agrees(bbox: list[float]) -> None:
    check_item(item(geometry=SQUARE) | {"bbox": bbox})


@pytest.mark.parametrize(
    ("bbox", "reason"),
    [
        ([40, 10, 50, 20], "has its south at 10, and the geometry at 40"),
        ([10, 40, 20, 52], "has its north at 52, and the geometry at 50"),
        ([8, 40, 20, 50], "has its west at 8, and the geometry at 10"),
        ([10, 40, 200, 50], "goes beyond longitude ±180 or latitude ±90"),
        ([10, 50, 20, 40], "has its south (50) above its north (40)"),
    ],
    ids=str,
)
def test_a_box_of_another_place_is_refused(bbox: list[float], reason: str) -> None:
    assert ("bbox", reason) in faults(item(geometry=SQUARE) | {"bbox": bbox}, CORE)


@pytest.mark.parametrize("bbox", [[170, 40, -170, 50], [-180, 40, 180, 50]])
def test_a_box_across_the_antimeridian_is_compared_by_latitude(bbox: list[float]) -> None:
    parts = [box(170, 40, 180, 50)["coordinates"], box(-180, 40, -170, 50)["coordinates"]]
    halves = {"type": "MultiPolygon", "coordinates": parts}
    check_item(item(geometry=halves) | {"bbox": bbox})
    assert faults(item(geometry=halves) | {"bbox": [bbox[0], 0, bbox[2], 50]}, CORE)[0][0] == "bbox"


def test_a_footprint_in_one_piece_across_the_antimeridian_is_taken() -> None:
    check_item(item(geometry=box(170, -10, 190, 10)) | {"bbox": [170, -10, -170, 10]})


def test_many_faults_are_not_told_without_end() -> None:
    links = [{"rel": "via"} for _ in range(100)]
    with pytest.raises(InvalidDocument) as failure:
        check_item(item(links=links))
    assert len(failure.value.faults) == 100
    assert str(failure.value).endswith("; and 80 more")


def test_faults_as_many_as_a_body_can_have_are_told() -> None:
    """Each held against each would be for hours."""
    found = [Fault(f"extent.temporal.interval.{number}", "is no interval") for number in range(100_000)]
    again = [Fault(f"{fault.path}.0", "is no time") for fault in found]
    with pytest.raises(InvalidDocument) as failure:
        refuse(found, again, [Fault("id", "is no text"), Fault("extent", "is no extent")])
    assert failure.value.faults == (*found, Fault("id", "is no text"))
