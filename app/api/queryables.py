"""Queryables: OGC API Features Part 3, and the Filter extension of STAC API."""

from typing import Any

from fastapi import APIRouter, Response

from app.api import paths
from app.api.dependencies import PlainContextDep
from app.api.links import SCHEMA, collection_url
from app.api.openapi import QUERYABLES
from app.api.responses import json_answer

router = APIRouter(tags=["Queryables"])

_TEXT = {"type": "string"}
_TIME = {"type": "string", "format": "date-time"}
# What every item has. Further properties can be named too: `additionalProperties` says so.
_PROPERTIES: dict[str, Any] = {
    "id": {"title": "Id"} | _TEXT,
    "collection": {"title": "Collection"} | _TEXT,
    "geometry": {"title": "Footprint", "$ref": "https://geojson.org/schema/Geometry.json"},
    "datetime": {"title": "Date and time"} | _TIME,
    "start_datetime": {"title": "Start"} | _TIME,
    "end_datetime": {"title": "End"} | _TIME,
}


@router.get("/queryables", summary="What filters can name", responses=QUERYABLES)
async def get_queryables(context: PlainContextDep) -> Response:
    schema = _schema(f"{context.base}/queryables", context.settings.catalog_title)
    return json_answer(schema, context.watch, SCHEMA)


@router.get(paths.QUERYABLES, summary="What filters of a collection can name", responses=QUERYABLES)
async def get_collection_queryables(context: PlainContextDep, collection_id: str) -> Response:
    await context.catalog.collection(collection_id)
    schema = _schema(f"{collection_url(context.base, collection_id)}/queryables", collection_id)
    return json_answer(schema, context.watch, SCHEMA)


def _schema(url: str, title: str) -> dict[str, Any]:
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": url,
        "type": "object",
        "title": title,
        "properties": _PROPERTIES,
        "additionalProperties": True,
    }
