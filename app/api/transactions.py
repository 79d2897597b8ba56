"""Transaction and Collection Transaction: https://github.com/stac-api-extensions/transaction and its neighbour.

A change is answered with 204 and the new ETag; `Prefer: return=representation` (RFC 7240) asks for the content too.
"""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response

from app.api import openapi, paths, signing, static
from app.api.dependencies import CascadeDep, Change, CollectionDeletionDep, DeletionDep, DocumentDep, PatchDep
from app.api.freshness import WritingRoute
from app.api.links import GEOJSON, JSON, collection_url, item_url
from app.api.responses import answer, collection_body, collection_list, entity_tag, item_body, json_answer
from app.catalog import CollectionPage, StoredCollection, StoredItem
from app.stac import document as documents
from app.stac import patch as patches
from app.stac.patch import Patch
from app.transactions import BatchReport, of_body

items = APIRouter(tags=["Transaction"], route_class=WritingRoute)
collections = APIRouter(tags=["Collection Transaction"], route_class=WritingRoute)


@items.post(
    paths.ITEMS,
    status_code=201,
    summary="Add an item, or all of an ItemCollection",
    responses=openapi.CREATED_ITEM,
    openapi_extra=openapi.ITEMS_BODY,
)
async def post_items(change: DocumentDep, collection_id: str) -> Response:
    created = await change.transactions.create_items(collection_id, _text_of_items(change, collection_id))
    change.watch.lap("db")
    if isinstance(created, BatchReport):
        return _created(json_answer(asdict(created), change.watch))
    location = item_url(change.base, collection_id, created.id)
    return _created(_item(change, created), location)


@items.post(
    paths.BULK_ITEMS,
    summary="Add or replace many items",
    responses=openapi.BATCH,
    openapi_extra=openapi.BULK_BODY,
)
async def post_bulk_items(change: DocumentDep, collection_id: str) -> Response:
    report = await change.transactions.write_bulk(collection_id, _text_of_items(change, collection_id))
    change.watch.lap("db")
    return json_answer(asdict(report), change.watch)


@items.put(
    paths.ITEM,
    status_code=204,
    summary="Replace an item",
    responses=openapi.CHANGED_ITEM,
    openapi_extra=openapi.ITEM_BODY,
)
async def put_item(change: DocumentDep, collection_id: str, item_id: str) -> Response:
    return await _changed_item(change, collection_id, item_id, _replacement(change))


@items.patch(
    paths.ITEM,
    status_code=204,
    summary="Change a part of an item",
    responses=openapi.CHANGED_ITEM,
    openapi_extra=openapi.PATCH_BODY,
)
async def patch_item(change: PatchDep, collection_id: str, item_id: str) -> Response:
    return await _changed_item(change, collection_id, item_id, _patch(change))


@items.delete(
    paths.ITEM,
    status_code=204,
    summary="Delete an item",
    responses=openapi.DELETED,
    openapi_extra=openapi.IF_MATCH,
)
async def delete_item(change: DeletionDep, collection_id: str, item_id: str) -> Response:
    await change.transactions.delete_item(collection_id, item_id, change.state)
    return _empty(change)


@collections.post(
    "/collections",
    status_code=201,
    summary="Add a collection, or all of a list",
    responses=openapi.CREATED_COLLECTION,
    openapi_extra=openapi.COLLECTIONS_BODY,
)
async def post_collections(change: DocumentDep) -> Response:
    created = await change.transactions.create_collections(change.text)
    change.watch.lap("db")
    if isinstance(created, list):
        body = collection_list(change.base, CollectionPage(created, None, None, None), [], None)
        return _created(answer(body, JSON, change.watch))
    return _created(_collection(change, created), collection_url(change.base, created.id))


@collections.put(
    paths.COLLECTION,
    status_code=204,
    summary="Replace a collection, and leave its items",
    responses=openapi.CHANGED_COLLECTION,
    openapi_extra=openapi.COLLECTION_BODY,
)
async def put_collection(change: DocumentDep, collection_id: str) -> Response:
    return await _changed_collection(change, collection_id, _replacement(change))


@collections.patch(
    paths.COLLECTION,
    status_code=204,
    summary="Change a part of a collection",
    responses=openapi.CHANGED_COLLECTION,
    openapi_extra=openapi.PATCH_BODY,
)
async def patch_collection(change: PatchDep, collection_id: str) -> Response:
    return await _changed_collection(change, collection_id, _patch(change))


@collections.delete(
    paths.COLLECTION,
    status_code=204,
    summary="Delete a collection without items, or with them",
    responses=openapi.DELETED,
    openapi_extra=openapi.CASCADE,
)
async def delete_collection(change: CollectionDeletionDep, cascade: CascadeDep, collection_id: str) -> Response:
    await change.transactions.delete_collection(collection_id, cascade, change.state)
    return _empty(change)


async def _changed_item(change: Change, collection: str, item_id: str, patch: Patch) -> Response:
    as_stored = _as_stored(change, collection, patch)
    size = len(change.text)
    item = await change.transactions.change_item(collection, item_id, as_stored, size, change.state)
    return _changed(change, _item(change, item))


async def _changed_collection(change: Change, name: str, patch: Patch) -> Response:
    collection = await change.transactions.change_collection(name, patch, len(change.text), change.state)
    return _changed(change, _collection(change, collection))


def _text_of_items(change: Change, collection: str) -> bytes:
    """The body, with hrefs as they are stored where they are those of files at /static, or signed."""
    text = static.kept(change.text, change.base) if change.files else change.text
    return signing.kept(text, change.signers, collection) if change.signers.rules else text


def _as_stored(change: Change, collection: str, patch: Patch) -> Patch:
    """A patch is of what the client was told: its hrefs are those, in whatever it tests, copies and sets. What comes of
    it is stored with the hrefs that they stand for."""
    if not change.files and not change.signers.rules:
        return patch

    def changed(before: Any) -> Any:
        text = documents.dump(before)  # A patch may alter the document it is given.
        after = patch(documents.parse(static.told(text, change.base) if change.files else text))
        if change.files:
            after = documents.parse(static.kept(documents.dump(after), change.base))
        return change.signers.unsigned(after, collection, before)

    return changed


def _replacement(change: Change) -> Patch:
    with of_body():
        return patches.replacement(change.text)


def _patch(change: Change) -> Patch:
    with of_body():
        return patches.read(change.media_type, change.text)


def _item(change: Change, item: StoredItem) -> Response:
    return answer(item_body(change.base, item, change.files), GEOJSON, change.watch, entity_tag(item.content))


def _collection(change: Change, collection: StoredCollection) -> Response:
    etag = entity_tag(collection.content + collection.extent)
    return answer(collection_body(change.base, collection), JSON, change.watch, etag)


def _created(response: Response, location: str | None = None) -> Response:
    response.status_code = 201
    if location is not None:
        response.headers["Location"] = location
    return response


def _changed(change: Change, response: Response) -> Response:
    """As it is for who asked for the content, and else its tag alone."""
    if change.wants_content:
        response.headers["Preference-Applied"] = "return=representation"
        return response
    return _empty(change, response.headers["ETag"])


def _empty(change: Change, etag: str | None = None) -> Response:
    headers = {"Server-Timing": change.watch.header()} | ({"ETag": etag} if etag else {})
    return Response(status_code=204, headers=headers)
