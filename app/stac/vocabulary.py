"""What the properties of the common metadata and of known extensions are called, and their units (UCUM)."""

from collections.abc import Mapping


def title(name: str) -> str:
    """The title of a property; of an unknown one its own name, made readable."""
    if name in _TITLES:
        return _TITLES[name]
    words = name.rpartition(":")[2].replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else name


def unit(name: str) -> str | None:
    return _UNITS.get(name)


_COMMON = {
    "title": "Title",
    "description": "Description",
    "keywords": "Keywords",
    "datetime": "Date and time",
    "start_datetime": "Start",
    "end_datetime": "End",
    "created": "Metadata created",
    "updated": "Metadata updated",
    "published": "Published",
    "expires": "Expires",
    "license": "License",
    "providers": "Providers",
    "platform": "Platform",
    "constellation": "Constellation",
    "instruments": "Instruments",
    "mission": "Mission",
    "gsd": "Ground sample distance",
    "bands": "Bands",
    "version": "Version",
    "deprecated": "Deprecated",
}
_EARTH_OBSERVATION = {
    "eo:cloud_cover": "Cloud cover",
    "eo:snow_cover": "Snow cover",
    "eo:bands": "Bands",
    "view:off_nadir": "Off-nadir angle",
    "view:incidence_angle": "Incidence angle",
    "view:azimuth": "Viewing azimuth",
    "view:sun_azimuth": "Sun azimuth",
    "view:sun_elevation": "Sun elevation",
    "sat:platform_international_designator": "International designator of the platform",
    "sat:orbit_state": "Orbit state",
    "sat:absolute_orbit": "Absolute orbit",
    "sat:relative_orbit": "Relative orbit",
    "sat:anx_datetime": "Time of the ascending node crossing",
    "sar:instrument_mode": "Instrument mode",
    "sar:frequency_band": "Frequency band",
    "sar:center_frequency": "Centre frequency",
    "sar:polarizations": "Polarizations",
    "sar:product_type": "Product type",
    "sar:resolution_range": "Range resolution",
    "sar:resolution_azimuth": "Azimuth resolution",
    "sar:pixel_spacing_range": "Range pixel spacing",
    "sar:pixel_spacing_azimuth": "Azimuth pixel spacing",
    "sar:looks_range": "Range looks",
    "sar:looks_azimuth": "Azimuth looks",
    "sar:looks_equivalent_number": "Equivalent number of looks",
    "sar:observation_direction": "Observation direction",
}
_PROJECTION = {
    "proj:code": "Projection code",
    "proj:epsg": "EPSG code",
    "proj:wkt2": "Projection as WKT2",
    "proj:projjson": "Projection as PROJJSON",
    "proj:geometry": "Projected footprint",
    "proj:bbox": "Projected bounding box",
    "proj:centroid": "Centroid",
    "proj:shape": "Shape",
    "proj:transform": "Transform",
    "raster:bands": "Raster bands",
    "grid:code": "Grid code",
    "mgrs:utm_zone": "UTM zone",
    "mgrs:latitude_band": "MGRS latitude band",
    "mgrs:grid_square": "MGRS grid square",
}
_PROCESSING = {
    "processing:level": "Processing level",
    "processing:facility": "Processing facility",
    "processing:software": "Processing software",
    "processing:version": "Processing version",
    "processing:datetime": "Processing time",
    "sci:doi": "DOI",
    "sci:citation": "Citation",
    "s2:mgrs_tile": "MGRS tile",
    "s2:tile_id": "Tile id",
    "s2:granule_id": "Granule id",
    "s2:datatake_id": "Datatake id",
    "s2:datastrip_id": "Datastrip id",
    "s2:product_uri": "Product URI",
    "s2:product_type": "Product type",
    "s2:generation_time": "Generation time",
    "s2:processing_baseline": "Processing baseline",
    "s2:nodata_pixel_percentage": "Pixels without data",
    "landsat:cloud_cover_land": "Cloud cover over land",
    "landsat:wrs_type": "WRS type",
    "landsat:wrs_path": "WRS path",
    "landsat:wrs_row": "WRS row",
    "landsat:scene_id": "Scene id",
    "landsat:collection_category": "Collection category",
    "landsat:collection_number": "Collection number",
    "landsat:correction": "Correction level",
}
_TITLES: Mapping[str, str] = _COMMON | _EARTH_OBSERVATION | _PROJECTION | _PROCESSING

_PERCENTAGES = (
    *("eo:cloud_cover", "eo:snow_cover", "landsat:cloud_cover_land", "s2:cloud_shadow_percentage"),
    *("s2:dark_features_percentage", "s2:degraded_msi_data_percentage", "s2:high_proba_clouds_percentage"),
    *("s2:medium_proba_clouds_percentage", "s2:nodata_pixel_percentage", "s2:not_vegetated_percentage"),
    *("s2:saturated_defective_pixel_percentage", "s2:snow_ice_percentage", "s2:thin_cirrus_percentage"),
    *("s2:unclassified_percentage", "s2:vegetation_percentage", "s2:water_percentage"),
)
_ANGLES = (
    *("view:off_nadir", "view:incidence_angle", "view:azimuth", "view:sun_azimuth", "view:sun_elevation"),
    *("s2:mean_solar_azimuth", "s2:mean_solar_zenith"),
)
_LENGTHS = (
    *("gsd", "sar:resolution_range", "sar:resolution_azimuth"),
    *("sar:pixel_spacing_range", "sar:pixel_spacing_azimuth"),
)
_UNITS: Mapping[str, str] = {
    **dict.fromkeys(_PERCENTAGES, "%"),
    **dict.fromkeys(_ANGLES, "deg"),
    **dict.fromkeys(_LENGTHS, "m"),
    "sar:center_frequency": "GHz",
}
