"""A made-up aerial survey of Nairobi: a square of 10 by 10 km in three years, one item per square kilometre.

It is STAC 1.0 where the other collections are 1.1, and it has all three ways to say when: an instant (2019), a flight
window without an instant (2021), and a window with a nominal instant in it (2023).
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from app.demo import thumbnails
from app.demo.files import ABSENT, NOWHERE
from app.demo.grid import Utm, footprint

ID = "demo-aerial"
_UTM = Utm(37, south=True)
_WEST, _NORTH = 252_000, 9_862_000
_CELLS = 10
_FOLDER = f"{NOWHERE}/aerial/nairobi"
_LICENSE = {"rel": "license", "href": "https://creativecommons.org/publicdomain/zero/1.0/", "type": "text/html"}
_COG = "image/tiff; application=geotiff; profile=cloud-optimized"
_EXTENSIONS = (
    "https://stac-extensions.github.io/eo/v1.1.0/schema.json",
    "https://stac-extensions.github.io/projection/v1.1.0/schema.json",
)
_BANDS = [{"name": name, "common_name": name} for name in ("red", "green", "blue", "nir")]
_ITEM_ASSETS: dict[str, dict[str, Any]] = {
    "image": {"type": _COG, "title": "RGB and near-infrared image", "roles": ["data"], "eo:bands": _BANDS},
    "thumbnail": {"type": "image/jpeg", "title": "Thumbnail", "roles": ["thumbnail"]},
    "metadata": {"type": "application/xml", "title": "Flight report", "roles": ["metadata"]},
}
# The year → the first day of its campaign and the size of a pixel in metres.
_CAMPAIGNS = {
    2019: (datetime(2019, 2, 4, tzinfo=UTC), 1.0),
    2021: (datetime(2021, 1, 18, tzinfo=UTC), 0.5),
    2023: (datetime(2023, 8, 7, tzinfo=UTC), 0.25),
}


def collection() -> dict[str, Any]:
    corners = _UTM.corners(_WEST, _NORTH - _CELLS * 1000, _WEST + _CELLS * 1000, _NORTH)
    return {
        "type": "Collection",
        "stac_version": "1.0.0",
        "stac_extensions": ["https://stac-extensions.github.io/item-assets/v1.0.0/schema.json", _EXTENSIONS[0]],
        "id": ID,
        "title": "Demo: aerial survey of Nairobi",
        "description": "Made-up aerial images of one square kilometre each, flown in three campaigns. Some items have "
        "a flight window instead of an instant. The thumbnails are real; the other files are examples, "
        f"and nothing is at their hrefs: {NOWHERE}.",
        "keywords": ["demo", "aerial", "orthophoto", "Nairobi"],
        "license": "CC0-1.0",
        "providers": [{"name": "Upesi demo", "roles": ["producer", "host"]}],
        "extent": {
            "spatial": {"bbox": [footprint(corners)[1]]},
            "temporal": {"interval": [["2019-02-04T00:00:00Z", "2023-08-31T00:00:00Z"]]},
        },
        "summaries": {"gsd": [gsd for _, gsd in _CAMPAIGNS.values()], "platform": ["aeroplane"]},
        "item_assets": _ITEM_ASSETS,
        "links": [_LICENSE],
    }


def items() -> Iterator[dict[str, Any]]:
    for year in _CAMPAIGNS:
        for cell in range(_CELLS * _CELLS):
            yield _item(year, *divmod(cell, _CELLS))


def _item(year: int, row: int, column: int) -> dict[str, Any]:
    id = f"nairobi_{year}_r{row:02}_c{column:02}"
    _, gsd = _CAMPAIGNS[year]
    west, north, pixels = _WEST + column * 1000, _NORTH - row * 1000, round(1000 / gsd)
    geometry, bbox = footprint(_UTM.corners(west, north - 1000, west + 1000, north))
    grid = {
        "proj:epsg": _UTM.epsg,
        "proj:bbox": [west, north - 1000, west + 1000, north],
        "proj:shape": [pixels, pixels],
        "proj:transform": [gsd, 0, west, 0, -gsd, north],
    }
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": list(_EXTENSIONS),
        "id": id,
        "collection": ID,
        "geometry": geometry,
        "bbox": bbox,
        "properties": _time(year, row, column)
        | {"description": ABSENT, "platform": "aeroplane", "gsd": gsd, "aerial:year": year}
        | grid,
        "links": [{"rel": "collection", "href": f"../../{ID}", "type": "application/json"}, dict(_LICENSE)],
        "assets": {
            key: {"href": href, **_ITEM_ASSETS[key]}
            for key, href in (
                ("image", f"{_FOLDER}/{year}/{id}.tif"),
                ("thumbnail", thumbnails.of_aerial(year, row, column)),
                ("metadata", f"{_FOLDER}/{year}/{id}.xml"),
            )
        },
    }


def _time(year: int, row: int, column: int) -> dict[str, str | None]:
    """A strip from north to south takes one morning; every third one was cut off by clouds and ended two days later."""
    start = _CAMPAIGNS[year][0] + timedelta(days=2 * column, hours=5, minutes=4 * row)
    end = start + timedelta(days=2 if column % 3 == 2 else 0, minutes=50)
    window = {"start_datetime": _text(start), "end_datetime": _text(end)}
    if year == 2019:
        return {"datetime": _text(start)}
    return {"datetime": None if year == 2021 else _text(start + (end - start) / 2)} | window


def _text(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M:%SZ}"
