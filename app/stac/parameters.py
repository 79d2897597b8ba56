"""The parameters a search may have, one by one: a value of a query string or of a JSON body becomes a typed one.

All raise InvalidRequest, which names the parameter, or ValueError with what is wrong for `read` to do so.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, TypeVar

import orjson

from app.errors import InvalidRequest
from app.stac import cql2, fields, geometry, paging, query, sorting
from app.stac.cql2.nodes import And, Node
from app.stac.fields import Fields, Members
from app.stac.interval import Interval
from app.stac.lists import listed
from app.stac.paging import Seek
from app.stac.sorting import SortKey

Value = TypeVar("Value")

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)

_CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
_MOST_TERMS = 100
_MOST_OF_TERMS = 2_000


def check_known(given: Mapping[str, object], known: frozenset[str]) -> None:
    """OGC API Features /req/core/query-param-unknown: a parameter that means nothing here is an error."""
    for name in given:
        if name not in known:
            choice = f"known are {', '.join(sorted(known))}" if known else "there are none here"
            raise InvalidRequest(f"unknown parameter {name!r}: {choice}", name)


def of_query(given: Mapping[str, str]) -> dict[str, Any]:
    """The values of a query string, in the types that a JSON body has them in. Raises InvalidRequest."""
    values: dict[str, Any] = dict(given)
    for name, reader in _QUERY_READERS.items():
        if name in given:
            values[name] = read(name, reader, given[name])
    return values


def of_body(body: bytes, known: frozenset[str]) -> dict[str, Any]:
    """The members of a JSON body, without those that are null: they say nothing. Raises InvalidRequest."""
    values = read("body", orjson.loads, body or b"{}")
    if not isinstance(values, dict):
        raise InvalidRequest("the body is not a JSON object", "body")
    check_known(values, known)
    if "fields" in values and values["fields"] is None:
        raise InvalidRequest("fields: is null; leave it out, or send an object", "fields")
    return {name: value for name, value in values.items() if value is not None}


def read(name: str, reader: Callable[[Any], Value], raw: Any) -> Value:
    try:
        return reader(raw)
    except (ValueError, TypeError) as error:
        raise InvalidRequest(f"{name}: {error}", name) from None


def optional(values: Mapping[str, Any], name: str, reader: Callable[[Any], Value]) -> Value | None:
    return read(name, reader, values[name]) if name in values else None


def area(values: Mapping[str, Any]) -> tuple[bytes, ...] | None:
    if "bbox" in values:
        return read("bbox", _box, values["bbox"])
    return optional(values, "intersects", _shape)


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


def whole(text: str) -> int:
    if _WHOLE.fullmatch(text) is None:
        raise ValueError(f"{text!r} is not a whole number")
    return int(text[:20])


def interval(value: Any) -> Interval:
    return Interval.parse(text(value))


def condition(values: Mapping[str, Any]) -> Node | None:
    """What `filter` and `query` ask together."""
    conditions = [each for each in (_filter(values), optional(values, "query", query.from_json)) if each is not None]
    return And(tuple(conditions)) if len(conditions) > 1 else next(iter(conditions), None)


def _filter(values: Mapping[str, Any]) -> Node | None:
    """Features Part 3: a text is CQL2 text and an object is CQL2 JSON, unless `filter-lang` says otherwise."""
    crs = values.get("filter-crs", _CRS84)
    if crs != _CRS84:
        raise InvalidRequest(f"filter-crs: {crs!r} is not {_CRS84}", "filter-crs")
    value = values.get("filter")
    language = values.get("filter-lang", "cql2-text" if isinstance(value, str) else "cql2-json")
    if language not in ("cql2-text", "cql2-json"):
        raise InvalidRequest(f"filter-lang: {language!r} is neither cql2-text nor cql2-json", "filter-lang")
    if "filter" not in values:
        return None
    if language == "cql2-text":
        return read("filter", lambda raw: cql2.from_text(text(raw)), value)
    parsed = read("filter", orjson.loads, value) if isinstance(value, str) else value
    return read("filter", cql2.from_json, parsed)


def sortby(value: Any) -> tuple[SortKey, ...]:
    return sorting.from_text(value) if isinstance(value, str) else sorting.from_json(value)


def selection(value: Any, of: Members = fields.ITEM) -> Fields:
    return fields.from_text(value, of) if isinstance(value, str) else fields.from_json(value, of)


def seek(value: Any, digest: str, keys: Sequence[SortKey]) -> Seek:
    """The page that a token leads to, in the search of this digest, sorted by these keys."""
    found = paging.decode(text(value), digest)
    sorting.check_values(keys, found.position.keys)
    return found


def limit(value: Any) -> int:
    if isinstance(value, float) and value.is_integer():
        value = int(value)  # As JSON has it, 10.0 is a whole number; and so is one beyond 64 bits.
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{value!r} is not a whole number")
    if value < 1:
        raise ValueError(f"{value} is less than 1")
    return value


def text(value: Any) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("is not a text")
    return value


def texts(values: Mapping[str, Any], name: str) -> tuple[str, ...] | None:
    value = values.get(name)
    # POST `"collections": "one"`: not in the standard, but sent by clients, and there is one thing it can mean.
    several = [value] if isinstance(value, str) else value
    if several is None or several == []:
        return None  # An empty list does not restrict the search.
    if not isinstance(several, list) or not all(isinstance(part, str) and "\0" not in part for part in several):
        raise InvalidRequest(f"{name}: is not an array of texts", name)
    return tuple(dict.fromkeys(several))


def terms(value: Any) -> tuple[str, ...]:
    """The search terms of Free-Text 1.0.0-rc.1: a text with commas between them, or an array of texts."""
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(part, str) and "\0" not in part for part in listed):
        raise ValueError("is neither a text nor an array of texts")
    found = tuple(dict.fromkeys(part.strip() for part in listed if part.strip()))
    if not found:
        raise ValueError("has no search term")
    if len(found) > _MOST_TERMS:
        raise ValueError(f"has {len(found)} search terms, and {_MOST_TERMS} are the most")
    if (length := sum(map(len, found))) > _MOST_OF_TERMS:
        raise ValueError(f"has search terms of {length} characters, and {_MOST_OF_TERMS} are the most")
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def digest(*parts: object) -> str:
    return blake2b(repr(parts).encode(), digest_size=8).hexdigest()


_QUERY_READERS: Mapping[str, Callable[[str], Any]] = {
    "bbox": _numbers,
    "collections": listed,
    "ids": listed,
    "intersects": orjson.loads,
    "limit": whole,
    "query": orjson.loads,
}
