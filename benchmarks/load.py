"""`upesi load` of Sentinel-2 items of 15 kB: items a second, CPU time of each, memory; and pypgstac beside it.

    python -m benchmarks.load --items 10000 100000 --peer /path/to/venv/bin/pypgstac

A private cluster runs meanwhile, with PostgreSQL's default settings and a database for each load. The items are those
of `--sample`, an NDJSON file, with new ids, or else the demo's. CPU time is user and system: of the loader with its
workers, and of all of PostgreSQL, so that it says something on a machine with other work too.
"""

import argparse
import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import asyncpg
import orjson
import psutil

from app.database import embedded, schema
from app.demo import sentinel2
from benchmarks import services


@dataclass(frozen=True)
class Result:
    """Seconds are of the clock and of CPUs; `peak` is the bytes that all processes of the loader held at once."""

    items: int
    seconds: float
    loader: float
    database: float
    peak: int

    def row(self, name: str) -> str:
        parts = [f"{self.items:,}", f"{self.items / self.seconds:,.0f}"]
        parts += [f"{cpu / self.items * 1e6:.0f}" for cpu in (self.loader, self.database, self.loader + self.database)]
        return f"| {name} | {' | '.join(parts)} | {self.peak / 1e6:.0f} |"


HEAD = """| loader | items | items/s | µs CPU an item, loader | PostgreSQL | both | peak MB |
| --- | --- | --- | --- | --- | --- | --- |"""


def documents(sample: Path | None, count: int) -> Iterator[dict[str, Any]]:
    if sample is None:
        yield from islice(sentinel2.items(count), count)
        return
    known = [orjson.loads(line) for line in sample.read_bytes().splitlines()]
    for number, document in zip(range(count), cycle(known), strict=False):
        yield document | {"id": f"{document['id']}_{number:07}"}


def write(folder: Path, sample: Path | None, count: int) -> tuple[Path, Path]:
    """A file of collections, and one of items."""
    described, listed = folder / "collections.ndjson", folder / f"{count}.ndjson"
    names = set()
    with listed.open("wb") as file:
        for document in documents(sample, count):
            names.add(document["collection"])
            file.write(orjson.dumps(document) + b"\n")
    lines = (orjson.dumps(sentinel2.collection() | {"id": name}) + b"\n" for name in sorted(names))
    described.write_bytes(b"".join(lines))
    return described, listed


def measured(command: list[str], environment: dict[str, str], count: int, server: psutil.Process) -> Result:
    before, started = services.cpu_seconds(server), time.perf_counter()
    process = psutil.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak, pid = 0, 0
    while pid == 0:
        peak = max(peak, held(process))
        pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        time.sleep(0.1)
    seconds = time.perf_counter() - started
    if status != 0:
        sys.exit(f"{' '.join(command)} failed")
    return Result(count, seconds, usage.ru_utime + usage.ru_stime, services.cpu_seconds(server) - before, peak)


def held(process: psutil.Process) -> int:
    try:
        return sum(one.memory_info().rss for one in [process, *process.children(recursive=True)])
    except psutil.Error:
        return 0


async def ask(url: str, statement: str) -> Any:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def database(url: str, name: str) -> str:
    asyncio.run(ask(url, f"DROP DATABASE IF EXISTS {name}"))
    asyncio.run(ask(url, f"CREATE DATABASE {name}"))
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def ours(url: str, files: tuple[Path, Path], count: int, workers: int, server: psutil.Process) -> Result:
    url = database(url, "ours")
    schema.migrate(url)
    environment = os.environ | {"UPESI_DATABASE_URL": url}
    upesi = str(services.UPESI_COMMAND)
    subprocess.run([upesi, "load", str(files[0])], env=environment, check=True, capture_output=True)
    result = measured([upesi, "load", str(files[1]), "--workers", str(workers)], environment, count, server)
    assert asyncio.run(ask(url, "SELECT count(*) FROM items")) == count
    return result


def theirs(peer: str, url: str, files: tuple[Path, Path], count: int, server: psutil.Process) -> Result:
    url = database(url, "theirs")
    parts = urlsplit(url)
    place = {name: values[0] for name, values in parse_qs(parts.query).items()}
    environment = os.environ | {
        "PGHOST": unquote(place["host"]),
        "PGPORT": place.get("port", "5432"),
        "PGUSER": str(parts.username),
        "PGDATABASE": "theirs",
    }
    for command in (["migrate"], ["load", "collections", str(files[0])]):
        subprocess.run([peer, *command], env=environment, check=True, capture_output=True)
    result = measured([peer, "load", "items", str(files[1]), "--method", "insert"], environment, count, server)
    assert asyncio.run(ask(url, "SELECT count(*) FROM pgstac.items")) == count
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--sample", type=Path)
    parser.add_argument("--peer", help="the program pypgstac, which loads the smallest number of items too")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="upesi-load-"))
    folder.chmod(0o755)
    try:
        with embedded.running(folder / "data") as url:
            server = services.server(url)
            print(HEAD)
            for count in arguments.items:
                files = write(folder, arguments.sample, count)
                for workers in arguments.workers:
                    result = ours(url, files, count, workers, server)
                    print(result.row(f"upesi load --workers {workers}"), flush=True)
                if arguments.peer and count == min(arguments.items):
                    print(theirs(arguments.peer, url, files, count, server).row("pypgstac load"), flush=True)
                files[1].unlink()
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
