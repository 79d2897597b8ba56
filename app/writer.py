"""Items put in place, each compressed with the newest dictionary of its collection. Loads and transactions share it."""

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asyncpg import Record

from app import sql
from app.database import content as contents
from app.database.content import Encoder
from app.database.pool import Database, Transaction
from app.errors import Dangling
from app.sql.loading import Mode, Row
from app.stac.item import CheckedItem
from app.stac.statistics import Statistic, of_properties

# An encoder takes a megabyte or two. Who writes into more collections than this at once reads dictionaries again.
_KEPT = 64


@dataclass(frozen=True, slots=True)
class _Packer:
    """The collection's key, and how its items are compressed."""

    collection: int
    dictionary: int | None
    encoder: Encoder

    def row(self, item: CheckedItem) -> Row:
        """In the order of sql.loading.COLUMNS."""
        content = self.encoder.encode(item.content)
        times = (item.instant, item.start, item.end)
        return (item.id, self.collection, item.geometry, *times, item.properties, content, self.dictionary)


class Writer:
    """Knows the newest dictionaries of the collections written last, as far as it has been told."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._packers: OrderedDict[str, _Packer] = OrderedDict()

    async def insert(self, item: CheckedItem) -> bool | None:
        """One item in one statement: whether it is new; None where its collection does not exist."""
        packer = self._packers.get(item.collection)
        known = packer is not None
        if packer is None:
            packer = (await self._read([item.collection], None)).get(item.collection)
        if packer is None:
            return None
        try:
            statistics = _statistics([item], {item.collection: packer.collection})
            stored = await self._database.fetch(sql.loading.store([packer.row(item)], "insert", statistics))
        except Dangling:
            # It was deleted, and may have been made again since, with another key.
            self._packers.pop(item.collection, None)
            return await self.insert(item) if known else None
        self._forget_outdated({item.collection: packer}, stored)
        return bool(stored)

    async def put(
        self, transaction: Transaction, items: Sequence[CheckedItem], keys: Mapping[str, int], mode: Mode
    ) -> list[Record]:
        """The rows of the items that were written: collection (its key), id and new. The transaction has locked the
        collections against being deleted; `keys` are theirs."""
        if not items:
            return []
        packers = await self._of(transaction, items, keys)
        stored = await transaction.fetch(
            sql.loading.store([packers[item.collection].row(item) for item in items], mode, _statistics(items, keys))
        )
        self._forget_outdated(packers, stored)
        return stored

    async def _of(
        self, transaction: Transaction, items: Sequence[CheckedItem], keys: Mapping[str, int]
    ) -> dict[str, _Packer]:
        """The packers of the items' collections; the first batch large enough trains a dictionary."""
        grouped = defaultdict(list)
        for item in items:
            grouped[item.collection].append(item.content)
        packers = {}
        for name in grouped:
            packer = self._packers.get(name)
            if packer is not None and packer.collection == keys[name]:
                packers[name] = packer
        missing = [name for name in grouped if name not in packers]
        if missing:
            packers |= await self._read(missing, transaction)
        for name, texts in grouped.items():
            if packers[name].dictionary is None and (trained := contents.train(texts)) is not None:
                # Not remembered, but read when it is there: if the transaction fails, there is no such dictionary.
                self._packers.pop(name, None)
                (row,) = await transaction.fetch(sql.loading.add_dictionary(keys[name], trained))
                packers[name] = _Packer(keys[name], row["key"], Encoder(trained))
        return packers

    async def _read(self, collections: list[str], transaction: Transaction | None) -> dict[str, _Packer]:
        rows = await (transaction or self._database).fetch(sql.loading.newest_dictionaries(collections))
        found = {row["id"]: _Packer(row["key"], row["dictionary"], Encoder(row["content"])) for row in rows}
        self._packers |= found
        while len(self._packers) > _KEPT:
            self._packers.popitem(last=False)
        return found

    def _forget_outdated(self, packers: Mapping[str, _Packer], stored: Sequence[Record]) -> None:
        newest = {row["collection"]: row["newest"] for row in stored}
        for name, packer in packers.items():
            if newest.get(packer.collection, packer.dictionary) != packer.dictionary:
                self._packers.pop(name, None)


def _statistics(items: Sequence[CheckedItem], keys: Mapping[str, int]) -> dict[int, dict[str, Statistic]]:
    grouped = defaultdict(list)
    for item in items:
        grouped[keys[item.collection]].append(item.properties)
    return {collection: of_properties(properties) for collection, properties in grouped.items()}
