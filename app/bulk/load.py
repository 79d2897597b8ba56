"""From prepared documents to rows, a batch at a time, whole or not at all, in the order of the source."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from typing import Literal

from app import sql
from app.bulk.prepare import Outcome, Preparation
from app.bulk.readers import Entry
from app.bulk.report import Report
from app.bulk.resume import Place
from app.database.pool import Database, Transaction
from app.errors import InvalidDocument
from app.sql.loading import Mode
from app.stac.collection import CheckedCollection
from app.stac.item import CheckedItem
from app.writer import PackedItem, Packer, Writer

OnError = Literal["stop", "skip"]

_BATCH_ITEMS = 1000
_BATCH_BYTES = 32 << 20
# Dictionaries that go out with each chunk, 110 kB each.
_SENT = 8

_Item = CheckedItem | PackedItem


class Stopped(Exception):
    """A document was refused, and the load was asked to stop there."""


@dataclass(slots=True)
class _Batch:
    """Items that are stored together, each with its place. Of two with one id the later one counts when upserting."""

    items: dict[tuple[str, str], tuple[str, _Item]] = field(default_factory=dict)
    superseded: list[tuple[tuple[str, _Item], _Item]] = field(default_factory=list)
    size: int = 0

    def full(self) -> bool:
        return len(self.items) + len(self.superseded) >= _BATCH_ITEMS or self.size >= _BATCH_BYTES


class Loader:
    """Stores documents, and tells `refuse` of each one that it does not store where it was and why."""

    def __init__(
        self,
        database: Database,
        mode: Mode,
        on_error: OnError,
        refuse: Callable[[str, str], None],
        preparation: Preparation | None = None,
        report: Report | None = None,
    ) -> None:
        self._database = database
        self._writer = Writer(database)
        self._mode = mode
        self._on_error = on_error
        self._tell_refused = refuse
        self._preparation = preparation or Preparation()
        self._batch = _Batch()
        self._storing: asyncio.Task[None] | None = None
        self._brought: set[str] = set()
        self.report = report or Report()

    async def load(self, entries: Iterable[Entry], place: Place | None = None) -> None:
        """From the place on, which moves along and is kept with each batch.

        Raises Stopped at the first refusal, unless told to skip: then its batch is not stored.
        """
        place = place or Place("", self._mode)
        try:
            async with aclosing(self._preparation.prepared(place.rest(entries), self._packers)) as chunks:
                async for prepared in chunks:
                    for outcome in place.walk(prepared):
                        # The place is in front of this document here, and behind all that the batch holds.
                        if self._batch.full():
                            await self._store(place)
                        await self._take_or_refuse(outcome, place)
                    if self._batch.full():
                        await self._store(place)
            place.finished = True
            await self._store(place)
            await self._stored()
        finally:
            await self._give_up()

    async def finish(self) -> None:
        await self._database.execute(sql.loading.analyze())

    def _packers(self) -> dict[str, Packer]:
        return self._writer.newest(_SENT)

    async def _take_or_refuse(self, outcome: Outcome, place: Place) -> None:
        try:
            await self._take(outcome, place)
        except InvalidDocument as error:
            # What is in front of it in the source is told before.
            await self._stored()
            self._refuse(outcome.place, str(error))

    async def _take(self, outcome: Outcome, place: Place) -> None:
        match outcome.found:
            case CheckedCollection() as collection:
                # Items in front of it do not wait for it, and those behind it find it.
                await self._store(place)
                await self._stored()
                await self._store_collection(collection, place)
            case None:
                raise InvalidDocument(outcome.fault or "")
            case item:
                self._take_item(outcome.place, item)

    def _take_item(self, place: str, item: _Item) -> None:
        key = (item.collection, item.id)
        before = self._batch.items.get(key)
        if before is not None:
            if self._mode == "insert":
                raise InvalidDocument(_exists(item))
            self._batch.superseded.append((before, item))
        self._batch.items[key] = (place, item)
        self._batch.size += item.size

    def _refuse(self, place: str, reason: str) -> None:
        self.report.refused += 1
        self._tell_refused(place, reason)
        if self._on_error == "stop":
            raise Stopped

    async def _store_collection(self, collection: CheckedCollection, place: Place) -> None:
        async with self._database.transaction() as transaction:
            rows = await transaction.fetch(sql.loading.store_collection(collection, self._mode))
            after = replace(self.report, collections=self.report.collections + len(rows))
            if rows:
                await place.following().keep(transaction, after)
        if rows:
            self._brought.add(collection.id)
        elif self._mode == "insert" and not await self._has_brought(collection):
            raise InvalidDocument(f"collection {collection.id!r} exists already (--mode upsert replaces it)")
        self.report.collections = after.collections

    async def _has_brought(self, collection: CheckedCollection) -> bool:
        """Whether it is there from this load, just so: each file of several may have the collection of its items.

        Of a load that goes on it is not known which ones it brought before.
        """
        goes_on = self.report.collections > len(self._brought)
        if collection.id not in self._brought and not goes_on:
            return False
        return bool(await self._database.fetch(sql.loading.same_collection(collection)))

    async def _store(self, place: Place) -> None:
        """Begins with the batch when the one before it is stored; the next one is prepared meanwhile."""
        await self._stored()
        batch, self._batch = self._batch, _Batch()
        if batch.items or place.finished:
            self._storing = asyncio.create_task(self._store_batch(batch, replace(place)))

    async def _stored(self) -> None:
        storing, self._storing = self._storing, None
        if storing is not None:
            await storing

    async def _give_up(self) -> None:
        """What is not stored by now; nothing, unless the load was ended."""
        if self._storing is not None:
            self._storing.cancel()
            await asyncio.gather(self._storing, return_exceptions=True)

    async def _store_batch(self, batch: _Batch, place: Place) -> None:
        async with self._database.transaction() as transaction:
            after = await self._store_items(transaction, batch) if batch.items else self.report
            await place.keep(transaction, after)
        self.report.items, self.report.replaced, self.report.unchanged = after.items, after.replaced, after.unchanged

    async def _store_items(self, transaction: Transaction, batch: _Batch) -> Report:
        """What the report is if the transaction succeeds."""
        keys = await self._keys(transaction, batch)
        stored = await self._writer.put(transaction, [item for _, item in batch.items.values()], keys, self._mode)
        written = {(row["collection"], row["id"]) for row in stored}
        left = [
            (place, item) for place, item in batch.items.values() if (keys[item.collection], item.id) not in written
        ]
        if self._mode == "insert":
            for place, item in left:
                self._refuse(place, _exists(item))
        new = sum(row["new"] for row in stored)
        # Of two with one id in a batch only the later one is written, and both are counted.
        again = sum(before != later for (_, before), later in batch.superseded)
        return replace(
            self.report,
            items=self.report.items + new,
            replaced=self.report.replaced + len(stored) - new + again,
            unchanged=self.report.unchanged
            + (len(left) + len(batch.superseded) - again if self._mode == "upsert" else 0),
        )

    async def _keys(self, transaction: Transaction, batch: _Batch) -> dict[str, int]:
        """The keys of the batch's collections; items of a collection that does not exist leave the batch."""
        rows = await transaction.fetch(sql.loading.keys(sorted({collection for collection, _ in batch.items})))
        keys = {row["id"]: row["key"] for row in rows}
        missing = [(place, item) for place, item in batch.items.values() if item.collection not in keys]
        superseded, batch.superseded = batch.superseded, []
        for before, later in superseded:
            if later.collection in keys:
                batch.superseded.append((before, later))
            else:
                missing.append(before)
        for place, item in missing:
            batch.items.pop((item.collection, item.id), None)
            self._refuse(place, f"collection {item.collection!r} does not exist: load it first")
        return keys


def _exists(item: _Item) -> str:
    replacing = "load --mode upsert or ingest --replace replaces it"
    return f"item {item.id!r} exists already in collection {item.collection!r} ({replacing})"
