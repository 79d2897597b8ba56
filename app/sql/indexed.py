"""Pages by a property that an operator made an index for: `upesi index add`.

The index is (collection, number, text, datetime, tie), numbers and texts upwards and the rest downwards, so that
read from one end it is the order of the property upwards, and from the other end downwards. It has three parts, one
behind the other: items where the property is a number, a text, neither. Each part of each collection is a stream that
stops at the page; the streams are merged outside.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import narrowing, properties
from app.sql.candidates import FOUND, Candidates, Tests, Walk, Ways, page
from app.sql.conditions import (
    ROW,
    all_of,
    every,
    given,
    in_collections,
    intersects_any,
    limit,
    matches,
    near,
    overlaps,
    with_ties,
    with_words,
)
from app.sql.keyset import Order
from app.sql.sorting import value_of_token
from app.stac.paging import Seek
from app.stac.search import Search
from app.stac.sorting import SortKey, fields, newest_first


def name(key: int) -> str:
    """Of the index that the property of this key has."""
    return f"items_property_{key:d}"


def columns(property_: str) -> Fragment:
    """What an index on a property is made of."""
    value = properties.constant(property_, row="")
    number, text = properties.number(value), properties.text_to_sort(value)
    return sql("(collection, ", number, ", ", text, ", datetime DESC, tie DESC)")


def candidates(search: Search, indexes: Collection[str]) -> Candidates | None:
    """What an index finds for the words of a search, all that have them, or else for its filter, and more."""
    words = with_words(search.terms)
    if words is not None:
        return Candidates(sql("FROM items i WHERE ", words))
    condition = narrowing.condition(search.filter, indexes)
    return None if condition is None else _in_each_collection(search, condition)


def _in_each_collection(search: Search, *conditions: Fragment | None) -> Candidates:
    """One collection at a time, as the indexes are: for all of them together the planner would read the table."""
    return Candidates(
        sql(
            "FROM collections c CROSS JOIN LATERAL (SELECT i.ctid, i.* FROM items i WHERE i.collection = c.key",
            all_of(*conditions),
            " OFFSET 0) AS i WHERE ",
            in_collections(search),
        )
    )


def field(search: Search, indexes: Collection[str]) -> SortKey | None:
    """The one field that the search is sorted by, if an index has that order."""
    keys = fields(search.sortby)
    if len(keys) != 1 or keys[0].field not in indexes:
        return None
    (key,) = keys
    follows = newest_first(search.sortby) != key.descending and search.ids is None
    return key if follows else None


def advice(search: Search, indexes: Collection[str]) -> str:
    """What an operator can do for a search that took too long."""
    sorted_by = [key.field for key in fields(search.sortby)[:1] if key.kinds == ("number", "text")]
    missing = [name for name in sorted_by or narrowing.names(search.filter) if name not in indexes]
    if not missing:
        return ""
    commands = " and ".join(f"`upesi index add {name}`" for name in missing)
    return f"; the operator could help it with {commands}"


def by_field(search: Search, key: SortKey, rows: int, found: Candidates | None) -> Fragment:
    """The items of a search without ids, sorted by one property.

    Without conditions beside it, a page of the property's index. With some, that is walked, and what is sorted comes
    from what is `found`. The index of an area goes before that of a filter, and before that of words once they are not
    few: what has many is looked at for words, or sorted, in the area alone.
    """
    order = _Order.of(search, key)
    area = intersects_any(search.area)
    beside = given(area, overlaps(search.interval), matches(search.filter), with_words(search.terms))
    if not beside:
        return _walk(search, order, rows, None)
    order = replace(order, range_=narrowing.condition(search.filter, {key.field}))
    rest = replace(search, terms=None)
    if found is None or area is not None:
        all_ = _all(search, order, rows, sql("items i"))
    else:
        all_ = _all(rest, order, rows, found.all())
    if found is None or (area is not None and search.terms is None):
        found = _in_each_collection(search, area, near(search.interval, "c.lag", "c.lead"))
    ways = Ways(
        walked=lambda tests: _walk(search, order, rows, tests),
        few=_all(rest, order, rows, FOUND),
        all=all_,
        columns=f"{ROW.replace('i.', '')}, collection_id, number, text, keys",
        limited=lambda row: sql(order.merged(row), limit(rows)),
    )
    return page(found, Tests.of(search, beside), ways)


def _walk(search: Search, order: "_Order", rows: int, tests: Tests | None) -> Fragment:
    streams = sql("SELECT 3 * count(*)::int FROM collections c WHERE ", in_collections(search))
    walk = Walk.of(tests, rows, streams) if tests else None
    return sql(
        "SELECT p.*, c.id AS collection_id, ARRAY[p.number::text, p.text] AS keys",
        " FROM collections c CROSS JOIN LATERAL (",
        join(" UNION ALL ", (_stream(order, part, rows, walk) for part in order.parts(search.seek))),
        ") AS p WHERE ",
        in_collections(search),
        " ",
        order.merged("p"),
        limit(rows),
    )


def _stream(order: "_Order", part: Fragment, rows: int, walk: Walk | None) -> Fragment:
    scan = sql(
        order.values(),
        " FROM items i WHERE i.collection = c.key AND ",
        part,
        all_of(order.range_),
        " ",
        order.by(),
    )
    first = with_ties(Parameter(rows, "int"))
    if walk is None:
        return sql("(SELECT ", ROW, scan, first, ")")
    bounded = sql("SELECT i.*", scan, with_ties(walk.bound))
    return sql("(", walk.stream(bounded, f"{ROW}, i.number, i.text", order.by_values(), first), ")")


def _all(search: Search, order: "_Order", rows: int, source: Fragment) -> Fragment:
    return sql(
        "SELECT p.*, ARRAY[p.number::text, p.text] AS keys FROM (SELECT ",
        ROW,
        ", c.id AS collection_id",
        order.values(),
        " FROM ",
        source,
        " JOIN collections c ON c.key = i.collection WHERE (",
        join(" OR ", (sql("(", part, ")") for part in order.parts(search.seek))) if search.seek else sql("TRUE"),
        ")",
        every(search),
        ") AS p ",
        order.merged("p"),
        limit(rows),
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """The index of a property, read upwards from its start or downwards from its end."""

    number: Fragment
    text: Fragment
    upwards: bool
    backward: bool
    range_: Fragment | None = None

    @classmethod
    def of(cls, search: Search, key: SortKey) -> "_Order":
        value = properties.constant(key.field)
        backward = search.seek is not None and search.seek.backward
        number, text = properties.number(value), properties.text_to_sort(value)
        return cls(number, text, upwards=key.descending == backward, backward=backward)

    @property
    def rest(self) -> Order:
        return Order(descending=self.upwards)

    def by(self) -> Fragment:
        """As the index is, of one collection."""
        return self._by(self.number, self.text)

    def by_values(self) -> Fragment:
        """The same over `values`, for the planner to see that it is."""
        return self._by(sql("i.number"), sql("i.text"))

    def _by(self, number: Fragment, text: Fragment) -> Fragment:
        way, back = ("ASC", "DESC") if self.upwards else ("DESC", "ASC")
        return sql("ORDER BY ", number, f" {way}, ", text, f" {way}, i.datetime {back}, i.tie {back}")

    def values(self) -> Fragment:
        return sql(", ", self.number, " AS number, ", self.text, " AS text")

    def merged(self, row: str) -> Fragment:
        way = f"{'ASC' if self.upwards else 'DESC'} NULLS {'FIRST' if self.backward else 'LAST'}"
        return sql(f"ORDER BY {row}.number {way}, {row}.text {way}, ", self.rest.columns(row))

    def parts(self, seek: Seek | None) -> Iterator[Fragment]:
        """Conditions that together hold the rows behind a token, each a range of the index."""
        numbers = sql(self.number, " IS NOT NULL")
        texts = sql(self.number, " IS NULL AND ", self.text, " IS NOT NULL")
        neither = sql(self.number, " IS NULL AND ", self.text, " IS NULL")
        parts = [numbers, texts, neither]
        if seek is None:
            yield from parts
            return
        number, text = seek.position.keys
        here = 0 if number is not None else 1 if text is not None else 2
        yield from parts[:here] if self.backward else parts[here + 1 :]
        rest = self.rest.after(seek)
        sign = ">" if self.upwards else "<"
        if number is not None:
            at = value_of_token(number, "float8")
            yield sql(self.number, " = ", at, " AND ", self.text, " IS NULL AND ", rest)
            yield sql(self.number, f" {sign} ", at)
        elif text is not None:
            at = value_of_token(text, "text")
            yield sql(self.number, " IS NULL AND ", self.text, " = ", at, " AND ", rest)
            yield sql(self.number, " IS NULL AND ", self.text, f" {sign} ", at)
        else:
            yield sql(neither, " AND ", rest)
