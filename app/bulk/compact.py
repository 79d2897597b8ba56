"""Dictionaries trained anew on what a collection has become, and its items rewritten with them, beside all else.

Items are rewritten in small transactions. Those that somebody else writes are passed over: he writes with the newest
dictionary, or nearly. What is on the newest one already is left alone, so a run that was ended is simply started again.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from app import sql
from app.database import content as contents
from app.database.content import Encoder
from app.database.pool import Database
from app.errors import Dangling, NotFound
from app.sql.compacting import Behind

_SAMPLE = 1000
# A new dictionary has to save this part of the bytes, or rewriting everything is not worth it.
_GAIN = 0.03
_WINDOW = 5000
_ROWS = 500
_BEFORE_ALL: Behind = (datetime.min.replace(tzinfo=UTC), 0, "")


@dataclass(slots=True)
class Compaction:
    """What became of a collection. `gain` is the part of the bytes that a new dictionary saves, None where there are
    too few items for one; bytes are those of the rewritten items, before and after."""

    collection: str
    gain: float | None = None
    trained: bool = False
    rewritten: int = 0
    before: int = 0
    after: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class _Newest:
    collection: int
    dictionary: int
    content: bytes
    encoder: Encoder


async def compact(database: Database, names: Sequence[str]) -> AsyncGenerator[Compaction]:
    """Of each collection when it is done; of all where none is named. Raises NotFound."""
    rows = await database.fetch(sql.compacting.collections(list(names)))
    missing = sorted(set(names) - {row["id"] for row in rows})
    if missing:
        raise NotFound(f"there is no collection {missing[0]!r}")
    for row in rows:
        compaction = Compaction(row["id"])
        newest = await _train(database, row["key"], compaction)
        if newest is not None:
            async for stale in _stale(database, newest):
                await _rewrite(database, newest, stale, compaction)
            # Who has read items just before they were rewritten still needs the dictionary that they had.
            if not compaction.rewritten:
                await _drop(database, newest, compaction)
        yield compaction


async def _train(database: Database, collection: int, compaction: Compaction) -> _Newest | None:
    """The dictionary that items are to have: a new one, trained on one half of a sample and measured on the other, or
    the one there is. None where there are too few items, or the collection was deleted."""
    known = await database.fetch(sql.loading.newest_dictionaries([compaction.collection]))
    if not known or known[0]["key"] != collection:
        return None
    key, content = known[0]["dictionary"], known[0]["content"]
    before = Encoder(content)
    newest = None if key is None else _Newest(collection, key, content, before)
    sample = await database.decoded(await database.fetch(sql.compacting.sample(collection, _SAMPLE)))
    trained = contents.train(sample[::2])
    if trained is None:
        return newest
    after = Encoder(trained)
    now, then = (sum(len(coder.encode(text)) for text in sample[1::2]) for coder in (before, after))
    compaction.gain = 1 - then / now
    if compaction.gain < _GAIN:
        return newest
    try:
        (row,) = await database.fetch(sql.loading.add_dictionary(collection, trained))
    except Dangling:
        return None
    compaction.trained = True
    return _Newest(collection, row["key"], trained, after)


async def _stale(database: Database, newest: _Newest) -> AsyncGenerator[list[str]]:
    """The ids of items with an older dictionary or none, some at a time."""
    behind = _BEFORE_ALL
    while rows := await database.fetch(sql.compacting.window(newest.collection, behind, _WINDOW)):
        behind = (rows[-1]["datetime"], rows[-1]["tie"], rows[-1]["id"])
        stale = [row["id"] for row in rows if row["dictionary"] != newest.dictionary]
        for start in range(0, len(stale), _ROWS):
            yield stale[start : start + _ROWS]


async def _rewrite(database: Database, newest: _Newest, stale: Sequence[str], compaction: Compaction) -> None:
    async with database.transaction() as transaction:
        held = await transaction.fetch(sql.loading.hold_dictionaries([newest.dictionary]))
        if [row["mark"] for row in held] != [contents.mark(newest.content)]:
            return
        rows = await transaction.fetch(sql.compacting.lock(newest.collection, stale))
        texts = await database.decoded(rows, transaction)
        rewritten = {row["id"]: newest.encoder.encode(text) for row, text in zip(rows, texts, strict=True)}
        await transaction.execute(sql.compacting.rewrite(newest.collection, newest.dictionary, rewritten))
    compaction.rewritten += len(rows)
    compaction.before += sum(len(row["content"]) for row in rows)
    compaction.after += sum(map(len, rewritten.values()))


async def _drop(database: Database, newest: _Newest, compaction: Compaction) -> None:
    async with database.transaction() as transaction:
        held = [row["key"] for row in await transaction.fetch(sql.compacting.hold_replaced(newest.collection))]
        if held:
            # A statement of its own, which sees what was written until the dictionaries were held.
            compaction.dropped = len(await transaction.fetch(sql.compacting.drop_unused(held)))
