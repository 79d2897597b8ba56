"""Which program would read an asset, from its media type, roles and href: no file is opened."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from email.message import Message
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Reader:
    """format: what the file is; driver: GDAL's short name, where it reads that; engine: what xarray opens it with."""

    format: str
    driver: str | None
    engine: str | None
    vector: bool = False

    def document(self) -> dict[str, Any]:
        return asdict(self)


_RASTER = "rasterio"
COG = Reader("COG", "GTiff", _RASTER)
GEOTIFF = Reader("GeoTIFF", "GTiff", _RASTER)
TIFF = Reader("TIFF", "GTiff", _RASTER)
JPEG2000 = Reader("JPEG2000", "JP2OpenJPEG", _RASTER)
PNG = Reader("PNG", "PNG", _RASTER)
JPEG = Reader("JPEG", "JPEG", _RASTER)
WEBP = Reader("WebP", "WEBP", _RASTER)
VRT = Reader("VRT", "VRT", _RASTER)
ZARR = Reader("Zarr", "Zarr", "zarr")
ICECHUNK = Reader("Icechunk", None, "zarr")
KERCHUNK = Reader("Kerchunk", None, "kerchunk")
NETCDF = Reader("NetCDF", "netCDF", "h5netcdf")
HDF5 = Reader("HDF5", "HDF5", "h5netcdf")
HDF4 = Reader("HDF4", "HDF4", _RASTER)
GRIB = Reader("GRIB", "GRIB", "cfgrib")
COPC = Reader("COPC", None, None)
LAZ = Reader("LAZ", None, None)
GEOPARQUET = Reader("GeoParquet", "Parquet", None, vector=True)
FLATGEOBUF = Reader("FlatGeobuf", "FlatGeobuf", None, vector=True)
GEOPACKAGE = Reader("GeoPackage", "GPKG", None, vector=True)
GEOJSON = Reader("GeoJSON", "GeoJSON", None, vector=True)
PMTILES = Reader("PMTiles", "PMTiles", None, vector=True)

_MEDIA_TYPES = {
    "image/tiff": TIFF,
    "image/vnd.stac.geotiff": GEOTIFF,
    "image/geotiff": GEOTIFF,
    "application/geotiff": GEOTIFF,
    "image/jp2": JPEG2000,
    "image/jpx": JPEG2000,
    "image/png": PNG,
    "image/jpeg": JPEG,
    "image/jpg": JPEG,
    "image/webp": WEBP,
    "application/x-gdal-vrt": VRT,
    "application/vnd+zarr": ZARR,
    "application/vnd.zarr": ZARR,
    "application/x-zarr": ZARR,
    "application/zarr": ZARR,
    "application/vnd.zarr+icechunk": ICECHUNK,
    "application/vnd+kerchunk": KERCHUNK,
    "application/netcdf": NETCDF,
    "application/x-netcdf": NETCDF,
    "application/x-hdf5": HDF5,
    "application/x-hdf": HDF4,
    "application/x-hdf4": HDF4,
    "application/wmo-grib2": GRIB,
    "application/wmo-grib": GRIB,
    "application/grib": GRIB,
    "application/x-grib": GRIB,
    "application/x-grib2": GRIB,
    "application/vnd.laszip+copc": COPC,
    "application/vnd.laszip": LAZ,
    "application/vnd.las": LAZ,
    "application/vnd.apache.parquet": GEOPARQUET,
    "application/x-parquet": GEOPARQUET,
    "application/geoparquet": GEOPARQUET,
    "application/vnd.flatgeobuf": FLATGEOBUF,
    "application/flatgeobuf": FLATGEOBUF,
    "application/geopackage+sqlite3": GEOPACKAGE,
    "application/geo+json": GEOJSON,
    "application/vnd.pmtiles": PMTILES,
}
# The longest is looked for first.
_SUFFIXES = {
    ".copc.laz": COPC,
    ".laz": LAZ,
    ".las": LAZ,
    ".tif": GEOTIFF,
    ".tiff": GEOTIFF,
    ".jp2": JPEG2000,
    ".j2k": JPEG2000,
    ".png": PNG,
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".webp": WEBP,
    ".vrt": VRT,
    ".zarr": ZARR,
    ".nc": NETCDF,
    ".nc4": NETCDF,
    ".h5": HDF5,
    ".he5": HDF5,
    ".hdf5": HDF5,
    ".hdf": HDF4,
    ".grib": GRIB,
    ".grib2": GRIB,
    ".grb": GRIB,
    ".grb2": GRIB,
    ".parquet": GEOPARQUET,
    ".geoparquet": GEOPARQUET,
    ".fgb": FLATGEOBUF,
    ".gpkg": GEOPACKAGE,
    ".geojson": GEOJSON,
    ".pmtiles": PMTILES,
}
# These say nothing of the content, and the name decides.
_UNSPECIFIC = {"", "application/octet-stream", "binary/octet-stream", "application/x-binary"}
_CLOUD_OPTIMIZED = {"cloud-optimized", "cog"}
_REFERENCES = {"references", "kerchunk", "virtual", "index"}


def reader(asset: Mapping[str, Any]) -> Reader | None:
    """What reads an asset, or None for what is no raster, array, point cloud or vector data.

    The media type decides, with its parameters; the href's suffix where the type says less than it, and the roles
    where neither says that a file is cloud-optimized, or what a JSON file is for.
    """
    media_type, parameters = _media_type(asset.get("type"))
    roles = _roles(asset.get("roles"))
    named = _by_suffix(asset.get("href"))
    if media_type in ("application/json", *_UNSPECIFIC) and _is_references(asset.get("href"), roles):
        return KERCHUNK
    found = named if media_type in _UNSPECIFIC else _MEDIA_TYPES.get(media_type)
    if found in (TIFF, GEOTIFF):
        return _tiff(found, parameters, roles)
    # NetCDF 4 is HDF5, and some say the latter of it.
    return NETCDF if found is HDF5 and named is NETCDF else found


def _tiff(found: Reader, parameters: Mapping[str, str], roles: set[str]) -> Reader:
    if parameters.get("profile") == "cloud-optimized" or parameters.get("cloud-optimized") == "true":
        return COG
    if roles & _CLOUD_OPTIMIZED:
        return COG
    return GEOTIFF if parameters.get("application") == "geotiff" else found


def _media_type(value: Any) -> tuple[str, dict[str, str]]:
    """A media type and its parameters, in lower case: RFC 9110, 8.3.1."""
    if not isinstance(value, str):
        return "", {}
    message = Message()
    # A line of its own would be another header.
    message["content-type"] = " ".join(value.split())
    pairs = message.get_params(failobj=[])
    names = {name.lower(): parameter.lower() for name, parameter in pairs[1:]}
    return value.partition(";")[0].strip().lower(), names


def _roles(value: Any) -> set[str]:
    return {role.lower() for role in value if isinstance(role, str)} if isinstance(value, list | tuple) else set()


def _is_references(href: Any, roles: set[str]) -> bool:
    return bool(roles & _REFERENCES) and isinstance(href, str) and _path(href).endswith(".json")


def _by_suffix(href: Any) -> Reader | None:
    if not isinstance(href, str):
        return None
    name = PurePosixPath(_path(href).rstrip("/")).name
    return next((found for suffix, found in _SUFFIXES.items() if name.endswith(suffix)), None)


def _path(href: str) -> str:
    """The path of an href in lower case, as far as it can be told."""
    try:
        return unquote(urlsplit(href).path).lower()
    except ValueError:
        return href.partition("?")[0].lower()
