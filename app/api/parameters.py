"""The parameters of the routes, as OpenAPI 3.0 describes them.

The routes read them from the request as it is, so they are described here and not by signatures.
"""

from typing import Any

from app.api.links import JSON

_TEXTS = {"type": "array", "items": {"type": "string"}}
_VALUES: dict[str, tuple[dict[str, Any], str]] = {
    "bbox": (
        {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
        "west,south,east,north, or with heights west,south,bottom,east,north,top. West > east crosses the "
        "antimeridian. Excludes `intersects`.",
    ),
    "intersects": ({"type": "object"}, "A GeoJSON geometry the items intersect. Excludes `bbox`."),
    "datetime": (
        {"type": "string"},
        "An RFC 3339 date-time, or an interval of two with `/` between them, one of which may be `..`. "
        "Both ends belong to it.",
    ),
    "ids": (_TEXTS, "Ids of items."),
    "collections": (_TEXTS, "Ids of collections."),
    "limit": (
        {"type": "integer", "minimum": 1},
        "Size of a page; more than the service allows is cut to that.",
    ),
    "filter": ({"type": "string"}, "CQL2: `eo:cloud_cover < 20 AND platform = 'sentinel-2a'`."),
    "filter-lang": (
        {"type": "string", "enum": ["cql2-text", "cql2-json"]},
        "What the filter is written in: text by GET and JSON by POST, where nothing is said.",
    ),
    "filter-crs": ({"type": "string"}, "Of the filter's geometries: OGC:CRS84, which is the default, by its URI."),
    "query": (
        {"type": "object", "additionalProperties": {"type": "object"}},
        'Operators on properties: `{"eo:cloud_cover": {"lt": 20}, "platform": {"in": ["sentinel-2a"]}}`. Known are '
        "eq, neq, lt, lte, gt, gte, startsWith, endsWith, contains and in.",
    ),
    "sortby": (
        {"type": "string"},
        "Fields to sort by, `-` for the other way: `-properties.eo:cloud_cover,id`. Items without a value come last.",
    ),
    "fields": (
        {"type": "string"},
        "Members to send, and with `-` not to send: `id,properties.eo:cloud_cover,-geometry`. Empty is the least that "
        "is a valid item.",
    ),
    "token": ({"type": "string"}, "Where the page starts: from the `next` or `prev` link of another page."),
}


def _parameters(*names: str) -> dict[str, Any]:
    return {"parameters": [_parameter(name) for name in names]}


def _parameter(name: str) -> dict[str, Any]:
    schema, description = _VALUES[name]
    described = {"name": name, "in": "query", "required": False, "description": description}
    if schema["type"] == "object":
        return described | {"content": {JSON: {"schema": schema}}}
    lists = {"style": "form", "explode": False} if schema["type"] == "array" else {}
    return described | {"schema": schema} | lists


_SORT_OBJECTS = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["field"],
        "properties": {"field": {"type": "string"}, "direction": {"type": "string", "enum": ["asc", "desc"]}},
    },
}
_FIELDS_OBJECT = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"include": _TEXTS | {"nullable": True}, "exclude": _TEXTS | {"nullable": True}},
}
_EXTENSIONS = ("filter", "filter-lang", "filter-crs", "query", "sortby", "fields")
SEARCH_PARAMETERS = _parameters("bbox", "intersects", "datetime", "ids", "collections", "limit", *_EXTENSIONS, "token")
ITEMS_PARAMETERS = _parameters("bbox", "datetime", "ids", "collections", "limit", *_EXTENSIONS, "token")
COLLECTIONS_PARAMETERS = _parameters("limit", "token")
SEARCH_BODY = {
    "requestBody": {
        "required": False,
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        name: schema | {"description": description} for name, (schema, description) in _VALUES.items()
                    }
                    | {"filter": {"type": "object"}, "sortby": _SORT_OBJECTS, "fields": _FIELDS_OBJECT},
                }
            }
        },
    }
}
