"""What a count beside each first page costs: the service with and without counts, in turn, in one run.

    python -m benchmarks.counting --items 50000

Two services on one catalogue, asked from one connection as from 16: a search that is asked alone is counted, one among
others is not.
"""

import argparse
import statistics

from benchmarks import catalogue, parts, requests, services, wrk
from benchmarks.agreement import answer
from benchmarks.requests import Request, Scenario
from benchmarks.services import Service

SERVICES = {"never": "0", "default": "10000"}


def counted(service: Service, scenario: Scenario) -> str:
    """The share of the answers that say how many items there are, asked one after the other."""
    answers = [answer(service, request) for request in scenario.requests[:50]]
    return f"{sum('numberMatched' in document for document in answers) / len(answers):.0%}"


def compare(asked: list[Service], scenario: Scenario, clients: int, effort: parts.Effort) -> str:
    found = parts.timed(asked, scenario, clients, effort)
    rates = {name: statistics.median(run.rate for run in runs) for name, runs in found.items()}
    p99 = {name: statistics.median(run.p99 for run in runs) for name, runs in found.items()}
    pairs = zip(found["default"], found["never"], strict=True)
    ratio = statistics.median(ours.rate / none.rate for ours, none in pairs)
    share = counted(asked[1], scenario)
    return (
        f"| {scenario.name} | {clients} | {rates['default']:,.0f} | {rates['never']:,.0f} | {ratio:.2f} "
        f"| {p99['default']:.1f} | {p99['never']:.1f} | {share} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    wrk.check()
    effort = parts.Effort(arguments.seconds, arguments.rounds)
    with parts.stage(catalogue.made_up(arguments.items), None, effort) as stage:
        wide = Request("/search", {"bbox": [-180, -90, 180, 90], "limit": 10})
        cloudy = Request("/search?filter=eo:cloud_cover%20%3C%2020&filter-lang=cql2-text&limit=10")
        some = [*requests.limits(stage.written)[:2], Scenario("world", [wide]), Scenario("cloud < 20 %", [cloudy])]
        never, default = (services.upesi(stage.url, name, UPESI_COUNT_LIMIT=limit) for name, limit in SERVICES.items())
        print("| request | clients | counted req/s | not req/s | ratio | counted p99 ms | not p99 ms | counted alone |")
        print("| --- | --- | --- | --- | --- | --- | --- | --- |")
        with never as without, default as counting:
            for scenario in some:
                for clients in (1, parts.CLIENTS):
                    print(compare([without, counting], scenario, clients, effort), flush=True)


if __name__ == "__main__":
    main()
