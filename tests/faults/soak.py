"""A soak: `python -m tests.faults.soak URL SECONDS [CLIENTS] [PID]` writes to and reads from a running service.

The service needs UPESI_WRITES=open and a catalogue without a collection `things`. PID is that of `upesi serve`, whose
processes' memory is looked at. It tells what it saw, and exits with 1 where something that was acknowledged is not
there, or something was answered as it may not be.
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import anyio
import httpx

from tests.factories import item
from tests.faults.load import Told, all_ids, prepare, write_and_read
from tests.faults.service import workers

_LOOK_SECONDS = 5.0
_ASKED = (  # The last two cannot be answered.
    "/",
    "/collections",
    "/collections/things/items?limit=5",
    "/collections/things/queryables",
    "/search?bbox=0,40,20,60&limit=20",
    "/search?filter=number>=3&limit=20",
    "/search?sortby=-number&limit=5",
    "/search?datetime=2024-01-01T00:00:00Z/..&limit=5",
    "/search?limit=100&f=ndjson",
    "/search?bbox=1,2,3",
    "/collections/nothing",
)


@dataclass(slots=True)
class Memory:
    """Megabytes that each process has of its own, a figure for each look."""

    of: dict[int, list[float]] = field(default_factory=dict)

    def look(self, pid: int) -> None:
        for each in workers(pid) or [pid]:
            lines = Path(f"/proc/{each}/status").read_text().splitlines()
            kilobytes = next(line.split()[1] for line in lines if line.startswith("RssAnon:"))
            self.of.setdefault(each, []).append(int(kilobytes) / 1024)

    def growth(self) -> Iterator[tuple[int, float, float]]:
        """The median of each process in the second and in the last fifth of its looks."""
        for pid, looks in self.of.items():
            fifth = max(1, len(looks) // 5)
            yield pid, _median(looks[fifth : 2 * fifth] or looks), _median(looks[-fifth:])


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


async def read_anything(client: httpx.AsyncClient, told: Told) -> None:
    """One client that asks for a page, the pages behind it, and what is not there."""
    for number in count():
        if told.stop:
            return
        answer = await client.get(_ASKED[number % len(_ASKED)])
        told.reads[answer.status_code] += 1
        if answer.status_code == 200 and "geo+json" in answer.headers["content-type"]:
            following = [link["href"] for link in answer.json()["links"] if link["rel"] == "next"]
            for href in following:
                told.reads[(await client.get(href)).status_code] += 1


async def change_and_delete(client: httpx.AsyncClient, told: Told, name: str) -> None:
    """One client that stores an item, changes it, reads the change, and deletes it."""
    for number in count():
        if told.stop:
            return
        item_id = f"{name}-{number}"
        path = f"/collections/things/items/{item_id}"
        statuses = [(await client.post("/collections/things/items", json=item(item_id))).status_code]
        for value in range(5):
            changed = await client.patch(path, json={"properties": {"number": value}})
            found = await client.get(path)
            statuses += [changed.status_code, found.status_code]
            if changed.is_success and found.is_success and found.json()["properties"].get("number") != value:
                told.lost.add(item_id)
        statuses.append((await client.delete(path)).status_code)
        if (await client.get(path)).status_code != 404:
            told.lost.add(item_id)
        told.writes.update(statuses[:1] + statuses[1:-1:2] + statuses[-1:])
        told.reads.update(statuses[2:-1:2])


async def soak(url: str, seconds: float, clients: int, pid: int | None = None) -> tuple[Told, set[str], Memory]:
    """What was told, what of it is missing at the end, and the memory. Half of the clients store, the others change
    and read."""
    told, memory = Told(), Memory()
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await prepare(client)
        async with anyio.create_task_group() as tasks:
            for number in range(clients):
                name = f"client{number}"
                if number % 2 == 0:
                    tasks.start_soon(write_and_read, client, told, name)
                elif number % 4 == 1:
                    tasks.start_soon(change_and_delete, client, told, name)
                else:
                    tasks.start_soon(read_anything, client, told)
            with anyio.move_on_after(seconds):
                while True:
                    if pid is not None:
                        memory.look(pid)
                    await anyio.sleep(min(_LOOK_SECONDS, seconds / 20))
            told.stop = True
        return told, told.stored - await all_ids(client), memory


def main(url: str, seconds: str, clients: str = "16", pid: str | None = None) -> int:
    told, missing, memory = anyio.run(soak, url, float(seconds), int(clients), None if pid is None else int(pid))
    say = sys.stdout.write
    say(f"writes {dict(told.writes)}, reads {dict(told.reads)}\n")
    say(f"{len(told.stored)} acknowledged, {len(missing)} missing, {len(told.lost)} not read back\n")
    for each, before, after in memory.growth():
        say(f"process {each}: {before:.1f} MB, {after:.1f} MB at the end\n")
    odd = (told.writes.keys() - {201, 204}) | (told.reads.keys() - {200, 400, 404})
    return 1 if missing or told.lost or odd else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
