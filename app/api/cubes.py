"""A search as a cube of pixels, in a file."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from fastapi import APIRouter, Request, Response
from starlette.responses import StreamingResponse

from app.api import paths
from app.api.dependencies import ContextDep, left, posted_values
from app.api.openapi_pixels import CUBE, CUBE_BODY, CUBE_FORMS
from app.api.responses import telling
from app.api.routes import DirectRoute
from app.errors import InvalidRequest
from app.exports import whole
from app.raster import jobs
from app.raster.jobs import CubeJob
from app.raster.pool import Pool
from app.raster.shape import FORMS, MEMBERS, CubeShape
from app.stac.search import SEARCH_PARAMETERS, Search

router = APIRouter(tags=["Cubes"], route_class=DirectRoute)

_SEARCH = SEARCH_PARAMETERS - {"fields", "token"}
_NAMES = {"netcdf": "cube.nc", "zarr": "cube.zarr.zip", "geotiff": "cube.tif"}
_CHUNK = 1 << 20


@router.post(paths.CUBE, summary="A cube of what a search finds", responses=CUBE, openapi_extra=CUBE_BODY)
async def post_cube(request: Request, context: ContextDep) -> Response:
    values = await posted_values(request, _SEARCH | MEMBERS | {"format", "compress"})
    compress = values.get("compress", False)
    if type(compress) is not bool:
        raise InvalidRequest("compress: is neither true nor false", "compress")
    form = values.get("format", "netcdf")
    if form not in FORMS:
        raise InvalidRequest(f"format: {form!r} is none of {', '.join(FORMS)}", "format")
    shape = CubeShape.from_values({name: value for name, value in values.items() if name in MEMBERS})
    search = _search(values, shape)
    context.watch.lap("parse")
    found = await whole.found(context.catalog, search, context.settings.mosaic_items)
    context.watch.lap("db")
    pool: Pool = request.app.state.pool
    # What can be refused here is, before a process is busy with it.
    if not found.items:
        raise InvalidRequest("the search finds no item: there is nothing to make a cube of")
    found = found.having(shape.assets)
    files = await pool.access.files(found.items, shape.assets)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="upesi-"))
    try:
        path = folder / _NAMES[form]
        items = [_asked_of(item, shape) for item in found.items]
        pixels = context.settings.cube_pixels
        job = CubeJob(items, files, found.collections, found.left_out, shape, pixels, form, path, compress)
        await pool.run(jobs.cube, job, left(request))
        file = path.open("rb")
    finally:
        # What is open stays readable until it is closed: nothing is left behind, whatever becomes of the answer.
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
    context.watch.lap("pixels")
    return telling(_sent(file, form, context.watch.header()), found.left_out)


def _asked_of(item: Mapping[str, Any], shape: CubeShape) -> dict[str, Any]:
    """What another process needs of an item."""
    return {**item, "links": [], "assets": {key: item["assets"][key] for key in shape.assets}}


def _search(values: dict[str, Any], shape: CubeShape) -> Search:
    """What is around a point has to be there."""
    search = Search.from_values({name: value for name, value in values.items() if name in _SEARCH})
    if shape.point is None or search.area is not None:
        return search
    place = {"intersects": {"type": "Point", "coordinates": list(shape.point)}}
    return replace(search, area=Search.from_values(place).area)


def _sent(file: IO[bytes], form: str, timing: str) -> Response:
    size = file.seek(0, 2)
    file.seek(0)
    headers = {
        "Content-Length": str(size),
        "Content-Disposition": f'attachment; filename="{_NAMES[form]}"',
        "Server-Timing": timing,
    }
    return StreamingResponse(_chunks(file), media_type=CUBE_FORMS[form], headers=headers)


def _chunks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while chunk := file.read(_CHUNK):
            yield chunk
