"""Features: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0/ogcapi-features."""

from fastapi import APIRouter, Request, Response

from app.api import formats, paths, signing
from app.api.dependencies import ContextDep, ItemContextDep, ItemsSearchDep
from app.api.links import GEOJSON, JSON, collection_url, link, page_links
from app.api.openapi import ITEM, ITEM_COLLECTION
from app.api.parameters import ITEM_PARAMETERS, ITEMS_PARAMETERS
from app.api.responses import item_body, unless_known
from app.api.search import tokens

router = APIRouter(tags=["Items"])


@router.get(
    paths.ITEMS,
    summary="The items of a collection",
    responses=ITEM_COLLECTION,
    openapi_extra=ITEMS_PARAMETERS,
)
async def get_items(request: Request, context: ContextDep, collection_id: str, search: ItemsSearchDep) -> Response:
    if form := formats.asked(request):
        await context.catalog.collection(collection_id)
        return formats.streamed(form, context, search)
    context.watch.lap("parse")
    page = await context.catalog.items(collection_id, search, context.watch)
    query = request.url.query
    collection = collection_url(context.base, collection_id)
    url = f"{collection}/items"
    links = [
        link("self", f"{url}?{query}" if query else url, GEOJSON),
        link("collection", collection, JSON),
        link("parent", collection, JSON),
        link("root", context.base + "/", JSON),
        *page_links(url, query, GEOJSON, tokens(search, page)),
    ]
    return await signing.page(request, context, page, links, search.fields)


@router.get(paths.ITEM, summary="One item", responses=ITEM, openapi_extra=ITEM_PARAMETERS)
async def get_item(request: Request, context: ItemContextDep, collection_id: str, item_id: str) -> Response:
    context.watch.lap("parse")
    item = await context.catalog.item(collection_id, item_id)
    context.watch.lap("db")
    if signing.asked(request):
        return await signing.item(context, item)
    return unless_known(request, item_body(context.base, item), GEOJSON, context.watch, item.content)
