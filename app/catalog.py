"""The questions one can ask of a catalogue, without HTTP."""

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import chain
from typing import Any, TypeVar

import orjson
from asyncpg import Record

from app import sql
from app.counting import Counter
from app.database.connections import Listener, Manner
from app.database.pool import Database, Reads
from app.errors import InvalidRequest, NotFound, TimedOut
from app.indexing import KnownIndexes
from app.settings import Settings
from app.stac import buckets, extent, naming
from app.stac.access import EVERYTHING, Rights, Visible
from app.stac.aggregation import Aggregate
from app.stac.collection_search import CollectionSearch
from app.stac.paging import Position, Seek
from app.stac.search import Search
from app.stac.statistics import TEXTS_AT_MOST, Statistic, Type
from app.stopwatch import Stopwatch
from app.visibility import Privacy

Asked = TypeVar("Asked", Search, CollectionSearch)


@dataclass(frozen=True, slots=True)
class StoredItem:
    """`content` is the item's text, links last, without the links the server owns."""

    collection: str
    id: str
    content: bytes


@dataclass(frozen=True, slots=True)
class StoredCollection:
    """`content` is the collection's text without extent, links last; `extent` is JSON too."""

    id: str
    content: bytes
    extent: bytes

    def document(self) -> bytes:
        """The whole of it, without the links the server owns."""
        return self.content[:-1] + b',"extent":' + self.extent + b"}"


@dataclass(frozen=True, slots=True)
class ItemPage:
    """`matched` is how many items all pages of the search have, where that is known."""

    items: list[StoredItem]
    next: Seek | None
    previous: Seek | None
    matched: int | None = None


@dataclass(frozen=True, slots=True)
class CollectionPage:
    """`matched` is how many there are on all pages; None where only a page with something on it could tell."""

    collections: list[StoredCollection]
    next: Seek | None
    previous: Seek | None
    matched: int | None


@dataclass(frozen=True, slots=True)
class Catalog:
    """As one caller sees it: an operator unless `rights` say another."""

    database: Database
    default_limit: int
    max_limit: int
    indexes: KnownIndexes = field(default_factory=KnownIndexes)
    validate_queryables: bool = False
    counter: Counter = field(default_factory=Counter)
    privacy: Privacy = field(default_factory=Privacy)
    rights: Rights = EVERYTHING

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings, url: str, listener: Listener | None = None) -> AsyncIterator["Catalog"]:
        reads = Reads(settings.read_database_urls, settings.read_lag) if settings.read_database_urls else None
        manner = Manner(settings.prepared_statements, listener, settings.stop_timeout)
        async with Database.opened(url, settings.pool_size, settings.query_timeout, reads, manner) as database:
            catalog = cls(
                database,
                settings.default_limit,
                settings.max_limit,
                validate_queryables=settings.validate_queryables,
                counter=Counter(settings.count_limit, settings.count_wait),
            )
            async with catalog.indexes.followed(database), catalog.privacy.followed(database):
                yield catalog

    def since(self, position: int) -> "Catalog":
        """The same catalogue, no older than `position`, which `Database.position` has told."""
        return replace(self, database=self.database.since(position))

    def seen_by(self, rights: Rights) -> "Catalog":
        return replace(self, rights=rights)

    @property
    def visible(self) -> Visible:
        """Asked for with each question: what is private may change while a stream is read."""
        return self.rights.visible if self.privacy.some else None

    async def search(self, search: Search, watch: Stopwatch, within: str | None = None) -> ItemPage:
        """One page, newest item first. `within` is the collection whose queryables the search may name."""
        search = self._seen(search)
        if self.validate_queryables:
            await self._check_names(search, within)
        with self.counter.answering():
            page = await self._page(search, watch)
            if search.seek is not None:
                return page
            if page.next is None:
                return replace(page, matched=len(page.items))
            matched = await self.counter.count(self.database, search)
            watch.lap("count")
            return replace(page, matched=matched)

    async def _page(self, search: Search, watch: Stopwatch) -> ItemPage:
        limit = self._limit(search.limit)
        known = self.indexes.properties
        query = sql.items.page(search, limit + 1, known, self.indexes.large)
        watch.way = sql.items.way(search, known)
        watch.lap("sql")
        try:
            rows = await self.database.read(query)
        except TimedOut as error:
            raise TimedOut(error.description + sql.indexed.advice(search, known)) from None
        watch.lap("db")
        kept = _in_order(rows[:limit], search.seek)
        contents = await self.database.decoded(kept)
        items = [
            StoredItem(row["collection_id"], row["id"], content) for row, content in zip(kept, contents, strict=True)
        ]
        return ItemPage(items, *_neighbours(search.seek, kept, more=len(rows) > limit))

    async def items(self, collection: str, search: Search, watch: Stopwatch) -> ItemPage:
        """One page of a collection's items. Raises NotFound for a collection that does not exist."""
        page = await self.search(search, watch, collection)
        # A page with items on it proves the collection; only an empty one has to ask.
        if not page.items:
            await self.demand(collection)
        return page

    async def aggregate(self, asked: Aggregate, watch: Stopwatch) -> list[dict[str, Any]]:
        """The aggregations, as they are served."""
        asked = replace(asked, search=self._seen(asked.search))
        kinds = {aggregation.kind for aggregation in asked.aggregations}
        if not kinds:
            return []
        if kinds <= {"earliest", "latest"}:
            (bounds,) = await self.database.read(sql.aggregations.extremes(asked.search))
            watch.lap("db")
            return buckets.aggregated(asked, 0, (bounds["earliest"], bounds["latest"]), ())
        query = sql.aggregations.counted(asked, buckets.BUCKETS_AT_MOST, buckets.PLACES_AT_MOST + 1)
        watch.lap("sql")
        rows = await self.database.read(query)
        watch.lap("db")
        # Half a million places take a second: not on the loop that answers everybody else.
        return await asyncio.to_thread(_aggregated, asked, rows)

    async def aggregate_collection(self, collection: str, asked: Aggregate, watch: Stopwatch) -> list[dict[str, Any]]:
        """Raises NotFound for a collection that does not exist."""
        await self.demand(collection)
        return await self.aggregate(asked, watch)

    async def item(self, collection: str, item_id: str) -> StoredItem:
        """Raises NotFound."""
        row = await self.database.read_one(sql.items.one(collection, item_id, self.visible))
        if row is None:
            raise no_item(collection, item_id)
        (content,) = await self.database.decoded([row])
        return StoredItem(collection, item_id, content)

    async def collection(self, collection: str) -> StoredCollection:
        """Raises NotFound."""
        row = await self.database.read_one(sql.collections.one(collection, self.visible))
        if row is None:
            raise no_collection(collection)
        return stored_collection(row)

    async def collections(self, search: CollectionSearch, watch: Stopwatch) -> CollectionPage:
        """One page, in the order of the ids where no other is asked for."""
        limit = self._limit(search.limit or 100)
        query = sql.collections.page(self._seen(search), limit + 1)
        watch.lap("sql")
        rows = await self.database.read(query)
        watch.lap("db")
        kept = _in_order(rows[:limit], search.seek)
        after, before = _neighbours(search.seek, kept, more=len(rows) > limit)
        nothing = 0 if search.seek is None else None
        matched = rows[0]["matched"] if rows else nothing
        return CollectionPage([stored_collection(row) for row in kept], after, before, matched)

    async def demand(self, collection: str) -> None:
        """Raises NotFound for a collection that does not exist, or not for who asks."""
        if await self.database.read_one(sql.collections.exists(collection, self.visible)) is None:
            raise no_collection(collection)

    async def statistics(self) -> dict[str, Statistic]:
        """What the properties of all items hold, by name: the union of the collections."""
        rows = await self.database.read(sql.queryables.of_all(self.visible))
        return {row["name"]: _statistic(row) for row in rows}

    async def statistics_of(self, collection: str) -> dict[str, Statistic]:
        """What the properties of a collection's items hold, by name. Raises NotFound."""
        rows = await self.database.read(sql.queryables.of_collection(collection, self.visible))
        if not rows:
            await self.demand(collection)
        return {row["name"]: _statistic(row) for row in rows}

    async def _check_names(self, search: Search, collection: str | None) -> None:
        """Raises InvalidRequest for a property that is no queryable or sortable, NotFound for no such collection."""
        ordered = naming.of_order(search)
        for parameter, names in (("filter", naming.of_filter(search)), ("sortby", ordered)):
            if not names:
                continue
            rows = await self.database.read(sql.queryables.unknown(names, collection, search.visible))
            if rows:
                known = await (self.statistics() if collection is None else self.statistics_of(collection))
                raise naming.unknown(parameter, rows[0]["name"], known)
        rows = (
            await self.database.read(sql.queryables.unordered(ordered, collection, search.visible)) if ordered else []
        )
        if rows:
            raise InvalidRequest(f"sortby: {rows[0]['name']!r} has arrays or objects, which have no order", "sortby")

    def _seen(self, search: Asked) -> Asked:
        visible = self.visible
        return search if visible is None else replace(search, visible=visible)

    def _limit(self, asked: int | None) -> int:
        return min(asked or self.default_limit, self.max_limit)


def _in_order(rows: list[Record], seek: Seek | None) -> list[Record]:
    return rows[::-1] if seek is not None and seek.backward else rows


def _neighbours(seek: Seek | None, rows: Sequence[Record], more: bool) -> tuple[Seek | None, Seek | None]:
    """The pages behind and before a page: the one it was reached from is there, the other if there are more rows."""
    if not rows:
        return None, None
    backward = seek is not None and seek.backward
    behind = Seek(_position(rows[-1]), backward=False) if more or backward else None
    before = Seek(_position(rows[0]), backward=True) if (more if backward else seek is not None) else None
    return behind, before


def _position(row: Record) -> Position:
    return Position(row["datetime"], row["tie"], row["id"], row["collection"], tuple(row.get("keys", ())))


def _aggregated(asked: Aggregate, rows: Sequence[Record]) -> list[dict[str, Any]]:
    counted: list[dict[str, int]] = [{} for _ in asked.frequencies]
    for row in rows:
        if row["asked"] is None:
            total, bounds = row["frequency"], (row["earliest"], row["latest"])
        else:
            counted[row["asked"]][row["key"]] = row["frequency"]
    return buckets.aggregated(asked, total, bounds, counted)


def stored_collection(row: Record | Mapping[str, Any]) -> StoredCollection:
    box = None if row["west"] is None else (row["west"], row["south"], row["east"], row["north"])
    served = extent.of_items(row["extent"], box, row["first_start"], row["last_end"])
    return StoredCollection(row["id"], row["content"], served)


def _statistic(row: Record) -> Statistic:
    texts = None if row["texts"] is None else frozenset(chain.from_iterable(orjson.loads(row["texts"])))
    if texts is not None and len(texts) > TEXTS_AT_MOST:
        texts = None
    doubles = bool(row["types"] & Type.NUMBER)
    minimum, maximum = _bound(row["minimum"], min, doubles), _bound(row["maximum"], max, doubles)
    return Statistic(row["types"], row["members"], minimum, maximum, texts)


def _bound(decimal: Decimal | None, outermost: Callable[..., float], doubles: bool) -> float | None:
    """The number that was stored. Of a large one it is not known whether it was a whole number or the double next to
    it: the bound is the outer one."""
    if decimal is None:
        return None
    double = float(decimal)
    if decimal != decimal.to_integral_value():
        return double
    return outermost(int(decimal), double) if doubles and math.isfinite(double) else int(decimal)


def no_collection(collection: str) -> NotFound:
    return NotFound(f"there is no collection {collection!r}")


def no_item(collection: str, item_id: str) -> NotFound:
    return NotFound(f"there is no item {item_id!r} in collection {collection!r}")
