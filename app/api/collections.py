"""Collections: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0/collections."""

from fastapi import APIRouter, Request, Response

from app.api import paths
from app.api.dependencies import BaseUrlDep, CatalogDep, CollectionSearchDep, NoParameters, WatchDep
from app.api.links import JSON, link, page_links
from app.api.openapi import COLLECTION, COLLECTIONS, COLLECTIONS_PARAMETERS
from app.api.responses import answer, collection_body, collection_list, unless_known

router = APIRouter(tags=["Collections"])


@router.get("/collections", summary="All collections", responses=COLLECTIONS, openapi_extra=COLLECTIONS_PARAMETERS)
async def get_collections(
    request: Request, base: BaseUrlDep, search: CollectionSearchDep, catalog: CatalogDep, watch: WatchDep
) -> Response:
    watch.lap("parse")
    page = await catalog.collections(search)
    watch.lap("db")
    query = request.url.query
    url = f"{base}/collections"
    tokens = {
        "next": search.token(page.next, backward=False) if page.next else None,
        "prev": search.token(page.previous, backward=True) if page.previous else None,
    }
    links = [
        link("self", f"{url}?{query}" if query else url, JSON),
        link("root", base + "/", JSON),
        link("parent", base + "/", JSON),
        *page_links(url, query, JSON, tokens),
    ]
    return answer(collection_list(base, page.collections, links), JSON, watch)


@router.get(
    paths.COLLECTION,
    summary="One collection",
    responses=COLLECTION,
    dependencies=[NoParameters],
)
async def get_collection(
    request: Request, base: BaseUrlDep, collection_id: str, catalog: CatalogDep, watch: WatchDep
) -> Response:
    watch.lap("parse")
    collection = await catalog.collection(collection_id)
    watch.lap("db")
    body = collection_body(base, collection)
    return unless_known(request, body, JSON, watch, collection.content + collection.extent)
