"""What a search must find, worked out in memory from the documents and the standard's words alone."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import md5
from math import floor, inf, log, pi, radians, tan
from typing import Any

import h3
import numpy as np
from numpy.typing import NDArray
from shapely import get_parts, transform, unary_union
from shapely.affinity import translate
from shapely.geometry import LineString, box, shape
from shapely.geometry.base import BaseGeometry
from shapely.ops import split

from tests.oracle_cql2 import evaluate

Document = dict[str, Any]
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T"


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
    q: list[str] | None = None

    def body(self) -> Document:
        body: Document = {
            "collections": self.collections,
            "ids": self.ids,
            "bbox": self.bbox,
            "intersects": self.intersects,
            "filter": self.filter,
            "q": self.q,
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
    found.sort(key=lambda d: (when(d), _tie(d["id"]), keys[d["collection"]], d["id"]), reverse=newest_first)
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
        return when(document) if kind is float else None
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
        and (query.q is None or _has_one_of(query.q, document))
    )


def frequencies(name: str, precision: int, interval: str, documents: list[Document]) -> dict[str, int]:
    """How many documents have each key of an aggregation of that name; those without a key are left out."""
    keys = [_key(name, precision, interval, document) for document in documents]
    return dict(Counter(key for key in keys if key is not None))


def _key(name: str, precision: int, interval: str, document: Document) -> str | None:
    if name == "collection_frequency":
        return str(document["collection"])
    if name == "datetime_frequency":
        return _start_of(interval, when(document))
    if name in _TERMS:
        return _term(document["properties"].get(_TERMS[name]))
    if name in _NUMBERS:
        value = document["properties"].get(_NUMBERS[name])
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        if name == "cloud_cover_frequency":
            return _cloud_range(value)
        return str(int(value // 5 * 5)) if abs(value) < 1e15 else None
    at = _middle(document["geometry"])
    return None if at is None else GRIDS[name.split("_")[1]](*at, precision)


_TERMS = {"platform_frequency": "platform", "grid_code_frequency": "grid:code"}
_NUMBERS = {
    "cloud_cover_frequency": "eo:cloud_cover",
    "sun_elevation_frequency": "view:sun_elevation",
    "sun_azimuth_frequency": "view:sun_azimuth",
    "off_nadir_frequency": "view:off_nadir",
}


def _term(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return None if value is None or isinstance(value, list | dict) else str(value)


def _cloud_range(cover: float) -> str:
    return next(
        key for below, key in ((5, "*-5.0"), (15, "5.0-15.0"), (40, "15.0-40.0"), (inf, "40.0-*")) if cover < below
    )


def _start_of(interval: str, instant: datetime) -> str:
    instant = instant.astimezone(UTC)
    if interval == "week":
        return _start_of("day", instant - timedelta(days=instant.weekday()))
    if interval == "quarter":
        return _start_of("month", instant.replace(day=1, month=(instant.month - 1) // 3 * 3 + 1))
    known = instant.isoformat()[: {"year": 4, "month": 7, "day": 10, "hour": 13, "minute": 16, "second": 19}[interval]]
    return known + "0000-01-01T00:00:00Z"[len(known) :]


def _middle(geometry: Document | None) -> tuple[float, float] | None:
    if geometry is None:
        return None
    known = on_globe(geometry)
    west, _, east, _ = known.bounds
    if east - west <= 180:
        return known.centroid.x, known.centroid.y
    # Halves on both sides of the antimeridian, which no footprint here is around the globe to.
    moved = transform(known, _eastward)
    x, y = moved.centroid.x, moved.centroid.y
    return (x - 360 if x > 180 else x), y


def on_globe(geometry: Document) -> BaseGeometry:
    """Where it is between the longitudes ±180. What goes on beyond is cut there, and comes in at the other end."""
    known = shape(geometry)
    if known.bounds[0] >= -180 and known.bounds[2] <= 180:
        return known
    pieces = list(get_parts(known))
    for meridian in (-180, 180):
        line = LineString([(meridian, -91), (meridian, 91)])
        pieces = [cut for piece in pieces for cut in (split(piece, line).geoms if piece.length else [piece])]
    return unary_union([_moved(piece) for piece in pieces])


def _moved(piece: BaseGeometry) -> BaseGeometry:
    """As a whole: it lies on one side of ±180."""
    middle = piece.centroid.x
    return translate(piece, 360 if middle < -180 else -360 if middle > 180 else 0)


def _eastward(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """What is in the west behind the antimeridian."""
    return np.column_stack([np.where(places[:, 0] < 0, places[:, 0] + 360, places[:, 0]), places[:, 1]])


def _geohash(longitude: float, latitude: float, precision: int) -> str:
    bounds, values, bits = [[-180.0, 180.0], [-90.0, 90.0]], (longitude, latitude), ""
    for turn in range(5 * precision):
        low, high = bounds[turn % 2]
        middle = (low + high) / 2
        upper = values[turn % 2] >= middle
        bits += "1" if upper else "0"
        bounds[turn % 2] = [middle, high] if upper else [low, middle]
    return "".join("0123456789bcdefghjkmnpqrstuvwxyz"[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


def _geotile(longitude: float, latitude: float, zoom: int) -> str:
    tiles = 2**zoom
    # The grid ends at 85.05° north and south.
    north = log(tan(pi / 4 + radians(max(-86, min(86, latitude))) / 2))
    column, row = (longitude + 180) / 360, 0.5 - north / (2 * pi)
    return "/".join(str(part) for part in (zoom, *(max(0, min(tiles - 1, floor(at * tiles))) for at in (column, row))))


def _geohex(longitude: float, latitude: float, resolution: int) -> str:
    return str(h3.latlng_to_cell(latitude, longitude, resolution))


GRIDS = {"geohash": _geohash, "geotile": _geotile, "geohex": _geohex}


def _in_box(bbox: list[float], geometry: Document | None) -> bool:
    west, south, east, north = bbox if len(bbox) == 4 else (bbox[0], bbox[1], bbox[3], bbox[4])
    if west > east:
        return _in_box([west, south, 180, north], geometry) or _in_box([-180, south, east, north], geometry)
    return geometry is not None and bool(on_globe(geometry).intersects(box(west, south, east, north)))


def _intersects(asked: Document, geometry: Document | None) -> bool:
    return geometry is not None and bool(on_globe(geometry).intersects(shape(asked)))


def _overlaps(interval: tuple[datetime | None, datetime | None], properties: Document) -> bool:
    start, end = interval
    instant = properties["datetime"]
    item_start = datetime.fromisoformat(properties.get("start_datetime") or instant)
    item_end = datetime.fromisoformat(properties.get("end_datetime") or instant)
    return (start is None or item_end >= start) and (end is None or item_start <= end)


def when(document: Document) -> datetime:
    properties = document["properties"]
    return datetime.fromisoformat(properties["datetime"] or properties["start_datetime"])


def _tie(item_id: str) -> int:
    return int(md5(item_id.encode(), usedforsecurity=False).hexdigest()[:7], 16)


def _has_one_of(terms: list[str], document: Document) -> bool:
    texts = [document["id"], *(text for text in _texts(document["properties"]) if not re.match(_TIME, text))]
    return any(has_term(text, term) for text in texts for term in terms)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _texts(part)


def has_term(text: str, term: str) -> bool:
    """Whether the words of a term follow each other in a text. Words are what stands between ASCII punctuation."""
    words, wanted = _words(text), _words(term)
    return wanted != [] and any(words[at : at + len(wanted)] == wanted for at in range(len(words)))


def _words(text: str) -> list[str]:
    return re.findall(r"[0-9a-z\u0080-\U0010ffff]+", text.upper().lower().replace("\u03c2", "\u03c3"))
