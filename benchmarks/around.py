"""What a request costs in one process, in microseconds of CPU: the ASGI application is called as a server calls it,
without sockets. `python -m benchmarks.around URL` asks the catalogue of a database; UPESI_* variables hold.
"""

import asyncio
import sys
from time import process_time
from typing import Any

from starlette.types import ASGIApp, Message

from app.main import create_app
from app.settings import Settings

_PATHS = {"ping": "/conformance", "box": "/search?bbox=5,45,15,55&limit=10"}
_ROUNDS, _REQUESTS = 40, 100


def main() -> None:
    settings = Settings(database_url=sys.argv[1])
    print(asyncio.run(_measure(settings)))


async def _measure(settings: Settings) -> dict[str, float]:
    service = create_app(settings)
    async with service.router.lifespan_context(service):
        return {name: await _cost(service, path) for name, path in _PATHS.items()}


async def _cost(service: ASGIApp, path: str) -> float:
    """The least of the rounds: what others do on the machine only adds."""
    for _ in range(_REQUESTS):
        await _ask(service, path)
    rounds = []
    for _ in range(_ROUNDS):
        began = process_time()
        for _ in range(_REQUESTS):
            await _ask(service, path)
        rounds.append((process_time() - began) / _REQUESTS * 1e6)
    return round(min(rounds), 1)


async def _ask(service: ASGIApp, path: str) -> None:
    path, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(b"host", b"stac.test"), (b"user-agent", b"around"), (b"accept", b"*/*")],
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 80),
        "state": {},
    }
    statuses = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    # A server runs each request in a task of its own.
    await asyncio.create_task(service(scope, receive, send))  # type: ignore[arg-type]
    assert statuses == [200], statuses


if __name__ == "__main__":
    main()
