"""What searches of collections can name: queryables (OGC API Features Part 3) and sortables (Part 5)."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api import html
from app.api.dependencies import Context, PlainContextDep
from app.api.links import SCHEMA
from app.api.openapi import MEMBERS
from app.api.responses import json_answer
from app.api.routes import DirectRoute

router = APIRouter(tags=["Queryables"], route_class=DirectRoute)

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
# What is common. Any other member can be named too, and `summaries.gsd` inside of one: `additionalProperties` says so.
_SORTABLES: dict[str, Any] = {
    "id": {"title": "Id"} | _TEXT,
    "title": {"title": "Title"} | _TEXT,
    "description": {"title": "Description"} | _TEXT,
    "license": {"title": "License"} | _TEXT,
    "stac_version": {"title": "Version of STAC"} | _TEXT,
    "datetime": {"title": "Start of the extent in time", "format": "date-time"} | _TEXT,
}
_QUERYABLES = _SORTABLES | {
    "keywords": {"title": "Keywords"} | _TEXTS,
    "stac_extensions": {"title": "Extensions"} | _TEXTS,
    "providers": {"title": "Providers", "type": "array", "items": {"type": "object"}},
    "summaries": {"title": "Summaries", "type": "object"},
    "assets": {"title": "Assets", "type": "object"},
    "item_assets": {"title": "Assets of items", "type": "object"},
    "geometry": {"title": "Extent in space", "format": "geometry-any", "x-ogc-role": "primary-geometry"},
    "datetime": {"title": "Extent in time: in comparisons its start", "format": "date-time"} | _TEXT,
}


@router.get("/collections-queryables", summary="What filters of collections can name", responses=MEMBERS)
async def get_queryables_of_collections(request: Request, context: PlainContextDep) -> Response:
    return await _schema(request, context, "collections-queryables", _QUERYABLES)


@router.get("/collections-sortables", summary="What collections can be sorted by", responses=MEMBERS)
async def get_sortables_of_collections(request: Request, context: PlainContextDep) -> Response:
    return await _schema(request, context, "collections-sortables", _SORTABLES)


async def _schema(request: Request, context: Context, path: str, properties: dict[str, Any]) -> Response:
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"{context.base}/{path}",
        "type": "object",
        "title": f"Collections of {context.settings.catalog_title}",
        "properties": properties,
        "additionalProperties": True,
    }
    found = json_answer(schema, context.watch, SCHEMA)
    return await html.either(request, context, found, f"{path.rpartition('-')[2].capitalize()} of collections")
