"""`sign=true`: hrefs of assets that whoever has them may read for a while, where the operator serves such.

What a client was told signed and sends back is stored as it was.
"""

import asyncio
import re

from fastapi import Request, Response

from app.api.dependencies import Context
from app.api.links import GEOJSON, Link
from app.api.responses import answer, item_collection, varied
from app.assets.signing import Signers
from app.catalog import ItemPage
from app.errors import InvalidDocument, InvalidRequest
from app.stac import document as documents
from app.stac.fields import Fields

# Without parsing: whether there may be an href with a signature.
_SIGNED = re.compile(rb"(?i:signature|sig)=")


def asked(request: Request) -> bool:
    """Raises InvalidRequest."""
    if b"sign=" not in request.scope["query_string"]:
        return False
    value = request.query_params.get("sign", "false")
    if value not in ("true", "false"):
        raise InvalidRequest(f"sign: {value!r} is neither true nor false", "sign")
    return value == "true"


async def page(
    request: Request, context: Context, found: ItemPage, links: list[Link], fields: Fields | None
) -> Response:
    """A page of items, signed where that is asked for. Raises Unavailable."""
    body = item_collection(context.base, found, links, fields, context.files)
    if not asked(request):
        return varied(answer(body, GEOJSON, context.watch))
    document = documents.parse(body)
    for position, (feature, item) in enumerate(zip(document["features"], found.items, strict=True)):
        document["features"][position] = await context.signers.item(feature, item.collection)
        # A signature is work for this worker alone: others are answered between items.
        await asyncio.sleep(0)
    context.watch.lap("sign")
    return unstored(varied(answer(documents.dump(document), GEOJSON, context.watch)))


async def item(context: Context, collection: str, body: bytes) -> Response:
    """Raises Unavailable."""
    document = await context.signers.item(documents.parse(body), collection)
    context.watch.lap("sign")
    return unstored(varied(answer(documents.dump(document), GEOJSON, context.watch)))


def kept(text: bytes, signers: Signers, collection: str) -> bytes:
    """What is to be stored of a body of items: an Item, an ItemCollection, or the bulk items of the community."""
    if _SIGNED.search(text) is None:
        return text
    try:
        document = documents.parse(text)
    except InvalidDocument:
        return text  # Whoever checks it says so.
    match document:
        case {"features": list() as features}:
            document["features"] = [signers.unsigned(feature, collection, {}) for feature in features]
        case {"items": dict() as items}:
            document["items"] = {name: signers.unsigned(item, collection, {}) for name, item in items.items()}
        case _:
            document = signers.unsigned(document, collection, {})
    return documents.dump(document)


def unstored(response: Response) -> Response:
    """What is signed ends, and is for the one who asked."""
    response.headers["Cache-Control"] = "private, no-store"
    return response
