"""Indexes of properties: made and dropped by an operator while the service runs, and known to the service.

With them it knows which collections are large, by which it chooses among the indexes that each catalogue has.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from difflib import get_close_matches
from functools import partial
from typing import Literal

from app.database.following import followed
from app.database.pool import Database
from app.errors import SetupError
from app.sql import indexing

State = Literal["valid", "building", "invalid", "missing"]

# Until a running service uses a new index.
_SECONDS = 30
# A collection with a quarter of all items: a page of it is found among four times as many of all collections.
_LARGE = 0.25
# PostgreSQL and STAC have room for more, but nobody means it.
_NAME_AT_MOST = 100
_COLUMNS = {"id", "collection", "datetime", "geometry"}


@dataclass(frozen=True, slots=True)
class PropertyIndex:
    """`bytes` is what it takes on disk."""

    key: int
    property: str
    state: State
    bytes: int
    created: datetime


@dataclass(slots=True)
class KnownIndexes:
    """The properties with a valid index, and the large collections, as one process knows them.

    What it does not know yet costs time; answers are the same with an index and without.
    """

    properties: frozenset[str] = field(default_factory=frozenset)
    large: frozenset[str] = field(default_factory=frozenset)

    async def refresh(self, database: Database) -> None:
        self.properties = frozenset(index.property for index in await listed(database) if index.state == "valid")
        self.large = frozenset(row["id"] for row in await database.read(indexing.large(_LARGE)))

    def followed(self, database: Database) -> AbstractAsyncContextManager[None]:
        return followed(partial(self.refresh, database), _SECONDS)


async def listed(database: Database) -> list[PropertyIndex]:
    """In the order of their names."""
    return [
        PropertyIndex(
            row["key"],
            row["property"],
            _state(row["valid"], row["building"]),
            row["bytes"] or 0,
            row["created"],
        )
        for row in await database.read(indexing.listed())
    ]


def _state(valid: bool | None, building: bool) -> State:
    if valid is None:
        return "missing"
    return "valid" if valid else "building" if building else "invalid"


async def add(database: Database, name: str) -> PropertyIndex | None:
    """Make the index of a property, beside readers and writers. None if it is there already.

    What a build that was stopped left behind is dropped first. `database` has one connection: the lock is its.
    Raises SetupError for a name that no index is for.
    """
    name = _checked(name)
    await _lock(database)
    found = await _find(database, name)
    if found is not None and found.state == "valid":
        return None
    if await database.fetch_one(indexing.is_sortable(name)) is None:
        raise SetupError(f"no item has a number or a text in {name!r}{await _meant(database, name)}")
    row = await database.fetch_one(indexing.register(name))
    assert row is not None
    await database.execute(indexing.drop(row["key"]))
    await database.execute(indexing.create(row["key"], name))
    await database.execute(indexing.analyze())
    return await _find(database, name)


async def drop(database: Database, name: str) -> None:
    """Raises SetupError where there is no such index. `database` has one connection."""
    name = name.removeprefix("properties.")
    await _lock(database)
    found = await _find(database, name)
    if found is None:
        raise SetupError(f"there is no index on {name!r}: `upesi index list` shows those there are")
    await database.execute(indexing.drop(found.key))
    await database.execute(indexing.forget(found.key))


def _checked(name: str) -> str:
    name = name.removeprefix("properties.")
    if name in _COLUMNS:
        raise SetupError(f"{name!r} has its index from the start")
    if not name or len(name) > _NAME_AT_MOST or not name.isprintable() or "\\" in name:
        raise SetupError(f"{name[:_NAME_AT_MOST]!r} is not the name of a property an index can be on")
    return name


async def _lock(database: Database) -> None:
    row = await database.fetch_one(indexing.lock())
    if row is None or not row["got"]:
        raise SetupError("another `upesi index add` or `drop` is at work in this database: wait for it")


async def _find(database: Database, name: str) -> PropertyIndex | None:
    return next((index for index in await listed(database) if index.property == name), None)


async def _meant(database: Database, name: str) -> str:
    known = [row["name"] for row in await database.fetch(indexing.some_names())]
    close = get_close_matches(name, known, n=3, cutoff=0.5) or [each for each in known if name in each][:3]
    return f": did you mean {' or '.join(map(repr, close))}?" if close else ""
