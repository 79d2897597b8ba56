"""The parameters of the routes, as OpenAPI 3.0 describes them.

The routes read them from the request as it is, so they are described here and not by signatures.
"""

from typing import Any

from app.api import examples
from app.api.examples import Examples
from app.api.links import JSON
from app.stac.aggregation import AGGREGATIONS, INTERVAL_PARAMETER, INTERVALS, PRECISION_PARAMETERS

_TEXTS = {"type": "array", "items": {"type": "string"}}
_Values = dict[str, tuple[dict[str, Any], str]]
_VALUES: _Values = {
    "bbox": (
        {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 6},
        "west,south,east,north, or with heights west,south,bottom,east,north,top. West > east crosses the "
        "antimeridian. Excludes `intersects`.",
    ),
    "intersects": (
        {"type": "object"},
        'A GeoJSON geometry the items intersect: `{"type": "Point", "coordinates": [10.35, 46.92]}`. Excludes `bbox`.',
    ),
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
    "q": (
        _TEXTS,
        "Free text: terms, of which an item has one in its id or in a text of its properties. The words of a term "
        "follow each other; case and punctuation do not count.",
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
    "f": (
        {"type": "string", "enum": ["json", "geojson", "html", "ndjson", "geoparquet", "parquet"]},
        "The form of the result, instead of Accept; HTML by GET alone. NDJSON and STAC GeoParquet are streams of all "
        "items, or of `limit` at most.",
    ),
    "sign": (
        {"type": "boolean", "default": False},
        "Whether hrefs of assets are signed, so that whoever has them may read for a while.",
    ),
    "token": ({"type": "string"}, "Where the page starts: from the `next` or `prev` link of another page."),
}
# What says which page, in which order and with which members, says nothing about all items together.
_OF_PAGE = ("fields", "limit", "sortby", "token", "f", "sign")
_AGGREGATED = {name: value for name, value in _VALUES.items() if name not in _OF_PAGE}
_AGGREGATED |= {
    "aggregations": (
        {"type": "array", "items": {"type": "string", "enum": list(AGGREGATIONS)}},
        "What to aggregate. Nothing is, where nothing is said.",
    ),
    INTERVAL_PARAMETER: (
        {"type": "string", "enum": list(INTERVALS), "default": "month"},
        "How long the buckets of datetime_frequency are, in UTC.",
    ),
}
_AGGREGATED |= {
    name: (
        {"type": "integer", "minimum": least, "maximum": greatest, "default": least},
        f"How fine the grid of {name.removesuffix('_precision')} is.",
    )
    for name, (least, greatest) in PRECISION_PARAMETERS.items()
}

_COLLECTION_VALUES: _Values = {
    name: value for name, value in _VALUES.items() if name not in ("intersects", "ids", "collections", "f", "sign")
} | {
    "bbox": (
        _VALUES["bbox"][0],
        "west,south,east,north, or with heights west,south,bottom,east,north,top. West > east crosses the "
        "antimeridian. Finds the collections whose extent intersects it.",
    ),
    "q": (
        _TEXTS,
        "Terms, one of which is in the id, title, description or keywords, in any case: the words of a term in a row.",
    ),
    "filter": (
        {"type": "string"},
        "CQL2 on the members of collections: `license = 'CC-BY-4.0' AND a_contains(keywords, ('fire'))`.",
    ),
    "query": (
        _VALUES["query"][0],
        'Operators on members: `{"license": {"eq": "CC-BY-4.0"}}`, as for items.',
    ),
    "sortby": (
        {"type": "string"},
        "Members to sort by, `-` for the other way: `-title,id`. Collections without a value come last.",
    ),
    "fields": (
        {"type": "string"},
        "Members to send, and with `-` not to send: `title,extent,-links`. Empty is the least that is a valid "
        "collection.",
    ),
}


def _parameters(*names: str, values: _Values = _VALUES) -> dict[str, Any]:
    return {"parameters": [parameter(name, *values[name]) | _example(name) for name in names]}


def _example(name: str) -> dict[str, Any]:
    return {"example": examples.PARAMETERS[name]} if name in examples.PARAMETERS else {}


def parameter(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    described = {"name": name, "in": "query", "required": False, "description": description}
    if schema["type"] == "object":
        # Swagger UI makes up members of what is said to be an object, and sends them.
        return described | {"content": {JSON: {"schema": {"not": {"type": "string"}}}}}
    lists = {"style": "form", "explode": False} if schema["type"] == "array" else {}
    return described | {"schema": schema} | lists


# Of all that has no streams.
FORM = parameter(
    "f", {"type": "string", "enum": ["json", "html"]}, "The form of the answer, instead of Accept: JSON, or a page."
)
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
_EXTENSIONS = ("filter", "filter-lang", "filter-crs", "query", "q", "sortby", "fields")
SEARCH_PARAMETERS = _parameters(
    "bbox", "intersects", "datetime", "ids", "collections", "limit", *_EXTENSIONS, "token", "f", "sign"
)
ITEMS_PARAMETERS = _parameters("bbox", "datetime", "ids", "collections", "limit", *_EXTENSIONS, "token", "f", "sign")
COLLECTIONS_PARAMETERS = _parameters("bbox", "datetime", "limit", *_EXTENSIONS, "token", values=_COLLECTION_VALUES)
AGGREGATE_PARAMETERS = _parameters(*_AGGREGATED, values=_AGGREGATED)

IF_NONE_MATCH: dict[str, Any] = {
    "parameters": [
        {
            "name": "If-None-Match",
            "in": "header",
            "required": False,
            "schema": {"type": "string"},
            "description": "ETags of what the client has: nothing is sent where it is the same.",
        }
    ]
}
SIGN_PARAMETERS = _parameters("sign")
ITEM_PARAMETERS = {"parameters": [*SIGN_PARAMETERS["parameters"], *IF_NONE_MATCH["parameters"]]}
GRID_PARAMETERS = _parameters(
    "prefer",
    "sign",
    values=_VALUES
    | {
        "prefer": (
            {"type": "string"},
            "Which of its places the href is: an alternate by its name, or a scheme (s3, gs, https). The asset's own "
            "where there is none.",
        )
    },
)


def _body(values: _Values, objects: dict[str, Any], shown: Examples) -> dict[str, Any]:
    """The same values as members of a JSON object; `objects` are those that have another form in it."""
    properties = {name: schema | {"description": description} for name, (schema, description) in values.items()}
    schema = {"type": "object", "additionalProperties": False, "properties": properties | objects}
    return {"requestBody": {"required": False, "content": {JSON: {"schema": schema, "examples": shown}}}}


_FILTER_OBJECT = {"filter": {"type": "object"}}
# These are no part of a search, and stand in the URL of a POST too.
_OF_URL = ("f", "sign")
_PAGE_OBJECTS = _FILTER_OBJECT | {"sortby": _SORT_OBJECTS, "fields": _FIELDS_OBJECT}
SEARCH_BODY = _parameters(*_OF_URL) | _body(
    {name: value for name, value in _VALUES.items() if name not in _OF_URL}, _PAGE_OBJECTS, examples.SEARCH
)
COLLECTIONS_BODY = _body(_COLLECTION_VALUES, _PAGE_OBJECTS, examples.COLLECTIONS)
AGGREGATE_BODY = _body(_AGGREGATED, _FILTER_OBJECT, examples.AGGREGATE)
