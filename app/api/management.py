"""Whether the service lives, whether it is well, and its metrics. Where these are is no part of the STAC API."""

import asyncio
import logging
from time import monotonic

import orjson
from fastapi import APIRouter, FastAPI, Request, Response

from app.api.links import JSON
from app.api.openapi import HEALTH, PING
from app.api.routes import DirectRoute
from app.database import schema
from app.errors import SetupError

router = APIRouter(tags=["Management"], route_class=DirectRoute)
_log = logging.getLogger("upesi")
_SECONDS_FRESH = 1.0
_PATIENCE = 5.0


class Health:
    """Asks the database on a connection of its own, so that a pool at work does not pass for a database that is down;
    and once a second at most, however many ask."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._until = 0.0
        self._found: dict[str, str] = {}
        self._asking = asyncio.Lock()

    async def found(self) -> dict[str, str]:
        async with self._asking:
            if monotonic() >= self._until:
                self._found = await self._ask()
                self._until = monotonic() + _SECONDS_FRESH
            return self._found

    async def _ask(self) -> dict[str, str]:
        try:
            async with asyncio.timeout(_PATIENCE):
                revision = await schema.revision(self._url)
        except (SetupError, TimeoutError) as error:
            _log.warning("health: %s", error or "the database does not answer")
            return {"status": "DOWN", "database": "DOWN", "description": "the database cannot be reached"}
        known = {"database": "UP", "revision": str(revision)}
        try:
            schema.check(revision)
        except SetupError as error:
            return {"status": "DOWN", **known, "description": str(error)}
        return {"status": "UP", **known}


@router.get("/_mgmt/ping", summary="Whether the service lives", responses=PING)
async def get_ping() -> Response:
    return Response(b'{"message":"PONG"}', media_type=JSON)


@router.get("/_mgmt/health", summary="Whether the service and its database are well", responses=HEALTH)
async def get_health(request: Request) -> Response:
    health: Health = request.app.state.health
    found = await health.found()
    return Response(orjson.dumps(found), 200 if found["status"] == "UP" else 503, media_type=JSON)


def serve_metrics(app: FastAPI) -> None:
    """At /metrics, for whoever reaches the service."""

    async def get_metrics(request: Request) -> Response:
        from app.observing.metrics import CONTENT_TYPE

        return Response(request.app.state.metrics.text(), headers={"Content-Type": CONTENT_TYPE})

    app.router.add_api_route("/metrics", get_metrics, include_in_schema=False, route_class_override=DirectRoute)
