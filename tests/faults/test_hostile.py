"""The service, over a socket and with writes open to all, does not break and does not hang. UPESI_TEST_HOSTILE is how
many requests it gets; 2,000 where nothing is said."""

import asyncio
import http.client
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from urllib.parse import urlsplit

import httpx
import pytest

from app.bulk.load import Loader
from app.main import create_app
from app.settings import Settings
from tests.api.serving import running
from tests.factories import collection, item, load
from tests.faults.hostile import Hostile, requests
from tests.faults.load import until

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("database")]
NUMBER = int(os.environ.get("UPESI_TEST_HOSTILE", "2000"))
SEED = int(os.environ.get("UPESI_TEST_HOSTILE_SEED", "1"))


@pytest.fixture
async def live(settings: Settings, loader: Loader) -> AsyncIterator[str]:
    await load(loader, collection(), item())
    values = settings.model_dump(exclude_unset=True) | {"writes": "open", "query_timeout": 10, "metrics": "on"}
    with running(create_app(Settings(**values))) as url:
        yield url


def status_of(connection: http.client.HTTPConnection, request: Hostile) -> int:
    connection.putrequest(request.method, "/", skip_accept_encoding=True)
    # http.client refuses targets that a hostile client does not: what it has written so far is changed.
    head = connection._buffer  # type: ignore[attr-defined]
    head[0] = b"%b %b HTTP/1.1" % (request.method.encode(), request.target)
    for name, value in request.headers:
        connection.putheader(name, value)
    connection.putheader("Content-Length", str(len(request.body)))
    connection.endheaders(request.body)
    response = connection.getresponse()
    response.read()
    return response.status


async def test_hostile_requests_break_nothing(live: str) -> None:
    answered = await asyncio.to_thread(lambda: [*_answered(live)])
    broken = [(status, request) for status, request in answered if status == 0 or status >= 500]
    assert broken == []
    assert {status for status, _ in answered} >= {200, 400, 404, 405}
    async with httpx.AsyncClient(base_url=live) as client:
        assert (await client.get("/_mgmt/health")).json()["status"] == "UP"
        assert (await client.get("/search")).status_code == 200

        async def is_at_rest() -> bool:
            return "upesi_pool_used 0.0" in (await client.get("/metrics")).text

        # A search is counted beside its answer, for as long as that takes.
        await until(is_at_rest, 10)


def _answered(live: str) -> Iterator[tuple[int, Hostile]]:
    """Each with its status; 0 is a connection that was broken off."""
    parts = urlsplit(live)
    with closing(http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=60)) as connection:
        for request in requests(SEED, NUMBER):
            try:
                status = status_of(connection, request)
            except (http.client.HTTPException, OSError):
                status = 0
            if status in (0, 400):
                connection.close()  # What is no HTTP ends the connection.
            yield status, request
