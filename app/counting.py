"""How many items a search finds, counted beside its first page."""

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

Count = asyncio.Task[int | None]
_Asker = tuple[str, Visible]


@dataclass(slots=True)
class Counter:
    """Counts as far as `limit` (0 is never), on another connection than the page, which waits `wait` seconds at most.

    A count costs more than its page. So there is one only where a worker has nothing else to do: while it answers
    another search there is none, and what it can answer under load is what it could without counts. Nor is a search
    counted again soon that was in vain, for it has too many items or takes too long.
    """

    limit: int = 0
    wait: float = 0.0
    _searches: int = 0
    # Searches that went without, each for those who see the same, and until when that is remembered.
    _in_vain: dict[_Asker, float] = field(default_factory=dict)
    # The event loop has no hold on its tasks.
    _counts: set[Count] = field(default_factory=set)

    @contextmanager
    def beside(self, database: Database, search: Search) -> Iterator[Count | None]:
        """The count of a search, under way while its page is read. It ends with the page."""
        self._searches += 1
        alone = self._searches == 1
        count = self._begin(database, search) if self.limit and alone and search.seek is None else None
        try:
            yield count
        finally:
            self._searches -= 1
            if count is not None:
                count.cancel()

    async def result(self, count: Count, search: Search) -> int | None:
        """None, unless the count is there in time and within the limit."""
        done, _ = await asyncio.wait({count}, timeout=self.wait)
        found = count.result() if done else None
        if found is None:
            if len(self._in_vain) >= _REMEMBERED:
                del self._in_vain[next(iter(self._in_vain))]
            self._in_vain[_asker(search)] = monotonic() + _SECONDS_IN_VAIN
        return found

    def _begin(self, database: Database, search: Search) -> Count | None:
        if self._in_vain and self._in_vain.get(_asker(search), 0.0) > monotonic():
            return None
        count = asyncio.create_task(self._count(database, search))
        self._counts.add(count)
        count.add_done_callback(self._counts.discard)
        return count

    async def _count(self, database: Database, search: Search) -> int | None:
        try:
            (row,) = await database.read(sql.conditions.count(search, self.limit + 1))
        except UpesiError:
            return None  # The page says what is wrong, if it is wrong there too.
        found: int = row["found"]
        return found if found <= self.limit else None


def _asker(search: Search) -> _Asker:
    """Whether a search has a count must tell nobody what others see."""
    return search.digest(), search.visible
