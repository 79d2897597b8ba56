"""What a search must find, worked out in memory from the documents and the standard's words alone."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from typing import Any

from shapely.geometry import box, shape

from tests.oracle_cql2 import evaluate

Document = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """The parameters of a search in the form a client sends them as JSON."""

    collections: list[str] | None = None
    ids: list[str] | None = None
    bbox: list[float] | None = None
    intersects: Document | None = None
    interval: tuple[datetime | None, datetime | None] | None = None
    sortby: list[tuple[str, str]] | None = None
    filter: Document | None = None

    def body(self) -> Document:
        body: Document = {
            "collections": self.collections,
            "ids": self.ids,
            "bbox": self.bbox,
            "intersects": self.intersects,
            "filter": self.filter,
        }
        if self.interval is not None:
            body["datetime"] = "/".join(".." if end is None else end.isoformat() for end in self.interval)
        if self.sortby is not None:
            body["sortby"] = [{"field": field, "direction": direction} for field, direction in self.sortby]
        return {name: value for name, value in body.items() if value is not None}


def expected(query: Query, documents: list[Document]) -> list[tuple[str, str]]:
    """(collection, id) of all that match, in the order they are served in. `documents` are in the order of loading."""
    keys = {name: key for key, name in enumerate(dict.fromkeys(d["collection"] for d in documents))}
    found = [document for document in documents if matches(query, document)]
    # Within ties of the fields asked: as a last `datetime` says, else against the last field.
    last, way = (query.sortby or [("datetime", "desc")])[-1]
    newest_first = (last == "datetime") == (way == "desc")
    found.sort(key=lambda d: (_when(d), _tie(d["id"]), d["id"], keys[d["collection"]]), reverse=newest_first)
    for field, direction in reversed(query.sortby or []):
        for kind in (str, float):
            found = _sorted(found, field, kind, descending=direction == "desc")
    return [(document["collection"], document["id"]) for document in found]


def _sorted(documents: list[Document], field: str, kind: type, descending: bool) -> list[Document]:
    """Stable, and without a value last, whichever way."""
    values = {id(document): _value(document, field, kind) for document in documents}
    known = [document for document in documents if values[id(document)] is not None]
    unknown = [document for document in documents if values[id(document)] is None]
    return sorted(known, key=lambda document: values[id(document)], reverse=descending) + unknown


def _value(document: Document, field: str, kind: type) -> Any:
    if field in ("id", "collection"):
        return document[field] if kind is str else None
    if field == "datetime":
        return _when(document) if kind is float else None
    value = document["properties"].get(field.removeprefix("properties."))
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, str):
        return value[:200] if kind is str else None
    return value if isinstance(value, int | float) and kind is float else None


def matches(query: Query, document: Document) -> bool:
    return (
        (query.collections is None or document["collection"] in query.collections)
        and (query.ids is None or document["id"] in query.ids)
        and (query.bbox is None or _in_box(query.bbox, document["geometry"]))
        and (query.intersects is None or _intersects(query.intersects, document["geometry"]))
        and (query.interval is None or _overlaps(query.interval, document["properties"]))
        and (query.filter is None or evaluate(query.filter, document["properties"]) is True)
    )


def _in_box(bbox: list[float], geometry: Document | None) -> bool:
    west, south, east, north = bbox if len(bbox) == 4 else (bbox[0], bbox[1], bbox[3], bbox[4])
    if west > east:
        return _in_box([west, south, 180, north], geometry) or _in_box([-180, south, east, north], geometry)
    return geometry is not None and bool(shape(geometry).intersects(box(west, south, east, north)))


def _intersects(asked: Document, geometry: Document | None) -> bool:
    return geometry is not None and bool(shape(geometry).intersects(shape(asked)))


def _overlaps(interval: tuple[datetime | None, datetime | None], properties: Document) -> bool:
    start, end = interval
    instant = properties["datetime"]
    item_start = datetime.fromisoformat(properties.get("start_datetime") or instant)
    item_end = datetime.fromisoformat(properties.get("end_datetime") or instant)
    return (start is None or item_end >= start) and (end is None or item_start <= end)


def _when(document: Document) -> datetime:
    properties = document["properties"]
    return datetime.fromisoformat(properties["datetime"] or properties["start_datetime"])


def _tie(item_id: str) -> int:
    return int(md5(item_id.encode(), usedforsecurity=False).hexdigest()[:7], 16)
