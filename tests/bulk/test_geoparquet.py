"""STAC GeoParquet of other tools, and files that are none."""

import struct
from decimal import Decimal
from pathlib import Path
from typing import Any

import geopandas
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
import shapely
import stac_geoparquet.arrow

from app.bulk.readers.geoparquet import DIFFERENCES, entries
from app.stac.item import check_item
from tests.factories import Document, item, point

WKB = shapely.to_wkb(shapely.Point(1, 2))


def written(path: Path, *rows: Document, metadata: dict[str, Any] | None = None, **options: Any) -> Path:
    table = pa.Table.from_pylist(list(rows))
    if metadata is not None:
        table = table.replace_schema_metadata({"stac-geoparquet": orjson.dumps(metadata)})
    pq.write_table(table, path, **options)
    return path


def row(item_id: str, **columns: Any) -> Document:
    members = {"type": "Feature", "stac_version": "1.1.0", "collection": "things", "links": [{"rel": "a", "href": "b"}]}
    return members | {"id": item_id, "geometry": WKB, "datetime": "2024-01-01T00:00:00Z"} | columns


def lines_of(path: Path) -> list[Document]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def test_file_of_another_tool(shared_data: Path) -> None:
    """parquet-rs, without any metadata: the items that are in NDJSON too are the same."""
    known = {line["id"]: line for line in lines_of(shared_data / "landsat-c2-l2.ndjson")}
    found = list(entries(shared_data / "landsat-c2-l2.parquet"))
    assert [entry.fault for entry in found] == [None] * 100
    assert found[99].place == "row group 1, row 100"
    for entry in found:
        assert check_item(entry.document).collection == "landsat-c2-l2"
    both = [entry.document for entry in found if entry.document["id"] in known]
    for document in both:
        assert document["assets"].keys() == known[document["id"]]["assets"].keys()


@pytest.mark.parametrize("name", ["naip", "sentinel-2-l2a", "landsat-c2-l2"])
def test_file_of_stac_geoparquet(shared_data: Path, tmp_path: Path, name: str) -> None:
    documents = lines_of(shared_data / f"{name}.ndjson")
    collections = {name: {"type": "Collection", "id": name}}
    reader = stac_geoparquet.arrow.parse_stac_items_to_arrow(documents)
    stac_geoparquet.arrow.to_parquet(reader, tmp_path / "x.parquet", collections=collections)
    described, *found = list(entries(tmp_path / "x.parquet"))
    assert described.document == collections[name]
    for entry, document in zip(found, documents, strict=True):
        assert without_nulls(entry.document) == without_nulls(document)


def without_nulls(value: Any) -> Any:
    """And with date-times as the columns have them, which lose their form."""
    if isinstance(value, dict):
        return {name: without_nulls(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [without_nulls(member) for member in value]
    return value.replace("+00:00", "Z").replace("0Z", "Z") if isinstance(value, str) else value


def test_row_groups_and_rows_have_places(tmp_path: Path) -> None:
    rows = [row(name, geometry=b"no geometry" if name == "d" else WKB) for name in "abcde"]
    found = list(entries(written(tmp_path / "x", *rows, row_group_size=2)))
    assert [entry.place for entry in found] == [
        *("row group 1, row 1", "row group 1, row 2"),
        *("row group 2, row 1", "row group 2, row 2", "row group 3, row 1"),
    ]
    assert [entry.fault is None for entry in found] == [True, True, True, False, True]
    assert "geometry: is not WKB" in str(found[3].fault)


def test_curve_is_refused_and_what_is_behind_it_read(tmp_path: Path) -> None:
    curve = struct.pack("<BII6d", 1, 8, 3, 0, 0, 1, 1, 2, 0)
    first, second = entries(written(tmp_path / "x", row("a", geometry=curve), row("b")))
    assert first.fault == "geometry: has curves, which GeoJSON cannot hold"
    assert second.document["id"] == "b"


def test_empty_columns_are_members_that_are_not_there(tmp_path: Path) -> None:
    rows = [row("a", gsd=10.0, nested={"x": 1, "y": None}, cloud=float("nan")), row("b", geometry=None, datetime=None)]
    first, second = [entry.document for entry in entries(written(tmp_path / "x", *rows))]
    assert first["geometry"] == point(1.0, 2.0)
    assert first["properties"] == {"datetime": "2024-01-01T00:00:00Z", "gsd": 10.0, "nested": {"x": 1}}
    assert (second["geometry"], second["properties"], second["assets"]) == (None, {"datetime": None}, {})


def test_boxes_are_arrays_again(tmp_path: Path) -> None:
    flat = {"xmin": 1.0, "ymin": 2.0, "xmax": 3.0, "ymax": 4.0}
    rows = [row("a", bbox=flat), row("b", bbox=flat | {"zmin": 5.0, "zmax": 6.0}), row("c")]
    boxes = [entry.document.get("bbox") for entry in entries(written(tmp_path / "x", *rows))]
    assert boxes == [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 5.0, 3.0, 4.0, 6.0], None]


@pytest.mark.parametrize("side", [None, float("nan")])
def test_box_without_values_is_no_box(tmp_path: Path, side: float | None) -> None:
    named = dict.fromkeys(("xmin", "ymin", "xmax", "ymax"), side)
    for name, box in (("struct", named), ("list", [side] * 4)):
        full = dict.fromkeys(named, 1.0) if name == "struct" else [1.0] * 4
        rows = [row("a", geometry=None, bbox=box), row("b", bbox=full)]
        first, second = [entry.document for entry in entries(written(tmp_path / name, *rows))]
        assert "bbox" not in first
        assert second["bbox"] == [1.0] * 4


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_times_of_each_unit(tmp_path: Path, unit: str) -> None:
    table = pa.Table.from_pylist([row("a")])
    times = pa.array([1_720_000_000], pa.timestamp("s", "UTC")).cast(pa.timestamp(unit, "UTC"))
    table = table.set_column(table.schema.get_field_index("datetime"), "datetime", times)
    pq.write_table(table, tmp_path / "x")
    (found,) = entries(tmp_path / "x")
    assert found.document["properties"]["datetime"] == "2024-07-03T09:46:40Z"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (1_720_000_000_123_456_789, "2024-07-03T09:46:40.123456789Z"),
        (1_720_000_000_123_456_000, "2024-07-03T09:46:40.123456Z"),
        (1_720_000_000_120_000_000, "2024-07-03T09:46:40.120Z"),
        (-1, "1969-12-31T23:59:59.999999999Z"),
        (None, None),
    ],
)
@pytest.mark.parametrize("zone", ["UTC", "+02:00", None])
def test_nanoseconds_are_kept(tmp_path: Path, zone: str | None, count: int | None, text: str | None) -> None:
    table = pa.Table.from_pylist([row("a")]).append_column("seen", pa.array([count], pa.timestamp("ns", zone)))
    pq.write_table(table, tmp_path / "x")
    (found,) = entries(tmp_path / "x")
    assert found.document["properties"].get("seen") == text


@pytest.mark.parametrize(
    ("decimal", "number"),
    [("0.10", 0.1), ("12.00", 12), ("-3.25", -3.25), ("12345678901234567890.00", 12345678901234567890)],
)
def test_decimals_are_numbers(tmp_path: Path, decimal: str, number: float) -> None:
    (found,) = entries(written(tmp_path / "x", row("a", price=Decimal(decimal))))
    assert found.document["properties"]["price"] == number


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        ("[[[], 1]]", "has differences that do not belong to it"),
        ('[[["nothing", "there"], 1]]', "has differences that do not belong to it"),
        ("1", "has differences that do not belong to it"),
        (1, "has differences that do not belong to it"),
        ("no JSON", "is not JSON"),
    ],
)
def test_differences_of_another_item(tmp_path: Path, said: Any, fault: str) -> None:
    (found,) = entries(written(tmp_path / "x", row("a") | {DIFFERENCES: said}))
    assert fault in str(found.fault)


@pytest.mark.parametrize(
    ("name", "values", "fault"),
    [
        ("gsd", pa.array([2]), "has two columns 'gsd', and an item one member of a name"),
        (
            "odd",
            pa.array([[[(1, 1)]]], pa.list_(pa.map_(pa.int64(), pa.int64()))),
            "has in column 'odd' a map whose keys",
        ),
    ],
)
def test_columns_that_items_cannot_have_are_refused(tmp_path: Path, name: str, values: pa.Array, fault: str) -> None:
    pq.write_table(pa.Table.from_pylist([row("a", gsd=1)]).append_column(name, values), tmp_path / "x")
    (found,) = entries(tmp_path / "x")
    assert found.place == "schema"
    assert str(found.fault).startswith(fault)


def of_geopandas(path: Path, crs: str | None, **options: Any) -> Path:
    columns = [{name: value for name, value in row("a").items() if name != "geometry"}]
    geopandas.GeoDataFrame(columns, geometry=[shapely.Point(1, 2)], crs=crs).to_parquet(path, **options)
    return path


@pytest.mark.parametrize(
    "crs",
    [None, "OGC:CRS84", "EPSG:4326", "EPSG:4979", "+proj=longlat +datum=WGS84", pyproj.CRS(4326).to_wkt("WKT1_GDAL")],
)
def test_coordinates_in_degrees_by_any_name(tmp_path: Path, crs: str | None) -> None:
    (found,) = entries(of_geopandas(tmp_path / "x", crs))
    assert found.fault is None
    assert found.document["geometry"] == point(1.0, 2.0)


@pytest.mark.parametrize("named", [None, "seen"])
def test_index_of_pandas_is_no_property_unless_it_has_a_name(tmp_path: Path, named: str | None) -> None:
    of_geopandas(tmp_path / "all", "OGC:CRS84")
    frame = geopandas.read_parquet(tmp_path / "all").set_axis([7]).rename_axis(named)
    frame.to_parquet(tmp_path / "chosen")
    (found,) = entries(tmp_path / "chosen")
    at = {"datetime": "2024-01-01T00:00:00Z"}
    assert found.document["properties"] == (at if named is None else at | {"seen": 7})


@pytest.mark.parametrize("said", [b"{", b"1", b'{"index_columns": [1, {"kind": "range"}, "id", "__index_level_1__"]}'])
def test_metadata_of_pandas_of_another_form_are_passed_by(tmp_path: Path, said: bytes) -> None:
    table = pa.Table.from_pylist([row("a", __index_level_0__=1)]).replace_schema_metadata({"pandas": said})
    pq.write_table(table, tmp_path / "x")
    (found,) = entries(tmp_path / "x")
    assert (found.document["id"], found.document["properties"]["__index_level_0__"]) == ("a", 1)


@pytest.mark.parametrize(
    ("crs", "name"),
    [
        ("EPSG:32633", "EPSG:32633"),
        ("EPSG:3857", "EPSG:3857"),
        ("EPSG:4269", "EPSG:4269"),
        ("+proj=utm +zone=33 +datum=WGS84", "'unknown'"),
    ],
)
def test_other_coordinates_are_not_taken_for_degrees(tmp_path: Path, crs: str, name: str) -> None:
    (found,) = entries(of_geopandas(tmp_path / "x", crs))
    assert found.place == "schema"
    assert found.fault == f"has geometries in {name}, and those of items are in longitude and latitude (OGC:CRS84)"


def test_native_geometries_are_refused_once(tmp_path: Path) -> None:
    (found,) = entries(of_geopandas(tmp_path / "x", "OGC:CRS84", geometry_encoding="geoarrow"))
    assert found.place == "schema"
    assert found.fault == "has geometries in the encoding 'point', and of GeoParquet WKB alone is read"


@pytest.mark.parametrize(
    ("said", "fault"),
    [
        (b"{", "has metadata 'geo' whose text is not JSON: "),
        (
            b'{"columns": {"geometry": {"encoding": "WKB", "crs": "WGS 84"}}}',
            "has geometries in a coordinate system of",
        ),
    ],
)
def test_metadata_of_another_form_are_refused(tmp_path: Path, said: bytes, fault: str) -> None:
    pq.write_table(pa.Table.from_pylist([row("a")]).replace_schema_metadata({"geo": said}), tmp_path / "x")
    (found,) = entries(tmp_path / "x")
    assert str(found.fault).startswith(fault)


def test_parquet_that_is_no_geoparquet(tmp_path: Path) -> None:
    (found,) = entries(written(tmp_path / "x", {"a": 1}))
    assert found.fault == "is not STAC GeoParquet: there is no column 'id'"


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1PAR1", b'{"type": "Feature"}', b"PAR1" + b"\xff" * 40 + b"PAR1"]
)
def test_file_that_is_no_parquet(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    (found,) = entries(tmp_path / "x")
    assert str(found.fault).startswith("is not Parquet")


def test_truncated_row_group_is_told_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path / "x", *(row(f"{n}", text=f"{n}" * 50) for n in range(2000)), row_group_size=1000)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = b"\xff" * 2000
    path.write_bytes(content)
    found = list(entries(path))
    assert [entry.place for entry in found if entry.fault] != []
    assert all("row group" in entry.place for entry in found)


def test_projected_footprints_of_stac_geoparquet(tmp_path: Path) -> None:
    shape = point(500000.0, 4000000.0)
    document = item("a", properties={"proj:geometry": shape}, assets={"B1": {"href": "x", "proj:geometry": shape}})
    reader = stac_geoparquet.arrow.parse_stac_items_to_arrow([document])
    stac_geoparquet.arrow.to_parquet(reader, tmp_path / "x.parquet")
    (found,) = entries(tmp_path / "x.parquet")
    assert found.fault is None
    assert found.document["properties"]["proj:geometry"] == shape
    assert found.document["assets"]["B1"]["proj:geometry"] == shape


def test_binary_value_is_refused(tmp_path: Path) -> None:
    (found,) = entries(written(tmp_path / "x", row("a", raw=b"\x00")))
    assert found.fault == "raw: has a binary value, which JSON cannot hold"


TIME = pa.timestamp("us")


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (pa.array([0, 2**62, 0], TIME), "has a value that cannot be read: OverflowError"),
        (pa.array([0, -62_135_600_400, 0], pa.timestamp("s", "+02:00")), "OverflowError"),
        (pa.array([0, -62_135_596_800, 0], pa.timestamp("s", "-02:00")), "OverflowError"),
        (pa.array([0, 2**30, 0], pa.date32()), "has a value that cannot be read: OverflowError"),
        (pa.array([[], [("a", 1), ("a", 2)], []], pa.map_(pa.string(), pa.int64())), "duplicate"),
        (pa.array([None, 1, None], pa.duration("s")), "has a value of the type timedelta, which JSON cannot hold"),
        (pa.array([None, 1, None], pa.timestamp("s", "Foo/Bar")), "UnknownTimeZoneError"),
        (pa.array([[0], [2**62], [0]], pa.list_(TIME)), "OverflowError"),
        (pa.array([0, 1, 1000], pa.time64("ns")), "would lose data: 1"),
        (
            pa.array([None, Decimal("0.12345678901234567890"), None]),
            "has the decimal 0.12345678901234567890, which a 64-",
        ),
        (pa.array([1.0, float("-inf"), None]), "has an infinite number, which JSON cannot hold"),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_value_that_python_or_json_does_not_have_is_refused_with_its_place(
    tmp_path: Path, values: pa.Array, fault: str
) -> None:
    table = pa.Table.from_pylist([row("a"), row("b"), row("c")]).append_column("odd", values)
    pq.write_table(table, tmp_path / "x")
    found = list(entries(tmp_path / "x"))
    assert [entry.place for entry in found if entry.fault] == ["row group 1, row 2"]
    assert str(found[1].fault).startswith("odd: ")
    assert fault in str(found[1].fault)


def test_item_of_the_factory_is_what_a_row_gives(tmp_path: Path) -> None:
    expected = item("a", geometry=point(1.0, 2.0))
    columns = {name: expected[name] for name in ("stac_version", "assets", "bbox")}
    (found,) = entries(written(tmp_path / "x", row("a", **columns)))
    assert found.document["assets"] == expected["assets"]
    assert found.document["bbox"] == expected["bbox"]
