"""Queryables and sortables: the Filter and Sort extensions of STAC API, OGC API Features Part 3 and Part 5.

Those of the catalogue are the union of its collections: a filter on all items may name what some of them have.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from app.api import html, paths
from app.api.dependencies import Context, PlainContextDep
from app.api.links import SCHEMA, collection_url
from app.api.openapi import QUERYABLES
from app.api.responses import answer
from app.api.routes import DirectRoute
from app.stac import document as documents
from app.stac.queryables import Schema, document, queryables, sortables

router = APIRouter(tags=["Queryables"], route_class=DirectRoute)


@router.get("/queryables", summary="What filters can name", responses=QUERYABLES)
async def get_queryables(request: Request, context: PlainContextDep) -> Response:
    found = queryables(await context.catalog.statistics())
    return await _answer(request, context, f"{context.base}/queryables", context.settings.catalog_title, found)


@router.get(paths.QUERYABLES, summary="What filters of a collection can name", responses=QUERYABLES)
async def get_collection_queryables(request: Request, context: PlainContextDep, collection_id: str) -> Response:
    found = queryables(await context.catalog.statistics_of(collection_id))
    url = f"{collection_url(context.base, collection_id)}/queryables"
    return await _answer(request, context, url, collection_id, found)


@router.get("/sortables", summary="What results can be sorted by", responses=QUERYABLES)
async def get_sortables(request: Request, context: PlainContextDep) -> Response:
    found = sortables(await context.catalog.statistics())
    return await _answer(request, context, f"{context.base}/sortables", context.settings.catalog_title, found)


@router.get(paths.SORTABLES, summary="What items of a collection can be sorted by", responses=QUERYABLES)
async def get_collection_sortables(request: Request, context: PlainContextDep, collection_id: str) -> Response:
    found = sortables(await context.catalog.statistics_of(collection_id))
    url = f"{collection_url(context.base, collection_id)}/sortables"
    return await _answer(request, context, url, collection_id, found)


async def _answer(
    request: Request, context: Context, url: str, title: str, properties: Mapping[str, Schema]
) -> Response:
    context.watch.lap("db")
    described = document(url, title, properties, closed=context.settings.validate_queryables)
    found = answer(documents.dump(described), SCHEMA, context.watch)
    return await html.either(request, context, found, f"{url.rpartition('/')[2].capitalize()} of {title}")
