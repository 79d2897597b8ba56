"""From documents to rows: checked, compressed, and stored a batch at a time, whole or not at all."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Literal

from app import sql
from app.bulk.readers import Entry
from app.database.pool import Database, Transaction
from app.errors import InvalidDocument
from app.sql.loading import Mode
from app.stac.collection import CheckedCollection, check_collection
from app.stac.item import CheckedItem, check_item
from app.stac.validation import CORE, Rules
from app.writer import Writer

OnError = Literal["stop", "skip"]

_BATCH_ITEMS = 1000
_BATCH_BYTES = 32 << 20


@dataclass(slots=True)
class Report:
    """What became of the documents."""

    collections: int = 0
    items: int = 0
    replaced: int = 0
    unchanged: int = 0
    refused: int = 0


class Stopped(Exception):
    """A document was refused, and the load was asked to stop there."""


@dataclass(slots=True)
class _Batch:
    """Items that are stored together, each with its place. Of two with one id the later one counts when upserting."""

    items: dict[tuple[str, str], tuple[str, CheckedItem]] = field(default_factory=dict)
    size: int = 0

    def full(self) -> bool:
        return len(self.items) >= _BATCH_ITEMS or self.size >= _BATCH_BYTES


class Loader:
    """Stores documents, and tells `refuse` of each one that it does not store where it was and why."""

    def __init__(
        self,
        database: Database,
        mode: Mode,
        on_error: OnError,
        refuse: Callable[[str, str], None],
        rules: Rules = CORE,
    ) -> None:
        self._database = database
        self._writer = Writer(database)
        self._mode = mode
        self._on_error = on_error
        self._tell_refused = refuse
        self._rules = rules
        self._batch = _Batch()
        self.report = Report()

    async def load(self, entries: Iterable[Entry]) -> None:
        """Raises Stopped at the first refusal, unless told to skip: then its batch is not stored."""
        for entry in entries:
            try:
                await self._take(entry)
            except InvalidDocument as error:
                self._refuse(entry.place, str(error))
            if self._batch.full():
                await self._store()
        await self._store()

    async def finish(self) -> None:
        await self._database.execute(sql.loading.analyze())

    async def _take(self, entry: Entry) -> None:
        if entry.fault is not None:
            raise InvalidDocument(entry.fault)
        match entry.document:
            case {"type": "Feature"}:
                self._take_item(entry.place, check_item(entry.document, self._rules))
            case {"type": "Collection"}:
                # Items in front of it do not wait for it, and those behind it find it.
                await self._store()
                await self._store_collection(check_collection(entry.document, self._rules))
            case _:
                raise InvalidDocument("is neither an Item (type Feature) nor a Collection")

    def _take_item(self, place: str, item: CheckedItem) -> None:
        key = (item.collection, item.id)
        if key in self._batch.items and self._mode == "insert":
            raise InvalidDocument(_exists(item))
        self._batch.items[key] = (place, item)
        self._batch.size += len(item.content)

    def _refuse(self, place: str, reason: str) -> None:
        self.report.refused += 1
        self._tell_refused(place, reason)
        if self._on_error == "stop":
            raise Stopped

    async def _store_collection(self, collection: CheckedCollection) -> None:
        rows = await self._database.fetch(sql.loading.store_collection(collection, self._mode))
        if not rows and self._mode == "insert":
            raise InvalidDocument(f"collection {collection.id!r} exists already (--mode upsert replaces it)")
        self.report.collections += len(rows)

    async def _store(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if not batch.items:
            return
        async with self._database.transaction() as transaction:
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
        self.report.items += new
        self.report.replaced += len(stored) - new
        self.report.unchanged += len(left) if self._mode == "upsert" else 0

    async def _keys(self, transaction: Transaction, batch: _Batch) -> dict[str, int]:
        """The keys of the batch's collections; items of a collection that does not exist leave the batch."""
        rows = await transaction.fetch(sql.loading.keys(sorted({collection for collection, _ in batch.items})))
        keys = {row["id"]: row["key"] for row in rows}
        for key, (place, item) in list(batch.items.items()):
            if item.collection not in keys:
                del batch.items[key]
                self._refuse(place, f"collection {item.collection!r} does not exist: load it first")
        return keys


def _exists(item: CheckedItem) -> str:
    return f"item {item.id!r} exists already in collection {item.collection!r} (--mode upsert replaces it)"
