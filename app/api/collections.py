"""Collections: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0/collections, and the search among them:
https://github.com/stac-api-extensions/collection-search/tree/v1.0.0-rc.1.
"""

import orjson
from fastapi import APIRouter, Request, Response

from app.api import html, negotiation, paths
from app.api.dependencies import CollectionSearchDep, ContextDep, PlainContextDep, PostedCollectionSearchDep
from app.api.links import (
    HTML,
    JSON,
    QUERYABLES,
    SCHEMA,
    SORTABLES,
    Link,
    alternate,
    link,
    page_links,
    post_page_links,
)
from app.api.openapi import COLLECTION, COLLECTIONS
from app.api.parameters import COLLECTIONS_BODY, COLLECTIONS_PARAMETERS, IF_NONE_MATCH
from app.api.responses import answer, collection_body, collection_list, unless_known, varied
from app.api.routes import DirectRoute
from app.api.search import tokens

router = APIRouter(tags=["Collections"], route_class=DirectRoute)


@router.get("/collections", summary="Search collections", responses=COLLECTIONS, openapi_extra=COLLECTIONS_PARAMETERS)
async def get_collections(request: Request, context: ContextDep, search: CollectionSearchDep) -> Response:
    context.watch.lap("parse")
    page = await context.catalog.collections(search, context.watch)
    query = request.url.query
    url = f"{context.base}/collections"
    links = [
        *_links(context.base, f"{url}?{query}" if query else url),
        *page_links(url, query, JSON, tokens(search, page)),
        alternate(f"{url}?{query}" if query else url),
    ]
    body = collection_list(context.base, page, links, search.fields)
    if negotiation.asked(request, negotiation.DOCUMENT) == HTML:
        return await html.collections(request, context, body)
    return varied(answer(body, JSON, context.watch))


@router.post("/collections-search", summary="Search collections", responses=COLLECTIONS, openapi_extra=COLLECTIONS_BODY)
async def post_collections_search(context: PlainContextDep, posted: PostedCollectionSearchDep) -> Response:
    context.watch.lap("parse")
    page = await context.catalog.collections(posted.search, context.watch)
    url = f"{context.base}/collections-search"
    links = _links(context.base, url)
    if page.next or page.previous:
        links += post_page_links(url, orjson.loads(posted.body or b"{}"), JSON, tokens(posted.search, page))
    return answer(collection_list(context.base, page, links, posted.search.fields), JSON, context.watch)


def _links(base: str, url: str) -> list[Link]:
    return [
        link("self", url, JSON),
        link("root", base + "/", JSON),
        link("parent", base + "/", JSON),
        link(QUERYABLES, f"{base}/collections-queryables", SCHEMA),
        link(SORTABLES, f"{base}/collections-sortables", SCHEMA),
    ]


@router.get(paths.COLLECTION, summary="One collection", responses=COLLECTION, openapi_extra=IF_NONE_MATCH)
async def get_collection(request: Request, context: PlainContextDep, collection_id: str) -> Response:
    context.watch.lap("parse")
    collection = await context.catalog.collection(collection_id)
    context.watch.lap("db")
    body = collection_body(context.base, collection)
    if negotiation.asked(request, negotiation.DOCUMENT) == HTML:
        return await html.collection(request, context, body)
    return unless_known(request, body, JSON, context.watch, collection.content + collection.extent)
