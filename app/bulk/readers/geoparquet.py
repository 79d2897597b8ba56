"""STAC GeoParquet 1.0 and 1.1: https://github.com/radiantearth/stac-geoparquet-spec.

An item is a row; its properties are columns beside `id`, `geometry` and the other members. A column is empty where an
item has no such member. What columns cannot say (an explicit null, another form of a date-time) files written by
`app.exports` say in one more column, `DIFFERENCES`.
"""

import math
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import shapely
from shapely.errors import ShapelyError

from app.bulk.readers.entry import Entry
from app.errors import InvalidDocument
from app.stac import differences
from app.stac import document as documents
from app.stac.interval import format_instant

DIFFERENCES = "upesi:differences"
# GeoJSON too, of an item or of an asset.
PROJECTED = "proj:geometry"
MEMBERS = (
    *("type", "stac_version", "stac_extensions", "id", "geometry", "bbox"),
    *("collection", "links", "assets"),
)
_BATCH_ROWS = 500
_BOX = ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")
# GeoParquet has x first in each of them.
_DEGREES = {"OGC:CRS84", "OGC:CRS84h", "EPSG:4326", "EPSG:4979"}
_NAMELESS_INDEX = re.compile(r"__index_level_\d+__")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def entries(path: Path) -> Iterator[Entry]:
    """The collections of the file's metadata, then its items."""
    try:
        file = pq.ParquetFile(path)
        metadata = file.metadata.metadata or {}
        yield from _collections(metadata)
        if (fault := _fault_of(file.schema_arrow) or _fault_of_geometries(metadata)) is not None:
            yield Entry("schema", fault=fault)
            return
        index = _index_of_pandas(metadata, file.schema_arrow)
        for group in range(file.num_row_groups):
            yield from _row_group(file, group, index)
    except (pa.ArrowException, OSError, ValueError) as error:
        yield Entry("file", fault=f"is not Parquet: {_line(error)}")


def _fault_of(schema: pa.Schema) -> str | None:
    for name in ("id", "geometry"):
        if name not in schema.names:
            return f"is not STAC GeoParquet: there is no column {name!r}"
    for name, of in zip(schema.names, schema.types, strict=True):
        if schema.names.count(name) > 1:
            return f"has two columns {name!r}, and an item one member of a name"
        if any(pa.types.is_map(each) and not _is_text(each.key_type) for each in _types(of)):
            return f"has in column {name!r} a map whose keys are no texts, which JSON cannot hold"
    return None


def _fault_of_geometries(metadata: dict[bytes, bytes]) -> str | None:
    """Of what GeoParquet's own metadata say: items have WKB in degrees, and so have files without such metadata."""
    try:
        described = documents.parse(metadata.get(b"geo", b"{}"))
    except InvalidDocument as error:
        return f"has metadata 'geo' whose text {error}"
    match described:
        case {"columns": {"geometry": {"encoding": encoding}}} if encoding != "WKB":
            return f"has geometries in the encoding {encoding!r}, and of GeoParquet WKB alone is read"
        case {"columns": {"geometry": {"crs": crs}}} if crs is not None and not _is_in_degrees(crs):
            return f"has geometries in {_name_of(crs)}, and those of items are in longitude and latitude (OGC:CRS84)"
    return None


def _index_of_pandas(metadata: dict[bytes, bytes], schema: pa.Schema) -> list[str]:
    """The columns that pandas made of an index without a name: numbers of rows, which are nothing of the items."""
    try:
        described = documents.parse(metadata.get(b"pandas", b"{}"))
    except InvalidDocument:
        return []
    match described:
        case {"index_columns": list() as names}:
            return [name for name in schema.names if name in names and _NAMELESS_INDEX.fullmatch(name)]
    return []


def _is_in_degrees(crs: Any) -> bool:
    """PROJJSON, which has an id only where its writer knew one."""
    match crs:
        case {"id": {"authority": authority, "code": code}}:
            return f"{authority}:{code}" in _DEGREES
        case {"type": "GeographicCRS", "datum": {"name": datum}} | {
            "type": "GeographicCRS",
            "datum_ensemble": {"name": datum},
        }:
            return str(datum).startswith("World Geodetic System 1984")
    return False


def _name_of(crs: Any) -> str:
    match crs:
        case {"id": {"authority": authority, "code": code}}:
            return f"{authority}:{code}"
        case {"name": str(name)}:
            return repr(name)
    return "a coordinate system of another form than PROJJSON"


def _types(of: pa.DataType) -> Iterator[pa.DataType]:
    """The type and all inside of it."""
    yield of
    for number in range(of.num_fields):
        yield from _types(of.field(number).type)


def _is_text(of: pa.DataType) -> bool:
    return any(test(of) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _row_group(file: pq.ParquetFile, group: int, index: list[str]) -> Iterator[Entry]:
    row = 0
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group]):
            for item in _read(batch.drop_columns(index)):
                row += 1
                place = f"row group {group + 1}, row {row}"
                yield Entry(place, fault=str(item)) if isinstance(item, Exception) else Entry(place, item)
    except (pa.ArrowException, OSError, ValueError) as error:
        yield Entry(f"row group {group + 1}, behind row {row}", fault=f"cannot be read: {_line(error)}")


def _read(batch: pa.RecordBatch) -> Iterator[dict[str, Any] | InvalidDocument]:
    """The item of each row, or why there is none.

    One value that Python does not have ends the conversion of all rows, which are then converted one by one.
    """
    try:
        rows = _rows(batch)
    except InvalidDocument as error:
        if batch.num_rows == 1:
            yield error
        else:
            for number in range(batch.num_rows):
                yield from _read(batch.slice(number, 1))
        return
    for row in rows:
        try:
            yield _item(row)
        except InvalidDocument as error:
            yield error


def _collections(metadata: dict[bytes, bytes]) -> Iterator[Entry]:
    said = metadata.get(b"stac-geoparquet") or metadata.get(b"stac:geoparquet")
    if said is None:
        return
    try:
        described = documents.parse(said)
    except InvalidDocument as error:
        yield Entry("metadata", fault=str(error))
        return
    match described:
        case {"collections": dict() as found}:
            yield from (Entry(f"metadata, collection {name!r}", value) for name, value in found.items())
        case {"collection": dict() as found}:
            yield Entry("metadata, collection", found)


def items(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """The items of rows, without their differences. Raises InvalidDocument."""
    return [_document(row) for row in _rows(batch)]


def _rows(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    """Raises InvalidDocument."""
    columns = [_values(name, column) for name, column in zip(batch.schema.names, batch.columns, strict=True)]
    return [dict(zip(batch.schema.names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(name: str, column: pa.Array) -> list[Any]:
    """As Python has them; but for nanoseconds, which Python's clock has not: these as text."""
    try:
        if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
            return [
                None if count is None else _nanoseconds_text(count) for count in column.cast(pa.int64()).to_pylist()
            ]
        if pa.types.is_time64(column.type):
            column = column.cast(pa.time64("us"))  # Which refuses to cut off what is finer.
        values: list[Any] = column.to_pylist(maps_as_pydicts="strict")
    except (pa.ArrowException, ValueError, OverflowError, KeyError) as error:
        raise InvalidDocument(f"{name}: has a value that cannot be read: {error!r}") from None
    return values


def _item(row: dict[str, Any]) -> dict[str, Any]:
    said = row.pop(DIFFERENCES, None)
    document = _document(row)
    return document if said is None else differences.apply(document, documents.parse(str(said).encode()))


def _document(row: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = {"type": "Feature", "geometry": None}
    properties: dict[str, Any] = {}
    for name, value in row.items():
        if value is None:
            continue
        owner = document if name in MEMBERS else properties
        try:
            plain = _member(name, value)
        except InvalidDocument as error:
            raise InvalidDocument(f"{name}: {error}") from None
        if plain is not None:
            owner[name] = plain
    properties.setdefault("datetime", None)
    return document | {
        "properties": properties,
        "links": document.get("links", []),
        "assets": document.get("assets", {}),
    }


def _member(name: str, value: Any) -> Any:
    """Raises InvalidDocument."""
    if name == "geometry" and isinstance(value, bytes):
        return _geometry(value)
    if name == "bbox" and isinstance(value, dict | list):
        return _box(value)
    return _value(value, name)


def _box(value: dict[str, Any] | list[Any]) -> list[Any] | None:
    """The sides that have a value: pandas writes those of no box as null or NaN."""
    sides = [value.get(side) for side in _BOX] if isinstance(value, dict) else value
    return [side for side in map(_value, sides) if side is not None] or None


def _value(value: Any, name: str = "") -> Any:
    """As JSON has it; a member without a value is left out."""
    if isinstance(value, dict):
        members = ((name, _value(member, name)) for name, member in value.items())
        return {name: member for name, member in members if member is not None}
    if isinstance(value, list):
        return [_value(member) for member in value]
    if isinstance(value, float | Decimal):
        return _number(value)
    if isinstance(value, datetime):
        return instant_text(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, bytes):
        if name == PROJECTED:
            return _geometry(value)
        raise InvalidDocument("has a binary value, which JSON cannot hold")
    if value is None or isinstance(value, str | int):
        return value
    raise InvalidDocument(f"has a value of the type {type(value).__name__}, which JSON cannot hold")


def _number(value: float | Decimal) -> int | float | None:
    """None for the NaN that pandas writes where there is no value."""
    if math.isnan(value):
        return None
    if math.isinf(value):
        raise InvalidDocument("has an infinite number, which JSON cannot hold")
    if isinstance(value, float):
        return value
    if value == value.to_integral_value():
        return int(value)
    number = float(value)
    if Decimal(repr(number)) != value:
        raise InvalidDocument(f"has the decimal {value}, which a 64-bit float cannot hold")
    return number


def _nanoseconds_text(count: int) -> str:
    """Of so many since 1970."""
    microseconds, rest = divmod(count, 1000)
    instant = _EPOCH + timedelta(microseconds=microseconds)
    return f"{instant:%Y-%m-%dT%H:%M:%S.%f}{rest:03}Z" if rest else instant_text(instant)


def instant_text(instant: datetime) -> str:
    """With milliseconds where these are enough, as most catalogues write it."""
    text = format_instant(instant)
    return text[:-4] + "Z" if text.endswith("000Z") and "." in text else text


def _geometry(wkb: bytes) -> dict[str, Any]:
    try:
        shape = shapely.from_wkb(wkb)
    except ShapelyError as error:
        raise InvalidDocument(f"is not WKB: {_line(error)}") from None
    except NotImplementedError:
        raise InvalidDocument("has curves, which GeoJSON cannot hold") from None
    # Tuples become lists on the way.
    geometry: dict[str, Any] = orjson.loads(orjson.dumps(shapely.geometry.mapping(shape)))
    return geometry


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
