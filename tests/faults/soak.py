"""A soak: `python -m tests.faults.soak URL SECONDS [CLIENTS]` writes to and reads from a running service, and tells.

The service needs UPESI_WRITES=open and a catalogue without a collection `things`. It exits with 1 where something that
was acknowledged is not there.
"""

import sys

import anyio
import httpx

from tests.faults.load import Told, all_ids, prepare, write_and_read


async def soak(url: str, seconds: float, clients: int) -> tuple[Told, set[str]]:
    """What was told, and what of it is missing at the end."""
    told = Told()
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        await prepare(client)
        async with anyio.create_task_group() as tasks:
            for number in range(clients):
                tasks.start_soon(write_and_read, client, told, f"client{number}")
            await anyio.sleep(seconds)
            told.stop = True
        return told, told.stored - await all_ids(client)


def main(url: str, seconds: str, clients: str = "16") -> int:
    told, missing = anyio.run(soak, url, float(seconds), int(clients))
    sys.stdout.write(f"writes {dict(told.writes)}, reads {dict(told.reads)}\n")
    sys.stdout.write(f"{len(told.stored)} acknowledged, {len(missing)} missing, {len(told.lost)} not read back\n")
    return 1 if missing or told.lost else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
