"""The description of the routes for pixels: what they take, and what they answer."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel

from app.api import examples
from app.api.bodies import ErrorBody
from app.api.examples import Examples
from app.api.links import JSON, NETCDF, VRT
from app.api.openapi import Responses
from app.api.parameters import SEARCH_BODY, SEARCH_PARAMETERS, SIGN_PARAMETERS, parameter
from app.api.responses import LEFT_OUT
from app.exports.vrt import DATA_TYPES, RESAMPLING
from app.raster import shape
from app.raster.shape import FORMS, GROUPINGS

_Values = dict[str, tuple[dict[str, Any], str]]
_NUMBER: dict[str, Any] = {"type": "number"}
_TEXT: dict[str, Any] = {"type": "string"}
_TEXTS: dict[str, Any] = {"type": "array", "items": _TEXT}
_BINARY: dict[str, Any] = {"type": "string", "format": "binary"}

CUBE_FORMS = {
    "netcdf": NETCDF,
    "zarr": "application/zip",
    "geotiff": "image/tiff; application=geotiff; profile=cloud-optimized",
}
_HEADERS = {
    LEFT_OUT: {
        "description": "How many items of the search this is not made of, as they lack an asset. Absent for none.",
        "schema": {"type": "integer", "minimum": 1},
    }
}


class TileJson(BaseModel):
    """TileJSON 3.0.0."""

    tilejson: str
    name: str
    version: str
    scheme: str
    tiles: list[str]
    bounds: list[float]
    center: list[float]
    minzoom: int
    maxzoom: int


_MOSAIC: _Values = {
    "asset": (_TEXT, "Key of the asset. What items say of its grid is all that is needed: no file is opened."),
    "data_type": (
        {"type": "string", "enum": list(DATA_TYPES)},
        "Of the pixels, where items and collections are silent.",
    ),
    "nodata": (_NUMBER, "What is see-through, where items and collections are silent."),
    "crs": (_TEXT, "EPSG:32632: items in another CRS are warped into it. Without it all have to be in one."),
    "resolution": (_NUMBER, "Of the mosaic, in units of its CRS; else the finest of its items in it."),
    "resampling": (
        {"type": "string", "enum": list(RESAMPLING), "default": "nearest"},
        "Of items with other pixels, or in another CRS.",
    ),
}
_STYLE: _Values = {
    "assets": (_TEXTS, "One asset, of which the first three bands are seen, or three for red, green and blue."),
    "rescale": (
        {"type": "array", "items": _NUMBER},
        "low,high: the values that become black and white; three pairs are one for each band. A preview without it is "
        "from the 2nd to the 98th percentile; tiles of other than bytes need it.",
    ),
    "colormap_name": (_TEXT, "Colours for a single band: one of matplotlib's, `viridis`."),
    "nodata": (_NUMBER, "What is see-through, instead of the file's own."),
    "resampling": (
        {"type": "string", "enum": ["nearest", "bilinear", "cubic", "average", "mode"], "default": "nearest"},
        "How tiles are made of pixels.",
    ),
}
_CUBE: _Values = {
    "assets": (_TEXTS, "One asset is a stack in time; several have an axis of their own."),
    "crs": (_TEXT, "Of the cube: `EPSG:32632`, or `utm`. That of most items, where it is not said."),
    "resolution": (
        _NUMBER,
        "Of the cube, in units of the CRS. The assets' own pixels, where it is not said.",
    ),
    "align": (_TEXT, "Whose resolution it is: `finest`, `coarsest`, or an asset's. The others are resampled to it."),
    "groupby": (
        {"type": "string", "enum": list(GROUPINGS), "default": "time"},
        "What is one moment. In a group the first valid pixel is taken, in the order of time and id.",
    ),
    "resampling": ({"type": "string", "enum": list(shape.RESAMPLING), "default": "nearest"}, "Of all assets."),
    "point": (
        _TEXTS | {"items": _NUMBER},
        "Longitude and latitude of the middle, instead of `bbox`. "
        "The items there are taken, or those that `intersects` finds.",
    ),
    "edge_size": ({"type": "integer", "minimum": 1, "default": 256}, "Pixels of a side, around `point`."),
    "format": (
        {"type": "string", "enum": list(FORMS), "default": "netcdf"},
        "NetCDF 4; Zarr 3 in a ZIP; or a cloud-optimised GeoTIFF with a band for each asset of each time.",
    ),
    "compress": (
        {"type": "boolean", "default": False},
        "Whether a NetCDF is packed: half as large or less, and longer to make. The other forms always are.",
    ),
}


# Nothing is seen without one.
_NEEDED = ("asset", "assets")


def _described(values: _Values) -> list[dict[str, Any]]:
    return [parameter(name, *value) | {"required": name in _NEEDED} for name, value in values.items()]


def _search(*without: str) -> list[dict[str, Any]]:
    left = [one for one in SEARCH_PARAMETERS["parameters"] if one["name"] not in ("fields", "token", "f", *without)]
    return [{name: value for name, value in one.items() if name != "example"} for one in left]


def _body(values: _Values, required: list[str], shown: Examples) -> dict[str, Any]:
    """The members of a search, and these."""
    schema = SEARCH_BODY["requestBody"]["content"][JSON]["schema"]
    members = {name: value for name, value in schema["properties"].items() if name not in ("fields", "token")}
    members |= {name: schema | {"description": said} for name, (schema, said) in values.items()}
    whole = {"type": "object", "additionalProperties": False, "required": required, "properties": members}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": whole, "examples": shown}}}}


def _answers(media_types: Iterable[str], *statuses: HTTPStatus) -> Responses:
    content = {one: {"schema": _BINARY} for one in media_types}
    found: Responses = {200: {"description": "OK", "headers": _HEADERS, "content": content}}
    return found | _errors(statuses)


def _errors(statuses: Iterable[HTTPStatus]) -> Responses:
    return {int(status): {"model": ErrorBody, "description": status.phrase} for status in statuses}


_ASKED = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY)
_PIXELS = (*_ASKED, HTTPStatus.FORBIDDEN, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.BAD_GATEWAY)
_PLACE = [
    {"name": name, "in": "path", "required": True, "schema": {"type": "integer", "minimum": 0}}
    for name in ("z", "x", "y")
]
_FORM = {
    "name": "form",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "enum": ["png", "jpg", "jpeg", "webp"]},
}
MOSAIC = _answers([VRT], *_ASKED, HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
CUBE = _answers(CUBE_FORMS.values(), *_PIXELS)
PICTURE = _answers(["image/png", "image/jpeg", "image/webp"], *_PIXELS)
_TILEJSON: Responses = {
    200: {
        "description": "OK",
        "model": TileJson,
        "content": {JSON: {"schema": {"$ref": "#/components/schemas/TileJson"}}},
    }
}
TILEJSON = _TILEJSON | _errors(_ASKED)
MOSAIC_PARAMETERS = {"parameters": [*_described(_MOSAIC), *_search()]}
MOSAIC_BODY = _body(_MOSAIC, ["asset"], examples.MOSAIC) | SIGN_PARAMETERS
CUBE_BODY = _body(_CUBE, ["assets"], examples.CUBE)
_SIZE: _Values = {
    "max_size": ({"type": "integer", "minimum": 1, "maximum": 2048, "default": 512}, "Of the longer side.")
}
PREVIEW_PARAMETERS = {"parameters": [_FORM, *_described(_STYLE | _SIZE)]}
ITEM_TILEJSON_PARAMETERS = {"parameters": _described(_STYLE)}
ITEM_TILE_PARAMETERS = {"parameters": [*_PLACE, _FORM, *_described(_STYLE)]}
TILEJSON_PARAMETERS: dict[str, Any] = {"parameters": [*_described(_STYLE), *_search("sign")]}
TILE_PARAMETERS = {"parameters": [*_PLACE, _FORM, *TILEJSON_PARAMETERS["parameters"]]}
