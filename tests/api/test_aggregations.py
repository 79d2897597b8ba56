"""Aggregation 0.3.0: https://github.com/stac-api-extensions/aggregation."""

from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from app.api.bodies import AggregationCollection
from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from app.settings import Settings
from app.stac.aggregation import AGGREGATIONS
from tests.api.assertions import assert_error, href, links, valid
from tests.api.serving import serving
from tests.factories import Document, box, collection, item, load, point
from tests.oracle import GRIDS

pytestmark = pytest.mark.anyio

COVERS = {"a": 0, "b": 5, "c": 50.5, "d": None}
GEOHASH = "centroid_geohash_grid_frequency"
METHOD = pytest.mark.parametrize("method", ["GET", "POST"])
WHERE = pytest.mark.parametrize("path", ["", "/collections/things"])


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    items = [item(name, properties={"eo:cloud_cover": cover}) for name, cover in COVERS.items()]
    later = item("e", "others", geometry=None, properties={"datetime": "2025-01-01T00:00:00.5Z", "platform": "p"})
    await load(loader, collection(), collection("others"), *items, later)
    return client


async def ask(client: httpx.AsyncClient, method: str, asked: Document, path: str = "") -> httpx.Response:
    if method == "POST":
        return await client.post(f"{path}/aggregate", json=asked)
    query = {name: ",".join(map(str, value)) if isinstance(value, list) else value for name, value in asked.items()}
    if "query" in query:
        query["query"] = orjson.dumps(query["query"]).decode()
    return await client.get(f"{path}/aggregate", params=query)


async def one(client: httpx.AsyncClient, name: str, **asked: Any) -> Document:
    (found,) = valid(await ask(client, "POST", {"aggregations": [name]} | asked), AggregationCollection)["aggregations"]
    aggregation: Document = found
    return aggregation


@METHOD
async def test_answer(filled: httpx.AsyncClient, method: str) -> None:
    names = ["total_count", "datetime_min", "datetime_max", "cloud_cover_frequency", "collection_frequency"]
    page = valid(await ask(filled, method, {"aggregations": names}), AggregationCollection)
    assert page["type"] == "AggregationCollection"
    assert page["aggregations"] == [
        {"name": "total_count", "data_type": "integer", "value": 5},
        {"name": "datetime_min", "data_type": "datetime", "value": "2024-07-16T12:00:00Z"},
        {"name": "datetime_max", "data_type": "datetime", "value": "2025-01-01T00:00:00.500000Z"},
        {
            "name": "cloud_cover_frequency",
            "data_type": "frequency_distribution",
            "overflow": 2,
            "buckets": [
                {"key": "*-5.0", "data_type": "numeric", "frequency": 1, "to": 5},
                {"key": "5.0-15.0", "data_type": "numeric", "frequency": 1, "from": 5, "to": 15},
                {"key": "15.0-40.0", "data_type": "numeric", "frequency": 0, "from": 15, "to": 40},
                {"key": "40.0-*", "data_type": "numeric", "frequency": 1, "from": 40},
            ],
        },
        {
            "name": "collection_frequency",
            "data_type": "frequency_distribution",
            "overflow": 0,
            "buckets": [
                {"key": "things", "data_type": "string", "frequency": 4},
                {"key": "others", "data_type": "string", "frequency": 1},
            ],
        },
    ]
    assert href(page, "root") == "http://stac.test/"
    assert href(page, "self").startswith("http://stac.test/aggregate")


@METHOD
@pytest.mark.parametrize(
    ("asked", "count"),
    [
        ({}, 5),
        ({"collections": ["things"]}, 4),
        ({"ids": ["a", "e", "nothing"]}, 2),
        ({"bbox": [9, 49, 11, 51]}, 4),
        ({"bbox": [9, 49, 11, 51], "collections": ["others"]}, 0),
        ({"bbox": [170, 49, 11, 51]}, 4),
        ({"datetime": "2024-08-01T00:00:00Z/.."}, 1),
        ({"filter": "eo:cloud_cover >= 5", "filter-lang": "cql2-text"}, 2),
        ({"query": {"eo:cloud_cover": {"gte": 5}}}, 2),
        ({"collections": ["nowhere"]}, 0),
    ],
)
async def test_conditions(filled: httpx.AsyncClient, method: str, asked: Document, count: int) -> None:
    names = {"aggregations": ["total_count", "datetime_min", "platform_frequency"]}
    total, first, _ = valid(await ask(filled, method, asked | names), AggregationCollection)["aggregations"]
    assert total["value"] == count
    assert (first["value"] is None) == (count == 0)
    only = {"aggregations": ["datetime_min"]}
    assert valid(await ask(filled, method, asked | only), AggregationCollection)["aggregations"] == [first]


@METHOD
async def test_of_a_collection(filled: httpx.AsyncClient, method: str) -> None:
    asked = {"aggregations": ["total_count"]}
    page = valid(await ask(filled, method, asked, "/collections/things"), AggregationCollection)
    assert [found["value"] for found in page["aggregations"]] == [4]
    assert href(page, "collection") == "http://stac.test/collections/things"
    assert href(page, "self").startswith("http://stac.test/collections/things/aggregate")
    assert_error(await ask(filled, method, asked, "/collections/nowhere"), 404)
    assert_error(await ask(filled, method, asked | {"collections": ["others"]}, "/collections/things"), 400)


@WHERE
async def test_what_there_is(filled: httpx.AsyncClient, path: str) -> None:
    page = valid(await filled.get(f"{path}/aggregations"), AggregationCollection)
    assert [about["name"] for about in page["aggregations"]] == list(AGGREGATIONS)
    assert href(page, "self") == f"http://stac.test{path}/aggregations"
    every = {"aggregations": list(AGGREGATIONS)}
    served = valid(await ask(filled, "GET", every, path), AggregationCollection)["aggregations"]
    assert [(about["name"], about["data_type"]) for about in page["aggregations"]] == [
        (found["name"], found["data_type"]) for found in served
    ]
    # The one invariant of all distributions.
    total = served[0]["value"]
    for found in served[3:]:
        assert sum(bucket["frequency"] for bucket in found["buckets"]) + found["overflow"] == total


async def test_what_there_is_in_no_collection(client: httpx.AsyncClient) -> None:
    assert_error(await client.get("/collections/nowhere/aggregations"), 404)


@WHERE
async def test_links_lead_to_it(filled: httpx.AsyncClient, path: str) -> None:
    document = (await filled.get(path or "/")).json()
    assert [(link["href"], link["method"]) for link in links(document, "aggregate")] == [
        (f"http://stac.test{path}/aggregate", "GET"),
        (f"http://stac.test{path}/aggregate", "POST"),
    ]
    assert href(document, "aggregations") == f"http://stac.test{path}/aggregations"


@METHOD
@WHERE
@pytest.mark.parametrize(
    ("asked", "parameter"),
    [
        ({"aggregations": ["total_count", "nothing"]}, "aggregations"),
        ({"aggregations": ["x'); DROP TABLE items; --"]}, "aggregations"),
        ({"datetime_frequency_interval": "1 day'"}, "datetime_frequency_interval"),
        ({f"{GEOHASH}_precision": 13}, f"{GEOHASH}_precision"),
        ({"bbox": [0, 0, 1]}, "bbox"),
        ({"limit": 1}, "limit"),
        ({"nothing": 1}, "nothing"),
    ],
)
async def test_refused(filled: httpx.AsyncClient, method: str, path: str, asked: Document, parameter: str) -> None:
    assert_error(await ask(filled, method, asked, path), 400, parameter)


HALVES = [box(170.0, 0.0, 180.0, 10.0), box(-180.0, 0.0, -176.0, 10.0)]
ACROSS = {"type": "MultiPolygon", "coordinates": [half["coordinates"] for half in HALVES]}


@pytest.mark.parametrize(
    ("geometry", "middle"),
    [
        (point(-5.60302734375, 42.60498046875), (-5.60302734375, 42.60498046875)),
        (point(180.0, 90.0), (180.0, 90.0)),
        (point(-180.0, -90.0), (-180.0, -90.0)),
        (ACROSS, (177.0, 5.0)),
        ({"type": "GeometryCollection", "geometries": HALVES}, (177.0, 5.0)),
        ({"type": "MultiPoint", "coordinates": [[179.0, 5.0], [-177.0, 5.0]]}, (-179.0, 5.0)),
        ({"type": "MultiPoint", "coordinates": [[179.0, 5.0], [-176.0, 5.0], [0.0, 5.0]]}, (1.0, 5.0)),
        ({"type": "LineString", "coordinates": [[-178.0, 5.0], [179.0, 5.0]]}, (0.5, 5.0)),
        ({"type": "LineString", "coordinates": [[-178.0, 5.0], [0.0, 5.0], [178.0, 5.0]]}, (0.0, 5.0)),
        (box(-180.0, -90.0, 180.0, 90.0), (0.0, 0.0)),
        ({"type": "Point", "coordinates": [10.0, 50.0, 300.0]}, (10.0, 50.0)),
    ],
)
async def test_centroids(
    client: httpx.AsyncClient, loader: Loader, geometry: Document, middle: tuple[float, float]
) -> None:
    """Of halves on both sides of the antimeridian it is between them; a line drawn across the globe goes across it."""
    await load(loader, collection(), item(geometry=geometry))
    names = [f"centroid_{grid}_grid_frequency" for grid in GRIDS]
    asked: Document = {"aggregations": names} | {f"{name}_precision": 5 for name in names}
    served = valid(await ask(client, "POST", asked), AggregationCollection)["aggregations"]
    keys = [[bucket["key"] for bucket in found["buckets"]] for found in served]
    assert keys == [[cell(*middle, 5)] for cell in GRIDS.values()]


async def test_numbers_no_float_can_hold(client: httpx.AsyncClient, loader: Loader, database: Database) -> None:
    await load(loader, collection(), item())
    huge = sql(
        "UPDATE items SET properties = properties || ('{\"view:off_nadir\": 1' || repeat('0', 400) || '}')::jsonb"
    )
    await database.execute(huge)
    found = await one(client, "off_nadir_frequency")
    assert (found["buckets"], found["overflow"]) == ([], 1)


async def test_too_long_is_504(settings: Settings, database: Database, loader: Loader) -> None:
    await load(loader, collection(), item())
    async with serving(settings.model_copy(update={"query_timeout": 0.3, "pool_size": 2})) as client:
        await client.get("/aggregate?aggregations=total_count,datetime_min")
        async with database.transaction() as transaction:
            await transaction.execute(sql("LOCK TABLE items IN ACCESS EXCLUSIVE MODE"))
            assert_error(await client.get("/aggregate?aggregations=total_count"), 504)


async def test_real_items(client: httpx.AsyncClient, loader: Loader, shared_data: Path) -> None:
    def read(name: str) -> list[Document]:
        return [orjson.loads(line) for line in (shared_data / f"{name}.ndjson").read_bytes().splitlines()]

    items = read("sentinel-2-l2a") + read("landsat-c2-l2")
    await load(loader, *read("collections"), *items)
    platforms = Counter(each["properties"]["platform"] for each in items)
    found = await one(client, "platform_frequency")
    assert {bucket["key"]: bucket["frequency"] for bucket in found["buckets"]} == platforms
    years = Counter(each["properties"]["datetime"][:4] for each in items)
    found = await one(client, "datetime_frequency", datetime_frequency_interval="year")
    assert [(bucket["key"][:4], bucket["frequency"]) for bucket in found["buckets"]] == sorted(years.items())
    assert (await one(client, "centroid_geohex_grid_frequency", centroid_geohex_grid_frequency_precision=7))[
        "overflow"
    ] == 0
