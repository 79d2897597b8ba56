"""The one parsed request: GET and POST become the same `Search` at the door, and nobody behind it splits a string."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from typing import Any, TypeVar

import orjson

from app.errors import InvalidRequest
from app.stac import cql2, fields, geometry, paging, sorting
from app.stac.cql2.nodes import Node
from app.stac.fields import Fields
from app.stac.interval import Interval
from app.stac.paging import Seek
from app.stac.sorting import SortKey

Value = TypeVar("Value")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)

_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_PAGE = {"bbox", "collections", "datetime", "ids", "limit", "token"}
_EXTENSIONS = {"fields", "filter", "filter-crs", "filter-lang", "sortby"}
SEARCH_PARAMETERS = frozenset(_PAGE | _EXTENSIONS | {"intersects"})
# `ids` and `collections` are what pystac-client sends to the items of a collection.
ITEMS_PARAMETERS = frozenset(_PAGE | _EXTENSIONS)
COLLECTIONS_PARAMETERS = frozenset({"limit", "token"})


@dataclass(frozen=True, slots=True)
class Search:
    """Which items, as STAC API item-search 1.0.0 defines the parameters. None leaves a parameter out.

    `area` holds EWKB geometries that an item intersects one of: a box, the two halves of a box across the
    antimeridian, or `intersects`.
    """

    collections: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    area: tuple[bytes, ...] | None = None
    interval: Interval | None = None
    limit: int | None = None
    filter: Node | None = None
    sortby: tuple[SortKey, ...] = ()
    fields: Fields | None = None
    seek: Seek | None = field(default=None, compare=False)

    def digest(self) -> str:
        """What a page token is bound to: all that decides which items there are, and in which order."""
        return _digest("items", self.collections, self.ids, self.area, self.interval, self.filter, self.sortby)

    def token(self, seek: Seek) -> str:
        return paging.encode(seek, self.digest())

    @classmethod
    def from_query(cls, query: Mapping[str, str], collection: str | None = None) -> "Search":
        """From the query string of GET /search, or of GET /collections/{collection}/items.

        Raises InvalidRequest.
        """
        values: dict[str, Any] = dict(query)
        if "bbox" in query:
            values["bbox"] = _read("bbox", _numbers, query["bbox"])
        if "intersects" in query:
            values["intersects"] = _read("intersects", orjson.loads, query["intersects"])
        if "limit" in query:
            values["limit"] = _read("limit", _whole, query["limit"])
        for name in ("collections", "ids"):
            if name in query:
                values[name] = query[name].split(",") if query[name] else []
        return cls._from_values(values, collection)

    @classmethod
    def from_body(cls, body: bytes) -> "Search":
        """From the JSON body of POST /search. Raises InvalidRequest."""
        values = _read("body", orjson.loads, body or b"{}")
        if not isinstance(values, dict):
            raise InvalidRequest("the body is not a JSON object", "body")
        check_known(values, SEARCH_PARAMETERS)
        if "fields" in values and values["fields"] is None:
            raise InvalidRequest("fields: is null; leave it out, or send an object", "fields")
        # Any other member that is null says nothing, as if it were left out.
        return cls._from_values({name: value for name, value in values.items() if value is not None})

    @classmethod
    def _from_values(cls, values: Mapping[str, Any], collection: str | None = None) -> "Search":
        if "bbox" in values and "intersects" in values:
            raise InvalidRequest("bbox and intersects exclude each other: send one of them", "intersects")
        collections = _strings(values, "collections")
        if collection is not None and collection not in (collections or (collection,)):
            raise InvalidRequest(f"collections: does not contain {collection!r}, the collection asked", "collections")
        search = cls(
            collections=collections if collection is None else (collection,),
            ids=_strings(values, "ids"),
            area=_area(values),
            interval=_optional(values, "datetime", _interval),
            limit=_optional(values, "limit", _limit),
            filter=_filter(values),
            sortby=_optional(values, "sortby", _sortby) or (),
            fields=_optional(values, "fields", _fields),
        )
        seek = _optional(values, "token", search._seek)
        return search if seek is None else search.behind(seek)

    def _seek(self, token: Any) -> Seek:
        seek = paging.decode(_text(token), self.digest())
        keys = () if sorting.by_time_alone(self.sortby) else self.sortby
        sorting.check_values(keys, seek.position.keys)
        return seek

    def behind(self, seek: Seek) -> "Search":
        """The same search, at another page."""
        return replace(self, seek=seek)


def check_known(given: Mapping[str, object], known: frozenset[str]) -> None:
    """OGC API Features /req/core/query-param-unknown: a parameter that means nothing here is an error."""
    for name in given:
        if name not in known:
            choice = f"known are {', '.join(sorted(known))}" if known else "there are none here"
            raise InvalidRequest(f"unknown parameter {name!r}: {choice}", name)


def _read(name: str, reader: Callable[[Any], Value], raw: Any) -> Value:
    try:
        return reader(raw)
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"{name}: {error}", name) from None


def _optional(values: Mapping[str, Any], name: str, reader: Callable[[Any], Value]) -> Value | None:
    return _read(name, reader, values[name]) if name in values else None


def _area(values: Mapping[str, Any]) -> tuple[bytes, ...] | None:
    if "bbox" in values:
        return _read("bbox", _box, values["bbox"])
    return _optional(values, "intersects", _shape)


def _box(value: Any) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not all(_is_number(part) for part in value):
        raise ValueError("is not an array of numbers")
    return geometry.box_ewkb([float(part) for part in value])


def _shape(value: Any) -> tuple[bytes, ...]:
    return (geometry.to_ewkb(geometry.asked_geometry(value)),)


def _numbers(text: str) -> list[float]:
    parts = text.split(",")
    for part in parts:
        if _NUMBER.fullmatch(part.strip()) is None:
            raise ValueError(f"{part!r} is not a number")
    return [float(part) for part in parts]


def _whole(text: str) -> int:
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a whole number")
    return int(text[:20])


def _interval(value: Any) -> Interval:
    return Interval.parse(_text(value))


def _filter(values: Mapping[str, Any]) -> Node | None:
    """Features Part 3: a text is CQL2 text and an object is CQL2 JSON, unless `filter-lang` says otherwise."""
    crs = values.get("filter-crs", _CRS84)
    if crs != _CRS84:
        raise InvalidRequest(f"filter-crs: {crs!r} is not {_CRS84}", "filter-crs")
    if "filter" not in values:
        return None
    value = values["filter"]
    language = values.get("filter-lang", "cql2-text" if isinstance(value, str) else "cql2-json")
    if language == "cql2-text":
        return _read("filter", lambda text: cql2.from_text(_text(text)), value)
    if language == "cql2-json":
        return _read(
            "filter", cql2.from_json, _read("filter", orjson.loads, value) if isinstance(value, str) else value
        )
    raise InvalidRequest(f"filter-lang: {language!r} is neither cql2-text nor cql2-json", "filter-lang")


def _sortby(value: Any) -> tuple[SortKey, ...]:
    return sorting.from_text(value) if isinstance(value, str) else sorting.from_json(value)


def _fields(value: Any) -> Fields:
    return fields.from_text(value) if isinstance(value, str) else fields.from_json(value)


def _limit(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # As JSON has it, 10.0 is a whole number; and so is one beyond 64 bits.
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    if value < 1:
        raise ValueError(f"{value} is less than 1")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("is not a text")
    return value


def _strings(values: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = values.get(name)
    # POST `"collections": "one"`: not in the standard, but sent by clients, and there is one thing it can mean.
    listed = [value] if isinstance(value, str) else value
    if listed is None or listed == []:
        return None  # An empty list does not restrict the search.
    if not isinstance(listed, list) or not all(isinstance(part, str) and "\0" not in part for part in listed):
        raise InvalidRequest(f"{name}: is not an array of texts", name)
    return tuple(dict.fromkeys(listed))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _digest(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class CollectionSearch:
    """Which page of the collections, in the order of their ids."""

    limit: int | None = None
    after: str | None = None
    backward: bool = False

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "CollectionSearch":
        """Raises InvalidRequest."""
        limit = _read("limit", lambda text: _limit(_whole(text)), query["limit"]) if "limit" in query else None
        if "token" not in query:
            return cls(limit)
        after, backward = _read("token", paging.decode_id, query["token"])
        return cls(limit, after, backward)

    @staticmethod
    def token(after: str, backward: bool) -> str:
        return paging.encode_id(after, backward)
