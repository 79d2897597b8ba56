"""How many items a search finds, counted behind its first page."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic

from app import sql
from app.database.pool import Database
from app.errors import UpesiError
from app.stac.access import Visible
from app.stac.search import Search

# Nothing is wrong without a count, so what is remembered may be old.
_SECONDS_IN_VAIN = 300.0
_REMEMBERED = 1000

_Asker = tuple[str, Visible]


@dataclass(slots=True)
class Counter:
    """Counts as far as `limit` (0 is never), for `wait` seconds at most.

    A count costs more than its page. So there is one only where a worker has nothing else to do: while it answers
    another search there is none, and what it can answer under load is what it could without counts. Nor is a search
    counted again soon that was in vain, for it has too many items or takes too long.
    """

    limit: int = 0
    wait: float = 0.0
    _searches: int = 0
    # Searches that went without, each for those who see the same, and until when that is remembered.
    _in_vain: dict[_Asker, float] = field(default_factory=dict)

    @contextmanager
    def answering(self) -> Iterator[None]:
        """While a search is answered, with its count."""
        self._searches += 1
        try:
            yield
        finally:
            self._searches -= 1

    async def count(self, database: Database, search: Search) -> int | None:
        """None, unless this is the only search at work, and its count is there in time and within the limit."""
        if not self.limit or self._searches > 1:
            return None
        if self._in_vain and self._in_vain.get(_asker(search), 0.0) > monotonic():
            return None
        found = await self._counted(database, search)
        if found is None:
            if len(self._in_vain) >= _REMEMBERED:
                del self._in_vain[next(iter(self._in_vain))]
            self._in_vain[_asker(search)] = monotonic() + _SECONDS_IN_VAIN
        return found

    async def _counted(self, database: Database, search: Search) -> int | None:
        try:
            async with asyncio.timeout(self.wait):
                (row,) = await database.read(sql.conditions.count(search, self.limit + 1))
        except (TimeoutError, UpesiError):
            return None
        found: int = row["found"]
        return found if found <= self.limit else None


def _asker(search: Search) -> _Asker:
    """Whether a search has a count must tell nobody what others see."""
    return search.digest(), search.visible
