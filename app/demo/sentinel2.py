"""A made-up Sentinel-2 L2A archive: as many items as asked for, over the land of the globe, 2018 to 2024.

The items have the size and the members of real ones; of their files only the thumbnails are there. The same seed
gives the same items everywhere: `Random.random` is the one source of chance, as Python promises its sequence for good.
"""

from bisect import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import accumulate
from math import asin, atan2, ceil, cos, degrees, floor, radians, sin
from random import Random
from typing import Any

from app.demo.files import ABSENT, NOWHERE
from app.demo.grid import Point, Utm, footprint
from app.demo.sentinel2_assets import Grid, assets, band_definitions, item_assets
from app.demo.thumbnails import of_sentinel2

ID = "demo-sentinel-2-l2a"
_LICENSE = {"rel": "license", "href": "https://creativecommons.org/publicdomain/zero/1.0/", "type": "text/html"}
_EXTENSIONS = tuple(
    f"https://stac-extensions.github.io/{name}/schema.json"
    for name in (
        "eo/v2.0.0",
        "grid/v1.1.0",
        "projection/v2.0.0",
        "raster/v2.0.0",
        "sat/v1.0.0",
        "sentinel-2/v1.0.0",
        "view/v1.0.0",
    )
)

# Rough boxes of land: west, south, east, north. The last four (Chukotka, Fiji) lie at the antimeridian.
_LAND: tuple[tuple[float, float, float, float], ...] = (
    (-165, 60, -142, 70),
    (-140, 50, -60, 68),
    (-124, 32, -75, 50),
    (-115, 16, -88, 32),
    (-80, -18, -50, 8),
    (-72, -52, -58, -18),
    (-58, -33, -38, -3),
    (-54, 61, -28, 80),
    (-10, 36, 30, 60),
    (5, 58, 60, 70),
    (30, 45, 140, 72),
    (-16, 5, 40, 35),
    (10, -34, 40, 5),
    (44, -25, 50, -13),
    (36, 13, 75, 42),
    (70, 8, 90, 32),
    (75, 28, 122, 50),
    (95, -8, 140, 22),
    (114, -38, 153, -12),
    (167, -46, 178, -35),
    (130, 32, 145, 45),
    (178, 64, 180, 70),
    (-180, 64, -178, 69),
    (178, -19, 180, -16),
    (-180, -19, -179, -16),
)


def _weight(west: float, south: float, east: float, north: float) -> float:
    """The area on the globe, but never so little that a few thousand items miss the box."""
    return max((east - west) * (sin(radians(north)) - sin(radians(south))), 3.0)


_WEIGHTS = tuple(accumulate(_weight(*box) for box in _LAND))

_FIRST_DAY = datetime(2018, 1, 1, tzinfo=UTC)
_DAYS = 2557  # to the end of 2024; a prime, so that steps of any length visit each day
_DAY_STEP = 1597
_TILE_SIZE = 109_800
_COLUMNS = ("ABCDEFGH", "JKLMNPQR", "STUVWXYZ")
_ROWS = "ABCDEFGHJKLMNPQRSTUV"
_LATITUDE_BANDS = "CDEFGHJKLMNPQRSTUVWXX"


def collection() -> dict[str, Any]:
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": [url for url in _EXTENSIONS if "/eo/" in url or "/raster/" in url],
        "id": ID,
        "title": "Demo: Sentinel-2 Level-2A",
        "description": "Made-up items with the shape of Sentinel-2 Level-2A products, for demonstrations and "
        "benchmarks. The footprints follow the MGRS tiling grid. The thumbnails are real; the other files are "
        f"examples, and nothing is at their hrefs: {NOWHERE}.",
        "keywords": ["demo", "sentinel-2", "msi", "reflectance"],
        "license": "CC0-1.0",
        "providers": [{"name": "Upesi demo", "roles": ["producer", "host"]}],
        "extent": {
            "spatial": {"bbox": [[-180, -54, 180, 81]]},
            "temporal": {"interval": [["2018-01-01T00:00:00Z", "2025-01-01T00:00:00Z"]]},
        },
        "summaries": {
            "platform": ["sentinel-2a", "sentinel-2b"],
            "constellation": ["sentinel-2"],
            "instruments": ["msi"],
            "gsd": [10, 20, 60],
            "eo:cloud_cover": {"minimum": 0, "maximum": 100},
        },
        "bands": band_definitions(),
        "item_assets": item_assets(),
        "links": [_LICENSE],
    }


def items(count: int = 3000, seed: int = 1) -> Iterator[dict[str, Any]]:
    """A longer stream of the same seed starts with the shorter one."""
    draw = Random(seed).random
    for index in range(count):
        yield _item(_acquisition(index, draw))


@dataclass(frozen=True, slots=True)
class _Tile:
    """A square of the Sentinel-2 tiling grid; its corners go counterclockwise from the upper left."""

    name: str
    epsg: int
    corners: tuple[Point, ...]
    grids: dict[int, Grid]
    relative_orbit: int


@dataclass(frozen=True, slots=True)
class _Acquisition:
    """One tile seen once. `imaged` are the corners of the part inside of the swath."""

    tile: _Tile
    satellite: str
    sensed: datetime
    generated: datetime
    sun: Point
    imaged: tuple[Point, ...]
    shares: dict[str, float]


def _acquisition(index: int, draw: Callable[[], float]) -> _Acquisition:
    """No two indexes share both the day sensed and the second generated: the id is unique without looking back."""
    round_, number = divmod(index, _DAYS)
    day = _FIRST_DAY + timedelta(days=number * _DAY_STEP % _DAYS)
    longitude, latitude, sun = _place_in_daylight(day.timetuple().tm_yday, draw)
    tile = _tile_at(longitude, latitude)
    second = (10.5 - longitude / 15) * 3600 + (draw() - 0.5) * 1800
    imaged, missing = _in_swath(tile.corners, draw)
    return _Acquisition(
        tile=tile,
        satellite="AB"[draw() < 0.5],
        sensed=day + timedelta(seconds=int(second % 86400), milliseconds=24),
        generated=day + timedelta(days=1, seconds=(round_ * 5021 + number * 137) % 86400),
        sun=sun,
        imaged=imaged,
        shares=_shares(missing, draw),
    )


def _place_in_daylight(day_of_year: int, draw: Callable[[], float]) -> tuple[float, float, Point]:
    """Sentinel-2 takes no images in the dark: a place in polar night is drawn again."""
    while True:
        west, south, east, north = _LAND[bisect(_WEIGHTS, draw() * _WEIGHTS[-1])]
        longitude, latitude = west + draw() * (east - west), south + draw() * (north - south)
        sun = _sun(latitude, day_of_year)
        if sun[1] > 8:
            return longitude, latitude, sun


def _sun(latitude: float, day_of_year: int) -> Point:
    """Azimuth and elevation at 10:30 local time, when the satellites pass; the year is taken as a circle."""
    declination = radians(-23.44 * cos(radians(360 / 365.25 * (day_of_year + 10))))
    phi, hour_angle = radians(latitude), radians(-22.5)
    up = sin(phi) * sin(declination) + cos(phi) * cos(declination) * cos(hour_angle)
    east = -cos(declination) * sin(hour_angle)
    north = cos(phi) * sin(declination) - sin(phi) * cos(declination) * cos(hour_angle)
    return round(degrees(atan2(east, north)) % 360, 4), round(degrees(asin(up)), 4)


def _tile_at(longitude: float, latitude: float) -> _Tile:
    """A tile within some kilometres of the place: the forward projection is only approximated."""
    zone = min(floor((longitude + 180) / 6), 59) + 1
    phi = radians(latitude)
    easting = 500_000 + (longitude - zone * 6 + 183) * 111_320 * cos(phi)
    northing = 111_132.954 * latitude - 16_038.509 * sin(2 * phi) + 16.833 * sin(4 * phi)
    column, row = min(max(floor(easting / 100_000), 1), 8), floor(northing / 100_000)
    return _tile(zone, latitude < 0, column, row + 100 if latitude < 0 else row)


@lru_cache(maxsize=4096)
def _tile(zone: int, south: bool, column: int, row: int) -> _Tile:
    """The tile on a square of 100 km: it starts on a multiple of 60 m, so that all three resolutions fit."""
    utm = Utm(zone, south)
    west, north = column * 100_000 // 60 * 60, ceil((row + 1) * 100_000 / 60) * 60
    corners = utm.corners(west, north - _TILE_SIZE, west + _TILE_SIZE, north)
    longitude, latitude = (corners[0][axis] / 2 + corners[2][axis] / 2 for axis in (0, 1))
    # Rows of even zones start five letters on, columns repeat every third zone: neighbours never share a name.
    row_letter = _ROWS[(row + (5 if zone % 2 == 0 else 0)) % 20]
    square = _LATITUDE_BANDS[floor(latitude / 8) + 10] + _COLUMNS[(zone - 1) % 3][column - 1] + row_letter
    return _Tile(
        name=f"{zone:02}{square}",
        epsg=utm.epsg,
        corners=corners,
        grids={resolution: _grid(resolution, west, north) for resolution in (10, 20, 60)},
        relative_orbit=floor((longitude + 180) * 143 / 120) % 143 + 1,
    )


def _grid(resolution: int, west: int, north: int) -> Grid:
    pixels = _TILE_SIZE // resolution
    return {
        "proj:bbox": [west, north - _TILE_SIZE, west + _TILE_SIZE, north],
        "proj:shape": [pixels, pixels],
        "proj:transform": [resolution, 0, west, 0, -resolution, north],
    }


def _in_swath(corners: tuple[Point, ...], draw: Callable[[], float]) -> tuple[tuple[Point, ...], float]:
    """The imaged part of a tile and the missing percentage: four in ten tiles lie across an edge of the swath.

    The edge leans as the track of a descending orbit does, from the upper right to the lower left.
    """
    side, share = draw(), 0.12 + 0.68 * draw()
    upper_left, lower_left, lower_right, upper_right = corners
    if side < 0.6:
        return corners, 0.0
    if side < 0.8:
        upper_left = _between(upper_left, upper_right, share + 0.1)
        lower_left = _between(lower_left, lower_right, share - 0.1)
    else:
        upper_right = _between(upper_left, upper_right, 1 - share + 0.1)
        lower_right = _between(lower_left, lower_right, 1 - share - 0.1)
    return (upper_left, lower_left, lower_right, upper_right), round(100 * share, 6)


def _between(start: Point, end: Point, part: float) -> Point:
    return start[0] + (end[0] - start[0]) * part, start[1] + (end[1] - start[1]) * part


def _shares(missing: float, draw: Callable[[], float]) -> dict[str, float]:
    """Percentages of the classes of the scene: clouds first, the ground shares what they leave."""
    cloud = 100 * draw() ** 2
    high, cirrus = cloud * 0.6 * draw(), cloud * 0.3 * draw()
    ground = 100 - cloud
    vegetation = ground * 0.7 * draw()
    water = (ground - vegetation) * 0.5 * draw() ** 3
    snow = (ground - vegetation - water) * 0.4 * draw() ** 6
    shadow = min(cloud * 0.2, ground - vegetation - water - snow)
    return {
        "eo:cloud_cover": round(cloud, 6),
        "s2:high_proba_clouds_percentage": round(high, 6),
        "s2:medium_proba_clouds_percentage": round(cloud - high - cirrus, 6),
        "s2:thin_cirrus_percentage": round(cirrus, 6),
        "s2:vegetation_percentage": round(vegetation, 6),
        "s2:water_percentage": round(water, 6),
        "s2:snow_ice_percentage": round(snow, 6),
        "s2:cloud_shadow_percentage": round(shadow, 6),
        "s2:not_vegetated_percentage": round(ground - vegetation - water - snow - shadow, 6),
        "s2:dark_features_percentage": 0.0,
        "s2:unclassified_percentage": 0.0,
        "s2:nodata_pixel_percentage": missing,
        "s2:degraded_msi_data_percentage": 0.0,
        "s2:saturated_defective_pixel_percentage": 0.0,
    }


def _item(seen: _Acquisition) -> dict[str, Any]:
    tile = seen.tile
    sensed, generated = f"{seen.sensed:%Y%m%dT%H%M%S}", f"{seen.generated:%Y%m%dT%H%M%S}"
    id = f"S2{seen.satellite}_MSIL2A_{sensed}_R{tile.relative_orbit:03}_T{tile.name}_{generated}"
    orbit = 13_000 + (seen.sensed - _FIRST_DAY).days * 143 // 10
    names = {
        "granule": f"L2A_T{tile.name}_A{orbit:06}_{sensed}",
        "datastrip": f"DS_DEMO_{generated}_S{sensed}",
        "file": f"T{tile.name}_{sensed}",
    }
    geometry, bbox = footprint(seen.imaged)
    zone, band, square = tile.name[:2], tile.name[2], tile.name[3:]
    folder = f"{zone}/{band}/{square}/{seen.sensed:%Y/%m/%d}/{id}.SAFE/"
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": list(_EXTENSIONS),
        "id": id,
        "collection": ID,
        "geometry": geometry,
        "bbox": bbox,
        "properties": _properties(seen, id, names, orbit),
        "links": [{"rel": "collection", "href": f"../../{ID}", "type": "application/json"}, dict(_LICENSE)],
        "assets": assets(folder, names, tile.grids, of_sentinel2(tile.name, seen.shares["eo:cloud_cover"])),
    }


def _properties(seen: _Acquisition, id: str, names: dict[str, str], orbit: int) -> dict[str, Any]:
    tile, (sun_azimuth, sun_elevation) = seen.tile, seen.sun
    baseline = "05.10" if seen.sensed.year >= 2024 else "05.09" if seen.sensed.year >= 2022 else "05.00"
    take = f"{names['file'][7:]}_{orbit:06}_N{baseline}"
    return {
        "datetime": _text(seen.sensed),
        "description": ABSENT,
        "created": _text(seen.generated + timedelta(minutes=41)),
        "updated": _text(seen.generated + timedelta(minutes=41, days=orbit % 30)),
        "platform": f"sentinel-2{seen.satellite.lower()}",
        "constellation": "sentinel-2",
        "instruments": ["msi"],
        "gsd": 10,
        "grid:code": f"MGRS-{tile.name}",
        "proj:code": f"EPSG:{tile.epsg}",
        **seen.shares,
        "sat:orbit_state": "descending",
        "sat:relative_orbit": tile.relative_orbit,
        "sat:absolute_orbit": orbit,
        "view:off_nadir": 0,
        "view:sun_azimuth": sun_azimuth,
        "view:sun_elevation": sun_elevation,
        "s2:mgrs_tile": tile.name,
        "s2:product_uri": f"{id}.SAFE",
        "s2:product_type": "S2MSI2A",
        "s2:processing_baseline": baseline,
        "s2:generation_time": _text(seen.generated),
        "s2:granule_id": f"S2{seen.satellite}_OPER_MSI_L2A_TL_DEMO_{id[-15:]}_A{orbit:06}_T{tile.name}_N{baseline}",
        "s2:datatake_id": f"GS2{seen.satellite}_{take}",
        "s2:datastrip_id": f"S2{seen.satellite}_OPER_MSI_L2A_{names['datastrip']}_N{baseline}",
        "s2:datatake_type": "INS-NOBS",
        "s2:mean_solar_zenith": round(90 - sun_elevation, 4),
    }


def _text(instant: datetime) -> str:
    """RFC 3339 with milliseconds, as the real archive writes it."""
    return f"{instant.replace(tzinfo=None).isoformat(timespec='milliseconds')}Z"
