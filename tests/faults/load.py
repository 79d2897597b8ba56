"""Clients that write and read all the while something breaks, and what they were told."""

from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from itertools import count

import anyio
import httpx

from tests.factories import collection, item


@dataclass(slots=True)
class Told:
    """`stored` are the items that were acknowledged, `lost` those of them that a later read did not find."""

    stored: set[str] = field(default_factory=set)
    lost: set[str] = field(default_factory=set)
    writes: Counter[int] = field(default_factory=Counter)
    reads: Counter[int] = field(default_factory=Counter)
    # Set where a load is to come to its end.
    stop: bool = False


async def prepare(client: httpx.AsyncClient) -> None:
    assert (await client.post("/collections", json=collection())).status_code == 201


async def write_and_read(client: httpx.AsyncClient, told: Told, name: str) -> None:
    """One client: it stores an item and reads it, until it is told to stop."""
    for number in count():
        if told.stop:
            return
        item_id = f"{name}-{number}"
        status = await _stored(client, item_id)
        told.writes[status] += 1
        if status != 201:
            await anyio.sleep(0.05)
            continue
        told.stored.add(item_id)
        for url in (f"/collections/things/items/{item_id}", f"/search?ids={item_id}"):
            answer = await client.get(url)
            told.reads[answer.status_code] += 1
            found = answer.json()
            if answer.status_code == 404 or (answer.status_code == 200 and not found.get("features", [found])):
                told.lost.add(item_id)


async def _stored(client: httpx.AsyncClient, item_id: str) -> int:
    """The status; 0 where the connection broke off, which no client asks again for a change."""
    try:
        return (await client.post("/collections/things/items", json=item(item_id))).status_code
    except httpx.RemoteProtocolError:
        return 0


async def all_ids(client: httpx.AsyncClient) -> set[str]:
    """Of what is there now, as the primary has it."""
    answer = await client.get("/search?f=ndjson", headers={"Upesi-Written": str(2**63 - 1)})
    assert answer.status_code == 200
    return {httpx.Response(200, content=line).json()["id"] for line in answer.text.splitlines()}


async def progress(told: Told, writes: int) -> None:
    """Until so many more items are stored."""
    aim = len(told.stored) + writes

    async def is_reached() -> bool:
        return len(told.stored) >= aim

    await until(is_reached, 60)


async def until(ask: Callable[[], Awaitable[bool]], seconds: float) -> None:
    """Raises TimeoutError."""
    with anyio.fail_after(seconds):
        while True:
            if await ask():
                return
            await anyio.sleep(0.05)
