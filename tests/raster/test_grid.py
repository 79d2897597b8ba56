import json
import math
from pathlib import Path
from typing import Any

import pytest

from app.errors import InvalidMetadata, NotFound
from app.raster.grids import Band, Grid, grid
from tests import factories

TRANSFORM = [20.0, 0.0, 399960.0, 0.0, -20.0, 4500000.0]
GEOTRANSFORM = (399960.0, 20.0, 0.0, 4500000.0, 0.0, -20.0)


def of(
    asset: dict[str, Any], properties: dict[str, Any] | None = None, collection: dict[str, Any] | None = None
) -> Grid:
    item = factories.item(assets={"data": {"href": "./a.tif"} | asset}, properties=properties or {})
    return grid(item, "data", collection)


SAID = [
    ({"proj:code": "EPSG:32633"}, {"code": "EPSG:32633"}),
    ({"proj:epsg": 32633}, {"code": "EPSG:32633"}),
    ({"proj:epsg": 32633.0}, {"code": "EPSG:32633"}),
    ({"proj:code": "IAU_2015:30100", "proj:epsg": None}, {"code": "IAU_2015:30100"}),
    ({"proj:code": None, "proj:wkt2": "PROJCRS[…]"}, {"code": None, "wkt2": "PROJCRS[…]"}),
    ({"proj:projjson": {"type": "ProjectedCRS"}}, {"projjson": {"type": "ProjectedCRS"}}),
    ({"proj:transform": TRANSFORM}, {"geotransform": GEOTRANSFORM, "resolution": (20, 20), "bbox": None}),
    ({"proj:transform": [*TRANSFORM, 0, 0, 1]}, {"geotransform": GEOTRANSFORM}),
    ({"proj:shape": [5490, 10]}, {"shape": (5490, 10)}),
    ({"proj:bbox": [1, 2, 3, 4]}, {"bbox": (1, 2, 3, 4)}),
    ({"proj:bbox": [1, 2, 0, 3, 4, 9]}, {"bbox": (1, 2, 3, 4)}),
    ({"proj:transform": TRANSFORM, "proj:shape": [10, 5]}, {"bbox": (399960, 4499800, 400060, 4500000)}),
    # A quarter turn: what was right is down.
    (
        {"proj:transform": [0, 2, 100, 3, 0, 50], "proj:shape": [10, 5]},
        {"geotransform": (100, 0, 2, 50, 3, 0), "resolution": (3, 2), "bbox": (100, 50, 120, 65)},
    ),
    ({"raster:bands": [{"spatial_resolution": 30}]}, {"resolution": (30, 30)}),
    ({"raster:bands": [{"spatial_resolution": 30}, {"spatial_resolution": 60}]}, {"resolution": None}),
    ({"raster:spatial_resolution": 30, "proj:transform": TRANSFORM}, {"resolution": (20, 20)}),
    ({"data_type": "uint16", "nodata": 0}, {"dtype": "uint16", "nodata": 0, "bands": ()}),
    ({"raster:scale": 0.1, "raster:offset": -1}, {"scale": 0.1, "offset": -1}),
    ({}, {}),
]


@pytest.mark.parametrize(("said", "expected"), SAID)
@pytest.mark.parametrize("place", ["asset", "properties", "item_assets", "summaries"])
def test_each_value_from_each_place(said: dict[str, Any], expected: dict[str, Any], place: str) -> None:
    if place in ("properties", "summaries") and "raster:bands" in said:
        pytest.skip("a list of bands there is about all assets together")
    found = {
        "asset": lambda: of(said),
        "properties": lambda: of({}, said),
        "item_assets": lambda: of({}, collection={"item_assets": {"data": said}}),
        "summaries": lambda: of({}, collection={"summaries": {name: [value] for name, value in said.items()}}),
    }[place]()
    assert {name: getattr(found, name) for name in expected} == expected
    if not said:
        assert found == Grid()


def test_the_most_special_place_wins() -> None:
    collection = {
        "item_assets": {"data": {"proj:epsg": 3, "proj:shape": [3, 3], "nodata": 3}},
        "summaries": {"proj:epsg": [4], "proj:shape": [[4, 4]], "nodata": [4], "data_type": ["uint8"]},
    }
    assert of({"proj:epsg": 1}, {"proj:epsg": 2, "proj:shape": [2, 2]}, collection) == Grid(
        code="EPSG:1", shape=(2, 2), nodata=3, dtype="uint8"
    )


def test_summaries_with_several_values_say_nothing_of_one_item() -> None:
    assert of({}, collection={"summaries": {"proj:epsg": [1, 2], "nodata": {"minimum": 0, "maximum": 0}}}) == Grid()


def test_the_crs_of_an_asset_is_not_mixed_with_that_of_the_item() -> None:
    found = of({"proj:wkt2": "GEOGCRS[…]"}, {"proj:code": "EPSG:32633"})
    assert (found.code, found.wkt2, found.crs) == (None, "GEOGCRS[…]", "GEOGCRS[…]")


def test_an_asset_can_say_that_it_has_no_crs() -> None:
    assert of({"proj:epsg": None}, {"proj:epsg": 32633}).crs is None


def test_crs_as_one_text() -> None:
    assert of({"proj:code": "EPSG:1", "proj:wkt2": "W"}).crs == "EPSG:1"
    assert of({"proj:projjson": {"a": 1}}).crs == '{"a": 1}'


def test_the_box_of_the_item_is_not_that_of_an_asset_with_its_own_grid() -> None:
    whole = {"proj:bbox": [0, 0, 1, 1], "proj:shape": [2, 2], "proj:transform": [1, 0, 0, 0, -1, 2]}
    assert of({}, whole).bbox == (0, 0, 1, 1)
    assert of({"proj:shape": [10, 5], "proj:transform": TRANSFORM}, whole).bbox == (399960, 4499800, 400060, 4500000)


def test_transform_is_in_the_order_of_affine() -> None:
    assert of({"proj:transform": TRANSFORM}).transform == tuple(TRANSFORM)


BANDS = [
    (
        {"bands": [{"name": "a", "eo:common_name": "red", "raster:scale": 2, "data_type": "int8"}, {"name": "b"}]},
        (Band("a", "red", scale=2, dtype="int8"), Band("b")),
    ),
    (
        {
            "eo:bands": [{"name": "B1", "common_name": "blue", "description": "d"}],
            "raster:bands": [{"data_type": "uint16", "nodata": 0, "scale": 0.1, "offset": -2, "unit": "K"}],
        },
        (Band("B1", "blue", "d", "uint16", 0, 0.1, -2, "K"),),
    ),
    # What is said of the asset holds for its bands, unless they say otherwise.
    (
        {"bands": [{"name": "a", "nodata": 1}, {"name": "b"}, {"nodata": None}], "nodata": 9, "data_type": "int8"},
        (Band("a", dtype="int8", nodata=1), Band("b", dtype="int8", nodata=9), Band(dtype="int8")),
    ),
    ({"eo:bands": [{"name": "a"}, {"name": "b"}], "raster:bands": [{"scale": 2}]}, (Band("a", scale=2), Band("b"))),
    ({"bands": []}, ()),
]


@pytest.mark.parametrize(("asset", "bands"), BANDS)
def test_bands(asset: dict[str, Any], bands: tuple[Band, ...]) -> None:
    assert of(asset).bands == bands
    assert of({}, collection={"item_assets": {"data": asset}}).bands == bands


def test_bands_of_the_collection_complete_those_of_the_item() -> None:
    asset = {"eo:bands": [{"name": "B1"}], "raster:scale": 5}
    defined = {"raster:bands": [{"data_type": "int16", "scale": 0.1}], "eo:bands": [{"common_name": "red"}]}
    assert of(asset, collection={"item_assets": {"data": defined}}).bands == (
        Band("B1", "red", dtype="int16", scale=5),
    )
    two = {"raster:bands": [{"data_type": "int16"}, {"data_type": "int8"}]}
    assert of(asset, collection={"item_assets": {"data": two}}).bands == (Band("B1", scale=5),)


def test_what_holds_for_all_bands_holds_for_the_asset() -> None:
    found = of({"raster:bands": [{"nodata": "nan", "scale": 1}, {"nodata": "nan", "scale": 2}]})
    assert found.nodata is not None
    assert math.isnan(found.nodata)
    assert found.scale is None


@pytest.mark.parametrize(("said", "value"), [("inf", math.inf), ("-inf", -math.inf), ("NaN", None), (-9999, -9999)])
def test_nodata_json_cannot_write(said: Any, value: float | None) -> None:
    found = of({"bands": [{"nodata": said}]})
    assert found.document()["bands"][0]["nodata"] == found.document()["nodata"]
    assert found.document()["nodata"] == (said.lower() if isinstance(said, str) else said)
    assert value is None or found.nodata == value
    assert "NaN" not in json.dumps(found.document())


WRONG = [
    ({"proj:epsg": "32633"}, "assets.data.proj:epsg"),
    ({"proj:epsg": 1.5}, "assets.data.proj:epsg"),
    ({"proj:epsg": True}, "assets.data.proj:epsg"),
    ({"proj:code": 32633}, "assets.data.proj:code"),
    ({"proj:wkt2": {}}, "assets.data.proj:wkt2"),
    ({"proj:projjson": "{}"}, "assets.data.proj:projjson"),
    ({"proj:transform": [1, 0, 0]}, "assets.data.proj:transform"),
    ({"proj:transform": "identity"}, "assets.data.proj:transform"),
    ({"proj:transform": [1, 0, 0, 0, 1, "0"]}, "assets.data.proj:transform"),
    ({"proj:transform": [0, 0, 0, 0, 0, 0]}, "assets.data.proj:transform"),
    ({"proj:transform": [*TRANSFORM, 0, 1, 1]}, "assets.data.proj:transform"),
    ({"proj:transform": [10**400, 0, 0, 0, 1, 0]}, "assets.data.proj:transform"),
    ({"proj:transform": [1e308, 0, 0, 0, 1, 0]}, "assets.data.proj:transform"),
    ({"proj:shape": [5]}, "assets.data.proj:shape"),
    ({"proj:shape": "55"}, "assets.data.proj:shape"),
    ({"proj:shape": [5, 0]}, "assets.data.proj:shape"),
    ({"proj:shape": [5, -1]}, "assets.data.proj:shape"),
    ({"proj:shape": [5, 2**63]}, "assets.data.proj:shape"),
    ({"proj:shape": [1e308, 1e308]}, "assets.data.proj:shape"),
    ({"proj:shape": [5, None]}, "assets.data.proj:shape"),
    ({"proj:bbox": [1, 2, 3]}, "assets.data.proj:bbox"),
    ({"proj:bbox": [1, 2, 3, math.nan]}, "assets.data.proj:bbox"),
    ({"proj:bbox": [1, 2, 3, 10**200]}, "assets.data.proj:bbox"),
    ({"raster:spatial_resolution": "nan"}, "assets.data.raster:spatial_resolution"),
    ({"nodata": "none"}, "assets.data.nodata"),
    ({"bands": {"name": "a"}}, "assets.data.bands"),
    ({"bands": ["a"]}, "assets.data.bands"),
    ({"bands": [{}, {"name": 1}]}, "assets.data.bands.1.name"),
    ({"raster:bands": [{"scale": [1]}]}, "assets.data.raster:bands.0.scale"),
    ({"data_type": 8}, "assets.data.data_type"),
]


@pytest.mark.parametrize(("said", "place"), WRONG)
def test_what_cannot_be_is_told_with_its_place(said: dict[str, Any], place: str) -> None:
    with pytest.raises(InvalidMetadata) as caught:
        of(said)
    assert caught.value.parameter == place
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize("assets", [{"a": {"href": "x"}, "b": {"href": "y"}}, {}, None, {"data": None}])
def test_no_such_asset(assets: Any) -> None:
    with pytest.raises(NotFound, match="no asset 'data' in item 'thing'"):
        grid(factories.item(assets=assets), "data")


@pytest.mark.parametrize("collection", ["sentinel-2-l2a", "landsat-c2-l2", "naip"])
def test_each_asset_of_real_items_is_what_they_say(shared_data: Path, collection: str) -> None:
    lines = (shared_data / "collections.ndjson").read_text().splitlines()
    owner = next(document for document in map(json.loads, lines) if document["id"] == collection)
    seen = 0
    for line in (shared_data / f"{collection}.ndjson").read_text().splitlines():
        item = json.loads(line)
        for key, asset in item["assets"].items():
            found, said = grid(item, key, owner), {**item["properties"], **asset}
            assert found.code == f"EPSG:{said.get('proj:epsg') or said['proj:code'].removeprefix('EPSG:')}"
            assert found.transform == (tuple(said["proj:transform"][:6]) if "proj:transform" in said else None)
            assert found.shape == (tuple(said["proj:shape"]) if "proj:shape" in said else None)
            if "proj:bbox" in said:
                assert found.bbox == pytest.approx(tuple(said["proj:bbox"]))
            eo, raster = asset.get("eo:bands", []), asset.get("raster:bands", [])
            assert [band.common_name for band in found.bands][: len(eo)] == [band.get("common_name") for band in eo]
            assert [band.scale for band in found.bands][: len(raster)] == [band.get("scale") for band in raster]
            assert [band.nodata for band in found.bands][: len(raster)] == [band.get("nodata") for band in raster]
            assert [band.dtype for band in found.bands][: len(raster)] == [band.get("data_type") for band in raster]
            seen += 1
    assert seen > 60
