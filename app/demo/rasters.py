"""Scenes with real pixels: three dates of four neighbouring tiles, as cloud-optimised GeoTIFFs and thumbnails.

`items` describes the files and `write` makes them, both from the tables here; only `write` needs rasterio and numpy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.demo import files
from app.demo.files import STATIC
from app.demo.grid import Utm, footprint

if TYPE_CHECKING:
    from numpy import integer
    from numpy.typing import NDArray

    from app.demo.landscape import View

    Pixels = NDArray[integer[Any]]

ID = "demo-cogs"
# Raise it with each change of the files: a folder of another version is written again.
VERSION = "1"

_UTM = Utm(32)
_WEST, _NORTH = 600_000, 5_200_000
_PIXELS = 256
_SIZE = _PIXELS * 10
_BLOCK = 64
_PLACES = {"nw": (0, 0), "ne": (0, 1), "sw": (1, 0), "se": (1, 1)}


@dataclass(frozen=True, slots=True)
class _Pass:
    """One passage of the satellite; cloud cover is counted from the files, per place in the order of _PLACES."""

    date: str
    time: str
    season: str
    cloud_cover: tuple[float, ...]


_PASSES = (
    _Pass("20240512", "10:15:59", "spring", (11.1, 4.2, 10.2, 16.0)),
    _Pass("20240731", "10:25:52", "summer", (4.5, 6.7, 2.4, 3.1)),
    _Pass("20241004", "10:17:41", "autumn", (29.9, 26.5, 11.3, 22.0)),
)
_BANDS: dict[str, dict[str, Any]] = {
    "red": {"name": "red", "eo:common_name": "red", "eo:center_wavelength": 0.665},
    "green": {"name": "green", "eo:common_name": "green", "eo:center_wavelength": 0.56},
    "blue": {"name": "blue", "eo:common_name": "blue", "eo:center_wavelength": 0.49},
    "nir": {"name": "nir", "eo:common_name": "nir", "eo:center_wavelength": 0.842},
}
# Value, name, colour and description: the codes of Sentinel-2's scene classification that occur.
_CLASSES = (
    (0, "no_data", "000000", "No data"),
    (3, "cloud_shadow", "643200", "Cloud shadow"),
    (4, "vegetation", "00A000", "Vegetation"),
    (5, "not_vegetated", "FFE65A", "Not vegetated"),
    (6, "water", "0000FF", "Water"),
    (8, "cloud_medium_probability", "C0C0C0", "Cloud, medium probability"),
    (9, "cloud_high_probability", "FFFFFF", "Cloud, high probability"),
    (11, "snow", "64C8FF", "Snow or ice"),
)
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in ("eo/v2.0.0", "projection/v2.0.0", "raster/v2.0.0", "classification/v2.0.0")
)
_LICENSE = {"rel": "license", "href": "https://creativecommons.org/publicdomain/zero/1.0/", "type": "text/html"}


def collection() -> dict[str, Any]:
    corners = _UTM.corners(_WEST, _NORTH - 2 * _SIZE, _WEST + 2 * _SIZE, _NORTH)
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": [url for url in _EXTENSIONS if "/projection/" not in url],
        "id": ID,
        "title": "Demo: scenes with pixels",
        "description": "A landscape made from noise, seen on three dates. The files are real cloud-optimised GeoTIFFs "
        "that this service hands out.",
        "keywords": ["demo", "cog", "reflectance", "synthetic"],
        "license": "CC0-1.0",
        "providers": [{"name": "Upesi demo", "roles": ["producer", "host"]}],
        "extent": {
            "spatial": {"bbox": [footprint(corners)[1]]},
            "temporal": {"interval": [["2024-05-12T10:15:59Z", "2024-10-04T10:17:41Z"]]},
        },
        "summaries": {"gsd": [10, 20], "platform": ["demo-1"], "proj:code": [f"EPSG:{_UTM.epsg}"]},
        "item_assets": _shared_assets(),
        "links": [_LICENSE],
    }


def items() -> Iterator[dict[str, Any]]:
    for passage in _PASSES:
        for place, cloud_cover in zip(_PLACES, passage.cloud_cover, strict=True):
            yield _item(passage, place, cloud_cover)


def _item(passage: _Pass, place: str, cloud_cover: float) -> dict[str, Any]:
    id, date = f"{passage.date}-{place}", passage.date
    west, north = _corner(place)
    geometry, bbox = footprint(_UTM.corners(west, north - _SIZE, west + _SIZE, north))
    assets = {
        key: {"href": f"{STATIC}{ID}/{_file(id, key)}", **shared}
        | (_grid(place, shared["gsd"]) if "gsd" in shared else {})
        for key, shared in _shared_assets().items()
    }
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(_EXTENSIONS),
        "id": id,
        "collection": ID,
        "geometry": geometry,
        "bbox": bbox,
        "properties": {
            "datetime": f"{date[:4]}-{date[4:6]}-{date[6:]}T{passage.time}Z",
            "platform": "demo-1",
            "instruments": ["noise"],
            "gsd": 10,
            "eo:cloud_cover": cloud_cover,
            "proj:code": f"EPSG:{_UTM.epsg}",
        },
        "links": [{"rel": "collection", "href": f"../../{ID}", "type": "application/json"}, dict(_LICENSE)],
        "assets": assets,
    }


def _corner(place: str) -> tuple[int, int]:
    row, column = _PLACES[place]
    return _WEST + column * _SIZE, _NORTH - row * _SIZE


def _file(id: str, key: str) -> str:
    return f"{id}-{key}.{'png' if key == 'thumbnail' else 'tif'}"


def _grid(place: str, gsd: int) -> dict[str, list[int]]:
    west, north = _corner(place)
    return {"proj:shape": [_SIZE // gsd, _SIZE // gsd], "proj:transform": [gsd, 0, west, 0, -gsd, north]}


def _shared_assets() -> dict[str, dict[str, Any]]:
    """Key → what all scenes say of this file."""
    reflectance = {"type": _COG, "roles": ["data", "reflectance"], "gsd": 10, "data_type": "uint16", "nodata": 0}
    scaling = {"unit": "1", "raster:scale": 0.0001, "raster:offset": 0}
    bands = {
        name: {"title": f"{name} reflectance".capitalize(), **reflectance, **scaling, "bands": [band]}
        for name, band in _BANDS.items()
    }
    colors = [_BANDS[name] for name in ("red", "green", "blue")]
    classes = [
        {"value": value, "name": name, "color_hint": color, "description": text} | ({} if value else {"nodata": True})
        for value, name, color, text in _CLASSES
    ]
    byte = {"type": _COG, "data_type": "uint8", "nodata": 0}
    return bands | {
        "scl": byte
        | {"title": "Scene classification", "roles": ["data", "classification"], "gsd": 20}
        | {"classification:classes": classes},
        "visual": byte | {"title": "True color image", "roles": ["visual", "overview"], "gsd": 10, "bands": colors},
        "thumbnail": {"type": "image/png", "title": "Thumbnail", "roles": ["thumbnail"]},
    }


def write(folder: Path) -> None:
    """Make the files of all items in `folder`, unless they are there. Raises SetupError."""
    files.write(folder, VERSION, _write_files)


def _write_files(folder: Path) -> None:
    import rasterio

    from app.demo import landscape

    with rasterio.Env(GDAL_PAM_ENABLED=False):  # or a file of its own would come with each thumbnail
        for passage in _PASSES:
            view = landscape.view(2 * _PIXELS, landscape.SEASONS[passage.season])
            for place in _PLACES:
                for key, pixels in _cut(view, place).items():
                    _write_image(folder / _file(f"{passage.date}-{place}", key), pixels, place)


def _cut(view: "View", place: str) -> dict[str, "Pixels"]:
    """The images of one tile, each as bands, rows, columns."""
    row, column = _PLACES[place]

    def tile(image: "Pixels", size: int) -> "Pixels":
        return image[:, row * size : (row + 1) * size, column * size : (column + 1) * size]

    visual = tile(view.visual, _PIXELS)
    bands = {name: tile(view.bands[[index]], _PIXELS) for index, name in enumerate(_BANDS)}
    return bands | {"scl": tile(view.classes[None], _PIXELS // 2), "visual": visual, "thumbnail": visual}


def _write_image(path: Path, pixels: "Pixels", place: str) -> None:
    """A COG, or a PNG by the name; the size of a pixel follows from their number, as all images cover the tile."""
    import rasterio
    from rasterio.enums import ColorInterp

    count, height, width = pixels.shape
    west, north = _corner(place)
    profile = {"width": width, "height": height, "count": count, "dtype": pixels.dtype.name, "nodata": 0}
    grid = {"crs": f"EPSG:{_UTM.epsg}", "transform": rasterio.Affine(_SIZE / width, 0, west, 0, -_SIZE / height, north)}
    driver = {"driver": "PNG"} if path.suffix == ".png" else _cog(pixels)
    with rasterio.open(path, "w", **profile, **grid, **driver) as file:
        file.write(pixels)
        if pixels.dtype.name == "uint16":
            file.scales = (0.0001,)
        elif count == 3:
            file.colorinterp = [ColorInterp.red, ColorInterp.green, ColorInterp.blue]


def _cog(pixels: "Pixels") -> dict[str, Any]:
    """Classes must not be averaged in the overviews, and a predictor does not suit them."""
    averaged = len(pixels) > 1 or pixels.dtype.name == "uint16"
    return {
        "driver": "COG",
        "compress": "deflate",
        "level": 9,
        "predictor": "yes" if averaged else "no",
        "blocksize": _BLOCK,
        "overview_resampling": "average" if averaged else "nearest",
    }
