"""What the grid of an asset costs: from the item alone, over HTTP, and, for comparison, from the file.

    python -m benchmarks.grid items.ndjson --collections collections.ndjson --url http://127.0.0.1:8080

Each item gives one asset, the first that a program reads. What this process opens meanwhile is counted by an audit
hook, files and sockets. With `--url` the service has to have the items.
"""

import argparse
import statistics
import sys
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter
from typing import Any

import httpx
import orjson

from app.raster.grids import grid
from app.raster.reader import reader

_opened: list[str] = []
_OPENINGS = ("open", "socket.connect", "os.open")


def watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event in _OPENINGS:
        _opened.append(f"{event} {arguments[:1]}")


def chosen(item: dict[str, Any]) -> str:
    return next(str(key) for key, asset in item["assets"].items() if reader(asset) is not None)


def timed(name: str, call: Callable[[Any], Any], things: list[Any]) -> Iterator[str]:
    milliseconds = []
    for thing in things:
        start = perf_counter()
        call(thing)
        milliseconds.append((perf_counter() - start) * 1000)
    ordered = sorted(milliseconds)
    yield f"| {name} | {len(things):,} | {statistics.median(ordered):.3f} | {ordered[len(ordered) * 99 // 100]:.3f} "
    yield f"| {sum(ordered) / 1000:.2f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items", type=Path)
    parser.add_argument("--collections", type=Path, required=True)
    parser.add_argument("--url")
    parser.add_argument("--count", type=int, default=1000)
    arguments = parser.parse_args()
    owners = {owner["id"]: owner for owner in map(orjson.loads, arguments.collections.read_bytes().splitlines())}
    items = [orjson.loads(line) for line in arguments.items.read_bytes().splitlines()]
    asked = [(item, chosen(item), owners[item["collection"]]) for item in islice(cycle(items), arguments.count)]
    print("| from | grids | median ms | p99 ms | seconds in all |\n| --- | --- | --- | --- | --- |")
    sys.addaudithook(watch)
    before = len(_opened)
    told = "".join(timed("the item", lambda found: grid(*found), asked))
    opened = len(_opened) - before
    print(told)
    if arguments.url:
        with httpx.Client(base_url=arguments.url) as client:
            paths = [
                f"/collections/{item['collection']}/items/{item['id']}/assets/{key}/grid" for item, key, _ in asked
            ]
            print("".join(timed("the service", lambda path: client.get(path).raise_for_status(), paths)))
    print(f"\nFiles and connections opened for the {len(asked):,} grids of the first row: {opened}.")


if __name__ == "__main__":
    main()
