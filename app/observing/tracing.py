"""Traces for OpenTelemetry: a span for each request, and one for each statement in it. Imported where they are on.

Where they go to is said by OpenTelemetry's own variables: OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SERVICE_NAME, and so on.
"""

from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import Token
from importlib.metadata import version
from time import time_ns
from typing import Any

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from app.observing.exchange import Exchange

_propagator = TraceContextTextMapPropagator()
_Begun = tuple[Span, Token[Context]]


class Tracing:
    """Observes requests and statements."""

    def __init__(self, provider: TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("upesi", version("upesi"))
        self._begun: dict[Exchange, _Begun] = {}

    @classmethod
    def to_collector(cls) -> "Tracing":
        """What the variables of OpenTelemetry say wins."""
        named = Resource({SERVICE_NAME: "upesi", SERVICE_VERSION: version("upesi")})
        provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    def begin(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None:
        carrier = {
            name.decode("latin-1"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
        parent = _propagator.extract(carrier) if carrier else Context()
        span = self._tracer.start_span(
            scope["method"],
            parent,
            SpanKind.SERVER,
            {
                "http.request.method": scope["method"],
                "url.path": scope["path"],
                "url.scheme": scope["scheme"],
                "upesi.request_id": exchange.id,
            },
        )
        self._begun[exchange] = span, context.attach(trace.set_span_in_context(span, parent))

    def end(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None:
        span, token = self._begun.pop(exchange)
        if exchange.route is not None:
            span.update_name(f"{scope['method']} {exchange.route}")
            span.set_attribute("http.route", exchange.route)
        if exchange.watch.way is not None:
            span.set_attribute("upesi.way", exchange.watch.way)
        span.set_attribute("http.response.status_code", exchange.status or 499)
        if exchange.status >= 500:
            span.set_status(StatusCode.ERROR)
        span.end()
        context.detach(token)

    def statement(self, text: str, seconds: float, error: BaseException | None) -> None:
        """One that has just ended, in the context of who asked it. Its text has no values in it.

        The driver says so when the event loop comes to it. By then a request may have ended that ended behind it.
        """
        request = trace.get_current_span()
        ended = (request.end_time if isinstance(request, ReadableSpan) else None) or time_ns()
        span = self._tracer.start_span(
            text.partition(" ")[0],
            kind=SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "db.query.text": text},
            start_time=ended - int(seconds * 1e9),
        )
        if error is not None:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(StatusCode.ERROR)
        span.end(ended)

    @contextmanager
    def sending(self) -> Iterator[None]:
        """What is left to send is sent at the end."""
        try:
            yield
        finally:
            self._provider.shutdown()
