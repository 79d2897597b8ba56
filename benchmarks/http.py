"""Requests a second over HTTP: the service against the bare sketch, in turn, in one run.

    python -m benchmarks.http --items 100000

A private cluster is filled with generated Sentinel-2 items, both servers run with two workers, and `wrk` (Debian
package wrk) asks from 16 connections. Answers are compared before anything is timed.
"""

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from app.bulk.load import Loader
from app.bulk.readers import Entry
from app.database import embedded, schema
from app.database.pool import Database
from app.demo import sentinel2

COLLECTION: str = sentinel2.collection()["id"]
WORKERS, CLIENTS, VARIANTS = 2, 16, 200


@dataclass(frozen=True)
class Request:
    path: str
    body: dict[str, Any] | None = None


@dataclass(frozen=True)
class Scenario:
    """Requests of one kind that differ in their values, so that nothing is answered from one cached page."""

    name: str
    requests: list[Request]

    def lua(self) -> str:
        """A script for wrk that goes through the requests in turn."""
        listed = ",\n".join(
            f"{{{json.dumps(r.path)}, {'nil' if r.body is None else json.dumps(json.dumps(r.body))}}}"
            for r in self.requests
        )
        return _LUA.replace("REQUESTS", listed)


_LUA = """local requests = {
REQUESTS
}
local turn = math.random(#requests)
function request()
  turn = turn % #requests + 1
  local path, body = requests[turn][1], requests[turn][2]
  return wrk.format(body and "POST" or "GET", path, {["Content-Type"] = "application/json"}, body)
end
"""


def scenarios(items: list[dict[str, Any]]) -> list[Scenario]:
    dice = random.Random(2)
    chosen = [dice.choice(items) for _ in range(VARIANTS)]

    def box(item: dict[str, Any], limit: int) -> Request:
        west, south = item["bbox"][0], item["bbox"][1]
        west = min(west, 179.0)
        month = item["properties"]["datetime"][:7]
        interval = f"{month}-01T00:00:00Z/{month}-28T00:00:00Z"
        bbox = [west, south, west + 1, south + 1]
        return Request("/search", {"collections": [COLLECTION], "bbox": bbox, "datetime": interval, "limit": limit})

    return [
        Scenario("GET newest, limit 10", [Request(f"/search?collections={COLLECTION}&limit=10")]),
        Scenario("POST 1° box + month, limit 10", [box(item, 10) for item in chosen]),
        Scenario("POST 1° box + month, limit 100", [box(item, 100) for item in chosen]),
        Scenario("item by id", [Request(f"/collections/{COLLECTION}/items/{item['id']}") for item in chosen]),
    ]


async def fill(url: str, count: int) -> list[dict[str, Any]]:
    """Load the items, and return a sample of them."""
    sample: list[dict[str, Any]] = []

    def entries() -> Iterator[Entry]:
        yield Entry(COLLECTION, sentinel2.collection())
        for number, item in enumerate(sentinel2.items(count)):
            if number % max(1, count // 500) == 0:
                sample.append({"id": item["id"], "bbox": item["bbox"], "properties": item["properties"]})
            yield Entry(item["id"], item)

    async with Database.opened(url, size=1, query_timeout=600) as database:
        loader = Loader(database, "insert", "stop", lambda place, reason: print(place, reason, file=sys.stderr))
        await loader.load(entries())
        await loader.finish()
    return sample


@contextmanager
def server(target: str, url: str, *options: str, **environment: str) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", target, *options, "--port", str(port), "--workers", str(WORKERS)]
    quiet = ["--no-access-log", "--log-level", "warning", "--no-proxy-headers"]
    process = subprocess.Popen(
        [*command, *quiet], env={**os.environ, "UPESI_DATABASE_URL": url, "UPESI_WRITES": "open", **environment}
    )
    try:
        base = f"http://127.0.0.1:{port}"
        for _ in range(100):
            try:
                httpx.get(f"{base}/search?collections={COLLECTION}&limit=1").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield base
    finally:
        process.terminate()
        process.wait()


def agree(bases: list[str], scenario: Scenario) -> None:
    """The same ids in the same order from each server."""
    for request in scenario.requests[:50]:
        answers = []
        for base in bases:
            answer = httpx.request("GET" if request.body is None else "POST", base + request.path, json=request.body)
            document = answer.raise_for_status().json()
            answers.append([feature["id"] for feature in document.get("features", [document])])
        if any(answer != answers[0] for answer in answers):
            raise SystemExit(f"{scenario.name}: the answers to {request} differ")


def measure(base: str, script: Path, seconds: int, clients: int = CLIENTS) -> tuple[float, float]:
    """Requests a second and the 99th percentile in milliseconds."""
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", "--latency", "-s", str(script), base]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in said or "Socket errors" in said:
        raise SystemExit(said)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", said)
    assert rate
    assert slowest
    return float(rate[1]), float(slowest[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[slowest[2]]


def compare(bases: dict[str, str], scenario: Scenario, seconds: int, rounds: int) -> str:
    agree(list(bases.values()), scenario)
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in bases}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(scenario.lua())
        script.flush()
        for _ in range(rounds):
            for name, base in bases.items():
                results[name].append(measure(base, Path(script.name), seconds))
    rates = {name: statistics.median(rate for rate, _ in runs) for name, runs in results.items()}
    p99 = {name: statistics.median(slow for _, slow in runs) for name, runs in results.items()}
    ratios = [ours[0] / limit[0] for ours, limit in zip(results["upesi"], results["sketch"], strict=True)]
    return (
        f"| {scenario.name} | {rates['upesi']:,.0f} | {rates['sketch']:,.0f} | {statistics.median(ratios):.2f} "
        f"| {p99['upesi']:.1f} | {p99['sketch']:.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    folder = Path(tempfile.mkdtemp(prefix="upesi-bench-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        url = stack.enter_context(embedded.running(folder / "data"))
        schema.migrate(url)
        started = time.perf_counter()
        sample = asyncio.run(fill(url, arguments.items))
        print(f"{arguments.items:,} items loaded, {arguments.items / (time.perf_counter() - started):,.0f}/s\n")
        bases = {
            "upesi": stack.enter_context(server("app.main:create_app", url, "--factory")),
            "sketch": stack.enter_context(server("benchmarks.sketch:app", url)),
        }
        print("| request | Upesi req/s | sketch req/s | ratio | Upesi p99 ms | sketch p99 ms |")
        print("| --- | --- | --- | --- | --- | --- |")
        for scenario in scenarios(sample):
            print(compare(bases, scenario, arguments.seconds, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
