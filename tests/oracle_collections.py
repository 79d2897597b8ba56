"""Which collections a search must find, worked out in memory from the documents that are served."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shapely.geometry import box

from tests.factories import Document
from tests.oracle_cql2 import evaluate

Times = tuple[datetime | None, datetime | None]


@dataclass(frozen=True)
class Query:
    """The parameters of a search in the form a client sends them as JSON."""

    bbox: list[float] | None = None
    interval: Times | None = None
    q: list[str] | None = None
    filter: Any = None
    sortby: list[tuple[str, str]] | None = None

    def body(self) -> Document:
        body: Document = {"bbox": self.bbox, "q": self.q, "filter": self.filter}
        if self.interval is not None:
            body["datetime"] = "/".join(".." if end is None else end.isoformat() for end in self.interval)
        if self.sortby is not None:
            body["sortby"] = [{"field": field, "direction": direction} for field, direction in self.sortby]
        return {name: value for name, value in body.items() if value is not None}


def expected(query: Query, documents: list[Document]) -> list[str]:
    found = sorted((document for document in documents if matches(query, document)), key=lambda each: str(each["id"]))
    for field, direction in reversed(query.sortby or []):
        for kind in (str, float):
            known = [each for each in found if _value(each, field, kind) is not None]
            known.sort(key=lambda each: _value(each, field, kind), reverse=direction == "desc")
            found = known + [each for each in found if _value(each, field, kind) is None]
    return [document["id"] for document in found]


def _value(document: Document, field: str, kind: type) -> Any:
    value: Any = document
    for step in field.split("."):
        value = value.get(step) if isinstance(value, dict) else None
    if field == "datetime":
        start = min((start for start, _ in _times(document)), key=lambda start: (start is not None, start))
        return start.timestamp() if start is not None and kind is float else None
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, int | float):
        return value if kind is float else None
    return value if isinstance(value, str) and kind is str else None


def matches(query: Query, document: Document) -> bool:
    return (
        (query.bbox is None or _in_box(query.bbox, document))
        and (query.interval is None or any(_overlap(query.interval, times) for times in _times(document)))
        and (query.q is None or any(_holds(document, term) for term in query.q))
        and (query.filter is None or evaluate(query.filter, document) is True)
    )


def _in_box(bbox: list[float], document: Document) -> bool:
    extents = [part for each in document["extent"]["spatial"]["bbox"] for part in _parts(each)]
    return any(asked.intersects(extent) for asked in _parts(bbox) for extent in extents)


def _parts(bbox: list[float]) -> list[Any]:
    west, south, east, north = bbox if len(bbox) == 4 else (bbox[0], bbox[1], bbox[3], bbox[4])
    if west > east:
        return [box(west, south, 180, north), box(-180, south, east, north)]
    return [box(west, south, east, north)]


def _times(document: Document) -> list[Times]:
    intervals = document["extent"]["temporal"]["interval"]
    return [(_instant(start), _instant(end)) for start, end in intervals]


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _overlap(one: Times, other: Times) -> bool:
    (a, b), (c, d) = one, other
    return (a is None or d is None or a <= d) and (b is None or c is None or b >= c)


def _holds(document: Document, term: str) -> bool:
    texts = [document["id"], document.get("title", ""), document["description"], *document.get("keywords", [])]
    return bool(_words(term)) and f" {_words(term)} " in f" {_words(' '.join(texts))} "


def _words(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))
