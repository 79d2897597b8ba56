"""Pages by a property that an operator made an index for: `upesi index add`.

The index is (collection, number, text, datetime, tie, id), numbers and texts upwards and the rest downwards, so that
read from one end it is the order of the property upwards, and from the other end downwards. It has three parts, one
behind the other: items where the property is a number, a text, neither. Each part of each collection is a stream that
stops at the page; the streams are merged outside.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from app.database.fragment import Fragment, join, sql
from app.sql import properties
from app.sql.conditions import ROW, all_of, in_collections, limit, matches, near, overlaps
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
    return sql("(collection, ", number, ", ", text, ", datetime DESC, tie DESC, id DESC)")


def field(search: Search, indexes: Collection[str]) -> SortKey | None:
    """The one field that the search is sorted by, if an index has that order."""
    keys = fields(search.sortby)
    if len(keys) != 1 or keys[0].field not in indexes:
        return None
    (key,) = keys
    follows = newest_first(search.sortby) != key.descending and search.ids is None and search.area is None
    return key if follows else None


def advice(search: Search, indexes: Collection[str]) -> str:
    """What an operator can do for a search that took too long."""
    wanted = [key.field for key in fields(search.sortby)[:1] if key.kinds == ("number", "text")]
    missing = [name for name in wanted if name not in indexes]
    if not missing:
        return ""
    commands = " and ".join(f"`upesi index add {name}`" for name in missing)
    return f"; the operator could help it with {commands}"


def by_field(search: Search, key: SortKey, rows: int) -> Fragment:
    """The items of a search without ids and area, sorted by one property."""
    order = _Order.of(search, key)
    return sql(
        "SELECT p.*, c.id AS collection_id, ARRAY[p.number::text, p.text] AS keys",
        " FROM collections c CROSS JOIN LATERAL (",
        join(" UNION ALL ", (_stream(search, order, part, rows) for part in order.parts(search.seek))),
        ") AS p WHERE ",
        in_collections(search.collections),
        " ",
        order.merged(),
        limit(rows),
    )


def _stream(search: Search, order: "_Order", part: Fragment, rows: int) -> Fragment:
    return sql(
        "(SELECT ",
        ROW,
        ", ",
        order.number,
        " AS number, ",
        order.text,
        " AS text FROM items i WHERE i.collection = c.key AND ",
        part,
        all_of(near(search.interval, "c.lag", "c.lead"), overlaps(search.interval), matches(search.filter)),
        " ",
        order.by(),
        limit(rows),
        ")",
    )


@dataclass(frozen=True, slots=True)
class _Order:
    """The index of a property, read upwards from its start or downwards from its end."""

    number: Fragment
    text: Fragment
    upwards: bool
    backward: bool

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
        """As the index is."""
        way = "ASC" if self.upwards else "DESC"
        return sql("ORDER BY ", self.number, f" {way}, ", self.text, f" {way}, ", self.rest.columns("i"))

    def merged(self) -> Fragment:
        way = f"{'ASC' if self.upwards else 'DESC'} NULLS {'FIRST' if self.backward else 'LAST'}"
        return sql(f"ORDER BY p.number {way}, p.text {way}, ", self.rest.columns("p"))

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
