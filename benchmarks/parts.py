"""The parts of the benchmark: what is asked of whom, and which ratio is wanted."""

import http.client
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from benchmarks import catalogue, requests, services, wrk
from benchmarks.agreement import agree
from benchmarks.catalogue import CLOUD, Catalogue, Written
from benchmarks.peers import PGSTAC, Peers
from benchmarks.report import Part, Row, say
from benchmarks.requests import Request, Scenario
from benchmarks.services import UPESI, Service

CLIENTS = 16
_MANY_COLLECTIONS = 10_000


@dataclass(frozen=True)
class Effort:
    """How long each figure is measured, and how many pages a walk has."""

    seconds: int
    rounds: int
    pages: int = 50
    page_items: int = 100


@dataclass(frozen=True)
class Stage:
    """Two databases with the same catalogue. `loaded` is what it took to get there."""

    written: Written
    url: str
    peers: Peers | None
    effort: Effort
    loaded: list[Row] = field(default_factory=list)

    @contextmanager
    def playing(self, **settings: str) -> Iterator[list[Service]]:
        with ExitStack() as stack:
            found = [stack.enter_context(services.upesi(self.url, **settings))]
            if self.peers:
                found.append(stack.enter_context(self.peers.stac_fastapi()))
                found.append(stack.enter_context(self.peers.rustac()))
            yield found


@contextmanager
def stage(made: Catalogue, programs: Path | None, effort: Effort) -> Iterator[Stage]:
    """Write the catalogue and load it into each database; both are gone afterwards."""
    with ExitStack() as stack:
        folder = stack.enter_context(services.folder())
        url = stack.enter_context(services.database(folder / "data"))
        say("Writing the items …")
        written = catalogue.write(made, folder)
        found = Peers.beside(url, programs) if programs else None
        yield Stage(written, url, found, effort, _load(written, url, found))


def _load(written: Written, url: str, found: Peers | None) -> list[Row]:
    say("Loading them …")
    environment = {"UPESI_DATABASE_URL": url}
    services.cost([services.UPESI_COMMAND, "load", written.collections], environment)
    spent = {UPESI: services.cost([services.UPESI_COMMAND, "load", written.items], environment)}
    urls = {UPESI: url}
    if found:
        spent[PGSTAC], urls[PGSTAC] = found.load(written), found.url
    sizes = {name: services.tidied_size(place) / 1e6 for name, place in urls.items()}
    return [
        Row("bulk load", "items/s", {name: [written.count / it.seconds] for name, it in spent.items()}, 5),
        Row("database after the load", "MB", {name: [size] for name, size in sizes.items()}, 0.6),
        Row("memory of the load at its peak", "MB", {name: [it.megabytes] for name, it in spent.items()}),
    ]


def load(stage: Stage) -> Part:
    return Part("load", "Bulk load", stage.loaded)


def search(stage: Stage) -> Part:
    """Then with an index on cloud cover in each database, which services notice when they start."""
    with stage.playing() as playing:
        asked = [*requests.searches(stage.written), requests.sorts(stage.written, indexed=False)]
        rows = [row for scenario in asked for row in _compared(playing, scenario, stage.effort, (20, 0.1))]
        rows += _pages(playing, stage)
    subprocess.run(
        [str(services.UPESI_COMMAND), "index", "add", CLOUD],
        env={**os.environ, "UPESI_DATABASE_URL": stage.url},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    if stage.peers:
        stage.peers.index_cloud_cover()
    with stage.playing() as playing:
        rows += _compared(playing, requests.sorts(stage.written, indexed=True), stage.effort, (20, 0.1))
    return Part("search", "Searches, 16 clients", rows)


def _pages(playing: Sequence[Service], stage: Stage) -> list[Row]:
    """Of 100 large items: what compression costs, and what memory all searches until then have taken."""
    plain, gzip = (_compared(playing, scenario, stage.effort, (20, 0.1)) for scenario in requests.pages(stage.written))
    kept = {
        service: [one / other for one, other in zip(rates, plain[0].rounds[service], strict=True)]
        for service, rates in gzip[0].rounds.items()
    }
    memory = {service.name: [service.megabytes()] for service in playing}
    return [*plain, *gzip, Row("of that, with gzip", "share", kept), Row("memory of a worker after it", "MB", memory)]


def reads(stage: Stage) -> Part:
    bars = {"item": 10.0, "collections": 5.0, "landing": 2.0}
    with stage.playing() as playing:
        rows = [
            row
            for scenario in requests.reads(stage.written)
            for row in _compared(playing, scenario, stage.effort, (bars[scenario.kind], None))
        ]
    return Part("reads", "Items, collections, landing page, 16 clients", rows)


def limit(stage: Stage) -> Part:
    """Against what Python and PostGIS can do at all: no bar, a distance."""
    with services.upesi(stage.url) as ours, services.sketch(stage.url) as bare:
        rows = [
            row
            for scenario in requests.limits(stage.written)
            for row in _compared([ours, bare], scenario, stage.effort, (None, None))
        ]
    return Part("limit", "Against the bare sketch, 16 clients", rows)


def writes(stage: Stage) -> Part:
    single, hundred = requests.posts(stage.written.catalogue.large, catalogue.first_items(stage.written, 50))
    rows = []
    with stage.playing(UPESI_WRITES="open") as playing:
        able = [service for service in playing if "write" not in service.lacks]
        for post, clients, bar in ((single, 1, 10), (single, CLIENTS, 10), (hundred, 1, 20)):
            say(f"  {post.name}, {clients} at once")
            measured: dict[str, list[wrk.Measured]] = {service.name: [] for service in able}
            for number in range(stage.effort.rounds):
                for service in able:
                    with wrk.writing(post, f"posted-{post.items}-{clients}-{number}-") as script:
                        measured[service.name].append(wrk.run(service, script, clients, stage.effort.seconds))
            _all_answered(post.name, measured[UPESI])
            rows += _rows(f"{post.name}, {clients} client{'s' * (clients > 1)}", measured, (bar, None))
    return Part("writes", "Writes", rows)


def collections(stage: Stage) -> Part:
    """Many of them, beside those with items."""
    with services.folder() as folder:
        file = folder / "collections.ndjson"
        made = catalogue.many_collections(stage.written.catalogue, _MANY_COLLECTIONS)
        file.write_text("".join(f"{json.dumps(each)}\n" for each in made))
        services.cost([services.UPESI_COMMAND, "load", file], {"UPESI_DATABASE_URL": stage.url})
        if stage.peers:
            stage.peers.load_collections(file)
    with stage.playing() as playing:
        rows = _compared(playing, requests.many_collections(_MANY_COLLECTIONS), stage.effort, (5, None))
        rows += _compared(playing, requests.default(), stage.effort, (20, 0.1))
    return Part("collections", f"{_MANY_COLLECTIONS:,} collections, 16 clients", rows)


def walk(stage: Stage) -> Part:
    """Page after page as a client follows the links, one client; the time of each page, read to its end."""
    request = requests.walk(stage.written, stage.effort.page_items)
    rounds: dict[str, list[list[float]]] = {}
    with stage.playing() as playing:
        for _ in range(stage.effort.rounds):
            walked = {service.name: _walked(service, request, stage.effort.pages) for service in playing}
            if len({tuple(ids) for _, ids in walked.values()}) > 1:
                raise SystemExit("walk: the services do not give the same items in the same order")
            for name, (took, _) in walked.items():
                rounds.setdefault(name, []).append(took)
    tenth = max(stage.effort.pages // 10, 1)
    rows = []
    for name, part in (("first tenth", slice(tenth)), ("last tenth", slice(-tenth, None))):
        figures = {service: [_mean(took[part]) for took in all_] for service, all_ in rounds.items()}
        rows.append(Row(f"a page of {stage.effort.page_items}, {name}", "ms", figures))
    lines = {service: [_mean(page) for page in zip(*all_, strict=True)] for service, all_ in rounds.items()}
    return Part("walk", f"A walk of {stage.effort.pages} pages, one client", rows, lines)


def _walked(service: Service, request: Request, pages: int) -> tuple[list[float], list[str]]:
    """Milliseconds of each page, and the ids in groups of one instant, sorted within each."""
    connection = http.client.HTTPConnection(urlsplit(service.base).netloc, timeout=60)
    method, url, body = "POST", request.path, request.body
    took: list[float] = []
    found: list[tuple[str, str]] = []
    for _ in range(pages):
        started = time.perf_counter()
        connection.request(
            method, url, None if body is None else json.dumps(body), {"Content-Type": "application/json"}
        )
        document: dict[str, Any] = json.loads(_read(connection, started, took))
        found += [(feature["properties"]["datetime"] or "", feature["id"]) for feature in document["features"]]
        following = [link for link in document["links"] if link["rel"] == "next"]
        if not following:
            break
        (link,) = following
        method, body = link.get("method", "GET"), link.get("body")
        url = link["href"].removeprefix(service.base)
    connection.close()
    # The last instant may go on behind the last page, with other items for other services.
    last = found[-1][0] if found else ""
    return took, [id for instant, id in sorted(found, reverse=True) if instant != last]


def _read(connection: http.client.HTTPConnection, started: float, took: list[float]) -> bytes:
    response = connection.getresponse()
    content = response.read()
    took.append((time.perf_counter() - started) * 1000)
    if response.status != 200:
        raise SystemExit(f"a page of the walk was answered with {response.status}: {content[:500]!r}")
    return content


def _mean(figures: Sequence[float]) -> float:
    return sum(figures) / len(figures)


def _compared(
    playing: Sequence[Service], scenario: Scenario, effort: Effort, bars: tuple[float | None, float | None]
) -> list[Row]:
    """The answers compared, then each service in turn, as often as there are rounds."""
    say(f"  {scenario.name}")
    able = [service for service in playing if scenario.kind not in service.lacks]
    agree(able, scenario)
    measured = timed(able, scenario, CLIENTS, effort)
    if not scenario.unbounded:
        _all_answered(scenario.name, measured[UPESI])
    return _rows(scenario.name, measured, bars)


def _all_answered(name: str, runs: Sequence[wrk.Measured]) -> None:
    if lost := sum(run.failed for run in runs):
        raise SystemExit(f"{name}: {lost} requests to Upesi failed")


def timed(asked: Sequence[Service], scenario: Scenario, clients: int, effort: Effort) -> dict[str, list[wrk.Measured]]:
    measured: dict[str, list[wrk.Measured]] = {service.name: [] for service in asked}
    with wrk.script(scenario) as script:
        for _ in range(effort.rounds):
            for service in asked:
                measured[service.name].append(wrk.run(service, script, clients, effort.seconds))
    return measured


def _rows(name: str, measured: dict[str, list[wrk.Measured]], bars: tuple[float | None, float | None]) -> list[Row]:
    failed = {service: lost for service, runs in measured.items() if (lost := sum(run.failed for run in runs))}
    rates = {service: [run.rate for run in runs] for service, runs in measured.items()}
    slowest = {service: [run.p99 for run in runs] for service, runs in measured.items()}
    return [Row(name, "req/s", rates, bars[0], failed), Row(name, "p99 ms", slowest, bars[1])]


PARTS: dict[str, Callable[[Stage], Part]] = {
    "load": load,
    "search": search,
    "reads": reads,
    "walk": walk,
    "limit": limit,
    "collections": collections,
    "writes": writes,
}


def versions(stage: Stage) -> list[str]:
    """Of all that takes part."""
    return [*services.versions(stage.url), wrk.check(), *(stage.peers.versions() if stage.peers else ())]
