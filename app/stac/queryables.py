"""The properties that filters and orders can name, as JSON Schema (Filter extension, OGC API Features Part 3 and 5)."""

from collections.abc import Mapping
from typing import Any

from app.stac.statistics import Statistic, Type
from app.stac.vocabulary import title, unit

Schema = dict[str, Any]

_NAMES: Mapping[int, str] = {
    Type.BOOLEAN: "boolean",
    Type.INTEGER: "integer",
    Type.NUMBER: "number",
    Type.TEXT: "string",
    Type.TIME: "string",
    Type.ARRAY: "array",
    Type.OBJECT: "object",
    Type.NULL: "null",
}
TIMES = ("datetime", "start_datetime", "end_datetime")
_COLUMNS: Mapping[str, Schema] = {
    "id": {"title": "Id", "type": "string", "x-ogc-role": "id"},
    "collection": {"title": "Collection", "type": "string"},
    "geometry": {"title": "Footprint", "format": "geometry-any", "x-ogc-role": "primary-geometry"},
}
# Known of every item.
COMMON = frozenset({*_COLUMNS, *TIMES})


def queryables(statistics: Mapping[str, Statistic]) -> dict[str, Schema]:
    """The schema of each property by its name, which is true for all items that the statistics are of."""
    times = {name: statistics.get(name, Statistic(Type.TIME)) for name in TIMES}
    rest = {name: statistics[name] for name in sorted(statistics) if name not in COMMON}
    return {**_COLUMNS, **{name: _described(name, each) for name, each in (times | rest).items()}}


def sortables(statistics: Mapping[str, Statistic]) -> dict[str, Schema]:
    """Without what has no order (Features Part 5, /req/sortables/response): places, arrays, objects."""
    unordered = {name for name, each in statistics.items() if each.types & (Type.ARRAY | Type.OBJECT)}
    described = queryables(statistics).items()
    return {name: schema for name, schema in described if name not in unordered - COMMON | {"geometry"}}


def document(url: str, name: str, properties: Mapping[str, Schema], closed: bool) -> Schema:
    """`closed`: no other property can be named."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": url,
        "type": "object",
        "title": name,
        "properties": properties,
        "additionalProperties": not closed,
    }


def _described(name: str, statistic: Statistic) -> Schema:
    units = {"x-ogc-unit": unit(name)} if unit(name) and statistic.minimum is not None else {}
    return {"title": title(name)} | _schema(statistic) | units


def _schema(statistic: Statistic) -> Schema:
    found = statistic.types
    schema = _typed(found)
    if statistic.minimum is not None:
        schema |= {"minimum": statistic.minimum, "maximum": statistic.maximum}
    # Texts are kept without saying whose they are: the property's, or those inside its arrays.
    if found & Type.TEXT and not found & ~(Type.TEXT | Type.NULL):
        schema |= _choice(statistic.texts, found)
    if found & Type.ARRAY and statistic.members:
        members = _typed(statistic.members)
        if not found & Type.TEXT and not statistic.members & ~(Type.TEXT | Type.NULL):
            members |= _choice(statistic.texts, statistic.members)
        schema["items"] = members
    return schema


def _typed(found: int) -> Schema:
    if found & Type.NUMBER:
        found &= ~Type.INTEGER  # Whole numbers are numbers too.
    names = list(dict.fromkeys(name for type_, name in _NAMES.items() if found & type_))
    dated = {"format": "date-time"} if found & Type.TIME and not found & Type.TEXT else {}
    return {"type": names[0] if len(names) == 1 else names} | dated


def _choice(texts: frozenset[str] | None, found: int) -> Schema:
    if not texts:
        return {}
    return {"enum": [*sorted(texts), *([None] if found & Type.NULL else [])]}
