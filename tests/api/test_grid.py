import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.bulk.load import Loader
from app.settings import Settings
from tests import factories
from tests.api.assertions import assert_error
from tests.api.serving import serving

GRID = "/collections/things/items/thing/assets/{}/grid"


async def load_asset(loader: Loader, key: Any = "data", **asset: Any) -> None:
    collection = factories.collection(item_assets={key: {"nodata": 0}})
    await factories.load(loader, collection, factories.item(assets={key: {"href": "./b.tif"} | asset}))


@pytest.mark.anyio
async def test_grid_of_an_asset(client: httpx.AsyncClient, loader: Loader) -> None:
    transform = [10.0, 0.0, 100.0, 0.0, -10.0, 200.0]
    await load_asset(loader, **{"proj:code": "EPSG:32633", "proj:transform": transform, "proj:shape": [5, 2]})
    answer = await client.get(GRID.format("data"))
    assert answer.status_code == 200
    body = answer.json()
    assert body["href"] == "http://stac.test/collections/things/items/b.tif"
    assert body["reader"] == {"format": "GeoTIFF", "driver": "GTiff", "engine": "rasterio", "vector": False}
    said = {name: value for name, value in body["grid"].items() if value is not None}
    assert said == {
        "code": "EPSG:32633",
        "geotransform": [100, 10, 0, 200, 0, -10],
        "shape": [5, 2],
        "bbox": [100, 150, 120, 200],
        "resolution": [10, 10],
        "nodata": 0,
        "bands": [],
    }


@pytest.mark.anyio
async def test_a_key_with_a_slash(client: httpx.AsyncClient, loader: Loader) -> None:
    await load_asset(loader, "a/ü?.tif")
    answer = await client.get(GRID.format("a%2F%C3%BC%3F.tif"))
    assert answer.json()["asset"] == "a/ü?.tif"


@pytest.mark.anyio
async def test_preferred_and_ruled(settings: Settings, loader: Loader) -> None:
    ruled = settings.model_copy(update={"href_rules": {"s3://mirror/": "https://near.example/"}})
    await load_asset(loader, alternate={"s3": {"href": "s3://mirror/b.tif"}})
    async with serving(ruled) as client:
        answer = await client.get(GRID.format("data"), params={"prefer": "s3"})
        assert answer.json()["href"] == "https://near.example/b.tif"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/collections/things/items/thing/assets/other/grid", 404, "no asset 'other' in item 'thing'; it has data"),
        ("/collections/things/items/other/assets/data/grid", 404, "no item 'other'"),
        ("/collections/other/items/thing/assets/data/grid", 404, "no item 'thing'"),
        (GRID.format("data") + "?refer=s3", 400, "unknown parameter 'refer'"),
        (GRID.format("data"), 422, "assets.data.proj:shape: is no pair of rows and columns"),
    ],
)
async def test_what_is_not_there(client: httpx.AsyncClient, loader: Loader, path: str, status: int, says: str) -> None:
    await load_asset(loader, **{"proj:shape": "big"})
    answer = await client.get(path)
    assert says in assert_error(answer, status)["description"]


@pytest.mark.anyio
async def test_numbers_beyond_64_bits(client: httpx.AsyncClient, loader: Loader) -> None:
    large = 2**64 + 1
    await load_asset(loader, **{"nodata": large, "proj:bbox": [0, 0, large, 1], "proj:projjson": {"id": large}})
    for asked in ({}, {"f": "html"}):
        assert str(large) in (await client.get(GRID.format("data"), params=asked)).text
    found = (await client.get(GRID.format("data"))).json()["grid"]
    assert (found["nodata"], found["bbox"][2], found["projjson"]["id"]) == (large, large, large)


@pytest.mark.anyio
@pytest.mark.parametrize("side", [1e20, 2**64, 1e308])
async def test_more_pixels_than_there_can_be(client: httpx.AsyncClient, loader: Loader, side: float) -> None:
    await load_asset(loader, **{"proj:shape": [side, side], "proj:transform": [1, 0, 0, 0, -1, 0], "proj:epsg": 4326})
    for path in (GRID.format("data"), "/collections/things/items/thing/tilejson.json?assets=data"):
        assert "assets.data.proj:shape" in assert_error(await client.get(path), 422)["description"]


@pytest.mark.anyio
async def test_real_items(client: httpx.AsyncClient, loader: Loader, shared_data: Path) -> None:
    collections = (shared_data / "collections.ndjson").read_text().splitlines()
    owner = next(document for document in map(json.loads, collections) if document["id"] == "landsat-c2-l2")
    item = json.loads((shared_data / "landsat-c2-l2.ndjson").read_text().splitlines()[0])
    await factories.load(loader, owner, item)
    for key, asset in item["assets"].items():
        answer = await client.get(f"/collections/landsat-c2-l2/items/{item['id']}/assets/{key}/grid")
        assert answer.status_code == 200
        assert answer.json()["href"] == asset["href"]
        assert answer.json()["grid"]["shape"] == asset.get("proj:shape", item["properties"]["proj:shape"])


@pytest.mark.anyio
async def test_openapi_describes_the_route(client: httpx.AsyncClient) -> None:
    document = (await client.get("/api")).json()
    described = document["paths"]["/collections/{collection_id}/items/{item_id}/assets/{asset}/grid"]["get"]
    assert [parameter["name"] for parameter in described["parameters"] if parameter["in"] == "query"] == ["prefer", "f"]
    assert described["responses"]["422"]["content"]["application/json"]["schema"]["$ref"].endswith("/ErrorBody")
    assert "422" not in document["paths"]["/search"]["get"]["responses"]
