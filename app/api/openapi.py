"""The description of the service: what each route answers, and the document at /api.

The answers are bytes, described by models: those of STAC, and of `bodies.py`. `parameters.py` has what a route takes.
"""

from collections.abc import Callable
from functools import lru_cache
from http import HTTPStatus
from types import UnionType
from typing import Any

import orjson
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from stac_pydantic.api import Collection, Collections, Conformance, Item, ItemCollection, LandingPage

from app.api import examples, security
from app.api.bodies import (
    AggregationCollection,
    AssetGrid,
    Batch,
    CollectionParts,
    ErrorBody,
    Functions,
    HealthBody,
    ItemParts,
    JsonSchema,
    Ping,
)
from app.api.examples import Examples
from app.api.links import GEOJSON, HTML, JSON, NDJSON, PARQUET, SCHEMA
from app.api.parameters import FORM
from app.settings import Settings
from app.stac.patch import MERGE, OPERATIONS

Responses = dict[int | str, dict[str, Any]]


def _answers(models: type[BaseModel] | UnionType, media_type: str, *statuses: HTTPStatus) -> Responses:
    return {200: _content(models, media_type, "OK")} | _errors(*statuses)


def _content(models: type[BaseModel] | UnionType, media_type: str, description: str) -> dict[str, Any]:
    """FastAPI lists the models under JSON; `document` names the media type."""
    return {"description": description, "model": models, "x-media-type": media_type}


def _named(model: type[BaseModel]) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{model.__name__}"}


def _errors(*statuses: HTTPStatus) -> Responses:
    return {int(status): {"model": ErrorBody, "description": status.phrase} for status in statuses}


_BAD, _MISSING = HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND
LANDING = _answers(LandingPage, JSON, _BAD)
CONFORMS = _answers(Conformance, JSON, _BAD)
COLLECTIONS = _answers(Collections | CollectionParts, JSON, _BAD)
_KNOWN: Responses = {304: {"description": "As the ETag in If-None-Match says"}}
COLLECTION = _answers(Collection, JSON, _BAD, _MISSING) | _KNOWN
ITEM = _answers(Item, GEOJSON, _BAD, _MISSING) | _KNOWN
GRID = _answers(AssetGrid, JSON, _BAD, _MISSING, HTTPStatus.UNPROCESSABLE_ENTITY)
FUNCTIONS = _answers(Functions, JSON, _BAD)
MEMBERS = _answers(JsonSchema, SCHEMA, _BAD)
PING: Responses = {200: _content(Ping, JSON, "It lives")}
HEALTH: Responses = {
    200: _content(HealthBody, JSON, "Both are well"),
    503: _content(HealthBody, JSON, "The database cannot be reached, or has a schema this version does not know"),
}
QUERYABLES = _answers(JsonSchema, SCHEMA, _BAD, _MISSING)
AGGREGATION_COLLECTION = _answers(AggregationCollection, JSON, _BAD)
COLLECTION_AGGREGATIONS = _answers(AggregationCollection, JSON, _BAD, _MISSING)
_REFUSED = (_BAD, _MISSING, HTTPStatus.CONFLICT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
_STALE = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED)
_DONE: Responses = {204: {"description": "Done"}}
CREATED_ITEM = _errors(*_REFUSED) | {201: _content(Item, GEOJSON, "Created")}
CREATED_ITEM[201]["x-others"] = {JSON: {"schema": _named(Batch)}}
CREATED_COLLECTION = _errors(*_REFUSED) | {201: _content(Collection | Collections, JSON, "Created")}
BATCH = {200: _content(Batch, JSON, "Done")} | _errors(*_REFUSED)
CHANGED_ITEM = _DONE | {200: _content(Item, GEOJSON, "Done, with the content")} | _errors(*_REFUSED, *_STALE)
CHANGED_COLLECTION = _DONE | {200: _content(Collection, JSON, "Done, with the content")} | _errors(*_REFUSED, *_STALE)
DELETED = _DONE | _errors(*_REFUSED, *_STALE)
ITEM_COLLECTION = _answers(ItemCollection | ItemParts, GEOJSON, _BAD, _MISSING)
_STREAM = {"schema": {"type": "string", "format": "binary"}}
ITEM_COLLECTION[200]["x-others"] = {NDJSON: _STREAM, PARQUET: _STREAM}


def _body(*schemas: dict[str, Any], shown: Examples, media_types: tuple[str, ...] = (JSON,)) -> dict[str, Any]:
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": list(schemas)}
    content = {media_type: {"schema": schema, "examples": shown} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


_HEADER = {"in": "header", "required": False, "schema": {"type": "string"}}
IF_MATCH: dict[str, Any] = {
    "parameters": [
        _HEADER | {"name": "If-Match", "description": "The ETag of the state the change is meant for."},
        _HEADER | {"name": "If-None-Match", "description": "The ETag of a state the change is not meant for."},
    ]
}
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
# What else a list says, as its links, is passed over.
_FEATURES: dict[str, Any] = {
    "type": "object",
    "required": ["type", "features"],
    "properties": {
        "type": {"type": "string", "enum": ["FeatureCollection"]},
        "features": {"type": "array", "items": _named(Item)},
    },
}
_LIST: dict[str, Any] = {
    "type": "object",
    "required": ["collections"],
    "properties": {"collections": {"type": "array", "items": _named(Collection)}},
}
ITEMS_BODY = _body(_named(Item), _FEATURES, shown=examples.ITEMS, media_types=(JSON, GEOJSON))
ITEM_BODY = _body(_named(Item), shown=examples.ITEM, media_types=(JSON, GEOJSON)) | IF_MATCH
COLLECTIONS_BODY = _body(_named(Collection), _LIST, shown=examples.COLLECTION)
COLLECTION_BODY = _body(_named(Collection), shown=examples.COLLECTION) | IF_MATCH
BULK_BODY = _body(
    {
        "type": "object",
        "required": ["items"],
        "properties": {
            "items": {"type": "object", "additionalProperties": _named(Item)},
            "method": {"type": "string", "enum": ["insert", "upsert"], "default": "insert"},
        },
    },
    shown=examples.BULK,
)
PATCH_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            MERGE: {"schema": _OBJECT, "examples": examples.MERGE},
            OPERATIONS: {"schema": {"type": "array", "items": _OBJECT}, "examples": examples.OPERATIONS},
            JSON: {"schema": _OBJECT, "examples": examples.MERGE},
        },
    },
    **IF_MATCH,
}


# The tags of what answers with files, which have one form each.
_OF_FILES = ("Mosaics", "Cubes", "Pictures")
# The tag of what is no part of the catalogue: it is for machines, and answers when all else is refused.
_OF_MACHINES = "Management"


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
            if operation["tags"][0] == _OF_MACHINES:
                continue
            _add_refusals(operation, app.state.settings)
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
        response["content"] = {media_type: response["content"][JSON]} | response.pop("x-others", {})


def _add_refusals(operation: dict[str, Any], settings: Settings) -> None:
    """What any route may be answered with before it is asked, or while it is."""
    statuses = [HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT]
    if "requestBody" in operation:
        statuses += [HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE]
    if settings.rate_limit is not None:
        statuses.append(HTTPStatus.TOO_MANY_REQUESTS)
    for status in statuses:
        refused = {"description": status.phrase, "content": {JSON: {"schema": _named(ErrorBody)}}}
        operation["responses"].setdefault(str(int(status)), refused)


def _add_page(operation: dict[str, Any]) -> None:
    """What is served as JSON is served as HTML too."""
    for response in operation["responses"].values():
        if "content" in response:
            response["content"][HTML] = {"schema": {"type": "string"}}
    operation["responses"]["303"] = {"description": "A browser's form has empty fields: the address without them"}
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
