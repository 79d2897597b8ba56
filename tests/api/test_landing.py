"""Landing page, conformance, OpenAPI description and documentation."""

import re

import httpx
import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator
from stac_pydantic.api import Conformance, LandingPage

from app.bulk.load import Loader
from tests.api.assertions import GEOJSON, JSON, href, link, links, valid
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio

OPENAPI = "application/vnd.oai.openapi+json;version=3.0"


@pytest.mark.parametrize(
    ("rel", "path", "media_type"),
    [
        ("self", "/", JSON),
        ("root", "/", JSON),
        ("conformance", "/conformance", JSON),
        ("data", "/collections", JSON),
        ("service-desc", "/api", OPENAPI),
        ("service-doc", "/docs", "text/html"),
    ],
)
async def test_the_landing_page_links_to(client: httpx.AsyncClient, rel: str, path: str, media_type: str) -> None:
    landing = valid(await client.get("/"), LandingPage)
    found = link(landing, rel)
    assert (found["href"], found["type"]) == (f"http://stac.test{path}", media_type)
    followed = await client.get(found["href"])
    assert followed.status_code == 200
    assert followed.headers["content-type"].removesuffix("; charset=utf-8") == media_type


async def test_search_is_linked_for_get_and_post(client: httpx.AsyncClient) -> None:
    found = links((await client.get("/")).json(), "search")
    assert [(search["href"], search["type"], search["method"]) for search in found] == [
        ("http://stac.test/search", GEOJSON, "GET"),
        ("http://stac.test/search", GEOJSON, "POST"),
    ]


async def test_conformance_is_that_of_the_landing_page(client: httpx.AsyncClient) -> None:
    landing = (await client.get("/")).json()
    conformance = valid(await client.get("/conformance"), Conformance)
    assert conformance == {"conformsTo": landing["conformsTo"]}
    assert len(set(landing["conformsTo"])) == len(landing["conformsTo"])


async def test_what_works_is_advertised_by_its_conf_uri(client: httpx.AsyncClient) -> None:
    advertised = set((await client.get("/conformance")).json()["conformsTo"])
    assert advertised >= {
        *(
            f"https://api.stacspec.org/v1.0.0/{name}"
            for name in ("core", "collections", "ogcapi-features", "item-search")
        ),
        *(f"http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/{name}" for name in ("core", "oas30", "geojson")),
    }
    assert not any("/req/" in uri for uri in advertised)


async def test_the_description_is_the_openapi_its_media_type_names(client: httpx.AsyncClient) -> None:
    response = await client.get("/api")
    assert response.headers["content-type"] == OPENAPI
    document = response.json()
    assert document["openapi"].startswith("3.0.")
    assert document["servers"] == [{"url": "http://stac.test"}]
    OpenAPIV30SpecValidator(document).validate()


# tests/api/test_pixels.py asks these, of items that have files.
NEED_FILES = ("Mosaics", "Cubes", "Pictures")
OF_ITEMS = ("preview.{form}", "tilejson.json", "tiles/{z}/{x}/{y}.{form}")


async def test_every_described_operation_answers_as_described(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), item())
    paths = (await client.get("/api")).json()["paths"]
    assert {"/", "/conformance", "/collections", "/search"} <= paths.keys()
    for path, operations in paths.items():
        for method, operation in operations.items():
            if operation["tags"][0] in NEED_FILES:
                continue
            url = path.format(collection_id="things", item_id="thing", asset="data")
            response = await client.request(method, url)
            assert response.status_code == 200, (method, url)
            assert response.headers["content-type"] in operation["responses"]["200"]["content"]


async def test_every_path_that_answers_get_is_described_or_documentation(client: httpx.AsyncClient) -> None:
    described = (await client.get("/api")).json()["paths"].keys()
    assert described == {
        *("/", "/conformance", "/search", "/collections", "/collections/{collection_id}"),
        *("/collections/{collection_id}/items", "/collections/{collection_id}/items/{item_id}"),
        "/collections/{collection_id}/items/{item_id}/assets/{asset}/grid",
        *("/queryables", "/collections/{collection_id}/queryables", "/functions"),
        *("/collections-search", "/collections-queryables", "/collections-sortables"),
        *("/_mgmt/ping", "/_mgmt/health"),
        *("/aggregate", "/collections/{collection_id}/aggregate"),
        *("/aggregations", "/collections/{collection_id}/aggregations"),
        *("/sortables", "/collections/{collection_id}/sortables"),
        *("/mosaic.vrt", "/cube", "/tiles/{z}/{x}/{y}.{form}", "/tiles/tilejson.json"),
        *(f"/collections/{{collection_id}}/items/{{item_id}}/{path}" for path in OF_ITEMS),
    }


@pytest.mark.parametrize(
    ("path", "method", "names"),
    [
        (
            "/aggregate",
            "get",
            {"aggregations", "bbox", "intersects", "datetime", "filter", "datetime_frequency_interval"},
        ),
        ("/search", "get", {"bbox", "intersects", "datetime", "ids", "collections", "limit", "token"}),
        ("/collections", "get", {"limit", "token"}),
        ("/collections/{collection_id}/items", "get", {"collection_id", "bbox", "datetime", "limit", "token"}),
        ("/collections/{collection_id}/items/{item_id}", "get", {"collection_id", "item_id"}),
    ],
)
async def test_parameters_are_described(client: httpx.AsyncClient, path: str, method: str, names: set[str]) -> None:
    operation = (await client.get("/api")).json()["paths"][path][method]
    assert {parameter["name"] for parameter in operation["parameters"]} >= names


async def test_the_documentation_needs_no_other_server(client: httpx.AsyncClient) -> None:
    response = await client.get("/docs")
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    named = re.findall(r"""(?:src|href)=["']([^"']+)|((?:https?:)?//[^"'\s<>]+)""", response.text)
    urls = {url for pair in named for url in pair if url}
    assert len(urls) >= 4
    for url in urls:
        assert url.startswith("http://stac.test/")
        assert (await client.get(url)).status_code == 200


async def test_the_landing_page_says_who_it_is(client: httpx.AsyncClient) -> None:
    landing = valid(await client.get("/"), LandingPage)
    assert landing["type"] == "Catalog"
    assert landing["id"] == "upesi"
    assert href(landing, "self") == "http://stac.test/"


@pytest.mark.parametrize("path", ["/", "/conformance", "/api", "/docs"])
async def test_these_pages_take_no_parameters(client: httpx.AsyncClient, path: str) -> None:
    assert (await client.get(path, params={"limit": "1"})).status_code == 400
    assert (await client.get(path, params={"f": "parquet"})).status_code == 400
