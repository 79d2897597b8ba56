"""Items to look at: previews, and web map tiles of an item or of what a search finds, with TileJSON."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import shapely
from fastapi import APIRouter, Request, Response

from app.api import paths
from app.api.dependencies import Context, ContextDep, known_query, left
from app.api.links import item_url
from app.api.openapi_pixels import (
    ITEM_TILE_PARAMETERS,
    ITEM_TILEJSON_PARAMETERS,
    PICTURE,
    PREVIEW_PARAMETERS,
    TILE_PARAMETERS,
    TILEJSON,
    TILEJSON_PARAMETERS,
)
from app.api.responses import answer, json_answer, telling
from app.api.routes import DirectRoute
from app.errors import InvalidRequest, NotFound
from app.raster import jobs
from app.raster.grids import Grid, grid
from app.raster.jobs import PreviewJob, TileJob
from app.raster.pool import Pool
from app.raster.sources import File
from app.raster.style import MOST_SIZE, STYLE_PARAMETERS, PictureForm, Style
from app.raster.tiles import Tile, tilejson
from app.stac import document as documents
from app.stac import parameters
from app.stac.asset import having
from app.stac.geometry import to_ewkb
from app.stac.search import SEARCH_PARAMETERS, Search

router = APIRouter(tags=["Pictures"], route_class=DirectRoute)

_SEARCH = SEARCH_PARAMETERS - {"fields", "token"}
Scenes = tuple[tuple[File, ...], ...]

_FORMS: dict[str, PictureForm] = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
_TILE_ITEMS, _MOST_TILE_ITEMS = 20, 100
_PREVIEW_SIZE = 512


@router.get(paths.PREVIEW, summary="A picture of an item", responses=PICTURE, openapi_extra=PREVIEW_PARAMETERS)
async def get_preview(request: Request, context: ContextDep, collection_id: str, item_id: str) -> Response:
    query = known_query(request, STYLE_PARAMETERS | {"max_size"})
    style = Style.from_query(query)
    size = parameters.read("max_size", parameters.whole, query.get("max_size", str(_PREVIEW_SIZE)))
    if not 0 < size <= MOST_SIZE:
        raise InvalidRequest(f"max_size: {size} is not from 1 to {MOST_SIZE}", "max_size")
    kind = _form(request.path_params["form"])
    context.watch.lap("parse")
    item = await _item(context, collection_id, item_id)
    pool: Pool = request.app.state.pool
    (files,) = await _files(pool, [item], style)
    body = await pool.run(jobs.preview, PreviewJob(files, style, size, kind), left(request))
    return _picture(context, body, kind)


@router.get(
    paths.ITEM_TILEJSON, summary="TileJSON of an item", responses=TILEJSON, openapi_extra=ITEM_TILEJSON_PARAMETERS
)
async def get_item_tilejson(request: Request, context: ContextDep, collection_id: str, item_id: str) -> Response:
    style = Style.from_query(known_query(request, STYLE_PARAMETERS))
    item = await _item(context, collection_id, item_id)
    collection = documents.parse((await context.catalog.collection(collection_id)).content)
    context.watch.lap("db")
    finest = max((grid(item, asset, collection) for asset in style.assets), key=_columns)
    url = f"{item_url(context.base, collection_id, item_id)}/tiles/{{z}}/{{x}}/{{y}}.png?{request.url.query}"
    return json_answer(tilejson(item_id, url, item.get("bbox"), finest), context.watch)


@router.get(paths.ITEM_TILES, summary="A tile of an item", responses=PICTURE, openapi_extra=ITEM_TILE_PARAMETERS)
async def get_item_tile(request: Request, context: ContextDep, collection_id: str, item_id: str) -> Response:
    style = Style.from_query(known_query(request, STYLE_PARAMETERS))
    place, form = _place(request)
    context.watch.lap("parse")
    item = await _item(context, collection_id, item_id)
    pool: Pool = request.app.state.pool
    job = TileJob(await _files(pool, [item], style), style, place, form)
    return _picture(context, await pool.run(jobs.tile, job, left(request)), form)


@router.get(paths.TILEJSON, summary="TileJSON of a search", responses=TILEJSON, openapi_extra=TILEJSON_PARAMETERS)
async def get_tilejson(request: Request, context: ContextDep) -> Response:
    search, _ = _asked(request)
    bounds = None if search.area is None else shapely.total_bounds(shapely.from_wkb(search.area)).tolist()
    url = f"{context.base}/tiles/{{z}}/{{x}}/{{y}}.png?{request.url.query}"
    return json_answer(tilejson(context.settings.catalog_title, url, bounds, None), context.watch)


@router.get(paths.TILES, summary="A tile of what a search finds", responses=PICTURE, openapi_extra=TILE_PARAMETERS)
async def get_tile(request: Request, context: ContextDep) -> Response:
    search, style = _asked(request)
    place, form = _place(request)
    context.watch.lap("parse")
    pool: Pool = request.app.state.pool
    scenes: Scenes = ()
    left_out = 0
    if area := _within(search.area, place):
        page = await context.catalog.search(replace(search, area=area), context.watch)
        kept = having([documents.parse(item.content) for item in page.items], style.assets)
        left_out = len(page.items) - len(kept)
        scenes = await _files(pool, kept, style)
    body = await pool.run(jobs.tile, TileJob(scenes, style, place, form), left(request))
    return telling(_picture(context, body, form), left_out)


def _asked(request: Request) -> tuple[Search, Style]:
    query = known_query(request, _SEARCH | STYLE_PARAMETERS)
    search = Search.from_query({name: value for name, value in query.items() if name in _SEARCH})
    limit = search.limit or _TILE_ITEMS
    if limit > _MOST_TILE_ITEMS:
        raise InvalidRequest(f"limit: a tile is made of {_MOST_TILE_ITEMS} items at most", "limit")
    return replace(search, limit=limit), Style.from_query(query)


def _within(area: tuple[bytes, ...] | None, place: Tile) -> tuple[bytes, ...]:
    """What of the area of a search is in a tile."""
    tile = shapely.box(*place.bounds)
    if area is None:
        return (to_ewkb(tile),)
    parts = (shapely.intersection(shapely.from_wkb(part), tile) for part in area)
    return tuple(to_ewkb(part) for part in parts if not part.is_empty)


def _place(request: Request) -> tuple[Tile, PictureForm]:
    asked: Mapping[str, str] = request.path_params
    z, x, y = (parameters.read(name, parameters.whole, asked[name]) for name in ("z", "x", "y"))
    return Tile.of(z, x, y), _form(asked["form"])


def _form(name: str) -> PictureForm:
    if name not in _FORMS:
        raise NotFound(f"there is no picture as {name!r}: known are {', '.join(_FORMS)}")
    return _FORMS[name]


async def _item(context: Context, collection_id: str, item_id: str) -> dict[str, Any]:
    stored = await context.catalog.item(collection_id, item_id)
    context.watch.lap("db")
    item: dict[str, Any] = documents.parse(stored.content)
    return item


async def _files(pool: Pool, items: Sequence[Mapping[str, Any]], style: Style) -> Scenes:
    located = await pool.access.files(items, style.assets)
    return tuple(tuple(files[asset] for asset in style.assets) for files in located)


def _columns(found: Grid) -> int:
    return found.shape[1] if found.shape else 0


def _picture(context: Context, body: bytes, form: PictureForm) -> Response:
    context.watch.lap("pixels")
    return answer(body, f"image/{form}", context.watch)
