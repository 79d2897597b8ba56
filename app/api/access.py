"""Who asks, by HTTP: a credential in a header (RFC 6750, 2.1), never in a URL, which logs and links would keep.

What is answered to one caller is not for the caches that others ask.
"""

from collections.abc import Iterator
from typing import Any

from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.access.callers import Callers
from app.catalog import Catalog
from app.errors import MissingRight, Unauthorized
from app.stac.access import Action, Rights, scope_of

API_KEY = "x-api-key"
# Marks of a request: the answer depends on who asks, and who asks is known.
_DEPENDS, _KNOWN = "upesi.depends", "upesi.known"
_VARY = (b"vary", b"Authorization, X-API-Key")
_PRIVATE = (b"cache-control", b"private")


async def admitted(request: Request) -> Catalog:
    """The catalogue as the caller sees it. Raises Unauthorized for one who is not let in, Unavailable."""
    request.scope[_DEPENDS] = True
    state = request.app.state
    callers: Callers = state.callers
    public: Catalog = state.catalog
    rights = await _known(request, callers)
    if rights is None:
        if not callers.reads_openly:
            raise Unauthorized("this service is for those it knows: send an API key or a token")
        return public
    request.scope[_KNOWN] = True
    return public.seen_by(rights)


async def _known(request: Request, callers: Callers) -> Rights | None:
    for credential in _credentials(request.headers):
        rights = await callers.rights(credential)
        if rights is not None:
            return rights
    return None


def _credentials(headers: Headers) -> Iterator[str]:
    scheme, _, token = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and (token := token.strip()):
        yield token
    if key := headers.get(API_KEY, "").strip():
        yield key


async def authorise(request: Request, catalog: Catalog, action: Action) -> None:
    """Before anything else of a change is looked at: whether the caller may make it.

    What a collection that is hidden is answered with, one that is not there is answered with too. Raises Unauthorized,
    NotFound, MissingRight.
    """
    collection: str | None = request.path_params.get("collection_id")
    rights = catalog.rights
    allowed = rights.may_somewhere(action) if collection is None else rights.may(action, collection)
    if not allowed and not request.scope.get(_KNOWN):
        raise Unauthorized("changes are for those this service knows: send an API key or a token")
    if collection is not None and (not allowed or catalog.visible is not None):
        await catalog.demand(collection)
    if not allowed:
        raise MissingRight(f"there is no right to {action} here", scope_of(action, collection))


def challenge(error: Exception) -> str | None:
    """What WWW-Authenticate says (RFC 6750, 3)."""
    if isinstance(error, Unauthorized):
        told = f', error="invalid_token", error_description="{error.description}"' if error.invalid else ""
        return f'Bearer realm="upesi"{told}'
    if isinstance(error, MissingRight):
        return f'Bearer realm="upesi", error="insufficient_scope", scope="{error.scope}"'
    return None


class Caching:
    """What depends on who asks says so (RFC 9110, 12.5.5), and is kept by their own cache alone (RFC 9111, 5.2.2.7).

    It says so whether anything is hidden or not: that something is, is nobody's business.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start" and scope.get(_DEPENDS):
                message["headers"] = [*message["headers"], *_marks(scope, message["headers"])]
            await send(message)

        await self._app(scope, receive, marked if scope["type"] == "http" else send)


def _marks(scope: Scope, headers: Any) -> Iterator[tuple[bytes, bytes]]:
    yield _VARY
    if scope.get(_KNOWN) and not any(name == b"cache-control" for name, _ in headers):
        yield _PRIVATE


class Guarded:
    """Files, for those who may read."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await admitted(Request(scope))
        await self._app(scope, receive, send)
