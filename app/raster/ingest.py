"""A raster file as a STAC 1.1 Item: Projection 2.0, Raster 2.0, and EO 2.0 where a band has a colour.

rio-stac reads the file, in the versions of the extensions it writes; here they become the common `bands` of STAC 1.1.
"""

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

import orjson
import rasterio
import shapely
from pystac.utils import datetime_to_str, str_to_datetime
from rasterio._err import CPLE_BaseError
from rasterio.errors import RasterioError
from rasterio.io import DatasetReader
from rasterio.transform import from_gcps
from rasterio.vrt import WarpedVRT
from rio_stac.stac import get_dataset_geom, get_media_type, get_projection_info, get_raster_info
from shapely.affinity import translate
from shapely.geometry.base import BaseGeometry

from app.errors import InvalidDocument
from app.raster.reading import configured
from app.raster.sources import File
from app.raster.values import as_json

_SCHEMA = "https://stac-extensions.github.io/{}/schema.json"
_COLORS = ("red", "green", "blue")
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
# What STAC calls otherwise.
_COMPLEX = {"complex_int16": "cint16", "complex64": "cfloat32", "complex128": "cfloat64"}
# Points on each edge of the footprint: as many as GDAL takes.
_DENSITY = 21
# Degrees to seven digits are a centimetre.
_DIGITS = 7
_STATISTICS_PIXELS = 1024


@dataclass(frozen=True, slots=True)
class About:
    """What the file itself does not say. None: for `id` its name, for `href` where it was read, for `instant` its own.

    `statistics` reads the pixels, of an overview of 1,024 pixels at most.
    """

    collection: str
    id: str | None = None
    href: str | None = None
    instant: datetime | None = None
    asset: str = "data"
    roles: tuple[str, ...] = ("data",)
    statistics: bool = False
    properties: Mapping[str, Any] = field(default_factory=dict)


def item(source: str, about: About, opened: File | None = None) -> dict[str, Any]:
    """The Item of a file. GDAL opens it by this name, or as `opened` says. Raises InvalidDocument for what is none."""
    with _opened(source, opened or File(source)) as file, _georeferenced(file) as placed:
        if placed.crs is None:
            raise InvalidDocument(f"{source}: has no CRS, so nobody knows where it is")
        geometry, bbox = _footprint(placed)
        asset = _asset(source, file, about) | _grid(file, placed)
        bands = asset["bands"]
        properties = {"datetime": _instant(file, about, source)} | dict(about.properties)
    extensions = ["projection/v2.0.0", "raster/v2.0.0"]
    if any("eo:common_name" in band for band in bands):
        extensions.append("eo/v2.0.0")
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [_SCHEMA.format(extension) for extension in extensions],
        "id": about.id or PurePosixPath(name(source)).stem,
        "collection": about.collection,
        "geometry": geometry,
        "bbox": bbox,
        "properties": properties,
        # STAC asks for it where there is a collection; a service that stores the item writes its own.
        "links": [{"rel": "collection", "href": about.collection, "type": "application/json"}],
        "assets": {about.asset: asset},
    }


def name(source: str) -> str:
    """Of a file: the last part of its path, in which `?` and `#` are like all others, or of its URL's."""
    if source.startswith(("http://", "https://")):
        return unquote(urlsplit(source).path.rpartition("/")[2])
    return source.rpartition("/")[2]


@contextmanager
def _opened(source: str, opened: File) -> Iterator[DatasetReader]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
            with configured(opened.options), rasterio.open(opened.name) as file:
                yield file
    except RasterioError as error:
        raise InvalidDocument(f"{source}: {str(error).replace(opened.name, source)}") from None


@contextmanager
def _georeferenced(file: DatasetReader) -> Iterator[DatasetReader | WarpedVRT]:
    """The file, or where it has ground control points for a grid, what they make of it."""
    points, crs = file.gcps
    if not points or file.crs is not None:
        yield file
        return
    with WarpedVRT(file, src_crs=crs, src_transform=from_gcps(points)) as warped:
        yield warped


def _footprint(file: DatasetReader | WarpedVRT) -> tuple[dict[str, Any], list[float]]:
    """The outline in longitude and latitude, cut where it crosses the antimeridian, and its box (RFC 7946, 5.2)."""
    try:
        found = shapely.geometry.shape(get_dataset_geom(file, densify_pts=_DENSITY, precision=_DIGITS)["footprint"])
    except CPLE_BaseError:  # as of the whole disk that a satellite sees from afar
        found = shapely.Polygon()
    if found.is_empty or not all(map(math.isfinite, found.bounds)):
        raise InvalidDocument("its corners have no longitude and latitude in its CRS")
    geometry: dict[str, Any] = orjson.loads(shapely.to_geojson(_turned(found)))
    parts = geometry["coordinates"] if geometry["type"] == "MultiPolygon" else [geometry["coordinates"]]
    rings = [[position for ring in part for position in ring] for part in parts]
    south, north = (pick(y for ring in rings for _, y, *_ in ring) for pick in (min, max))
    longitudes = [[x for x, *_ in ring] for ring in rings]
    east_of = [ring for ring in longitudes if min(ring) >= 0]
    crosses = len(rings) > 1 and any(min(ring) <= -180 + 1e-6 for ring in longitudes) and bool(east_of)
    if crosses:
        west = min(min(ring) for ring in east_of)
        east = max(max(ring) for ring in longitudes if min(ring) < 0)
    else:
        west, east = min(map(min, longitudes)), max(map(max, longitudes))
    return {"type": geometry["type"], "coordinates": geometry["coordinates"]}, [west, south, east, north]


def _turned(outline: BaseGeometry) -> BaseGeometry:
    """Between -180 and 180: a raster in degrees may lie beyond, as those from 0 to 360 do."""
    west, _, east, _ = outline.bounds
    if west >= -180 and east <= 180:
        return outline
    turns = range(math.floor((west + 180) / 360), math.ceil((east + 180) / 360))
    worlds = [shapely.clip_by_rect(outline, -180 + 360 * turn, -90, 180 + 360 * turn, 90) for turn in turns]
    return shapely.union_all([translate(world, -360 * turn) for turn, world in zip(turns, worlds, strict=True)])


def _grid(file: DatasetReader, placed: DatasetReader | WarpedVRT) -> dict[str, Any]:
    """Of a file with control points no transform, as that would be another's: that of the grid they make of it."""
    found = get_projection_info(placed)
    authority = placed.crs.to_authority()
    code = ":".join(authority) if authority else None
    crs = {"proj:code": code} if code else {"proj:code": None, "proj:wkt2": placed.crs.to_wkt(version="WKT2_2019")}
    transform = {"proj:transform": found["transform"][:6]} if placed is file else {}
    return crs | {"proj:shape": list(file.shape), "proj:bbox": found["bbox"]} | transform


def _asset(source: str, file: DatasetReader, about: About) -> dict[str, Any]:
    layout = file.tags(ns="IMAGE_STRUCTURE").get("LAYOUT")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        kind = _COG if layout == "COG" else get_media_type(file)
        # Complex pixels have no least and no most.
        measures = about.statistics and not any(name.startswith("complex") for name in file.dtypes)
        measured = get_raster_info(file, max_size=_STATISTICS_PIXELS) if measures else [{}] * file.count
    described = {"href": about.href or source, "type": kind and str(kind), "roles": list(about.roles)}
    bands = [_band(file, number, found) for number, found in enumerate(map(_measured, measured))]
    return {name: value for name, value in described.items() if value} | {"bands": bands}


def _measured(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where no pixel is valid, 0 is the least of none."""
    is_empty = found.get("statistics", {}).get("valid_percent") == 0
    return {"statistics": {"valid_percent": 0}} if is_empty else found


def _band(file: DatasetReader, number: int, measured: Mapping[str, Any]) -> dict[str, Any]:
    color = file.colorinterp[number].name
    nodata = file.nodatavals[number]
    said = {
        "name": file.descriptions[number] or (color if color in _COLORS else f"b{number + 1}"),
        "eo:common_name": color if color in _COLORS else None,
        "data_type": _COMPLEX.get(file.dtypes[number], file.dtypes[number]),
        "nodata": as_json(_plain(nodata)),
        "unit": file.units[number] or None,
        "raster:scale": None if file.scales[number] == 1 else file.scales[number],
        "raster:offset": None if file.offsets[number] == 0 else file.offsets[number],
        "raster:sampling": file.tags().get("AREA_OR_POINT", "").lower() or None,
        "raster:spatial_resolution": _metres(file),
        "statistics": measured.get("statistics"),
        "raster:histogram": measured.get("histogram"),
    }
    return {name: value for name, value in said.items() if value is not None}


def _metres(file: DatasetReader) -> float | None:
    """The size of a square pixel, where it is one on the ground: degrees are none."""
    if file.crs is None or not file.crs.is_projected or file.res[0] != file.res[1]:
        return None
    return float(file.res[0] * file.crs.linear_units_factor[1])


def _plain(value: float | None) -> float | None:
    """A whole number as one."""
    return int(value) if value is not None and math.isfinite(value) and value == int(value) else value


def _instant(file: DatasetReader, about: About, source: str) -> str | None:
    """Of what is said, or else of the file's own tags. Never now: that is when the item was made, not the picture."""
    if about.instant is not None:
        return datetime_to_str(about.instant)
    if "start_datetime" in about.properties and "end_datetime" in about.properties:
        return None
    said = file.get_tag_item("ACQUISITIONDATETIME", "IMAGERY") or file.get_tag_item("TIFFTAG_DATETIME")
    if not said:
        raise InvalidDocument(f"{source}: says no datetime: give one")
    try:
        found = _parsed(said)
    except ValueError:
        raise InvalidDocument(f"{source}: its datetime {said!r} cannot be read: give one") from None
    return datetime_to_str(found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC))


def _parsed(said: str) -> datetime:
    """TIFF 6.0 has colons in dates."""
    try:
        return datetime.strptime(said, "%Y:%m:%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return str_to_datetime(said)
