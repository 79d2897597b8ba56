"""The files of a Sentinel-2 L2A product, as the asset dictionary that every item of the demo carries."""

from typing import Any

from app.demo.files import NOWHERE

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_FOLDER = f"{NOWHERE}/sentinel-2-l2a/"

Grid = dict[str, list[float]]

# Name, common name, centre and width in µm, resolution in m, title.
_BANDS: tuple[tuple[str, str, float, float, int, str], ...] = (
    ("B01", "coastal", 0.443, 0.027, 60, "Coastal aerosol"),
    ("B02", "blue", 0.49, 0.098, 10, "Blue"),
    ("B03", "green", 0.56, 0.045, 10, "Green"),
    ("B04", "red", 0.665, 0.038, 10, "Red"),
    ("B05", "rededge071", 0.704, 0.019, 20, "Vegetation red edge 1"),
    ("B06", "rededge075", 0.74, 0.018, 20, "Vegetation red edge 2"),
    ("B07", "rededge078", 0.783, 0.028, 20, "Vegetation red edge 3"),
    ("B08", "nir", 0.842, 0.145, 10, "Near infrared"),
    ("B8A", "nir08", 0.865, 0.033, 20, "Narrow near infrared"),
    ("B09", "nir09", 0.945, 0.026, 60, "Water vapour"),
    ("B11", "swir16", 1.61, 0.143, 20, "Short-wave infrared (1.6 µm)"),
    ("B12", "swir22", 2.19, 0.242, 20, "Short-wave infrared (2.2 µm)"),
)
# Key, title, media type, role, path inside of the product.
_DOCUMENTS: tuple[tuple[str, str, str, str, str], ...] = (
    ("product-metadata", "Product metadata", "application/xml", "metadata", "MTD_MSIL2A.xml"),
    ("granule-metadata", "Granule metadata", "application/xml", "metadata", "GRANULE/{granule}/MTD_TL.xml"),
    ("datastrip-metadata", "Datastrip metadata", "application/xml", "metadata", "DATASTRIP/{datastrip}/MTD_DS.xml"),
    ("inspire-metadata", "INSPIRE metadata", "application/xml", "metadata", "INSPIRE.xml"),
    ("safe-manifest", "SAFE manifest", "application/xml", "metadata", "manifest.safe"),
)


def band_definitions() -> list[dict[str, Any]]:
    return [_band_definition(band) for band in _BANDS]


def _band_definition(band: tuple[str, str, float, float, int, str]) -> dict[str, Any]:
    name, common_name, center, width, _, title = band
    return {
        "name": name,
        "description": f"Band {name[1:].lstrip('0')} - {title}",
        "eo:common_name": common_name,
        "eo:center_wavelength": center,
        "eo:full_width_half_max": width,
    }


def _image(title: str, resolution: int, data_type: str, **more: Any) -> dict[str, Any]:
    return {
        "type": COG,
        "title": title,
        "roles": ["data"],
        "gsd": resolution,
        "data_type": data_type,
        "nodata": 0,
        "raster:spatial_resolution": resolution,
    } | more


def _band_image(band: tuple[str, str, float, float, int, str]) -> dict[str, Any]:
    resolution, definition = band[4], _band_definition(band)
    scaling = {"unit": "1", "raster:scale": 0.0001, "raster:offset": -0.1}
    roles = {"roles": ["data", "reflectance"], "bands": [definition]}
    return _image(f"{definition['description']} - {resolution}m", resolution, "uint16", **scaling, **roles)


def _images() -> dict[str, dict[str, Any]]:
    """Key → what all items say of this file, in the order of the asset dictionary."""
    true_color = [
        {"name": band["name"], "eo:common_name": band["eo:common_name"]} for band in band_definitions()[3:0:-1]
    ]
    return {band[0]: _band_image(band) for band in _BANDS} | {
        "visual": _image("True color image", 10, "uint8", roles=["visual", "data"], bands=true_color),
        "AOT": _image("Aerosol optical thickness", 10, "uint16", unit="1", **{"raster:scale": 0.001}),
        "WVP": _image("Water vapour column", 10, "uint16", unit="cm", **{"raster:scale": 0.001}),
        "SCL": _image("Scene classification map", 20, "uint8", roles=["data", "classification"]),
    }


# What differs between items is the path and the grid: the rest of each asset is made once and shared by all.
_IMAGES = tuple(
    (key, asset["gsd"], f"_{'TCI' if key == 'visual' else key}_{asset['gsd']}m.tif", asset)
    for key, asset in _images().items()
)
_TEXTS = tuple(
    (key, path, {"type": media, "title": title, "roles": [role]}) for key, title, media, role, path in _DOCUMENTS
)


_THUMBNAIL = {"type": "image/jpeg", "title": "Thumbnail", "roles": ["thumbnail"]}


def item_assets() -> dict[str, dict[str, Any]]:
    described = {key: asset for key, *_, asset in _IMAGES} | {key: asset for key, _, asset in _TEXTS}
    return described | {"thumbnail": _THUMBNAIL}


def assets(product: str, names: dict[str, str], grids: dict[int, Grid], thumbnail: str) -> dict[str, Any]:
    """`product` is the folder of its files; `names` fills the paths in it; `grids` is keyed by resolution."""
    folder = _FOLDER + product
    start = {size: f"{folder}GRANULE/{names['granule']}/IMG_DATA/R{size}m/{names['file']}" for size in grids}
    images = {
        key: {"href": start[resolution] + end, **shared, **grids[resolution]}
        for key, resolution, end, shared in _IMAGES
    }
    texts = {key: {"href": folder + path.format_map(names), **shared} for key, path, shared in _TEXTS}
    return images | texts | {"thumbnail": {"href": thumbnail, **_THUMBNAIL}}
