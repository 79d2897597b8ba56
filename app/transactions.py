"""What one can do to a catalogue, without HTTP: create, replace, change and delete items and collections.

Each is one statement or one short transaction, and has happened for good when it returns. Documents come in as text;
what is stored of them passes the checks of `app.stac.item` and `app.stac.collection`.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

from asyncpg import Record

from app import sql
from app.catalog import Catalog, StoredCollection, StoredItem, no_collection, no_item, stored_collection
from app.database.pool import Transaction
from app.errors import Conflict, Fault, InvalidBody, InvalidDocument, MissingRight, PreconditionFailed
from app.settings import Settings
from app.sql.loading import Mode
from app.stac import collection as collections
from app.stac import document as documents
from app.stac import item as items
from app.stac.access import EVERYTHING, Action, Rights, scope_of
from app.stac.batch import BulkItems, members_of
from app.stac.collection import CheckedCollection, check_collection
from app.stac.item import CheckedItem, check_item
from app.stac.patch import Patch
from app.stac.timestamps import stamped
from app.stac.validation import Rules
from app.writer import Writer

Document = dict[str, Any]
Result = TypeVar("Result")

_NAMED = 20
# Longer texts are read and checked beside the event loop, where other requests would wait for them.
_LONG_BYTES = 200_000


@dataclass(frozen=True, slots=True)
class Precondition:
    """The states a change is meant for, by their tags (RFC 9110, 13.1): one of `match`, and none of `unless`. None is
    every state."""

    match: frozenset[str] | None = None
    unless: frozenset[str] | None = frozenset()


_ANY_STATE = Precondition()


class _Overtaken(Exception):
    """An item that was not there when others were locked is there now, and its `created` is to be kept: once more."""


@dataclass(frozen=True, slots=True)
class BatchReport:
    """What became of the items of a batch."""

    received: int
    created: int
    replaced: int
    unchanged: int


@dataclass(frozen=True, slots=True)
class Transactions:
    catalog: Catalog
    writer: Writer
    rules: Rules
    keeps_timestamps: bool
    rights: Rights = EVERYTHING

    @classmethod
    def of(cls, settings: Settings, catalog: Catalog, rules: Rules) -> "Transactions":
        return cls(catalog, Writer(catalog.database), rules, settings.keep_timestamps)

    def by(self, rights: Rights) -> "Transactions":
        """As one caller may change it, where it is a document that says what is changed."""
        return replace(self, rights=rights)

    async def create_items(self, collection: str, text: bytes) -> StoredItem | BatchReport:
        """An Item, or all the items of an ItemCollection or none.

        Raises NotFound for the collection, Conflict that names the items that are there already, InvalidBody.
        """
        found = await _aside(len(text), lambda: self._read_items(collection, text))
        if not isinstance(found, CheckedItem):
            return await self._write(collection, found, "insert")
        new = await self.writer.insert(found)
        if new is None:
            raise no_collection(collection)
        if not new:
            raise _exist(collection, [found.id])
        return StoredItem(collection, found.id, found.content)

    async def write_bulk(self, collection: str, text: bytes) -> BatchReport:
        """`{"items": {id: item}, "method": "insert" or "upsert"}`: all of the items or none, as the method says.

        Raises NotFound for the collection, Conflict that names the items that are there already, InvalidBody, and
        MissingRight where some may be replaced.
        """
        bulk, found = await _aside(len(text), lambda: self._read_bulk(collection, text))
        if bulk.method == "upsert":
            self._demand("update", collection)
        return await self._write(collection, found, bulk.method)

    async def change_item(
        self, collection: str, item_id: str, change: Patch, size: int, state: Precondition
    ) -> StoredItem:
        """The item is locked while it is changed, so that no patch of several at once is lost. `size` is how many bytes
        say what is changed.

        Raises NotFound, PreconditionFailed, InvalidBody.
        """
        async with self.catalog.database.transaction() as transaction:
            before, key = await self._locked_item(transaction, collection, item_id, state)

            def work_out() -> CheckedItem:
                with of_body():
                    document = _with_place(change(documents.parse(before)), collection, item_id)
                    return check_item(self._stamped(document, documents.parse(before)), self.rules)

            item = await _aside(len(before) + size, work_out)
            if item.content != before:
                await self.writer.put(transaction, [item], {collection: key}, "upsert")
        return StoredItem(collection, item_id, item.content)

    async def delete_item(self, collection: str, item_id: str, state: Precondition) -> None:
        """Raises NotFound, PreconditionFailed."""
        if state == _ANY_STATE:
            if await self.catalog.database.fetch_one(sql.transactions.delete_item(collection, item_id)) is None:
                raise no_item(collection, item_id)
            return
        async with self.catalog.database.transaction() as transaction:
            await self._locked_item(transaction, collection, item_id, state)
            await transaction.execute(sql.transactions.delete_item(collection, item_id))

    async def create_collections(self, text: bytes) -> StoredCollection | list[StoredCollection]:
        """A Collection, or all those of `{"collections": […]}` or none. Raises MissingRight, Conflict, InvalidBody."""
        document = _parsed(text)
        members = members_of(document, "collections")
        found = {"": document} if members is None else members
        checked = await _aside(len(text), lambda: self._checked_collections(found))
        for collection in checked:
            self._demand("create", collection.id)
        async with self.catalog.database.transaction() as transaction:
            # In one order everywhere, so that two of them do not wait for each other.
            for collection in sorted(checked, key=lambda collection: collection.id):
                if not await transaction.fetch(sql.loading.store_collection(collection, "insert")):
                    raise Conflict(f"there is a collection {collection.id!r} already; PUT replaces it")
        stored = [StoredCollection(collection.id, collection.content, collection.extent) for collection in checked]
        return stored[0] if members is None else stored

    async def change_collection(
        self, collection: str, change: Patch, size: int, state: Precondition
    ) -> StoredCollection:
        """Its items are left as they are. Raises NotFound, PreconditionFailed, InvalidBody."""
        async with self.catalog.database.transaction() as transaction:
            row = await self._locked_collection(transaction, collection, state)
            before: bytes = row["content"][:-1] + b',"extent":' + row["extent"] + b"}"

            def work_out() -> CheckedCollection:
                with of_body():
                    document = _with_name(change(documents.parse(before)), collection)
                    return check_collection(self._stamped(document, documents.parse(before)), self.rules)

            checked = await _aside(len(before) + size, work_out)
            await transaction.execute(sql.loading.store_collection(checked, "upsert"))
        return stored_collection({**row, "content": checked.content, "extent": checked.extent})

    async def delete_collection(self, collection: str, cascade: bool, state: Precondition) -> None:
        """Raises NotFound, PreconditionFailed; Conflict for a collection with items, unless they are to go too."""
        async with self.catalog.database.transaction() as transaction:
            await transaction.execute(sql.transactions.lock_collection_alone(collection))
            await self._locked_collection(transaction, collection, state)
            if cascade:
                await transaction.execute(sql.transactions.delete_items(collection))
            elif await transaction.fetch(sql.transactions.any_item(collection)):
                raise Conflict(
                    f"collection {collection!r} has items; with `cascade=true` they are deleted too, for good",
                    "cascade",
                )
            await transaction.execute(sql.transactions.delete_collection(collection))

    def _demand(self, action: Action, collection: str) -> None:
        """Raises MissingRight. Whether there is such a collection makes no difference."""
        if not self.rights.may(action, collection):
            raise MissingRight(
                f"there is no right to {action} in collection {collection!r}", scope_of(action, collection)
            )

    async def _write(self, collection: str, found: Sequence[CheckedItem], mode: Mode) -> BatchReport:
        while True:
            with suppress(_Overtaken):
                return await self._written(collection, found, mode)

    async def _written(self, collection: str, found: Sequence[CheckedItem], mode: Mode) -> BatchReport:
        async with self.catalog.database.transaction() as transaction:
            keys = {row["id"]: row["key"] for row in await transaction.fetch(sql.loading.keys([collection]))}
            if collection not in keys:
                raise no_collection(collection)
            restamps = self.keeps_timestamps and mode == "upsert"
            before = await self._locked_items(transaction, collection, found) if restamps else {}
            items = [self._restamped(item, before[item.id]) if item.id in before else item for item in found]
            stored = await self.writer.put(transaction, items, keys, mode)
            if restamps and any(not row["new"] and row["id"] not in before for row in stored):
                raise _Overtaken
            if mode == "insert" and len(stored) < len(found):
                written = {row["id"] for row in stored}
                raise _exist(collection, [item.id for item in found if item.id not in written])
        new = sum(row["new"] for row in stored)
        return BatchReport(len(found), new, len(stored) - new, len(found) - len(stored))

    async def _locked_item(
        self, transaction: Transaction, collection: str, item_id: str, state: Precondition
    ) -> tuple[bytes, int]:
        """Its content, and the key of its collection."""
        rows = await transaction.fetch(sql.transactions.lock_items(collection, [item_id]))
        if not rows:
            raise no_item(collection, item_id)
        (content,) = await self.catalog.database.decoded(rows, transaction)
        _check_state(state, content)
        return content, rows[0]["collection"]

    async def _locked_collection(self, transaction: Transaction, collection: str, state: Precondition) -> Record:
        if not await transaction.fetch(sql.transactions.lock_collection(collection)):
            raise no_collection(collection)
        # Read behind the lock: what the lock waited for is there now.
        (row,) = await transaction.fetch(sql.collections.one(collection))
        served = stored_collection(row)
        _check_state(state, served.content + served.extent)
        return row

    async def _locked_items(
        self, transaction: Transaction, collection: str, found: Sequence[CheckedItem]
    ) -> dict[str, Document]:
        """Those that are there, by their ids."""
        rows = await transaction.fetch(sql.transactions.lock_items(collection, [item.id for item in found]))
        contents = await self.catalog.database.decoded(rows, transaction)
        return {row["id"]: documents.parse(content) for row, content in zip(rows, contents, strict=True)}

    def _restamped(self, item: CheckedItem, before: Document) -> CheckedItem:
        """With the `created` of what it replaces."""
        return check_item(self._stamped(documents.parse(item.content), before), self.rules)

    def _read_items(self, collection: str, text: bytes) -> CheckedItem | list[CheckedItem]:
        document = _parsed(text)
        members = members_of(document, "features")
        if members is not None:
            return self._checked_items(collection, members)
        with of_body():
            return check_item(self._stamped(_with_place(document, collection), None), self.rules)

    def _read_bulk(self, collection: str, text: bytes) -> tuple[BulkItems, list[CheckedItem]]:
        with of_body():
            bulk = BulkItems.of(documents.parse(text))
        return bulk, self._checked_items(collection, bulk.members)

    def _checked_items(self, collection: str, found: Mapping[str, Any]) -> list[CheckedItem]:
        def check(document: Any) -> CheckedItem:
            return check_item(self._stamped(_with_place(document, collection), None), self.rules)

        return _each(check, found)

    def _checked_collections(self, found: Mapping[str, Any]) -> list[CheckedCollection]:
        def check(document: Any) -> CheckedCollection:
            return check_collection(self._stamped(_with_links(document), None), self.rules)

        return _each(check, found)

    def _stamped(self, document: Document, before: Document | None) -> Document:
        if not self.keeps_timestamps:
            return document
        owned = items.OWNED_LINKS if document.get("type") == "Feature" else collections.OWNED_LINKS
        return stamped(documents.without_links(document, owned), datetime.now(UTC), before)


async def _aside(size: int, work: Callable[[], Result]) -> Result:
    return await asyncio.to_thread(work) if size > _LONG_BYTES else work()


@contextmanager
def of_body() -> Iterator[None]:
    """A document that is refused is a body that is wrong."""
    try:
        yield
    except InvalidDocument as error:
        raise InvalidBody(error.faults) from None


def _parsed(text: bytes) -> Any:
    with of_body():
        return documents.parse(text)


Checked = TypeVar("Checked", CheckedItem, CheckedCollection)


def _each(check: Callable[[Any], Checked], found: Mapping[str, Any]) -> list[Checked]:
    """All of the documents, or InvalidBody with the faults of all, each with its place."""
    checked: list[Checked] = []
    faults: list[Fault] = []
    places: dict[str, str] = {}
    for place, document in found.items():
        try:
            one = check(document)
        except InvalidDocument as error:
            faults += [fault.below(place) if place else fault for fault in error.faults]
            continue
        if places.setdefault(one.id, place) != place:
            faults.append(Fault(f"{place}.id", f"{one.id!r} is the id of {places[one.id]} too"))
        checked.append(one)
    if faults:
        raise InvalidBody(faults)
    return checked


def _with_place(document: Any, collection: str, item_id: str | None = None) -> Document:
    """The item with what the path says of it, and with what STAC asks for and may be empty."""
    document = _with_links(document)
    if document.get("collection", collection) != collection:
        raise InvalidDocument(Fault("collection", f"is not {collection!r}, the collection of the path"))
    if item_id is not None:
        document = _with_name(document, item_id)
    placed: Document = {**document, "collection": collection, "assets": document.get("assets", {})}
    return placed


def _with_name(document: Any, name: str) -> Document:
    document = _with_links(document)
    if document.get("id", name) != name:
        raise InvalidDocument(Fault("id", f"is not {name!r}, the id of the path"))
    return document if "id" in document else {"id": name, **document}


def _with_links(document: Any) -> Document:
    if not isinstance(document, dict):
        raise InvalidDocument("is not a JSON object")
    filled: Document = {"links": [], **document}
    return filled


def _check_state(state: Precondition, content: bytes) -> None:
    if state == _ANY_STATE:
        return
    tag = documents.tag(content)
    if state.match is not None and tag not in state.match:
        raise PreconditionFailed("it was changed since: GET it again for its ETag", "If-Match")
    if state.unless is None or tag in state.unless:
        raise PreconditionFailed("it is in that state", "If-None-Match")


def _exist(collection: str, ids: Sequence[str]) -> Conflict:
    named = ", ".join(map(repr, ids[:_NAMED])) + (f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else "")
    return Conflict(f"in collection {collection!r} there is already: {named}")
