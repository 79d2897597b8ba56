"""A whole load: its sources in turn, where it goes on from, and what is told of it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from app.bulk.load import Loader, OnError, Stopped
from app.bulk.prepare import Preparation
from app.bulk.readers import Entry
from app.bulk.readers.sources import Opener, Source
from app.bulk.readers.web import Web, is_url
from app.bulk.report import Told
from app.bulk.resume import Place, begin, forget, go_on
from app.database.pool import Database
from app.sql.loading import Mode
from app.stac.validation import CORE, Rules


class Watcher(Protocol):
    """Who looks on while a load runs."""

    def opened(self, location: str) -> Opener: ...

    def refused(self, place: str, reason: str) -> None: ...

    def said(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be loaded, and how. `processes` prepare documents; one is this process alone."""

    sources: Sequence[Source]
    mode: Mode = "insert"
    on_error: OnError = "stop"
    resume: bool = False
    processes: int = 1
    rules: Rules = CORE


async def run(database: Database, job: Job, told: Told, watcher: Watcher) -> None:
    """`told` has the outcome and the counts, however this ends. Raises SetupError, UpesiError."""

    def refuse(place: str, reason: str) -> None:
        told.refuse(place, reason)
        watcher.refused(place, reason)

    places = [Place.at_the_start(source, job.mode) for source in job.sources]
    with Preparation(job.rules, job.processes) as preparation, Web() as web:
        loader = Loader(database, job.mode, job.on_error, refuse, preparation, told.report)
        if job.resume:
            await go_on(database, places, told.report)
            told.before = told.report.stored
            watcher.said(f"Going on behind {told.before:,} items that are stored.")
        else:
            await begin(database, places, told.report)
        try:
            for source, place in zip(job.sources, places, strict=True):
                if not place.finished:
                    found = source.entries(web, watcher.opened(source.name))
                    await loader.load(_in_source(source.name, found) if len(places) > 1 else found, place)
        except Stopped:
            told.outcome = "stopped"
        else:
            await forget(database, places)
            told.outcome = "complete"
        await loader.finish()


def _in_source(name: str, found: Iterable[Entry]) -> Iterator[Entry]:
    """A place that is a URL, or a path below the source, says enough."""
    for entry in found:
        says_enough = is_url(entry.place) or entry.place.startswith(name)
        yield entry if says_enough else replace(entry, place=f"{name}, {entry.place}")
