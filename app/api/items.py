"""Features: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0/ogcapi-features."""

from fastapi import APIRouter, Request, Response

from app.api import formats, html, looks, negotiation, paths, signing
from app.api.dependencies import ContextDep, ItemContextDep, ItemsSearchDep
from app.api.links import GEOJSON, HTML, JSON, alternate, collection_url, link, page_links
from app.api.openapi import ITEM, ITEM_COLLECTION
from app.api.parameters import ITEM_PARAMETERS, ITEMS_PARAMETERS
from app.api.responses import answer, item_body, unless_known
from app.api.routes import DirectRoute
from app.api.search import tokens

router = APIRouter(tags=["Items"], route_class=DirectRoute)


@router.get(
    paths.ITEMS,
    summary="The items of a collection",
    responses=ITEM_COLLECTION,
    openapi_extra=ITEMS_PARAMETERS,
)
async def get_items(request: Request, context: ContextDep, collection_id: str, search: ItemsSearchDep) -> Response:
    form = formats.asked(request)
    if form in formats.STREAMS:
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
        alternate(f"{url}?{query}" if query else url),
    ]
    found = await signing.page(request, context, page, links, search.fields)
    return await html.items(request, context, found, collection_id) if form == HTML else found


@router.get(paths.ITEM, summary="One item", responses=ITEM, openapi_extra=ITEM_PARAMETERS)
async def get_item(request: Request, context: ItemContextDep, collection_id: str, item_id: str) -> Response:
    context.watch.lap("parse")
    item = await context.catalog.item(collection_id, item_id)
    context.watch.lap("db")
    body = item_body(context.base, item, context.files, looks.of_item(request, context, item))
    signed = await signing.item(context, item.collection, body) if signing.asked(request) else None
    if negotiation.asked(request, negotiation.ITEM) == HTML:
        return await html.item(request, context, signed or answer(body, GEOJSON, context.watch))
    return signed or unless_known(request, body, GEOJSON, context.watch, item.content)
