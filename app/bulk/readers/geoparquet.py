"""STAC GeoParquet 1.0 and 1.1: https://github.com/radiantearth/stac-geoparquet-spec.

An item is a row; its properties are columns beside `id`, `geometry` and the other members. A column is empty where an
item has no such member. What columns cannot say (an explicit null, another form of a date-time) files written by
`app.exports` say in one more column, `DIFFERENCES`.
"""

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
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
MEMBERS = (
    *("type", "stac_version", "stac_extensions", "id", "geometry", "bbox"),
    *("collection", "links", "assets"),
)
_BATCH_ROWS = 500
_GEOMETRIES = ("geometry", "proj:geometry")
_BOX = ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")


def entries(path: Path) -> Iterator[Entry]:
    """The collections of the file's metadata, then its items."""
    try:
        file = pq.ParquetFile(path)
        yield from _collections(file.metadata.metadata or {})
        missing = [name for name in ("id", "geometry") if name not in file.schema_arrow.names]
        if missing:
            yield Entry("schema", fault=f"is not STAC GeoParquet: there is no column {missing[0]!r}")
            return
        for group in range(file.num_row_groups):
            yield from _row_group(file, group)
    except (pa.ArrowException, OSError, ValueError) as error:
        yield Entry("file", fault=f"is not Parquet: {_line(error)}")


def _row_group(file: pq.ParquetFile, group: int) -> Iterator[Entry]:
    row = 0
    try:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=[group]):
            for item in _read(batch):
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
    except (pa.ArrowException, ValueError, OverflowError, KeyError) as error:
        if batch.num_rows == 1:
            yield InvalidDocument(f"has a value that cannot be read: {error!r}")
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
    for index, field in enumerate(batch.schema):
        # Python's clock has microseconds.
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            batch = batch.set_column(
                index, field.name, batch.column(index).cast(pa.timestamp("us", field.type.tz), safe=False)
            )
    rows: list[dict[str, Any]] = batch.to_pylist(maps_as_pydicts="strict")
    return rows


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
        if name in _GEOMETRIES and isinstance(value, bytes):
            owner[name] = _geometry(value)
        elif name == "bbox" and isinstance(value, dict | list):
            if box := _box(value):
                owner[name] = box
        elif (plain := _value(value)) is not None:
            owner[name] = plain
    properties.setdefault("datetime", None)
    return document | {
        "properties": properties,
        "links": document.get("links", []),
        "assets": document.get("assets", {}),
    }


def _box(value: dict[str, Any] | list[Any]) -> list[Any]:
    """The sides that have a value: pandas writes those of no box as null or NaN."""
    sides = [value.get(side) for side in _BOX] if isinstance(value, dict) else value
    return [side for side in map(_value, sides) if side is not None]


def _value(value: Any) -> Any:
    """As JSON has it; a member without a value is left out."""
    if isinstance(value, dict):
        members = ((name, _value(member)) for name, member in value.items())
        return {name: member for name, member in members if member is not None}
    if isinstance(value, list):
        return [_value(member) for member in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, datetime):
        return instant_text(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        raise InvalidDocument("has a binary value, which JSON cannot hold")
    if value is None or isinstance(value, str | int):
        return value
    raise InvalidDocument(f"has a value of the type {type(value).__name__}, which JSON cannot hold")


def instant_text(instant: datetime) -> str:
    """With milliseconds where these are enough, as most catalogues write it."""
    text = format_instant(instant)
    return text[:-4] + "Z" if text.endswith("000Z") and "." in text else text


def _geometry(wkb: bytes) -> dict[str, Any]:
    try:
        shape = shapely.from_wkb(wkb)
    except ShapelyError as error:
        raise InvalidDocument(f"geometry: is not WKB: {_line(error)}") from None
    # Tuples become lists on the way.
    geometry: dict[str, Any] = orjson.loads(orjson.dumps(shapely.geometry.mapping(shape)))
    return geometry


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
