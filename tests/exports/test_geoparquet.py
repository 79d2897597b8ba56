"""What is written as STAC GeoParquet is read back as it was, by us; and by other tools as they can."""

import tempfile
from pathlib import Path
from typing import Any

import geopandas
import orjson
import pyarrow.parquet as pq
import pytest
import stac_geoparquet.arrow
from hypothesis import example, given
from hypothesis import strategies as st

from app.bulk.load import Loader
from app.bulk.readers.geoparquet import DIFFERENCES, entries
from app.catalog import Catalog
from app.exports.geoparquet import Spool, stream, written
from app.stac import differences
from app.stac import document as contents
from app.stac.search import Search
from tests.factories import Document, box, collection, item, load, point

WKT_3D = {"type": "Point", "coordinates": [1.5, 2.5, 3.5]}
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=4),
    st.sampled_from(["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.120+02:00", "9999-12-31T23:59:59.9999999Z"]),
)
NAMES = st.one_of(
    st.sampled_from(["gsd", "created", "datetime", "id", "type", "links", "bbox", "geometry", DIFFERENCES, "", "a.b"]),
    st.text(max_size=3),
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=6
)
GEOMETRIES = st.sampled_from(
    [
        None,
        point(1, 2),
        point(0.1, -0.2),
        WKT_3D,
        box(1, 2, 3, 4),
        {"type": "GeometryCollection", "geometries": [point(1.0, 2.0), box(0, 0, 1, 1)]},
        {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]},
        point(1.0, 2.0) | {"extra": 1},
        {"type": "Point", "coordinates": [1, 2, 3, 4]},
        {"type": "LineString", "coordinates": [[1, 2], [3, 4, 5]]},
    ]
)
BOXES: st.SearchStrategy[Any] = st.sampled_from(
    [
        [1, 2, 3, 4],
        [1.5, 2, 0, 3, 4, 9],
        None,
        [1],
        [None] * 4,
        ["1", "a", "2", "3"],
        [1, 2, 3, {}, 5, 6],
        5,
        "a box",
        {},
    ]
)


@st.composite
def items(draw: st.DrawFn) -> Document:
    document = item(
        draw(st.text(min_size=1, max_size=3)),
        geometry=draw(GEOMETRIES),
        properties=draw(st.dictionaries(NAMES, VALUES, max_size=4)),
        bbox=draw(BOXES),
        links=draw(st.lists(st.dictionaries(NAMES, VALUES, max_size=2), max_size=2)),
        assets=draw(st.dictionaries(NAMES, st.dictionaries(NAMES, VALUES, max_size=2), max_size=2)),
    )
    return document | draw(st.dictionaries(st.text(min_size=4, max_size=5), VALUES, max_size=2))


def exported(documents: list[Document], path: Path, collections: dict[str, Any] | None = None) -> Path:
    with tempfile.TemporaryFile() as file:
        spool = Spool(file, None)
        spool.add([contents.dump(document) for document in documents])
        path.write_bytes(b"".join(written(spool, collections or {})))
    return path


def read(path: Path) -> list[Any]:
    found = list(entries(path))
    assert [entry.fault for entry in found] == [None] * len(found)
    return [entry.document for entry in found]


@given(st.lists(items(), max_size=6))
@example([])
@example(
    [item("a", properties={"datetime": "2024-01-01T00:00:00.123456789Z", "created": "2024-01-01T00:00:00.000000001Z"})]
)
@example([item("a", properties={"a": None, "b": {}, "c": []}), item("b", properties={"a": 1, "b": [1], "c": ["x"]})])
@example([item("a", properties={"n": 1}), item("b", properties={"n": True}), item("c", properties={"n": 2**60 + 1.0})])
@example([item("a", properties={f"p{n}": n for n in range(2000)}), item("b", assets={})])
@example([item("a", bbox=[None] * 4), item("b", bbox=5), item("c", bbox=["1", "2", "3", "4"])])
@example([item(str(n), properties={"proj:geometry": value}) for n, value in enumerate((WKT_3D, {"type": "Point"}, {}))])
@example([item("a", assets={"a": {"proj:geometry": WKT_3D}}), item("b", assets={"a": {"proj:geometry": "x"}})])
@example([item(str(n), properties={"deep": {f"k{n}-{m}": m for m in range(300)}}) for n in range(5)])
def test_items_come_back_as_they_were(documents: list[Document]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        found = read(exported(documents, Path(folder) / "x"))
    assert [differences.between(one, other) for one, other in zip(found, documents, strict=True)] == [[]] * len(found)


@pytest.mark.parametrize("name", ["naip", "sentinel-2-l2a", "landsat-c2-l2"])
def test_real_items(shared_data: Path, tmp_path: Path, name: str) -> None:
    documents = [orjson.loads(line) for line in (shared_data / f"{name}.ndjson").read_bytes().splitlines()]
    path = exported(documents, tmp_path / "x.parquet", {name: collection(name)})
    assert read(path) == [collection(name), *documents]
    by_others = list(stac_geoparquet.arrow.stac_table_to_items(pq.read_table(path)))
    assert [one["id"] for one in by_others] == [one["id"] for one in documents]
    assert [one["assets"].keys() for one in by_others] == [one["assets"].keys() for one in documents]
    frame = geopandas.read_parquet(path)
    assert list(frame["id"]) == [one["id"] for one in documents]
    assert frame.crs == "OGC:CRS84"
    for shape, document in zip(frame.geometry, documents, strict=True):
        assert orjson.loads(orjson.dumps(shape.__geo_interface__)) == document["geometry"]


def test_real_item_with_times_in_another_form(shared_data: Path, tmp_path: Path) -> None:
    document = orjson.loads((shared_data / "sentinel-1-grd-item.json").read_bytes())
    assert read(exported([document], tmp_path / "x")) == [document]


def test_columns_have_the_types_of_their_values(tmp_path: Path) -> None:
    documents = [
        item("a", properties={"gsd": 10, "cloud": 1, "mixed": 1, "created": "2024-01-01T00:00:00Z", "tags": ["x"]}),
        item("b", geometry=WKT_3D, bbox=[1, 2, 3, 1, 2, 3], properties={"cloud": 0.5, "mixed": "1", "nothing": None}),
    ]
    schema = pq.read_schema(exported(documents, tmp_path / "x"))
    types = {name: str(schema.field(name).type) for name in schema.names}
    assert types["gsd"] == "int64"
    assert types["cloud"] == "double"
    assert types["mixed"] == "string"
    assert types["created"] == types["datetime"] == "timestamp[us, tz=UTC]"
    assert types["tags"].startswith("list<")
    assert types["geometry"] == "binary"
    assert "nothing" not in types
    geo = orjson.loads(schema.metadata[b"geo"])
    assert geo["columns"]["geometry"]["covering"]["bbox"]["xmin"] == ["bbox", "xmin"]


def test_projected_footprints_are_read_by_others(tmp_path: Path) -> None:
    outline = box(500000.5, 4000000.25, 600000.0, 4100000.0)
    parts = {"type": "MultiPolygon", "coordinates": [outline["coordinates"]]}
    documents = [
        item(name, properties={"proj:geometry": shape}, assets={"B1": {"href": "b1.tif", "proj:geometry": shape}})
        for name, shape in (("a", outline), ("b", parts))
    ]
    path = exported(documents, tmp_path / "x.parquet")
    assert read(path) == documents
    by_others = list(stac_geoparquet.arrow.stac_table_to_items(pq.read_table(path)))
    assert [one["properties"]["proj:geometry"] for one in by_others] == [outline, parts]
    assert [one["assets"]["B1"]["proj:geometry"] for one in by_others] == [outline, parts]
    frame = geopandas.read_parquet(path)
    assert list(frame["proj:geometry"].geom_type) == ["Polygon", "MultiPolygon"]
    assert frame["proj:geometry"].crs is None


def test_columns_do_not_multiply_with_names(tmp_path: Path) -> None:
    documents = [
        item(f"{n:03}", properties={f"p{n}": {f"k{m}": m for m in range(60)}}, assets={f"{n}.tif": {"href": "x"}})
        for n in range(300)
    ]
    path = exported(documents, tmp_path / "x")
    assert len(pq.ParquetFile(path).schema) < 10_000
    assert read(path) == documents
    assert pq.read_table(path).column("p0")[0].as_py() == {f"k{m}": m for m in range(60)}


def test_object_that_is_text_leaves_room_for_others(tmp_path: Path) -> None:
    asset = {f"member{n}": n for n in range(9)} | {"href": "x"}
    documents = [item(f"{n:04}", assets={f"{n}.tif": asset}) for n in range(1200)]
    documents.append(item("last", properties={"late": {"seen": 1}}, assets={"x.tif": asset}))
    path = exported(documents, tmp_path / "x")
    assert read(path) == documents
    table = pq.read_table(path)
    assert orjson.loads(table.column("assets")[0].as_py()) == {"0.tif": asset}
    assert table.column("late")[1200].as_py() == {"seen": 1}


def test_plain_items_have_no_differences(tmp_path: Path) -> None:
    documents = [item(str(n), properties={"gsd": n, "eo:cloud_cover": n / 2}) for n in range(600)]
    table = pq.read_table(exported(documents, tmp_path / "x"))
    assert table.column(DIFFERENCES).null_count == 600


@pytest.mark.anyio
async def test_too_many_collections_are_told(
    catalog: Catalog,
    loader: Loader,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await load(loader, *(part for name in "ab" for part in (collection(name), item("one", name))))

    async def kinds() -> list[str]:
        (tmp_path / "x").write_bytes(b"".join([part async for part in stream(catalog, Search())]))
        return [document["type"] for document in read(tmp_path / "x")]

    assert await kinds() == ["Collection", "Collection", "Feature", "Feature"]
    assert caplog.messages == []
    monkeypatch.setattr("app.exports.geoparquet._COLLECTIONS_AT_MOST", 1)
    assert await kinds() == ["Feature", "Feature"]
    assert caplog.messages == ["a GeoParquet file is without its 2 collections: it can have 1; NDJSON has any number"]
