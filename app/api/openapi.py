"""The description of the service: what each route answers, and the document at /api.

The answers are bytes, described by the models that tests hold them against. `parameters.py` has what a route takes.
"""

from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from typing import Annotated, Any, Literal

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel, ConfigDict, Field
from stac_pydantic.api import Collection, Collections, Conformance, Item, ItemCollection, LandingPage

from app.api import security
from app.api.links import GEOJSON, HTML, JSON, NDJSON, PARQUET, SCHEMA
from app.api.parameters import FORM
from app.stac.patch import MERGE, OPERATIONS

Responses = dict[int | str, dict[str, Any]]


class FaultBody(BaseModel):
    """One place of a document that is wrong."""

    path: str
    message: str


class ErrorBody(BaseModel):
    """Every error of this service has this shape."""

    code: str
    description: str
    parameter: str | None = None
    faults: list[FaultBody] | None = None


class Batch(BaseModel):
    """What became of the items of a batch."""

    received: int
    created: int
    replaced: int
    unchanged: int


class JsonSchema(BaseModel):
    """A JSON Schema of the properties that can be named."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    properties: dict[str, Any]


class FunctionArgument(BaseModel):
    type: list[str]


class Function(BaseModel):
    name: str
    description: str
    arguments: list[FunctionArgument]
    returns: list[str]


class Functions(BaseModel):
    """The functions a filter can call (OGC 19-079r2, /req/filter/get-functions-response-json)."""

    functions: list[Function]


class Bucket(BaseModel):
    """Items with one value, or a value from `from` and below `to`."""

    model_config = ConfigDict(extra="forbid")

    key: str
    data_type: str
    frequency: int
    from_: Annotated[float | None, Field(alias="from")] = None
    to: float | None = None


class Aggregation(BaseModel):
    """A value, or a frequency distribution; or, at /aggregations, what there will be one of."""

    model_config = ConfigDict(extra="forbid")

    name: str
    data_type: str
    frequency_distribution_data_type: str | None = None
    value: int | str | None = None
    buckets: list[Bucket] | None = None
    overflow: int | None = None


class AggregationCollection(BaseModel):
    """What the Aggregation extension answers with."""

    type: Literal["AggregationCollection"]
    aggregations: list[Aggregation]
    links: list[dict[str, Any]]


class Ping(BaseModel):
    """The service lives."""

    message: Literal["PONG"]


class HealthBody(BaseModel):
    """`revision` is that of the database's schema, `description` what is wrong and what to do."""

    status: Literal["UP", "DOWN"]
    database: Literal["UP", "DOWN"]
    revision: str | None = None
    description: str | None = None


class AssetReader(BaseModel):
    """What reads a file: GDAL's driver by its short name, the engine of xarray; null where there is none."""

    format: str
    driver: str | None
    engine: str | None
    vector: bool


class GridBand(BaseModel):
    """null is what nobody says. `value = stored * scale + offset`, in `unit`."""

    name: str | None
    common_name: str | None
    description: str | None
    dtype: str | None
    nodata: float | str | None
    scale: float | str | None
    offset: float | str | None
    unit: str | None


class GridBody(BaseModel):
    """Where the pixels are and what they mean; null is what nobody says, and numbers JSON has not are texts."""

    code: str | None
    wkt2: str | None
    projjson: dict[str, Any] | None
    geotransform: Annotated[list[float], Field(min_length=6, max_length=6, description="In GDAL's order.")] | None
    shape: Annotated[list[int], Field(min_length=2, max_length=2, description="Rows, columns.")] | None
    bbox: Annotated[list[float], Field(min_length=4, max_length=4, description="In the CRS.")] | None
    resolution: Annotated[list[float], Field(min_length=2, max_length=2)] | None
    bands: list[GridBand]
    dtype: str | None
    nodata: float | str | None
    scale: float | str | None
    offset: float | str | None


class AssetGrid(BaseModel):
    """What an item and its collection say of an asset; no file is opened for it."""

    model_config = ConfigDict(extra="forbid")

    collection: str
    item: str
    asset: str
    href: str
    expires: str | None
    reader: AssetReader | None
    grid: GridBody


def _answers(model: type[BaseModel], media_type: str, *statuses: HTTPStatus) -> Responses:
    return {200: _content(model, media_type, "OK")} | _errors(*statuses)


def _content(model: type[BaseModel], media_type: str, description: str) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    # `model` makes FastAPI collect the schema; the media type it would list it under is replaced in `document`.
    content = {media_type: {"schema": schema}}
    return {"description": description, "content": content, "model": model, "x-media-type": media_type}


def _errors(*statuses: HTTPStatus) -> Responses:
    return {int(status): {"model": ErrorBody, "description": status.phrase} for status in statuses}


_BAD, _MISSING, _SLOW, _DOWN = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.GATEWAY_TIMEOUT,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
LANDING = _answers(LandingPage, JSON, _BAD)
CONFORMS = _answers(Conformance, JSON, _BAD)
COLLECTIONS = _answers(Collections, JSON, _BAD, _SLOW, _DOWN)
COLLECTION = _answers(Collection, JSON, _BAD, _MISSING, _DOWN)
ITEM = _answers(Item, GEOJSON, _BAD, _MISSING, _DOWN)
GRID = _answers(AssetGrid, JSON, _BAD, _MISSING, HTTPStatus.UNPROCESSABLE_ENTITY, _DOWN)
FUNCTIONS = _answers(Functions, JSON, _BAD)
MEMBERS = _answers(JsonSchema, SCHEMA, _BAD)
PING: Responses = {200: _content(Ping, JSON, "It lives")}
HEALTH: Responses = {
    200: _content(HealthBody, JSON, "Both are well"),
    503: _content(HealthBody, JSON, "The database cannot be reached, or has a schema this version does not know"),
}
QUERYABLES = _answers(JsonSchema, SCHEMA, _BAD, _MISSING, _DOWN)
AGGREGATION_COLLECTION = _answers(AggregationCollection, JSON, _BAD, _SLOW, _DOWN)
COLLECTION_AGGREGATIONS = _answers(AggregationCollection, JSON, _BAD, _MISSING, _SLOW, _DOWN)
_REFUSED = (
    _BAD,
    _MISSING,
    HTTPStatus.CONFLICT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    _SLOW,
    _DOWN,
)
_STALE = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED)
_DONE: Responses = {204: {"description": "Done"}}
CREATED_ITEM = {201: _content(Item, GEOJSON, "Created")} | _errors(*_REFUSED)
CREATED_COLLECTION = {201: _content(Collection, JSON, "Created")} | _errors(*_REFUSED)
BATCH = {200: _content(Batch, JSON, "Done")} | _errors(*_REFUSED)
CHANGED_ITEM = _DONE | {200: _content(Item, GEOJSON, "Done, with the content")} | _errors(*_REFUSED, *_STALE)
CHANGED_COLLECTION = _DONE | {200: _content(Collection, JSON, "Done, with the content")} | _errors(*_REFUSED, *_STALE)
DELETED = _DONE | _errors(*_REFUSED, *_STALE)
ITEM_COLLECTION = _answers(ItemCollection, GEOJSON, _BAD, _MISSING, _SLOW, _DOWN)
ITEM_COLLECTION[200]["x-streams"] = (NDJSON, PARQUET)


def _body(*schemas: dict[str, Any], media_types: tuple[str, ...] = (JSON,)) -> dict[str, Any]:
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": list(schemas)}
    content = {media_type: {"schema": schema} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


def _named(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


_HEADER = {"name": "If-Match", "in": "header", "required": False, "schema": {"type": "string"}}
IF_MATCH: dict[str, Any] = {"parameters": [_HEADER | {"description": "The ETag of the state the change is meant for."}]}
CASCADE: dict[str, Any] = {
    "parameters": [
        *IF_MATCH["parameters"],
        {
            "name": "cascade",
            "in": "query",
            "required": False,
            "schema": {"type": "boolean", "default": False},
            "description": "Whether the items of the collection are deleted too.",
        },
    ]
}
_OBJECT = {"type": "object"}
ITEMS_BODY = _body(_named(Item), _named(ItemCollection), media_types=(JSON, GEOJSON))
ITEM_BODY = _body(_named(Item), media_types=(JSON, GEOJSON)) | IF_MATCH
COLLECTIONS_BODY = _body(_named(Collection), _named(Collections))
COLLECTION_BODY = _body(_named(Collection)) | IF_MATCH
BULK_BODY = _body(
    {
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": {"type": "object", "additionalProperties": _named(Item)},
            "method": {"type": "string", "enum": ["insert", "upsert"], "default": "insert"},
        },
    }
)
PATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MERGE: {"schema": _OBJECT},
            OPERATIONS: {"schema": {"type": "array", "items": _OBJECT}},
            JSON: {"schema": _OBJECT},
        },
    },
    **IF_MATCH,
}


# The tags of what answers with files, which have one form each.
_OF_FILES = ("Mosaics", "Cubes", "Pictures")


@lru_cache(maxsize=64)
def document(app: FastAPI, base: str) -> bytes:
    """The OpenAPI 3.0 document, as the media type it is served under says."""
    described = get_openapi(
        title=app.title,
        version=app.version,
        description=app.description,
        openapi_version="3.0.3",
        routes=app.routes,
        servers=[{"url": base or "/"}],
    )
    for path in described["paths"].values():
        for method, operation in path.items():
            _drop_unsaid(operation["responses"])
            operation |= security.of_operation(operation, app.state.settings)
            if not app.state.signers.rules:
                _drop_parameter(operation, "sign")
            for response in operation["responses"].values():
                _name_media_type(response)
            if method == "get" and operation["tags"][0] not in _OF_FILES:
                _add_page(operation)
    described["components"]["securitySchemes"] = security.schemes(app.state.settings)
    return orjson.dumps(_as_30(described))


def _drop_unsaid(responses: dict[str, Any]) -> None:
    """FastAPI says of each route that it answers 422, in a shape of its own."""
    said = responses.get("422", {}).get("content", {}).get(JSON, {}).get("schema", {}).get("$ref", "")
    if not said.endswith(f"/{ErrorBody.__name__}"):
        responses.pop("422", None)


def _drop_parameter(operation: dict[str, Any], name: str) -> None:
    if "parameters" in operation:
        operation["parameters"] = [kept for kept in operation["parameters"] if kept["name"] != name]


def _name_media_type(response: dict[str, Any]) -> None:
    if media_type := response.pop("x-media-type", None):
        streams = {other: {"schema": {"type": "string", "format": "binary"}} for other in response.pop("x-streams", ())}
        response["content"] = {media_type: response["content"][media_type]} | streams


def _add_page(operation: dict[str, Any]) -> None:
    """What is served as JSON is served as HTML too."""
    for response in operation["responses"].values():
        response["content"][HTML] = {"schema": {"type": "string"}}
    parameters = operation.setdefault("parameters", [])
    if all(parameter["name"] != "f" for parameter in parameters):
        parameters.append(FORM)


def _as_30(node: Any) -> Any:
    """JSON Schema 2020-12, which the models are described in, as the dialect of OpenAPI 3.0."""
    if isinstance(node, list):
        return [_as_30(part) for part in node]
    if not isinstance(node, dict):
        return node
    rewritten = {name: _as_30(value) for name, value in node.items()}
    for name, rewrite in _REWRITES.items():
        if name in rewritten:
            rewrite(rewritten)
    return rewritten


def _null(schema: dict[str, Any]) -> None:
    if not isinstance(schema["anyOf"], list):
        return
    branches = [branch for branch in schema["anyOf"] if branch != {"type": "null"}]
    if len(branches) < len(schema["anyOf"]):
        schema["nullable"] = True
    schema["anyOf"] = branches
    if len(branches) == 1 and "$ref" not in branches[0]:
        del schema["anyOf"]
        schema |= branches[0]


def _const(schema: dict[str, Any]) -> None:
    schema["enum"] = [schema.pop("const")]


def _tuple(schema: dict[str, Any]) -> None:
    parts = schema.pop("prefixItems")
    schema["items"] = parts[0] if all(part == parts[0] for part in parts) else {"anyOf": parts}


def _exclusive(bound: str, exclusive: str) -> Callable[[dict[str, Any]], None]:
    def rewrite(schema: dict[str, Any]) -> None:
        if not isinstance(schema[exclusive], bool):
            schema[bound] = schema[exclusive]
            schema[exclusive] = True

    return rewrite


def _examples(schema: dict[str, Any]) -> None:
    if isinstance(schema["examples"], list):
        schema["example"] = schema.pop("examples")[0]


_REWRITES: dict[str, Callable[[dict[str, Any]], None]] = {
    "anyOf": _null,
    "const": _const,
    "prefixItems": _tuple,
    "exclusiveMinimum": _exclusive("minimum", "exclusiveMinimum"),
    "exclusiveMaximum": _exclusive("maximum", "exclusiveMaximum"),
    "examples": _examples,
}
