"""CPU time of a request, of the service and of PostgreSQL: Upesi and the sketch in turn.

    python -m benchmarks.cpu --items 20000

On a busy machine requests take longer, and cost the same: these figures can be compared where rates can not. What is
measured is the four requests of the part `limit`, and the landing page, which asks nothing of the database.
"""

import argparse
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import psutil

from benchmarks import catalogue, parts, requests, services, wrk
from benchmarks.requests import Request, Scenario
from benchmarks.services import SKETCH, Service, cpu_seconds

CLIENTS = 4

HEAD = """| request | Upesi µs | PostgreSQL µs | sketch µs | PostgreSQL µs | sketch to Upesi |
| --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Spent:
    """Microseconds of CPU time a request."""

    service: float
    database: float

    @property
    def both(self) -> float:
        return self.service + self.database


def spent(service: Service, database: psutil.Process, scenario: Scenario, seconds: int) -> Spent:
    with wrk.script(scenario) as script:
        processes = psutil.Process(service.pid), database
        before = [cpu_seconds(process) for process in processes]
        answered = wrk.run(service, script, CLIENTS, seconds).answered
        return Spent(*(1e6 * (cpu_seconds(p) - b) / answered for p, b in zip(processes, before, strict=True)))


def rows(
    asked: Sequence[Service], database: psutil.Process, scenarios: Sequence[Scenario], effort: parts.Effort
) -> Iterator[str]:
    for scenario in scenarios:
        able = [service for service in asked if scenario.kind not in service.lacks]
        rounds = [
            {service.name: spent(service, database, scenario, effort.seconds) for service in able}
            for _ in range(effort.rounds)
        ]
        cells = [scenario.name]
        for service in able:
            cells += [
                f"{statistics.median(each[service.name].service for each in rounds):.0f}",
                f"{statistics.median(each[service.name].database for each in rounds):.0f}",
            ]
        ratios = [each[SKETCH].both / each[able[0].name].both for each in rounds if SKETCH in each]
        cells += [f"{statistics.median(ratios):.2f}"] if ratios else ["", "", ""]
        yield f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    effort = parts.Effort(arguments.seconds, arguments.rounds)
    with (
        parts.stage(catalogue.made_up(arguments.items), None, effort) as stage,
        services.upesi(stage.url) as ours,
        services.sketch(stage.url) as bare,
    ):
        landing = Scenario("landing page", [Request("/")], "landing")
        scenarios = [*requests.limits(stage.written), landing]
        print(HEAD)
        for row in rows([ours, bare], services.server(stage.url), scenarios, effort):
            print(row, flush=True)


if __name__ == "__main__":
    main()
