"""Who has written reads what he wrote, though replicas answer, which are a moment behind.

A change is answered with its place in the database's log: in the header `Upesi-Written`, and in a cookie, which most
clients send back by themselves. A read with either is answered by a replica that has come as far, or by the primary.
"""

from collections.abc import Callable, Coroutine
from math import ceil
from typing import Any

from fastapi import Request, Response

from app.api.routes import DirectRoute
from app.catalog import Catalog
from app.errors import InvalidRequest, TimedOut, UpesiError
from app.settings import Settings

HEADER = "Upesi-Written"
COOKIE = "upesi_written"
# The largest that PostgreSQL takes for a bigint: no replica has come so far.
_NOT_YET = 2**63 - 1
# A replica that is further behind than it may be is noticed some seconds later.
_SECONDS_LONGER = 10


def known_to(request: Request, catalog: Catalog) -> Catalog:
    """The catalogue, no older than what the request knows of. Raises InvalidRequest."""
    if catalog.database.replicas is None:
        return catalog
    header = request.headers.get(HEADER)
    if header is not None and not _is_place(header):
        raise InvalidRequest(f"{HEADER}: {header[:40]!r} is no place that a change was answered with", HEADER)
    # A cookie is nothing that its sender looks at.
    places = [int(place) for place in (header, request.cookies.get(COOKIE)) if place is not None and _is_place(place)]
    return catalog.since(max(places)) if places else catalog


def _is_place(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= _NOT_YET


class WritingRoute(DirectRoute):
    """A route that changes something, and says where in the log."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def handle_and_tell(request: Request) -> Response:
            try:
                response = await handle(request)
            except TimedOut:
                # A commit that waits for a standby, say, is not undone when nobody waits for it any more.
                raise TimedOut(
                    "the change took longer than this service allows, and may have been made: look before asking again"
                ) from None
            await _tell(request, response)
            return response

        return handle_and_tell


async def _tell(request: Request, response: Response) -> None:
    catalog: Catalog = request.app.state.catalog
    settings: Settings = request.app.state.settings
    if catalog.database.replicas is None:
        return
    try:
        place = await catalog.database.position()
    except UpesiError:
        # The change has happened, so it is not answered with a failure.
        place = _NOT_YET
    seconds = ceil(settings.read_lag) + _SECONDS_LONGER
    response.headers[HEADER] = str(place)
    response.set_cookie(COOKIE, str(place), max_age=seconds, httponly=True, samesite="lax")
