"""The order of results, and what lies behind a token in it.

The order is total: `(datetime, tie, collection, id)`, newest first. Oldest first, and the page before a token, are the
same order read from the other end. A place in it is a row of values, compared as a row, so that depth costs nothing.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from app.database.fragment import Fragment, Parameter, sql
from app.stac.collection_search import CollectionSearch
from app.stac.paging import Seek
from app.stac.search import Search
from app.stac.sorting import newest_first

_MICROSECOND = timedelta(microseconds=1)
_EARLIEST = datetime.min.replace(tzinfo=UTC)
_LATEST = datetime.max.replace(tzinfo=UTC)
TIE_MAX = (1 << 28) - 1


@dataclass(frozen=True, slots=True)
class Order:
    """One of the two directions through the order, as SQL."""

    descending: bool

    @classmethod
    def of(cls, search: Search | CollectionSearch) -> "Order":
        """As the search sorts, and the other way round for the page before a token."""
        backward = search.seek is not None and search.seek.backward
        return cls(descending=newest_first(search.sortby) != backward)

    @property
    def behind(self) -> str:
        return "<" if self.descending else ">"

    @property
    def keyword(self) -> str:
        return "DESC" if self.descending else "ASC"

    def columns(self, row: str) -> Fragment:
        way = self.keyword
        return sql(f"{row}.datetime {way}, {row}.tie {way}, {row}.collection {way}, {row}.id {way}")

    def by(self, row: str) -> Fragment:
        return sql("ORDER BY ", self.columns(row))

    def by_index(self, row: str, *, of_one_collection: bool) -> Fragment:
        """What the indexes on times have of the order. Two ids of one `tie` come in any, so it goes WITH TIES."""
        columns = ("datetime", "tie") if of_one_collection else ("datetime", "tie", "collection")
        return sql("ORDER BY ", ", ".join(f"{row}.{column} {self.keyword}" for column in columns))

    def begin(self) -> Fragment:
        """In front of all rows. For a limit that the planner does not know it may sort the table rather than read an
        index, where nothing is asked of the index.
        """
        end = Parameter(_LATEST if self.descending else _EARLIEST, "timestamptz")
        return sql(f"i.datetime {self.behind}= ", end)

    def after(self, seek: Seek, first: Fragment | None = None) -> Fragment:
        """The rows behind a token.

        `first` is the instant that the rows begin with, where it is known. A btree that is given it as a condition of
        its own begins at the row all the same, and reads what lies between.
        """
        at = seek.position
        instant, tie = sql(Parameter(at.datetime, "timestamptz")), sql(Parameter(at.tie, "int"))
        if first is not None:
            is_behind = sql(first, f" {self.behind} ", instant)
            front = Parameter(TIE_MAX + 1 if self.descending else -1, "int")
            tie = sql("CASE WHEN ", is_behind, " THEN ", front, " ELSE ", tie, " END")
            instant = sql("least(" if self.descending else "greatest(", first, ", ", instant, ")")
        return sql(
            f"(i.datetime, i.tie, i.collection, i.id) {self.behind} (",
            instant,
            ", ",
            tie,
            ", ",
            Parameter(at.collection, "int"),
            ", ",
            Parameter(at.id, "text"),
            ")",
        )

    def behind_token(self, search: Search) -> Fragment | None:
        """The same of the search's token, where it has one."""
        return None if search.seek is None else self.after(search.seek)

    def stretches(self, seek: Seek) -> Fragment:
        """Ranges of `datetime` and `tie` that together hold the rows behind a token, for an index that has no row
        comparison: the rest of the token's own instant, and what lies beyond it.
        """
        at = seek.position
        if self.descending:
            ranges = [(at.datetime, at.datetime, 0, at.tie), (_EARLIEST, _before(at.datetime), 0, TIE_MAX)]
        else:
            ranges = [
                (at.datetime, at.datetime, at.tie, TIE_MAX),
                (_behind(at.datetime), _LATEST, 0, TIE_MAX),
            ]
        earliest, latest, low, high = (list(column) for column in zip(*ranges, strict=True))
        return sql(
            "unnest(",
            Parameter(earliest, "timestamptz[]"),
            ", ",
            Parameter(latest, "timestamptz[]"),
            ", ",
            Parameter(low, "int[]"),
            ", ",
            Parameter(high, "int[]"),
            ") AS stretch (earliest, latest, low, high)",
        )


def _before(instant: datetime) -> datetime:
    return instant - _MICROSECOND if instant > _EARLIEST else instant


def _behind(instant: datetime) -> datetime:
    return instant + _MICROSECOND if instant < _LATEST else instant
