"""The outermost of all: each request gets its id, each answer the headers that all have, and observers are told."""

import logging
from collections.abc import Sequence

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import SetupError, UpesiError
from app.observing.exchange import Exchange, Observer, request_id

_ALWAYS = (b"x-content-type-options", b"nosniff")
_NO_REFERRER = (b"referrer-policy", b"no-referrer")
# A page that says what it needs is believed; any other, as a file of `static_dir`, loads and runs nothing.
_POLICY = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NO_FRAMES = (b"x-frame-options", b"DENY")
_log = logging.getLogger("upesi")


class Front:
    """What happens inside finds its `Exchange` in the scope."""

    def __init__(self, app: ASGIApp, observers: Sequence[Observer]) -> None:
        self._app = app
        self._observers = observers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _Lifespan(self._app).run(scope, receive, send)
            return
        exchange = Exchange(_given_id(scope["headers"]))
        scope["upesi.exchange"] = exchange
        request_id.set(exchange.id)

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                message["headers"] = _completed(message["headers"], exchange)
            await send(message)

        if not self._observers:
            await self._app(scope, receive, answer)
            return
        for observer in self._observers:
            observer.begin(scope, exchange)
        try:
            await self._app(scope, receive, answer)
        finally:
            for observer in reversed(self._observers):
                observer.end(scope, exchange)


def _given_id(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    for name, value in headers:
        if name == b"x-request-id":
            return value
    return b""


def _completed(headers: Sequence[tuple[bytes, bytes]], exchange: Exchange) -> list[tuple[bytes, bytes]]:
    complete = [*headers, _ALWAYS, (b"x-request-id", exchange.id.encode()), *exchange.headers]
    names = {name for name, _ in headers}
    if _NO_REFERRER[0] not in names:
        complete.append(_NO_REFERRER)
    for name, value in headers:
        if name == b"content-type":
            if value.startswith((b"text/html", b"image/svg", b"text/xml", b"application/xhtml")):
                complete.append(_NO_FRAMES)
                if _POLICY[0] not in names:
                    complete.append(_POLICY)
            break
    return complete


class Named:
    """The innermost: tells the exchange which route it was, which is known where the routes are."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        finally:
            if scope["type"] == "http":
                route = scope.get("route")
                scope["upesi.exchange"].route = getattr(route, "path_format", None)


class _Lifespan:
    """A start that fails for a reason with a remedy is told in one line, and not with a traceback."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._failure: Message | None = None

    async def run(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "lifespan.startup.failed":
                self._failure = message
            else:
                await send(message)

        try:
            await self._app(scope, receive, told)
        except (SetupError, UpesiError) as error:
            if self._failure is None:
                raise
            await send({"type": "lifespan.startup.failed", "message": str(error)})
        except BaseException:
            if self._failure is not None:
                await send(self._failure)
            raise
