"""Item Search: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0/item-search."""

import orjson
from fastapi import APIRouter, Request, Response

from app.api import formats, html, signing
from app.api.dependencies import ContextDep, PostedSearchDep, QuerySearchDep
from app.api.links import GEOJSON, HTML, JSON, Link, alternate, link, page_links, post_page_links
from app.api.negotiation import POSTED
from app.api.openapi import ITEM_COLLECTION
from app.api.parameters import SEARCH_BODY, SEARCH_PARAMETERS
from app.api.routes import DirectRoute
from app.catalog import CollectionPage, ItemPage
from app.stac.collection_search import CollectionSearch
from app.stac.search import Search

router = APIRouter(tags=["Item Search"], route_class=DirectRoute)


@router.get("/search", summary="Search items", responses=ITEM_COLLECTION, openapi_extra=SEARCH_PARAMETERS)
async def get_search(request: Request, context: ContextDep, search: QuerySearchDep) -> Response:
    form = formats.asked(request)
    if form in formats.STREAMS:
        return formats.streamed(form, context, search)
    context.watch.lap("parse")
    page = await context.catalog.search(search, context.watch)
    query = request.url.query
    url = f"{context.base}/search"
    links = [
        link("self", f"{url}?{query}" if query else url, GEOJSON),
        link("root", context.base + "/", JSON),
        *page_links(url, query, GEOJSON, tokens(search, page)),
        alternate(f"{url}?{query}" if query else url),
    ]
    found = await signing.page(request, context, page, links, search.fields)
    return await html.items(request, context, found) if form == HTML else found


@router.post("/search", summary="Search items", responses=ITEM_COLLECTION, openapi_extra=SEARCH_BODY)
async def post_search(request: Request, context: ContextDep, posted: PostedSearchDep) -> Response:
    if form := formats.asked(request, POSTED):
        return formats.streamed(form, context, posted.search)
    context.watch.lap("parse")
    page = await context.catalog.search(posted.search, context.watch)
    url = f"{context.base}/search{'?sign=true' if signing.asked(request) else ''}"
    links: list[Link] = [link("self", url, GEOJSON), link("root", context.base + "/", JSON)]
    if page.next or page.previous:
        links += post_page_links(url, orjson.loads(posted.body or b"{}"), GEOJSON, tokens(posted.search, page))
    return await signing.page(request, context, page, links, posted.search.fields)


def tokens(search: Search | CollectionSearch, page: ItemPage | CollectionPage) -> dict[str, str | None]:
    """The relations of the neighbouring pages, with their tokens."""
    return {
        "next": search.token(page.next) if page.next else None,
        "prev": search.token(page.previous) if page.previous else None,
    }
