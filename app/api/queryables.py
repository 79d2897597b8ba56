"""Queryables and sortables: the Filter and Sort extensions of STAC API, OGC API Features Part 3 and Part 5.

Those of the catalogue are the union of its collections: a filter on all items may name what some of them have.
"""

from collections.abc import Mapping

from fastapi import APIRouter, Response

from app.api import paths
from app.api.dependencies import Context, PlainContextDep
from app.api.links import SCHEMA, collection_url
from app.api.openapi import QUERYABLES
from app.api.responses import answer
from app.stac import document as documents
from app.stac.queryables import Schema, document, queryables, sortables

router = APIRouter(tags=["Queryables"])


@router.get("/queryables", summary="What filters can name", responses=QUERYABLES)
async def get_queryables(context: PlainContextDep) -> Response:
    found = queryables(await context.catalog.statistics())
    return _answer(context, f"{context.base}/queryables", context.settings.catalog_title, found)


@router.get(paths.QUERYABLES, summary="What filters of a collection can name", responses=QUERYABLES)
async def get_collection_queryables(context: PlainContextDep, collection_id: str) -> Response:
    found = queryables(await context.catalog.statistics_of(collection_id))
    return _answer(context, f"{collection_url(context.base, collection_id)}/queryables", collection_id, found)


@router.get("/sortables", summary="What results can be sorted by", responses=QUERYABLES)
async def get_sortables(context: PlainContextDep) -> Response:
    found = sortables(await context.catalog.statistics())
    return _answer(context, f"{context.base}/sortables", context.settings.catalog_title, found)


@router.get(paths.SORTABLES, summary="What items of a collection can be sorted by", responses=QUERYABLES)
async def get_collection_sortables(context: PlainContextDep, collection_id: str) -> Response:
    found = sortables(await context.catalog.statistics_of(collection_id))
    return _answer(context, f"{collection_url(context.base, collection_id)}/sortables", collection_id, found)


def _answer(context: Context, url: str, title: str, properties: Mapping[str, Schema]) -> Response:
    context.watch.lap("db")
    described = document(url, title, properties, closed=context.settings.validate_queryables)
    return answer(documents.dump(described), SCHEMA, context.watch)
