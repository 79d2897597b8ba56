"""A search as a VRT: the mosaic of one asset of its items."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request, Response

from app.api import paths, signing
from app.api.dependencies import Context, ContextDep, known_query, posted_values, signable
from app.api.links import VRT
from app.api.openapi_pixels import MOSAIC, MOSAIC_BODY, MOSAIC_PARAMETERS
from app.api.responses import answer, telling
from app.api.routes import DirectRoute
from app.assets.signing import Signers
from app.errors import InvalidRequest
from app.exports import vrt, warp, whole
from app.raster.shape import positive
from app.stac import parameters
from app.stac.search import SEARCH_PARAMETERS, Search

router = APIRouter(tags=["Mosaics"], route_class=DirectRoute)

_SEARCH = SEARCH_PARAMETERS - {"fields", "token"}
_KNOWN = _SEARCH | {"asset", "data_type", "nodata", "crs", "resolution", "resampling"}


@router.get(paths.MOSAIC, summary="A mosaic of what a search finds", responses=MOSAIC, openapi_extra=MOSAIC_PARAMETERS)
async def get_mosaic(request: Request, context: ContextDep) -> Response:
    query = known_query(request, signable(request, _KNOWN))
    values = parameters.of_query({name: value for name, value in query.items() if name in _KNOWN})
    for name in {"nodata", "resolution"} & values.keys():
        values[name] = parameters.read(name, float, values[name])
    return await _mosaic(context, values, signing.asked(request))


@router.post(paths.MOSAIC, summary="A mosaic of what a search finds", responses=MOSAIC, openapi_extra=MOSAIC_BODY)
async def post_mosaic(request: Request, context: ContextDep) -> Response:
    values = await posted_values(request, _KNOWN, signable(request, frozenset()))
    return await _mosaic(context, values, signing.asked(request))


async def _mosaic(context: Context, values: dict[str, Any], sign: bool) -> Response:
    search = Search.from_values({name: value for name, value in values.items() if name in _SEARCH})
    reader, form = _reader(context, values, sign), _form(values)
    context.watch.lap("parse")
    found = await whole.found(context.catalog, search, context.settings.mosaic_items)
    context.watch.lap("db")
    used = found.having([reader.asset])
    parts = await asyncio.to_thread(warp.reprojected, await reader.parts(used), form)
    response = telling(answer(vrt.mosaic(parts, form, used.left_out), VRT, context.watch), used.left_out)
    return signing.unstored(response) if sign else response


def _form(values: dict[str, Any]) -> vrt.Form:
    crs = parameters.optional(values, "crs", parameters.text)
    resolution = parameters.optional(values, "resolution", positive)
    resampling = parameters.optional(values, "resampling", parameters.text) or "nearest"
    if resampling not in vrt.RESAMPLING:
        raise InvalidRequest(f"resampling: {resampling!r} is none of {', '.join(vrt.RESAMPLING)}", "resampling")
    return vrt.Form(crs, resolution, resampling)


def _reader(context: Context, values: dict[str, Any], sign: bool) -> vrt.Reader:
    asset = parameters.optional(values, "asset", parameters.text)
    if not asset:
        raise InvalidRequest("asset: says which asset of the items the mosaic is of", "asset")
    data_type = parameters.optional(values, "data_type", parameters.text)
    if data_type is not None and data_type not in vrt.DATA_TYPES:
        raise InvalidRequest(f"data_type: {data_type!r} is none of {', '.join(vrt.DATA_TYPES)}", "data_type")
    nodata = values.get("nodata")
    if nodata is not None and type(nodata) not in (int, float):
        raise InvalidRequest("nodata: is not a number", "nodata")
    signers = context.signers if sign else Signers()
    return vrt.Reader(asset, data_type, nodata, context.base, context.settings.href_rules, signers)
