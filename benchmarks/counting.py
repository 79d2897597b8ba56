"""What a count beside each first page costs: the service with and without counts, in turn, in one run.

    python -m benchmarks.counting --items 50000

As `benchmarks.http`, but with two services on one catalogue, and from one connection as from 16: a search that is
asked alone is counted, one among others is not.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path

import httpx

from app.database import embedded, schema
from benchmarks.http import COLLECTION, Request, Scenario, fill, measure, scenarios, server

SERVICES = {"never": "0", "default": "10000"}


def counted(base: str, scenario: Scenario) -> str:
    """The share of the answers that say how many items there are, asked one after the other."""
    answers = [httpx.request("POST" if r.body else "GET", base + r.path, json=r.body) for r in scenario.requests[:50]]
    return f"{sum('numberMatched' in answer.json() for answer in answers) / len(answers):.0%}"


def compare(bases: dict[str, str], scenario: Scenario, clients: int, seconds: int, rounds: int) -> str:
    results: dict[str, list[tuple[float, float]]] = {name: [] for name in bases}
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(scenario.lua())
        script.flush()
        for _ in range(rounds):
            for name, base in bases.items():
                results[name].append(measure(base, Path(script.name), seconds, clients))
    rates = {name: statistics.median(rate for rate, _ in runs) for name, runs in results.items()}
    ratio = statistics.median(
        ours[0] / none[0] for ours, none in zip(results["default"], results["never"], strict=True)
    )
    share = counted(bases["default"], scenario)
    return (
        f"| {scenario.name} | {clients} | {rates['default']:,.0f} | {rates['never']:,.0f} | {ratio:.2f} "
        f"| {statistics.median(slow for _, slow in results['default']):.1f} "
        f"| {statistics.median(slow for _, slow in results['never']):.1f} | {share} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="upesi-bench-"))
    folder.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        url = stack.enter_context(embedded.running(folder / "data"))
        schema.migrate(url)
        sample = asyncio.run(fill(url, arguments.items))
        bases = {
            name: stack.enter_context(server("app.main:create_app", url, "--factory", UPESI_COUNT_LIMIT=limit))
            for name, limit in SERVICES.items()
        }
        wide = Request("/search", {"collections": [COLLECTION], "bbox": [-180, -90, 180, 90], "limit": 10})
        cloudy = Request("/search", {"filter": "eo:cloud_cover < 20", "filter-lang": "cql2-text", "limit": 10})
        asked = [*scenarios(sample)[:2], Scenario("POST world", [wide]), Scenario("POST cloud < 20 %", [cloudy])]
        print("| request | clients | counted req/s | not req/s | ratio | counted p99 ms | not p99 ms | counted alone |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        for scenario in asked:
            for clients in (1, 16):
                print(compare(bases, scenario, clients, arguments.seconds, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()
