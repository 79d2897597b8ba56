"""Whether it lives, whether it is well, what it measures, and what it logs."""

import gc
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from app.api.management import Health
from app.bulk.load import Loader
from app.database.fragment import Parameter, sql
from app.database.pool import Database
from app.observing.logs import Json
from app.settings import Settings
from benchmarks.services import free_port
from tests.api.assertions import assert_error
from tests.api.serving import serving
from tests.api.test_limits import changed
from tests.factories import collection, item, load

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]
DASHBOARD = Path(__file__).parents[2] / "docker" / "grafana.json"
Samples = dict[str, list[tuple[dict[str, str], float]]]


def samples(text: str) -> Samples:
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def value(found: Samples, name: str, **labels: str) -> float:
    return sum(number for known, number in found.get(name, []) if labels.items() <= known.items())


async def metrics(client: httpx.AsyncClient) -> Samples:
    answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples(answer.text)


async def test_ping_and_health(client: httpx.AsyncClient) -> None:
    assert (await client.get("/_mgmt/ping")).json() == {"message": "PONG"}
    health = await client.get("/_mgmt/health")
    assert health.status_code == 200
    assert health.json() | {"revision": ""} == {"status": "UP", "database": "UP", "revision": ""}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE upesi_version SET version_num = '0001'", "run `upesi migrate`"),
        ("UPDATE upesi_version SET version_num = '9999'", "update Upesi"),
        ("ALTER TABLE upesi_version RENAME TO elsewhere", "run `upesi migrate`"),
    ],
)
async def test_a_schema_that_is_not_known_is_not_well(
    client: httpx.AsyncClient, database: Database, change: str, words: str
) -> None:
    (before,) = await database.fetch(sql("SELECT version_num FROM upesi_version"))
    await database.execute(sql(change))
    try:
        health = await client.get("/_mgmt/health")
    finally:
        if "RENAME" in change:
            await database.execute(sql("ALTER TABLE elsewhere RENAME TO upesi_version"))
        await database.execute(sql("UPDATE upesi_version SET version_num = ", Parameter(before["version_num"], "text")))
    assert health.status_code == 503
    assert health.json()["database"] == "UP"
    assert words in health.json()["description"]


async def test_a_database_that_is_down_is_not_well_and_the_service_lives(
    service: FastAPI, client: httpx.AsyncClient
) -> None:
    service.state.health = Health("postgresql://upesi:secret@127.0.0.1:1/upesi")
    health = await client.get("/_mgmt/health")
    assert health.status_code == 503
    assert health.json() == {
        "status": "DOWN",
        "database": "DOWN",
        "description": "the database cannot be reached",
    }
    assert (await client.get("/_mgmt/ping")).status_code == 200


async def test_metrics_are_off(client: httpx.AsyncClient) -> None:
    assert_error(await client.get("/metrics"), 404)


@pytest.fixture
def observed(settings: Settings) -> Settings:
    return changed(settings, metrics="on", rate_limit="1000/second")


async def test_requests_are_counted_by_route_and_never_by_path(observed: Settings, loader: Loader) -> None:
    await load(loader, collection(), item())
    route = "/collections/{collection_id}/items/{item_id}"
    async with serving(observed) as client:
        before = await metrics(client)
        for path in ("things/items/thing", "things/items/nothing", "nothing/items/thing"):
            await client.get(f"/collections/{path}")
        await client.head("/collections/things/items/thing")
        await client.get("/random/path")
        await client.request("BREW", "/search")
        await client.get("/search?unknown=1")
        after = await metrics(client)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("upesi_requests_total", route=route, status="200", method="GET") == 1
    assert grown("upesi_requests_total", route=route, status="200", method="HEAD") == 1
    assert grown("upesi_requests_total", route=route, status="404") == 2
    assert grown("upesi_requests_total", route="none", status="404") == 1
    assert grown("upesi_requests_total", method="other", status="405") == 1
    assert grown("upesi_requests_total", route="/search", status="400") == 1
    assert grown("upesi_request_seconds_count", route=route) == 4
    assert grown("upesi_stage_seconds_count", route=route, stage="shape") == 2
    assert value(after, "upesi_requests_in_flight") == 1
    assert "random" not in str(after)


WAYS = [
    ("ids=thing", "ids"),
    ("bbox=0,0,1,1", "space"),
    ("bbox=0,0,1,1&collections=things", "space"),
    ("collections=things", "collections"),
    ("limit=1", "time"),
    ("datetime=2024-01-01T00:00:00Z/..", "time"),
    ("q=thing", "candidates"),
    ("sortby=id", "sort"),
    ("sortby=-datetime", "time"),
]


@pytest.mark.parametrize(("query", "way"), WAYS)
async def test_searches_are_counted_by_the_way_they_took(observed: Settings, query: str, way: str) -> None:
    async with serving(observed) as client:
        before = await metrics(client)
        assert (await client.get(f"/search?{query}")).status_code == 200
        after = await metrics(client)
    assert value(after, "upesi_searches_total") - value(before, "upesi_searches_total") == 1
    assert value(after, "upesi_searches_total", way=way) - value(before, "upesi_searches_total", way=way) == 1


async def test_the_pool_and_refusals_are_told(observed: Settings) -> None:
    async with serving(changed(observed, rate_limit="2/hour")) as client:
        before = await metrics(client)
        assert [(await client.get("/search")).status_code for _ in range(3)] == [200, 200, 429]
        after = await metrics(client)
    assert value(after, "upesi_refusals_total", reason="rate") - value(before, "upesi_refusals_total") == 1
    assert value(after, "upesi_pool_free") >= 1
    assert (value(after, "upesi_pool_used"), value(after, "upesi_pool_waiting")) == (0, 0)


async def test_metrics_at_an_address_of_their_own(settings: Settings) -> None:
    address = f"127.0.0.1:{free_port()}"
    async with httpx.AsyncClient() as own:
        async with serving(changed(settings, metrics=address)) as client:
            await client.get("/search")
            assert_error(await client.get("/metrics"), 404)
            found = samples((await own.get(f"http://{address}/metrics")).text)
        assert value(found, "upesi_requests_total", route="/search") >= 1
        with pytest.raises(httpx.ConnectError):
            await own.get(f"http://{address}/metrics")


async def test_the_dashboard_asks_for_what_is_there(observed: Settings) -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel.get("targets", ())]
    assert len(queries) >= 8
    async with serving(changed(observed, rate_limit="2/hour")) as client:
        for _ in range(3):
            await client.get("/search?bbox=0,0,1,1")
        found = await metrics(client)
    for query in queries:
        for name, braces in re.findall(r"\b(upesi_\w+)(?:\{([^}]*)\})?", query):
            assert name in found, query
            labels = set().union(*(known for known, _ in found[name]))
            asked = set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces)) - {"instance", "job"}
            asked |= set(re.findall(r"\w+", " ".join(re.findall(r"by \(([^)]*)\)", query)))) - {"instance", "job"}
            assert asked <= labels, query


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("abc-123", True),
        ("4bf92f3577b34da6a3ce929d0e0e4736", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("a b", False),
        ("<script>", False),
        ('"', False),
        ("", False),
    ],
)
async def test_request_id(client: httpx.AsyncClient, given: str, kept: bool) -> None:
    found = (await client.get("/", headers={"X-Request-ID": given})).headers["x-request-id"]
    assert (found == given) is kept
    assert re.fullmatch(r"[A-Za-z0-9-]+", found)
    assert found != (await client.get("/")).headers["x-request-id"]


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged, as JSON; and as it was before, after the test."""
    found: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(self.format(record))

    handler = Keep()
    handler.setFormatter(Json())
    logger = logging.getLogger("upesi")
    logger.addHandler(handler)
    yield found
    logger.removeHandler(handler)


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    names = ("upesi", "uvicorn", "uvicorn.error", "uvicorn.access")
    before = [(logging.getLogger(name), [*logging.getLogger(name).handlers]) for name in names]
    states = [(logger.level, logger.propagate) for logger, _ in before]
    yield
    for (logger, handlers), (level, propagate) in zip(before, states, strict=True):
        logger.handlers, logger.level, logger.propagate = handlers, level, propagate
        logger.manager._clear_cache()  # type: ignore[attr-defined]


async def test_each_request_is_a_line(settings: Settings, lines: list[str]) -> None:
    async with serving(changed(settings, access_log=True, log_format="json")) as client:
        logging.getLogger("upesi").addHandler(_handler(lines))
        await client.get("/search?limit=1&api_key=hidden", headers={"X-Request-ID": "mine"})
        await client.get("/search?limit=2")
    first, second = (json.loads(line) for line in lines)
    assert first["request_id"] == "mine"
    assert (first["method"], first["path"], first["route"], first["status"]) == ("GET", "/search", "/search", 400)
    assert first["query"] == "limit=1&api_key=…"
    assert second["status"] == 200
    assert second["stages"].keys() >= {"parse", "sql", "db", "shape"}
    assert second["request_id"] not in ("", "mine")


def _handler(lines: list[str]) -> logging.Handler:
    lines.clear()

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Keep()
    handler.setFormatter(Json())
    return handler


async def test_a_failure_is_logged_with_its_request(
    client: httpx.AsyncClient, database: Database, lines: list[str]
) -> None:
    await database.execute(sql("ALTER TABLE items RENAME TO elsewhere"))
    try:
        headers = {"X-Request-ID": "failing", "Origin": "https://app.example"}
        answer = await client.get("/search", headers=headers)
    finally:
        await database.execute(sql("ALTER TABLE elsewhere RENAME TO items"))
    assert_error(answer, 500)
    assert answer.headers["x-request-id"] == "failing"
    assert answer.headers["access-control-allow-origin"] == "*"
    (line,) = [json.loads(line) for line in lines]
    assert (line["level"], line["request_id"]) == ("error", "failing")
    assert "UndefinedTableError" in line["error"]


async def test_every_answer_says_what_a_browser_may_do_with_it(client: httpx.AsyncClient) -> None:
    for path in ("/", "/search", "/nothing", "/docs", "/docs/assets/swagger-ui.css", "/_mgmt/ping"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "server" not in headers


async def test_a_page_runs_its_own_scripts_alone(client: httpx.AsyncClient) -> None:
    page = await client.get("/docs")
    policy = page.headers["content-security-policy"]
    assert page.headers["x-frame-options"] == "DENY"
    assert "frame-ancestors 'none'" in policy
    directives = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert directives["default-src"] == "'none'"
    assert "unsafe-inline" not in directives["script-src"]
    assert "unsafe-eval" not in policy


async def test_a_file_of_the_operator_runs_nothing(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    async with serving(changed(settings, static_dir=tmp_path)) as client:
        page = await client.get("/static/page.html")
    assert page.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert urlsplit(str(page.url)).path == "/static/page.html"


async def test_what_a_service_is_made_of_is_not_looked_at_for_garbage(settings: Settings) -> None:
    """A full collection would stop all requests for as long as the heap of all libraries takes."""
    async with serving(settings):
        assert gc.get_freeze_count() > 10_000
    assert gc.get_freeze_count() == 0
