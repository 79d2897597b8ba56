"""An order by any fields, spelt out: values without an index of their own, nulls last both ways.

Behind the fields comes the order that all results have, so that it is total. A property is two keys,
its numbers and then its texts: a field with both has an order too, and nothing is compared with what it is not.
"""

from dataclasses import dataclass

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import properties
from app.sql.keyset import Order
from app.stac.collection_search import CollectionSearch
from app.stac.paging import Seek
from app.stac.search import Search
from app.stac.sorting import SortKey, fields


@dataclass(frozen=True, slots=True)
class _Key:
    """An expression over an item, and its SQL type."""

    expression: Fragment
    type: str
    descending: bool

    def by(self, backward: bool) -> Fragment:
        way = "DESC" if self.descending != backward else "ASC"
        return sql(self.expression, f" {way} NULLS {'FIRST' if backward else 'LAST'}")

    def equals(self, value: str | None) -> Fragment:
        if value is None:
            return sql(self.expression, " IS NULL")
        return sql(self.expression, " = ", value_of_token(value, self.type))

    def behind(self, value: str | None, backward: bool) -> Fragment:
        """The values that come later, in the direction that is read."""
        if value is None:
            return sql(self.expression, " IS NOT NULL") if backward else sql("FALSE")
        sign = "<" if self.descending != backward else ">"
        later = sql(self.expression, f" {sign} ", value_of_token(value, self.type))
        return later if backward else sql("(", later, " OR ", self.expression, " IS NULL)")


@dataclass(frozen=True, slots=True)
class Sorted:
    """The keys of an order, read from one end or the other, and the order behind them."""

    keys: tuple[_Key, ...]
    rest: Order
    seek: Seek | None

    @classmethod
    def of(cls, search: Search | CollectionSearch) -> "Sorted":
        keys = tuple(key for field in fields(search.sortby) for key in _keys(field, _value(field)))
        return cls(keys, Order.of(search), search.seek)

    @classmethod
    def of_columns(cls, search: Search) -> "Sorted":
        """The same over rows `i` that have `columns`, so that each value is looked up in its item once."""
        numbered = enumerate(fields(search.sortby))
        keys = tuple(key for place, field in numbered for key in _keys(field, sql(f"i.value{place}")))
        return cls(keys, Order.of(search), search.seek)

    @property
    def _backward(self) -> bool:
        return self.seek is not None and self.seek.backward

    def values(self) -> Fragment:
        """The values of a row that a token needs, as texts."""
        return sql("ARRAY[", join(", ", (sql("(", key.expression, ")::text") for key in self.keys)), "] AS keys")

    def by(self) -> Fragment:
        keys = join(", ", (key.by(self._backward) for key in self.keys))
        return sql("ORDER BY ", keys, ", ", self.rest.columns("i"))

    def after(self) -> Fragment:
        """The rows behind a token: later in the first key, or equal in it and later in the second, and so on."""
        if self.seek is None:
            return sql("TRUE")
        at = self.seek.position
        equal: list[Fragment] = []
        later: list[Fragment] = []
        for key, value in zip(self.keys, at.keys, strict=True):
            later.append(join(" AND ", [*equal, key.behind(value, self._backward)]))
            equal.append(key.equals(value))
        later.append(join(" AND ", [*equal, self.rest.after(self.seek)]))
        return sql("(", join(" OR ", (sql("(", case, ")") for case in later)), ")")


def columns(search: Search) -> Fragment:
    """What an item is sorted by, of `items i` and `collections c`."""
    return join(", ", (sql(_value(key), f" AS value{place}") for place, key in enumerate(fields(search.sortby))))


def _value(key: SortKey) -> Fragment:
    return sql(_COLUMNS[key.field][0]) if key.field in _COLUMNS else properties.named(key.field)


def _keys(key: SortKey, value: Fragment) -> list[_Key]:
    if key.field in _COLUMNS:
        return [_Key(value, _COLUMNS[key.field][1], key.descending)]
    return [
        _Key(properties.number(value), "float8", key.descending),
        _Key(properties.text_to_sort(value), "text", key.descending),
    ]


def value_of_token(value: str, type_: str) -> Parameter:
    return Parameter(float(value), "float8") if type_ == "float8" else Parameter(value, f"text::{type_}")


# A float8 would not tell the microseconds of the year 1 apart.
_COLUMNS = {
    "id": ("i.id", "text"),
    "collection": ("c.id", "text"),
    "datetime": ("extract(epoch FROM i.datetime)", "numeric"),
}
