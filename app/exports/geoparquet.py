"""STAC GeoParquet 1.0 on GeoParquet 1.1, without loss.

What the columns cannot say of an item (a member that is null, a date-time in another form, members of another name than
the specification has) is found by reading each batch back, and put into one more column, from which `app.bulk.readers`
restores it.
"""

import io
import logging
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from tempfile import TemporaryFile
from typing import IO, Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import zstandard
from anyio import to_thread

from app.bulk.readers.geoparquet import DIFFERENCES, PROJECTED, items
from app.catalog import Catalog
from app.exports import pages
from app.exports.columns import TIMES, Column, Inference, wkb
from app.stac import differences
from app.stac import document as documents
from app.stac.fields import Fields
from app.stac.interval import parse_instant
from app.stac.search import Search

_log = logging.getLogger("upesi")

_BATCH_ITEMS = 250
_GROUP_BYTES = 64 << 20
_GROUP_ROWS = 20_000
# The collections are in the file's metadata, which is read whole.
_COLLECTIONS_AT_MOST = 1000
_BOX = ("xmin", "ymin", "xmax", "ymax")
_BOX_3D = ("xmin", "ymin", "zmin", "xmax", "ymax", "zmax")
_TEXT = Column(pa.string(), "text", {})
_TEXTS = Column(pa.list_(pa.string()), "list", {}, _TEXT)
_INSTANT = pa.timestamp("us", "UTC")


async def stream(
    catalog: Catalog, search: Search, shaped: Callable[[bytes], bytes] | None = None
) -> AsyncGenerator[bytes, None]:
    """The file, a row group at a time, of items as they are stored, or as `shaped` makes them. Raises NotFound.

    The schema stands before the rows, so all items are read first, and kept compressed in a temporary file.
    """
    with TemporaryFile(prefix="upesi-") as file:
        spool = Spool(file, search.fields)
        async for page in pages.items(catalog, search):
            await to_thread.run_sync(spool.add, [shaped(item.content) if shaped else item.content for item in page])
            spool.collections.update(item.collection for item in page)
        described = {}
        if len(spool.collections) <= _COLLECTIONS_AT_MOST:
            async for collection in pages.collections(catalog, tuple(sorted(spool.collections))):
                described[collection.id] = documents.parse(collection.document())
        else:
            _log.warning(
                "a GeoParquet file is without its %d collections: it can have %d; NDJSON has any number",
                len(spool.collections),
                _COLLECTIONS_AT_MOST,
            )
        parts = written(spool, described)
        while part := await to_thread.run_sync(next, parts, b""):
            yield part


class Spool:
    """Items on their way from the database to the file: their columns are not known before the last is here."""

    def __init__(self, file: IO[bytes], fields: Fields | None) -> None:
        self._file = file
        self._fields = fields
        self._packed: Any = zstandard.ZstdCompressor(level=1).stream_writer(file, closefd=False)
        self.inference = Inference()
        self.collections: set[str] = set()

    def add(self, contents: Sequence[bytes]) -> None:
        for content in contents:
            item = documents.parse(content)
            if self._fields is not None:
                item = self._fields.of(item)
            self.inference.observe(item)
            self._packed.write(documents.dump(item) + b"\n")

    def batches(self) -> Iterator[list[Any]]:
        self._packed.close()
        self._file.seek(0)
        lines = io.BufferedReader(zstandard.ZstdDecompressor().stream_reader(self._file, closefd=False))
        while batch := [documents.parse(line) for line in islice(lines, _BATCH_ITEMS)]:
            yield batch


def written(spool: Spool, collections: dict[str, Any]) -> Iterator[bytes]:
    """The file, a row group at a time; `collections` maps ids to documents."""
    sink = _Sink()
    table = _Table(spool.inference)
    schema = table.schema.with_metadata(_metadata(table.schema, collections))
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        group: list[pa.RecordBatch] = []
        for batch in spool.batches():
            group.append(table.encode(batch))
            if sum(part.nbytes for part in group) >= _GROUP_BYTES or len(group) * _BATCH_ITEMS >= _GROUP_ROWS:
                writer.write_table(pa.Table.from_batches(group).cast(schema))
                group.clear()
                yield sink.taken()
        if group:
            writer.write_table(pa.Table.from_batches(group).cast(schema))
    yield sink.taken()


class _Sink(io.RawIOBase):
    """A file that is carried away as it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._written += len(part)
        return len(part)

    def tell(self) -> int:
        return self._written

    def taken(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken


class _Table:
    """Items as rows of one schema."""

    def __init__(self, inference: Inference) -> None:
        self._box = _BOX_3D if inference.heights else _BOX
        self._members = {
            "type": _TEXT,
            "stac_version": _TEXT,
            "stac_extensions": _TEXTS,
            "id": _TEXT,
            "collection": _TEXT,
        }
        self._members |= {
            name: column
            for name, column in (("links", inference.links()), ("assets", inference.assets()))
            if column is not None
        }
        found = inference.properties()
        self._times = ["datetime", *(name for name in found if name in TIMES and found[name].kind == "text")]
        self._properties = {name: column for name, column in found.items() if name not in self._times}
        fields = [(name, column.type) for name, column in self._members.items()]
        fields += [("geometry", pa.binary()), ("bbox", pa.struct([(side, pa.float64()) for side in self._box]))]
        fields += [(name, _INSTANT) for name in self._times]
        fields += [(name, column.type) for name, column in self._properties.items()]
        self.schema = pa.schema([*fields, (DIFFERENCES, pa.string())])

    def encode(self, batch: list[Any]) -> pa.RecordBatch:
        rows = [self._row(item) for item in batch]
        encoded = pa.RecordBatch.from_pylist(rows, schema=self.schema)
        read = items(encoded.drop_columns([DIFFERENCES]))
        said = [differences.between(decoded, item) for decoded, item in zip(read, batch, strict=True)]
        texts = [documents.dump(changes).decode() if changes else None for changes in said]
        last = len(self.schema) - 1
        return encoded.set_column(last, self.schema.field(last), pa.array(texts, pa.string()))

    def _row(self, item: dict[str, Any]) -> dict[str, Any]:
        properties = item.get("properties") or {}
        row = {name: _fitted(column, item.get(name)) for name, column in self._members.items()}
        row |= {name: column.fit(properties.get(name)) for name, column in self._properties.items()}
        row |= {name: _instant(properties.get(name)) for name in self._times}
        return row | {"geometry": wkb(item.get("geometry")), "bbox": _sides(item.get("bbox"), self._box)}


def _fitted(column: Column, value: Any) -> Any:
    """Members that the specification gives a type: a value of another is left to the differences."""
    if column is _TEXT:
        return value if isinstance(value, str) else None
    if column is _TEXTS:
        return value if isinstance(value, list) and all(isinstance(part, str) for part in value) else None
    return column.fit(value)


def _instant(value: Any) -> datetime | None:
    try:
        return parse_instant(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _sides(box: Any, sides: tuple[str, ...]) -> dict[str, float] | None:
    if not isinstance(box, list) or len(box) not in (4, 6) or not all(isinstance(side, int | float) for side in box):
        return None
    named = dict(zip(_BOX if len(box) == 4 else _BOX_3D, map(float, box), strict=True))
    return {side: named[side] for side in sides}


def _metadata(schema: pa.Schema, collections: dict[str, Any]) -> dict[str, bytes]:
    """GeoParquet 1.1; no `crs` is OGC:CRS84, one of null is unknown: each row has its own."""
    covering = {side: ["bbox", side] for side in _BOX}
    columns: dict[str, Any] = {"geometry": {"encoding": "WKB", "geometry_types": [], "covering": {"bbox": covering}}}
    if PROJECTED in schema.names and pa.types.is_binary(schema.field(PROJECTED).type):
        columns[PROJECTED] = {"encoding": "WKB", "geometry_types": [], "crs": None}
    geo = {"version": "1.1.0", "primary_column": "geometry", "columns": columns}
    stac = {"version": "1.0.0", "collections": collections}
    return {"geo": orjson.dumps(geo), "stac-geoparquet": documents.dump(stac)}
