"""Where the time of a request goes in the service, by py-spy (PyPI package py-spy), as shares of its samples.

    python -m benchmarks.profiled --items 20000

Two workers, four clients, as `benchmarks.cpu`, which says what a request costs in all and in PostgreSQL. A sample
counts for the innermost place that is known here, so that what a library does for it is in it; what uvloop, httptools
and asyncpg do in C, when something has arrived, counts for the event loop. Asked are the requests that the sketch
answers too, and those that cost the peers as little as anything: an empty box, a small collection.
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from benchmarks import catalogue, parts, requests, services, wrk
from benchmarks.cpu import CLIENTS
from benchmarks.requests import Scenario
from benchmarks.services import Service

_RATE = 400  # samples a second

# The first that a frame has in it, as py-spy writes it: `function (file:line)`.
PLACES = {
    "write to the socket": r"^RequestResponseCycle\.send ",
    "event loop": r"\(uvicorn/|^Runner\.run ",
    "FastAPI, Starlette": r"\((fastapi|starlette)/",
    "around the routes": r"\(app/(api/(front|middleware|admission|access|routes|freshness)\.py|limits/|observing/)",
    "read the question": r"\(app/(api/(dependencies|negotiation|formats)\.py|stac/(?!document))",
    "make the statement": r"\(app/(sql/|database/fragment)",
    "decompress items": r"^Database\.decoded",
    "ask PostgreSQL": r"\((asyncpg/|app/database/)",
    "write the answer": r"\(app/",
}


def place_of(frames: Sequence[str]) -> str:
    """Of a stack, outermost frame first."""
    for frame in reversed(frames):
        for place, pattern in PLACES.items():
            if re.search(pattern, frame):
                return place
    return "other"


def shares(stacks: Iterable[str]) -> dict[str, float]:
    """Of the samples that py-spy wrote: a stack and how often it was seen in each line."""
    seen: Counter[str] = Counter()
    for line in stacks:
        stack, _, times = line.rpartition(" ")
        seen[place_of(stack.split(";"))] += int(times)
    total = sum(seen.values())
    return {place: times / total for place, times in seen.most_common()} if total else {}


def sampled(service: Service, scenario: Scenario, seconds: int) -> dict[str, float]:
    with wrk.script(scenario) as script, tempfile.TemporaryDirectory() as folder:
        wrk.run(service, script, CLIENTS, 1)
        file = Path(folder, "stacks")
        command = ["py-spy", "record", "--subprocesses", "--format", "raw", "--rate", str(_RATE)]
        options = ["--pid", str(service.pid), "--duration", str(seconds), "--output", str(file)]
        watching = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL)
        # It looks at the processes for a moment before it begins.
        wrk.run(service, script, CLIENTS, seconds + 1)
        if watching.wait():
            raise SystemExit("py-spy may not look at other processes here; it has to be run as root")
        return shares(file.read_text().splitlines())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=6)
    arguments = parser.parse_args()
    if shutil.which("py-spy") is None:
        raise SystemExit("py-spy is missing: pip install py-spy")
    effort = parts.Effort(arguments.seconds, 1)
    with (
        parts.stage(catalogue.made_up(arguments.items), None, effort) as stage,
        services.upesi(stage.url) as service,
    ):
        asked = [*requests.limits(stage.written), *requests.small(stage.written)]
        print(f"| request | {' | '.join(PLACES)} | other |")
        print(f"| --- |{' ---: |' * (len(PLACES) + 1)}")
        for scenario in asked:
            found = sampled(service, scenario, arguments.seconds)
            cells = [f"{found.get(place, 0):.0%}" for place in (*PLACES, "other")]
            print(f"| {scenario.name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
