"""Features: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0/ogcapi-features."""

from fastapi import APIRouter, Request, Response

from app.api import paths
from app.api.dependencies import BaseUrlDep, CatalogDep, ItemsSearchDep, NoParameters, WatchDep
from app.api.links import GEOJSON, JSON, collection_url, link, page_links
from app.api.openapi import ITEM, ITEM_COLLECTION, ITEMS_PARAMETERS
from app.api.responses import answer, item_body, item_collection, unless_known
from app.api.search import tokens

router = APIRouter(tags=["Items"])


@router.get(
    paths.ITEMS,
    summary="The items of a collection",
    responses=ITEM_COLLECTION,
    openapi_extra=ITEMS_PARAMETERS,
)
async def get_items(
    request: Request,
    base: BaseUrlDep,
    collection_id: str,
    search: ItemsSearchDep,
    catalog: CatalogDep,
    watch: WatchDep,
) -> Response:
    watch.lap("parse")
    page = await catalog.items(collection_id, search, watch)
    query = request.url.query
    collection = collection_url(base, collection_id)
    url = f"{collection}/items"
    links = [
        link("self", f"{url}?{query}" if query else url, GEOJSON),
        link("collection", collection, JSON),
        link("parent", collection, JSON),
        link("root", base + "/", JSON),
        *page_links(url, query, GEOJSON, tokens(search, page)),
    ]
    return answer(item_collection(base, page.items, links), GEOJSON, watch)


@router.get(
    paths.ITEM,
    summary="One item",
    responses=ITEM,
    dependencies=[NoParameters],
)
async def get_item(
    request: Request, base: BaseUrlDep, collection_id: str, item_id: str, catalog: CatalogDep, watch: WatchDep
) -> Response:
    watch.lap("parse")
    item = await catalog.item(collection_id, item_id)
    watch.lap("db")
    return unless_known(request, item_body(base, item), GEOJSON, watch, item.content)
