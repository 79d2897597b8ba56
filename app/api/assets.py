"""What an item says of its assets, and where they are. Nothing is opened."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from app.api import html, paths, signing
from app.api.dependencies import ContextDep, known_query, signable
from app.api.links import item_url
from app.api.openapi import GRID
from app.api.parameters import GRID_PARAMETERS
from app.api.responses import json_answer
from app.api.routes import DirectRoute
from app.assets.href import resolved
from app.assets.signing import Signed
from app.raster.grids import grid
from app.raster.reader import reader
from app.stac import document as documents
from app.stac.asset import asset_of
from app.stac.interval import format_instant

router = APIRouter(tags=["Assets"], route_class=DirectRoute)


async def _prefer(request: Request) -> str | None:
    return known_query(request, signable(request, frozenset({"prefer", "f"}))).get("prefer")


@router.get(paths.GRID, summary="The grid of an asset", responses=GRID, openapi_extra=GRID_PARAMETERS)
async def get_grid(
    request: Request,
    context: ContextDep,
    collection_id: str,
    item_id: str,
    asset: str,
    prefer: Annotated[str | None, Depends(_prefer)],
) -> Response:
    context.watch.lap("parse")
    stored = await context.catalog.item(collection_id, item_id)
    owner = await context.catalog.collection(collection_id)
    context.watch.lap("db")
    item: dict[str, Any] = documents.parse(stored.content)
    described = reader(asset_of(item, asset))
    source = item_url(context.base, collection_id, item_id)
    found = Signed(resolved(item, asset, prefer=prefer, rules=context.settings.href_rules, source=source))
    sign = signing.asked(request)
    if sign:
        found = await context.signers.href(found.href, collection_id)
        context.watch.lap("sign")
    body = {
        "collection": collection_id,
        "item": item_id,
        "asset": asset,
        "href": found.href,
        "expires": found.expires and format_instant(found.expires),
        "reader": described and described.document(),
        "grid": grid(item, asset, documents.parse(owner.content)).document(),
    }
    answer = await html.either(request, context, json_answer(body, context.watch), f"Grid of {asset}")
    return signing.unstored(answer) if sign else answer
