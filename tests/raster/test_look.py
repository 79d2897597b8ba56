"""Which assets of an item a picture of it is made of."""

from typing import Any

import pytest

from app.raster.look import Look, look
from tests.factories import Document, item

COG = "image/tiff; application=geotiff; profile=cloud-optimized"


def raster(*roles: str, media_type: str = COG, **more: Any) -> Document:
    return {"href": "a.tif", "type": media_type, "roles": list(roles), **more}


def band(name: str, **more: Any) -> Document:
    return raster("data", bands=[{"eo:common_name": name}], data_type="uint16", **more)


COLOURS = {"B02": band("blue"), "B03": band("green"), "B04": band("red"), "B08": band("nir")}


@pytest.mark.parametrize(
    ("assets", "expected"),
    [
        ({}, None),
        ({"thumbnail": raster("thumbnail"), "about": raster("data", media_type="application/xml")}, None),
        ({"model": raster("data", media_type="application/x-netcdf")}, None),
        ({**COLOURS, "visual": raster("data")}, Look(("visual",), plain=True)),
        ({**COLOURS, "visual": raster("data", data_type="uint16")}, Look(("visual",), plain=False)),
        ({**COLOURS, "tci": raster("visual", data_type="uint8")}, Look(("tci",), plain=True)),
        (COLOURS, Look(("B04", "B03", "B02"), plain=False)),
        ({"B04": band("red"), "rededge": band("red"), "SCL": raster("data")}, Look(("B04",), plain=False)),
        (
            {name: raster("data") | {"eo:bands": [{"common_name": name}]} for name in ("blue", "green", "red")},
            Look(("red", "green", "blue"), plain=False),
        ),
        (
            {"image": raster("data", bands=[{"eo:common_name": name, "data_type": "uint8"} for name in COLOURS])},
            Look(("image",), plain=True),
        ),
        ({"a,b": raster("data"), "c": raster("data")}, Look(("c",), plain=False)),
        # What is no picture of anything, and what is wrong in it, are for who asks for the asset.
        ({"visual": "x", "red": raster("data", bands=[1]), "blue": raster("data", bands=7)}, Look(("red",), False)),
        ({"image": raster("data", data_type=["uint8"])}, Look(("image",), plain=False)),
        ({"image": {"href": 1, "type": [], "roles": "data"}}, None),
    ],
)
def test_what_is_looked_at(assets: Document, expected: Look | None) -> None:
    assert look(item(assets=assets)) == expected


@pytest.mark.parametrize("assets", [None, [], "visual", {"visual": None}])
def test_items_without_assets(assets: object) -> None:
    assert look({"id": "a", "assets": assets}) is None
