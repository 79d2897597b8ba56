"""Where a load of a file is, kept in the database by the transaction that stores each batch.

What is stored of a file is always a front part of it, so that one place is enough to go on from, exact whatever was
killed and when. Only files of this machine have such places: other sources may give other documents the next time.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import orjson

from app import sql
from app.bulk.prepare import Outcome, Prepared
from app.bulk.readers import Entry
from app.bulk.readers.sources import Source
from app.bulk.report import Report, printable
from app.database.pool import Database, Transaction
from app.errors import SetupError
from app.sql.loading import Mode

_HEAD_BYTES = 1 << 16


@dataclass(slots=True)
class Place:
    """How far the load of a source has come: entries that are done, and documents of the next one, which is a list.

    Without a digest the source has no places to go on from, and nothing is kept.
    """

    location: str
    mode: Mode
    digest: bytes | None = None
    entries: int = 0
    documents: int = 0
    finished: bool = False

    @classmethod
    def at_the_start(cls, source: Source, mode: Mode) -> "Place":
        if not source.is_stable():
            return cls(printable(source.name), mode)
        path = Path(source.location).absolute()
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            head = file.read(_HEAD_BYTES)
        # Read in another form, the same file is parted into other entries.
        said = orjson.dumps([os.fsencode(path).hex(), found.st_size, found.st_mtime_ns, source.format])
        return cls(printable(str(path)), mode, blake2b(said + head, digest_size=16).digest())

    def rest(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        return islice(entries, self.entries, None)

    def walk(self, prepared: Prepared) -> Iterator[Outcome]:
        """The outcomes that are not done; the place moves behind each one when the next is asked for."""
        for outcomes in prepared:
            for outcome in outcomes[self.documents :]:
                yield outcome
                self.documents += 1
            self.entries, self.documents = self.entries + 1, 0

    def following(self) -> "Place":
        """Behind the document that the walk is at."""
        return replace(self, documents=self.documents + 1)

    async def keep(self, transaction: Transaction, report: Report) -> None:
        if self.digest is not None:
            said = orjson.dumps(asdict(report))
            point = (self.entries, self.documents)
            await transaction.execute(
                sql.loads.mark((self.digest, self.location, self.mode), point, self.finished, said)
            )


async def go_on(database: Database, places: Sequence[Place], report: Report) -> None:
    """Moves the places, and the report, to where the load was interrupted. Raises SetupError where there is none."""
    for place in places:
        if place.digest is None:
            raise SetupError(
                f"a load of {place.location} cannot go on where it was: only files can, because other sources may give"
                " other documents the next time; load it again with --mode upsert"
            )
    digests = [place.digest for place in places if place.digest is not None]
    rows = await database.fetch(sql.loads.find(digests, [place.location for place in places]))
    found = {row["digest"]: row for row in rows}
    for place in places:
        row = found.get(place.digest)
        if row is None and any(other["location"] == place.location for other in rows):
            raise SetupError(
                f"{place.location} has changed since its load was interrupted, or is read in another --format: go on"
                " with that, or load it with --mode upsert"
            )
        if row is not None and row["mode"] != place.mode:
            raise SetupError(f"the load of {place.location} was begun with --mode {row['mode']}: go on with that")
        if row is not None:
            place.entries, place.documents, place.finished = row["entries"], row["documents"], row["finished"]
    last = [row for row in rows if row["digest"] in {place.digest for place in places}]
    if not last:
        raise SetupError("there is no interrupted load of this to go on with: load it without --resume")
    report.take(orjson.loads(last[-1]["report"]))


async def begin(database: Database, places: Sequence[Place], report: Report) -> None:
    """Anew, whatever was interrupted before; from here on there is something to go on with."""
    async with database.transaction() as transaction:
        await transaction.execute(sql.loads.forget([place.location for place in places]))
        for place in places:
            await place.keep(transaction, report)


async def forget(database: Database, places: Sequence[Place]) -> None:
    """Behind a load that is complete."""
    await database.execute(sql.loads.forget([place.location for place in places]))
