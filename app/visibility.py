"""Which collections are private: set by an operator, and whether there are any, known to the service.

Where there is none, searches have no condition for it. That a process knows there is none ends by itself: one that the
database does not answer takes it that there are some, which costs time and hides what has to be hidden.
"""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from time import monotonic

from app.database.following import followed
from app.database.pool import Database
from app.errors import SetupError
from app.sql import visibility

# Until a running service hides a collection that was made private: how long it knows that there is none, and how often
# it asks.
SECONDS = 5.0
_ASKED_EVERY = 2.0


@dataclass(slots=True)
class Privacy:
    """Whether collections are private, as one process knows it."""

    _none_until: float = 0.0

    @property
    def some(self) -> bool:
        """There are private collections, or may be."""
        return monotonic() >= self._none_until

    async def refresh(self, database: Database) -> None:
        asked = monotonic()
        found = await database.newest(visibility.any_private())
        self._none_until = asked + SECONDS if found is None else 0.0

    def followed(self, database: Database) -> AbstractAsyncContextManager[None]:
        return followed(partial(self.refresh, database), _ASKED_EVERY)


async def change(database: Database, collection: str, private: bool) -> None:
    """Raises SetupError where there is no such collection."""
    if await database.fetch_one(visibility.change(collection, private)) is None:
        raise SetupError(f"there is no collection {collection!r}")


async def is_private(database: Database, collection: str) -> bool:
    """Raises SetupError where there is no such collection."""
    row = await database.fetch_one(visibility.of_one(collection))
    if row is None:
        raise SetupError(f"there is no collection {collection!r}")
    return bool(row["private"])


async def private(database: Database) -> list[str]:
    """The ids of the private collections."""
    return [row["id"] for row in await database.fetch(visibility.private())]
