"""Writes a second over HTTP: single POSTs by one client and by 16, and ItemCollections of 100.

    python -m benchmarks.writes --seconds 5

A private cluster, which syncs each commit to its disk, gets a collection of generated Sentinel-2 items of 15 kB, and
the service runs with two workers. Each client posts items that nobody posted before, one after the other over a
connection that stays open, from another process than the service.
"""

import argparse
import asyncio
import itertools
import shutil
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import orjson

from app.database import embedded, schema
from app.demo import sentinel2
from benchmarks.http import COLLECTION, fill, server

HEADERS = "POST /collections/{collection}/items HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
# So many that a dictionary is trained, as in any catalogue that is not new.
LOADED = 1000


def numbered(item: dict[str, Any], number: int) -> dict[str, Any]:
    return item | {"id": f"posted-{number}"}


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes, body: bytes) -> None:
    writer.write(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))
    status = await reader.readline()
    if b" 201 " not in status:
        raise SystemExit(status.decode())
    length = 0
    while (line := await reader.readline()) != b"\r\n":
        name, _, value = line.partition(b":")
        length = int(value) if name.lower() == b"content-length" else length
    await reader.readexactly(length)


async def measure(port: int, bodies: "itertools.chain[bytes]", clients: int, seconds: float) -> tuple[float, float]:
    """Requests a second, and the 99th percentile in milliseconds."""
    head = HEADERS.format(collection=COLLECTION).encode()
    took: list[float] = []
    end = time.perf_counter() + seconds

    async def client() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while (started := time.perf_counter()) < end:
            await post(reader, writer, head, next(bodies))
            took.append(time.perf_counter() - started)
        writer.close()

    started = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    elapsed = time.perf_counter() - started
    return len(took) / elapsed, statistics.quantiles(took, n=100)[98] * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="upesi-bench-"))
    folder.chmod(0o755)
    numbers = itertools.count()
    sample = list(itertools.islice(sentinel2.items(LOADED), LOADED))

    def single() -> Any:
        return (orjson.dumps(numbered(sample[number % LOADED], number)) for number in numbers)

    def hundred() -> Any:
        while True:
            features = [numbered(sample[n % LOADED], n) for n in itertools.islice(numbers, 100)]
            yield orjson.dumps({"type": "FeatureCollection", "features": features})

    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        url = stack.enter_context(embedded.running(folder / "data"))
        schema.migrate(url)
        asyncio.run(fill(url, LOADED))
        base = stack.enter_context(server("app.main:create_app", url, "--factory"))
        port = int(base.rpartition(":")[2])
        print("| request | clients | requests/s | items/s | p99 ms |\n| --- | --- | --- | --- | --- |")
        for name, bodies, size, clients in (
            ("POST an item", single, 1, 1),
            ("POST an item", single, 1, 16),
            ("POST an ItemCollection of 100", hundred, 100, 1),
        ):
            runs = [asyncio.run(measure(port, bodies(), clients, arguments.seconds)) for _ in range(arguments.rounds)]
            rate, slowest = (statistics.median(column) for column in zip(*runs, strict=True))
            print(f"| {name} | {clients} | {rate:,.0f} | {rate * size:,.0f} | {slowest:.1f} |", flush=True)


if __name__ == "__main__":
    main()
