"""What happens around every route: methods, paths, and compression."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from urllib.parse import quote, unquote

import zstandard
from isal import isal_zlib
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Paths:
    """Knows the prefix that a proxy may leave in a path, and keeps %2F apart from the slashes between segments.

    `app.api.paths` decodes the segments.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self._app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._root_path:
            scope = {**scope, "root_path": self._root_path}
        raw: bytes = scope.get("raw_path") or b""
        if b"%" in raw and (b"%2f" in raw.lower() or b"%25" in raw):
            segments = raw.decode("latin-1").split("/")
            scope = {**scope, "path": "/".join(quote(unquote(segment), safe="") for segment in segments)}
        if self._root_path and scope.get("path") == self._root_path:
            scope = {**scope, "path": f"{self._root_path}/"}
        await self._app(scope, receive, send)


class Methods:
    """HEAD wherever there is GET (RFC 9110, 9.3.2), and OPTIONS wherever there is anything."""

    def __init__(self, app: ASGIApp, routes: Sequence[BaseRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD" and not self._has_files(scope):
            # A stream looks at the mark, so that it is not made to be thrown away.
            await self._app({**scope, "method": "GET", "upesi.head": True}, receive, _without_body(send))
        elif (
            scope["type"] == "http"
            and scope["method"] == "OPTIONS"
            and (allowed := allowed_methods(self._routes, scope))
        ):
            await Response(status_code=204, headers={"Allow": ", ".join(sorted(allowed))})(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _has_files(self, scope: Scope) -> bool:
        """Whether files are served there, which answer HEAD themselves and without being read."""
        return any(isinstance(route, Mount) and route.matches(scope)[0] != Match.NONE for route in self._routes)


def allowed_methods(routes: Sequence[BaseRoute], scope: Scope) -> set[str]:
    """What can be asked at a path; nothing where there is no such path."""
    allowed: set[str] = set()
    for route in routes:
        if route.matches(scope)[0] != Match.NONE:
            allowed |= (route.methods or set()) if isinstance(route, Route) else {"GET"}
    return allowed | ({"HEAD"} if "GET" in allowed else set()) | ({"OPTIONS"} if allowed else set())


def _without_body(send: Send) -> Send:
    async def head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return head


class Compression:
    """Compresses a text answer for a client that takes it, with encoders chosen for speed.

    zlib at its usual level 6 would cost more than everything else together; igzip packs as much as zlib's level 1 in
    a tenth of its time. benchmarks/README.md has the comparison.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            send = _Compressor(_choose(_header(scope["headers"], b"accept-encoding")), send).send
        await self._app(scope, receive, send)


class _Compressor:
    """Holds the start of an answer back until its body is there; a body that comes in parts is left as it is."""

    def __init__(self, encoding: str | None, send: Send) -> None:
        self._encoding = encoding
        self._send = send
        self._start: Message | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and _is_whole_text(message):
            self._start = message
            return
        if self._start is not None and message["type"] == "http.response.body":
            start, self._start = self._start, None
            message = self._packed(start, message)
            await self._send(start)
        await self._send(message)

    def _packed(self, start: Message, message: Message) -> Message:
        start["headers"].append((b"vary", b"Accept-Encoding"))
        body = message.get("body", b"")
        if self._encoding is None or message.get("more_body") or len(body) < _WORTH_IT:
            return message
        headers = MutableHeaders(raw=start["headers"])
        packed = _ENCODERS[self._encoding](body)
        headers["Content-Encoding"] = self._encoding
        headers["Content-Length"] = str(len(packed))
        if etag := headers.get("etag"):
            headers["ETag"] = f'{etag[:-1]}-{self._encoding}"'
        return {**message, "body": packed}


_WORTH_IT = 1000
_ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": lambda body: zstandard.ZstdCompressor(level=1).compress(body),
    "gzip": lambda body: isal_zlib.compress(body, 2, 31),
}


@lru_cache(maxsize=256)
def _choose(accepted: bytes) -> str | None:
    """Of our encodings the one the client likes best (RFC 9110, 12.5.3). `*` is gzip: who says it may know no other."""
    weights = {}
    for part in accepted.decode("latin-1").split(",") if accepted else ():
        name, _, weight = part.partition(";")
        weights[name.strip().lower()] = _weight(weight)
    anything = weights.get("*", 0.0)
    liked = {"zstd": weights.get("zstd", 0.0), "gzip": weights.get("gzip", anything)}
    best = max(liked, key=lambda name: liked[name])
    return best if liked[best] > 0 else None


def _weight(parameter: str) -> float:
    name, _, value = parameter.partition("=")
    try:
        return float(value) if name.strip().lower() == "q" else 1.0
    except ValueError:
        return 0.0


def without_encoding(etag: str) -> str:
    """The ETag an answer had before it was compressed: each encoding is a representation with a tag of its own."""
    for encoding in _ENCODERS:
        etag = etag.removesuffix(f'-{encoding}"') + '"' if etag.endswith(f'-{encoding}"') else etag
    return etag


def _is_whole_text(start: Message) -> bool:
    """Not a part of a file, whose range counts the bytes as they are stored."""
    media_type = _header(start["headers"], b"content-type")
    is_text = b"json" in media_type or media_type.startswith(b"text/")
    return is_text and start["status"] != 206 and not _header(start["headers"], b"content-encoding")


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    return next((value for known, value in headers if known == name), b"")
