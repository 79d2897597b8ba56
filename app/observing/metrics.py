"""What Prometheus is told. Imported only where metrics are on.

With several processes, each writes into files in the folder PROMETHEUS_MULTIPROC_DIR names, and any of them answers for
all. docker/grafana.json asks for what is defined here.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, MutableMapping
from contextlib import asynccontextmanager, suppress
from glob import escape, glob
from importlib.metadata import version
from threading import Thread
from time import perf_counter
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, make_wsgi_app
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.multiprocess import MultiProcessCollector

from app.errors import SetupError
from app.observing.exchange import Exchange
from app.observing.processes import is_alive

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_EVERY = 1.0

# A metric may have one name once in a process, and a process may make the service several times.
_own = CollectorRegistry()
_requests = Counter(
    "upesi_requests_total",
    "Requests answered; status 499 is a client that left before",
    ("method", "route", "status"),
    registry=_own,
)
_duration = Histogram(
    "upesi_request_seconds", "From the request to the end of its answer", ("route",), buckets=_SECONDS, registry=_own
)
_stages = Histogram(
    "upesi_stage_seconds",
    "The stages of a request, which Server-Timing tells its client",
    ("route", "stage"),
    buckets=_SECONDS,
    registry=_own,
)
_refusals = Counter(
    "upesi_refusals_total", "Requests that were ended early: rate, busy, late, left", ("reason",), registry=_own
)
_searches = Counter("upesi_searches_total", "Pages of items, by the way they were found", ("way",), registry=_own)
_gauges = {
    name: Gauge(f"upesi_{name}", text, multiprocess_mode="livesum", registry=_own)
    for name, text in {
        "requests_in_flight": "Requests that are being answered",
        "requests_waiting": "Requests that wait for their turn",
        "pool_used": "Database connections at work",
        "pool_free": "Database connections that are open and idle",
        "pool_waiting": "Statements that wait for a connection",
    }.items()
}
_info = Gauge("upesi_info", "1, with the version", ("version",), multiprocess_mode="max", registry=_own)

# What each gauge is at the moment.
Sample = Callable[[], dict[str, int]]


class Metrics:
    """Observes requests; `sample` gives what has to be asked for."""

    def __init__(self) -> None:
        self._in_flight = 0
        self._sample: Sample = dict
        _info.labels(version("upesi")).set(1)

    def begin(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None:
        del scope, exchange
        self._in_flight += 1

    def end(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None:
        self._in_flight -= 1
        route = exchange.route or "none"
        status = exchange.status or 499
        method = scope["method"] if scope["method"] in _METHODS else "other"
        _child(_requests, method, route, str(status)).inc()
        _child(_duration, route).observe(perf_counter() - exchange.began)
        watch = exchange.watch
        for stage, seconds in watch.laps.items():
            _child(_stages, route, stage).observe(seconds)
        if watch.way is not None:
            _child(_searches, watch.way).inc()
        if exchange.refusal is not None:
            _child(_refusals, exchange.refusal).inc()

    @asynccontextmanager
    async def sampling(self, sample: Sample) -> AsyncIterator[None]:
        """Gauges of this process, for whichever process is asked."""
        self._sample = sample
        task = asyncio.create_task(self._sample_for_ever())
        try:
            yield
        finally:
            task.cancel()
            for gauge in _gauges.values():
                gauge.set(0)

    async def _sample_for_ever(self) -> None:
        while True:
            self._set_gauges()
            await asyncio.sleep(_EVERY)

    def _set_gauges(self) -> None:
        _gauges["requests_in_flight"].set(self._in_flight)
        for name, value in self._sample().items():
            _gauges[name].set(value)

    def text(self) -> bytes:
        """Of all processes, in the text format of Prometheus."""
        self._set_gauges()
        return generate_latest(_registry())


_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
_children: dict[tuple[Any, ...], Any] = {}


def _child(metric: Any, *labels: str) -> Any:
    """`labels` of a metric takes a lock and makes a tuple of texts, each time."""
    key = (metric, *labels)
    found = _children.get(key)
    if found is None:
        found = _children[key] = metric.labels(*labels)
    return found


def _registry() -> CollectorRegistry:
    folder = os.environ.get(_FOLDER)
    if folder is None:
        return _own
    for path in glob(f"{escape(folder)}/gauge_livesum_*.db"):
        if (found := re.search(r"_(\d+)\.db$", path)) and not is_alive(int(found[1])):
            with suppress(FileNotFoundError):
                os.remove(path)
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)  # type: ignore[no-untyped-call]
    return registry


class _Server(ThreadingWSGIServer):
    # Each worker listens, and each answers for all: one that dies takes nothing away.
    allow_reuse_port = True


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        """Nothing: who asks every ten seconds would fill the log."""


def listen(address: str) -> Callable[[], None]:
    """Answer at an address of its own, `127.0.0.1:9090`; what is given back ends it. Raises SetupError."""
    host, _, port = address.rpartition(":")

    def application(environ: Any, start_response: Any) -> Any:
        return make_wsgi_app(_registry(), disable_compression=True)(environ, start_response)

    try:
        server = make_server(host.strip("[]"), int(port), application, _Server, _Quiet)
    except OSError as error:
        raise SetupError(f"UPESI_METRICS: {address} cannot be listened at: {error}") from None
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    return stop
