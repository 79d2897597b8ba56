"""What a search must find, worked out in memory from the documents and the standard's words alone."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import md5
from typing import Any

from shapely.geometry import box, shape

Document = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """The parameters of a search in the form a client sends them as JSON."""

    collections: list[str] | None = None
    ids: list[str] | None = None
    bbox: list[float] | None = None
    intersects: Document | None = None
    interval: tuple[datetime | None, datetime | None] | None = None

    def body(self) -> Document:
        body: Document = {
            "collections": self.collections,
            "ids": self.ids,
            "bbox": self.bbox,
            "intersects": self.intersects,
        }
        if self.interval is not None:
            body["datetime"] = "/".join(".." if end is None else end.isoformat() for end in self.interval)
        return {name: value for name, value in body.items() if value is not None}


def expected(query: Query, documents: list[Document]) -> list[tuple[str, str]]:
    """(collection, id) of all that match, in the order they are served in. `documents` are in the order of loading."""
    keys = {name: key for key, name in enumerate(dict.fromkeys(d["collection"] for d in documents))}
    found = [document for document in documents if matches(query, document)]
    found.sort(key=lambda d: (_when(d), _tie(d["id"]), d["id"], keys[d["collection"]]), reverse=True)
    return [(document["collection"], document["id"]) for document in found]


def matches(query: Query, document: Document) -> bool:
    return (
        (query.collections is None or document["collection"] in query.collections)
        and (query.ids is None or document["id"] in query.ids)
        and (query.bbox is None or _in_box(query.bbox, document["geometry"]))
        and (query.intersects is None or _intersects(query.intersects, document["geometry"]))
        and (query.interval is None or _overlaps(query.interval, document["properties"]))
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
