"""Collections: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0/collections."""

from fastapi import APIRouter, Request, Response

from app.api import paths
from app.api.dependencies import CollectionSearchDep, ContextDep, PlainContextDep
from app.api.links import JSON, link, page_links
from app.api.openapi import COLLECTION, COLLECTIONS
from app.api.parameters import COLLECTIONS_PARAMETERS
from app.api.responses import answer, collection_body, collection_list, unless_known

router = APIRouter(tags=["Collections"])


@router.get("/collections", summary="All collections", responses=COLLECTIONS, openapi_extra=COLLECTIONS_PARAMETERS)
async def get_collections(request: Request, context: ContextDep, search: CollectionSearchDep) -> Response:
    context.watch.lap("parse")
    page = await context.catalog.collections(search)
    context.watch.lap("db")
    query = request.url.query
    root, url = context.base + "/", f"{context.base}/collections"
    tokens = {
        "next": search.token(page.next, backward=False) if page.next else None,
        "prev": search.token(page.previous, backward=True) if page.previous else None,
    }
    links = [
        link("self", f"{url}?{query}" if query else url, JSON),
        link("root", root, JSON),
        link("parent", root, JSON),
        *page_links(url, query, JSON, tokens),
    ]
    return answer(collection_list(context.base, page.collections, links), JSON, context.watch)


@router.get(paths.COLLECTION, summary="One collection", responses=COLLECTION)
async def get_collection(request: Request, context: PlainContextDep, collection_id: str) -> Response:
    context.watch.lap("parse")
    collection = await context.catalog.collection(collection_id)
    context.watch.lap("db")
    body = collection_body(context.base, collection)
    return unless_known(request, body, JSON, context.watch, collection.content + collection.extent)
