"""What a collector of OpenTelemetry is sent by a service that the environment alone has told of it."""

import gzip
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from app.bulk.load import Loader
from tests.factories import collection, item, load
from tests.faults.load import until
from tests.processes import running

pytestmark = pytest.mark.anyio
SECRET = "hush-8d1f"
TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@dataclass(slots=True)
class Collector:
    """`resources` are what the senders say of themselves; `raw` is all they sent."""

    spans: list[Span] = field(default_factory=list)
    resources: list[dict[str, Any]] = field(default_factory=list)
    raw: bytes = b""

    def take(self, body: bytes) -> None:
        self.raw += body
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append({each.key: each.value.string_value for each in sent.resource.attributes})
            self.spans += [span for scope in sent.scope_spans for span in scope.spans]

    def named(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def below(self, span: Span) -> list[Span]:
        return [each for each in self.spans if each.parent_span_id == span.span_id]

    async def has(self, name: str) -> Span:
        async def is_there() -> bool:
            return bool(self.named(name))

        await until(is_there, 30)
        return self.named(name)[-1]


@contextmanager
def collecting() -> Iterator[tuple[str, Collector]]:
    collector = Collector()

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            collector.take(gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body)
            known = (self.path, self.headers["Content-Type"]) == ("/v1/traces", "application/x-protobuf")
            self.send_response(200 if known else 400)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Receiver) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", collector
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
async def traced(database_url: str, loader: Loader) -> AsyncIterator[tuple[httpx.AsyncClient, Collector]]:
    await load(loader, collection(), item())
    with collecting() as (endpoint, collector):
        settings = {
            "UPESI_TRACES": "otlp",
            "UPESI_WRITES": "open",
            "UPESI_COUNT_LIMIT": "0",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_SERVICE_NAME": "catalogue",
        }
        with running(database_url, **settings) as url:
            async with httpx.AsyncClient(base_url=url) as client:
                yield client, collector


def attributes(span: Span) -> dict[str, Any]:
    return {each.key: getattr(each.value, each.value.WhichOneof("value") or "") for each in span.attributes}


async def test_a_request_is_a_span_with_its_statements_below(traced: tuple[httpx.AsyncClient, Collector]) -> None:
    client, collector = traced
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "mine"}
    assert (await client.get("/search?bbox=0,40,20,60", headers=headers)).status_code == 200
    span = await collector.has("GET /search")
    assert (span.trace_id.hex(), span.parent_span_id.hex(), span.kind) == (TRACE, PARENT, Span.SPAN_KIND_SERVER)
    assert (
        attributes(span).items()
        >= {
            "http.request.method": "GET",
            "http.route": "/search",
            "http.response.status_code": 200,
            "url.path": "/search",
            "upesi.request_id": "mine",
        }.items()
    )
    statements = collector.below(span)
    assert {each.kind for each in statements} == {Span.SPAN_KIND_CLIENT}
    assert {each.trace_id for each in statements} == {span.trace_id}
    texts = [attributes(each)["db.query.text"] for each in statements]
    assert any("items" in text and "$1" in text for text in texts)
    assert all(span.start_time_unix_nano <= each.start_time_unix_nano for each in statements)
    assert all(each.end_time_unix_nano <= span.end_time_unix_nano for each in statements)
    assert collector.resources[0]["service.name"] == "catalogue"


async def test_a_route_has_one_name_and_a_failure_its_status(traced: tuple[httpx.AsyncClient, Collector]) -> None:
    client, collector = traced
    for name in ("thing", "nothing"):
        await client.get(f"/collections/things/items/{name}")
    name = "GET /collections/{collection_id}/items/{item_id}"
    await collector.has(name)

    async def are_there() -> bool:
        return len(collector.named(name)) == 2

    await until(are_there, 30)
    assert {attributes(span)["http.response.status_code"] for span in collector.named(name)} == {200, 404}
    # An error of the client is none of the service (OpenTelemetry's conventions for HTTP).
    assert {span.status.code for span in collector.named(name)} == {Status.STATUS_CODE_UNSET}


async def test_nothing_secret_is_sent(traced: tuple[httpx.AsyncClient, Collector]) -> None:
    client, collector = traced
    headers = {"Authorization": f"Bearer {SECRET}", "X-API-Key": SECRET, "Cookie": f"session={SECRET}"}
    assert (await client.get(f"/search?filter=id='{SECRET}'")).status_code == 200
    assert (await client.get(f"/search?token={SECRET}")).status_code == 400
    body = {"filter": {"op": "=", "args": [{"property": "title"}, SECRET]}}
    assert (await client.post("/search", json=body)).status_code == 200
    created = item("new", properties={"title": SECRET})
    assert (await client.post("/collections/things/items", json=created)).status_code == 201
    await client.get("/conformance", headers=headers)
    await client.get("/collections/things", headers=headers)
    await collector.has("GET /collections/{collection_id}")
    await collector.has("POST /collections/{collection_id}/items")
    assert len(collector.named("GET /search")) == 2
    assert SECRET.encode() not in collector.raw
    assert b"postgresql://" not in collector.raw
