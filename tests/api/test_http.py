"""HTTP: methods, headers, conditional requests, compression, and what becomes of failures."""

import asyncio
import gzip
import re
from collections.abc import AsyncIterator

import httpx
import orjson
import pytest
from fastapi import FastAPI

from app.api.middleware import without_encoding
from app.bulk.load import Loader
from app.catalog import Catalog
from app.database.connections import Server
from app.database.fragment import sql
from app.database.pool import Database
from app.settings import Settings
from tests.api.assertions import assert_error
from tests.api.serving import serving
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio

READ = ["GET", "HEAD", "OPTIONS"]
PATHS = {
    "/": READ,
    "/conformance": READ,
    "/api": READ,
    "/docs": READ,
    "/docs/assets/swagger-ui.css": READ,
    "/collections": READ,
    "/collections/things": READ,
    "/collections/things/items": READ,
    "/collections/things/items/thing": READ,
    "/search": [*READ, "POST"],
    "/aggregations": READ,
    "/aggregate": [*READ, "POST"],
    "/collections/things/aggregations": READ,
    "/collections/things/aggregate": [*READ, "POST"],
}
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
ITEM = "/collections/things/items/thing"
EVERY_PATH = pytest.mark.parametrize("path", PATHS)


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    await load(loader, collection(), item(properties={"x:long": "long enough to be worth compressing " * 50}))
    return client


@EVERY_PATH
@pytest.mark.parametrize("encoding", ["identity", "gzip", "zstd"])
async def test_head_is_get_without_a_body(filled: httpx.AsyncClient, path: str, encoding: str) -> None:
    headers = {"Accept-Encoding": encoding, "Origin": "https://app.example"}
    got = await filled.get(path, headers=headers)
    head = await filled.head(path, headers=headers)
    assert head.status_code == got.status_code == 200
    assert head.content == b""
    assert _stable(head) == _stable(got)


def _stable(response: httpx.Response) -> dict[str, str]:
    own = ("server-timing", "x-request-id")
    return {name: value for name, value in response.headers.items() if name not in own}


@pytest.mark.parametrize("path", ["/nothing", "/collections/nothing", "/search?unknown=1"])
async def test_head_fails_as_get_does(client: httpx.AsyncClient, path: str) -> None:
    got, head = await client.get(path), await client.head(path)
    assert head.status_code == got.status_code >= 400
    assert head.content == b""
    assert _stable(head) == _stable(got)


@EVERY_PATH
async def test_options_says_what_is_allowed(client: httpx.AsyncClient, path: str) -> None:
    response = await client.options(path)
    assert response.status_code == 204
    assert response.content == b""
    assert sorted(response.headers["allow"].split(", ")) == sorted(PATHS[path])


@EVERY_PATH
async def test_other_methods_are_405_with_what_is_allowed(client: httpx.AsyncClient, path: str) -> None:
    for method in set(METHODS) - set(PATHS[path]):
        response = await client.request(method, path)
        assert_error(response, 405)
        assert sorted(response.headers["allow"].split(", ")) == sorted(PATHS[path])


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/nothing", "/search/", "/collections/", "//", "/openapi.json"])
async def test_a_path_that_is_not_there_is_404_for_any_method(
    client: httpx.AsyncClient, path: str, method: str
) -> None:
    response = await client.request(method, f"http://stac.test{path}")
    assert response.status_code == 404
    if method != "HEAD":
        assert_error(response, 404)


async def test_an_asset_that_is_not_there_is_404(client: httpx.AsyncClient) -> None:
    assert_error(await client.get("/docs/assets/nothing.js"), 404)


@EVERY_PATH
async def test_any_origin_may_read(filled: httpx.AsyncClient, path: str) -> None:
    response = await filled.get(path, headers={"Origin": "https://app.example"})
    assert response.headers["access-control-allow-origin"] == "*"
    exposed = set(response.headers["access-control-expose-headers"].split(", "))
    assert exposed >= {"ETag", "Link", "Location", "Server-Timing"}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_browser_may_ask_before_it_posts(client: httpx.AsyncClient, method: str) -> None:
    headers = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type, if-none-match"}
    response = await client.options("/search", headers={"Origin": "https://app.example", **headers})
    assert response.status_code in (200, 204)
    assert response.headers["access-control-allow-origin"] == "*"
    assert method in response.headers["access-control-allow-methods"]
    assert "content-type" in response.headers["access-control-allow-headers"].lower()


async def test_a_browser_may_read_an_error(client: httpx.AsyncClient) -> None:
    response = await client.get("/search?limit=0", headers={"Origin": "https://app.example"})
    assert_error(response, 400)
    assert response.headers["access-control-allow-origin"] == "*"


@pytest.mark.usefixtures("database")
async def test_origins_can_be_limited(settings: Settings) -> None:
    async with serving(settings.model_copy(update={"cors_origins": ("https://app.example",)})) as client:
        for origin, allowed in (("https://app.example", "https://app.example"), ("https://evil.example", None)):
            response = await client.get("/", headers={"Origin": origin})
            assert response.headers.get("access-control-allow-origin") == allowed


@pytest.mark.parametrize("path", [ITEM, "/collections/things"])
@pytest.mark.parametrize("template", ["{}", "W/{}", '"other", {}', '"other",W/{} , "more"', "*", " * "])
async def test_what_a_client_has_is_not_sent_again(filled: httpx.AsyncClient, path: str, template: str) -> None:
    etag = (await filled.get(path)).headers["etag"]
    assert re.fullmatch(r'(W/)?"[^"]+"', etag)
    response = await filled.get(path, headers={"If-None-Match": template.format(etag.removeprefix("W/"))})
    assert response.status_code == 304
    assert response.content == b""
    assert response.headers["etag"] == (without_encoding(etag) if "*" in template else etag)
    assert "content-length" not in response.headers or response.headers["content-length"] == "0"


@pytest.mark.parametrize("path", [ITEM, "/collections/things"])
@pytest.mark.parametrize("known", ['"other"', 'W/"other"', "", "other", '""', ","])
async def test_what_a_client_does_not_have_is_sent(filled: httpx.AsyncClient, path: str, known: str) -> None:
    assert (await filled.get(path, headers={"If-None-Match": known})).status_code == 200


async def test_the_etag_changes_with_the_item_alone(filled: httpx.AsyncClient, loader: Loader) -> None:
    first = (await filled.get(ITEM)).headers["etag"]
    await load(loader, item("second"))
    assert (await filled.get(ITEM)).headers["etag"] == first
    await load(loader, item(properties={"x:new": True}))
    changed = await filled.get(ITEM, headers={"If-None-Match": first})
    assert changed.status_code == 200
    assert changed.headers["etag"] != first


async def test_the_etag_of_a_collection_changes_with_its_extent(filled: httpx.AsyncClient, loader: Loader) -> None:
    first = (await filled.get("/collections/things")).headers["etag"]
    await load(loader, item("earlier", properties={"datetime": "1999-01-01T00:00:00Z"}))
    assert (await filled.get("/collections/things")).headers["etag"] != first


ENCODINGS: list[tuple[str | None, str | None]] = [
    (None, None),
    ("", None),
    ("identity", None),
    ("br", None),
    ("gzip", "gzip"),
    ("GZIP", "gzip"),
    ("x-other, gzip;q=0.5", "gzip"),
    ("gzip, deflate, br", "gzip"),
    ("zstd", "zstd"),
    ("gzip, deflate, br, zstd", "zstd"),
    ("gzip;q=0", None),
    ("gzip; q=0.0", None),
    ("gzip;q=0, zstd", "zstd"),
    ("zstd;q=0, gzip", "gzip"),
    ("zstd;q=0, *", "gzip"),
    ("*;q=0", None),
    ("gzip, *;q=0", "gzip"),
    ("identity;q=0, gzip", "gzip"),
    ("identity;q=0, zstd", "zstd"),
    # `*` is sent by clients that decode gzip only: stac-api-validator's, by way of requests.
    ("*", "gzip"),
]


@pytest.mark.parametrize(("accepted", "encoding"), ENCODINGS)
async def test_the_client_chooses_the_encoding(
    filled: httpx.AsyncClient, accepted: str | None, encoding: str | None
) -> None:
    plain = await filled.get(ITEM, headers={"Accept-Encoding": "identity"})
    request = filled.build_request("GET", ITEM)
    del request.headers["Accept-Encoding"]
    if accepted is not None:
        request.headers["Accept-Encoding"] = accepted
    response = await filled.send(request)
    assert response.headers.get("content-encoding") == encoding
    assert response.content == plain.content
    assert "accept-encoding" in response.headers["vary"].lower()
    if encoding:
        assert int(response.headers["content-length"]) < len(plain.content)


@pytest.mark.parametrize("path", ["/", "/api", "/docs", "/docs/assets/swagger-ui.css", "/search", "/collections"])
async def test_every_text_can_be_compressed(filled: httpx.AsyncClient, path: str) -> None:
    plain = await filled.get(path, headers={"Accept-Encoding": "identity"})
    packed = await filled.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.content == plain.content


async def test_server_timing_names_the_rooms(filled: httpx.AsyncClient) -> None:
    for response in (await filled.get("/search"), await filled.post("/search", json={})):
        names = [entry.split(";")[0] for entry in response.headers["server-timing"].split(", ")]
        assert names == ["parse", "sql", "db", "shape"]
        assert re.fullmatch(r"(\w+;dur=\d+\.\d+(, )?)+", response.headers["server-timing"])


@pytest.mark.parametrize("path", ["/", "/collections", "/collections/things", "/collections/things/items", ITEM])
async def test_server_timing_is_everywhere(filled: httpx.AsyncClient, path: str) -> None:
    assert "shape;dur=" in (await filled.get(path)).headers["server-timing"]


@pytest.mark.usefixtures("database")
async def test_a_body_that_is_too_large_is_413(settings: Settings) -> None:
    async def parts() -> AsyncIterator[bytes]:
        for _ in range(10):
            yield b" " * 100

    async with serving(settings.model_copy(update={"max_body_bytes": 500})) as client:
        assert (await client.post("/search", content=b"{}" + b" " * 498)).status_code == 200
        assert_error(await client.post("/search", content=b"{}" + b" " * 499), 413, "body")
        assert_error(await client.post("/search", content=parts()), 413, "body")


@pytest.mark.parametrize("path", ["/search", "/search?bbox=0,0,1,1", "/collections/things/items", ITEM])
async def test_a_query_that_takes_too_long_is_504(
    settings: Settings, database: Database, loader: Loader, path: str
) -> None:
    await load(loader, collection(), item())
    async with serving(settings.model_copy(update={"query_timeout": 0.3, "pool_size": 2})) as client:
        async with database.transaction() as transaction:
            await transaction.execute(sql("LOCK TABLE items IN ACCESS EXCLUSIVE MODE"))
            responses = await asyncio.gather(*(client.get(path) for _ in range(4)))
        for response in responses:
            assert_error(response, 504)
        assert (await client.get(path)).status_code == 200


async def test_a_connection_that_is_cut_is_503_and_opened_again(client: httpx.AsyncClient, database: Database) -> None:
    async with database.transaction() as transaction:
        await transaction.execute(sql("LOCK TABLE items IN ACCESS EXCLUSIVE MODE"))
        search = asyncio.create_task(client.get("/search"))
        cut = sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE 'SELECT p.*%'"
        )
        while not search.done():
            await asyncio.sleep(0.05)
            await database.execute(cut)
    response = await search
    assert_error(response, 503)
    assert int(response.headers["retry-after"]) >= 1
    assert (await client.get("/search")).status_code == 200


async def test_idle_connections_that_were_cut_are_not_noticed(client: httpx.AsyncClient, database: Database) -> None:
    assert (await client.get("/search")).status_code == 200
    await database.execute(
        sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    )
    await asyncio.sleep(0.1)
    assert (await client.get("/search")).status_code == 200


@pytest.mark.parametrize("path", ["/collections", "/collections/things", "/collections/things/items", ITEM, "/search"])
@pytest.mark.parametrize("url", ["postgresql://upesi@/upesi?host=/nonexistent", "postgresql://upesi@127.0.0.1:1/upesi"])
async def test_a_database_that_is_down_is_503(service: FastAPI, client: httpx.AsyncClient, url: str, path: str) -> None:
    living: Catalog = service.state.catalog
    server = Server(url, size=1, query_timeout=None)
    await server.open(0)
    service.state.catalog = Catalog(Database(server, {}), default_limit=10, max_limit=10)
    assert_error(await client.get(path), 503)
    assert (await client.get("/")).status_code == 200
    await server.close()
    service.state.catalog = living
    assert (await client.get("/collections")).status_code == 200


async def test_a_compressed_body_is_415(filled: httpx.AsyncClient) -> None:
    body = gzip.compress(orjson.dumps({"ids": ["thing"]}))
    failed = assert_error(
        await filled.post("/search", content=body, headers={"Content-Encoding": "GZip"}), 415, "Content-Encoding"
    )
    assert "Content-Encoding gzip" in failed["description"]
    plain = await filled.post("/search", json={"ids": ["thing"]}, headers={"Content-Encoding": "identity"})
    assert plain.json()["numberReturned"] == 1
    described = (await filled.get("/api")).json()["paths"]["/search"]
    assert "415" in described["post"]["responses"]
    assert "415" not in described["get"]["responses"]


async def test_a_post_without_a_content_type_is_read(filled: httpx.AsyncClient) -> None:
    for headers in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/json; charset=utf-8"}):
        response = await filled.post("/search", content=orjson.dumps({"ids": ["thing"]}), headers=headers)
        assert response.json()["numberReturned"] == 1


@pytest.mark.parametrize(
    "path",
    [
        "/%",
        "/%zz",
        "/%C0%AF",
        "/collections/%C0%AF",
        "/collections/%ED%A0%80",
        "/..%2f..%2fetc/passwd",
        "/docs/assets/..%2f..%2f__init__.py",
        "/%00",
        "/docs/assets/%00",
    ],
)
async def test_hostile_paths_are_404(client: httpx.AsyncClient, path: str) -> None:
    assert_error(await client.get(httpx.URL("http://stac.test", raw_path=path.encode())), 404)


async def test_what_nobody_foresaw_is_told_without_the_inside(client: httpx.AsyncClient, database: Database) -> None:
    await database.execute(sql("ALTER TABLE items RENAME TO elsewhere"))
    try:
        assert assert_error(await client.get("/search"), 500)["code"] == "InternalError"
    finally:
        await database.execute(sql("ALTER TABLE elsewhere RENAME TO items"))
