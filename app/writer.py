"""Items put in place, each compressed with the newest dictionary of its collection. Loads and transactions share it."""

from collections import OrderedDict, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from time import monotonic
from typing import NamedTuple

from asyncpg import Record

from app import sql
from app.database import content as contents
from app.database.content import Encoder
from app.database.pool import Database, Transaction
from app.errors import Unavailable
from app.sql.loading import Mode, Row
from app.sql.queryables import Statistics
from app.stac import statistics
from app.stac.item import CheckedItem
from app.stac.statistics import Statistic

# An encoder takes a megabyte or two. Who writes into more collections than this at once reads dictionaries again.
_KEPT = 64
# Of properties of a collection, and for how many seconds.
_NAMES, _REMEMBERED = 300, 60


class PackedItem(NamedTuple):
    """An item whose text is compressed already, so that it can come from another process at little cost."""

    collection: str
    id: str
    # In the order of sql.loading.COLUMNS.
    row: Row

    dictionary: int | None
    # Of the dictionary.
    mark: bytes | None

    @property
    def size(self) -> int:
        return sum(len(value) for value in self.row if isinstance(value, bytes))


@dataclass(frozen=True, slots=True)
class Packer:
    """The collection's key, and the dictionary its items are compressed with: its key and its bytes. And whether the
    box around its items is in two parts, as far as is known."""

    collection: int
    dictionary: int | None
    content: bytes | None
    parted: bool = False

    @property
    def mark(self) -> bytes | None:
        """A server that has lost a dictionary gives its key to another, and this tells them apart."""
        return None if self.content is None else contents.mark(self.content)

    def pack(self, item: CheckedItem) -> PackedItem:
        content = _encoder(self.content).encode(item.content)
        times = (item.instant, item.start, item.end)
        row = (item.id, self.collection, item.geometry, item.cell, *times, item.properties, content, self.dictionary)
        return PackedItem(item.collection, item.id, row, self.dictionary, self.mark)


@lru_cache(_KEPT)
def _encoder(dictionary: bytes | None) -> Encoder:
    return Encoder(dictionary)


class _Known:
    """Statistics of what was stored lately, for good, in collections by their keys: what these hold for widens nothing.

    For a minute: a replica that becomes the primary may not know of the last changes, and is told of them again.
    """

    def __init__(self) -> None:
        self._found: OrderedDict[int, dict[str, Statistic]] = OrderedDict()
        self._since = monotonic()

    def hold(self, collection: int, properties: bytes) -> bool:
        if monotonic() - self._since > _REMEMBERED:
            self._found.clear()
            self._since = monotonic()
        return statistics.hold(self._found.get(collection, {}), properties)

    def add(self, found: Statistics) -> None:
        for collection, each in found.items():
            joined = statistics.joined(self._found.pop(collection, {}), each)
            if len(joined) <= _NAMES:
                self._found[collection] = joined
        while len(self._found) > _KEPT:
            self._found.popitem(last=False)


class Writer:
    """Knows the newest dictionaries of the collections written last, as far as it has been told."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._packers: OrderedDict[str, Packer] = OrderedDict()
        self._known = _Known()

    def newest(self, amount: int) -> dict[str, Packer]:
        """Of the collections that were written last, those that have a dictionary."""
        names = [name for name, packer in self._packers.items() if packer.dictionary is not None]
        return {name: self._packers[name] for name in names[-amount:]}

    async def insert(self, item: CheckedItem) -> bool | None:
        """One item in one statement: whether it is new; None where its collection does not exist."""
        packer = self._packers.get(item.collection)
        if packer is None:
            packer = (await self._read([item.collection], None)).get(item.collection)
        if packer is None:
            return None
        known = self._known.hold(packer.collection, item.properties)
        found = {} if known else {packer.collection: statistics.of_properties([item.properties])}
        parted = packer.parted or item.is_parted
        packed = packer.pack(item)
        stored = await self._database.fetch(
            sql.loading.insert(item.collection, packed.row, packed.mark, found, parted=parted)
        )
        if not stored:
            # It is there already; or the dictionary is gone, dropped by `upesi compact`; or the collection, which may
            # have been made again since, with another key; or its envelope has two parts by now.
            newest = (await self._read([item.collection], None)).get(item.collection)
            if newest is None:
                self._packers.pop(item.collection, None)
                return None
            return await self.insert(item) if newest != packer else False
        if stored:
            self._known.add(found)
        self._forget_outdated({item.collection: packer}, stored)
        return bool(stored)

    async def put(
        self, transaction: Transaction, items: Sequence[CheckedItem | PackedItem], keys: Mapping[str, int], mode: Mode
    ) -> list[Record]:
        """The rows of the items that were written: collection (its key), id and new. The transaction has locked the
        collections against being deleted; `keys` are theirs.

        Raises Unavailable where the dictionary of a packed item was dropped in the meantime.
        """
        if not items:
            return []
        packers = await self._of(transaction, items, keys)
        packed = [packers[item.collection].pack(item) if isinstance(item, CheckedItem) else item for item in items]
        if mode == "upsert":
            packed = await self._without_the_same(transaction, packed)
        if not packed:
            return []
        stored = await transaction.fetch(sql.loading.store([item.row for item in packed], mode))
        self._forget_outdated(packers, stored)
        return stored

    async def _of(
        self, transaction: Transaction, items: Sequence[CheckedItem | PackedItem], keys: Mapping[str, int]
    ) -> dict[str, Packer]:
        """The packers of the items' collections; the first batch large enough trains a dictionary."""
        grouped: defaultdict[str, list[bytes]] = defaultdict(list)
        for item in items:
            texts = grouped[item.collection]
            if isinstance(item, CheckedItem):
                texts.append(item.content)
        packers = await self._held(transaction, items, keys)
        for name in packers.keys() & self._packers.keys():
            self._packers.move_to_end(name)
        missing = [name for name in grouped if name not in packers]
        if missing:
            packers |= await self._read(missing, transaction)
        for name, texts in grouped.items():
            if packers[name].dictionary is None and (trained := contents.train(texts)) is not None:
                # Not remembered, but read when it is there: if the transaction fails, there is no such dictionary.
                self._packers.pop(name, None)
                (row,) = await transaction.fetch(sql.loading.add_dictionary(keys[name], trained))
                packers[name] = Packer(keys[name], row["key"], trained)
        return packers

    async def _held(
        self, transaction: Transaction, items: Sequence[CheckedItem | PackedItem], keys: Mapping[str, int]
    ) -> dict[str, Packer]:
        """The packers that are known of the items' collections and can be used: `upesi compact` drops dictionaries, but
        none that are held. Raises Unavailable where a packed item has one that is gone."""
        known = {name: self._packers[name] for name in {item.collection for item in items} & self._packers.keys()}
        packed = [item for item in items if isinstance(item, PackedItem) and item.dictionary is not None]
        used = {packer.dictionary for packer in known.values()} | {item.dictionary for item in packed}
        rows = await transaction.fetch(sql.loading.hold_dictionaries(sorted(key for key in used if key is not None)))
        held = {row["key"]: (row["collection"], row["mark"]) for row in rows}
        for item in packed:
            if held.get(item.dictionary) != (keys[item.collection], item.mark):
                raise Unavailable(
                    f"the dictionary of collection {item.collection!r} was dropped while items of it were on their way"
                )
        return {
            name: packer
            for name, packer in known.items()
            if packer.collection == keys[name]
            and (packer.dictionary is None or held.get(packer.dictionary) == (packer.collection, packer.mark))
        }

    async def _without_the_same(self, transaction: Transaction, packed: list[PackedItem]) -> list[PackedItem]:
        """Without those that are there with the same text under another dictionary: the statement compares what is
        compressed with the same one only."""
        rows = await transaction.fetch(sql.loading.otherwise_compressed([item.row for item in packed]))
        if not rows:
            return packed
        texts = await self._database.decoded(rows, transaction)
        found = {(row["id"], row["collection"]): text for row, text in zip(rows, texts, strict=True)}
        given = [dict(zip(sql.loading.COLUMNS, item.row, strict=True)) for item in packed if item.row[:2] in found]
        texts = await self._database.decoded(given, transaction)
        brought = {(row["id"], row["collection"]): text for row, text in zip(given, texts, strict=True)}
        same = {key for key, text in brought.items() if text == found[key]}
        return [item for item in packed if item.row[:2] not in same]

    async def _read(self, collections: list[str], transaction: Transaction | None) -> dict[str, Packer]:
        rows = await (transaction or self._database).fetch(sql.loading.newest_dictionaries(collections))
        found = {row["id"]: Packer(row["key"], row["dictionary"], row["content"], row["parted"]) for row in rows}
        self._packers |= found
        while len(self._packers) > _KEPT:
            self._packers.popitem(last=False)
        return found

    def _forget_outdated(self, packers: Mapping[str, Packer], stored: Sequence[Record]) -> None:
        newest = {row["collection"]: row["newest"] for row in stored}
        for name, packer in packers.items():
            if newest.get(packer.collection, packer.dictionary) != packer.dictionary:
                self._packers.pop(name, None)
