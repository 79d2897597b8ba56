"""An order by any fields, spelt out: values without an index of their own, nulls last both ways.

Behind the fields comes the order that all results have, newest first, so that it is total. A property is two keys,
its numbers and then its texts: a field with both has an order too, and nothing is compared with what it is not.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql.keyset import Order
from app.stac.paging import Seek
from app.stac.sorting import Kind, SortKey


@dataclass(frozen=True, slots=True)
class _Key:
    """An expression over an item, and the type its values have in a token."""

    expression: Fragment
    type: str
    descending: bool

    def by(self, backward: bool) -> Fragment:
        way = "DESC" if self.descending != backward else "ASC"
        return sql(self.expression, f" {way} NULLS {'FIRST' if backward else 'LAST'}")

    def equals(self, value: str | None) -> Fragment:
        if value is None:
            return sql(self.expression, " IS NULL")
        return sql(self.expression, " = ", Parameter(value, f"text::{self.type}"))

    def behind(self, value: str | None, backward: bool) -> Fragment:
        """The values that come later, in the direction that is read."""
        if value is None:
            return sql(self.expression, " IS NOT NULL") if backward else sql("FALSE")
        sign = "<" if self.descending != backward else ">"
        later = sql(self.expression, f" {sign} ", Parameter(value, f"text::{self.type}"))
        return later if backward else sql("(", later, " OR ", self.expression, " IS NULL)")


@dataclass(frozen=True, slots=True)
class Sorted:
    """The keys of an order, read from one end or the other."""

    keys: tuple[_Key, ...]
    seek: Seek | None

    @classmethod
    def of(cls, sortby: Iterable[SortKey], seek: Seek | None) -> "Sorted":
        return cls(tuple(key for field in sortby for key in _keys(field)), seek)

    @property
    def _backward(self) -> bool:
        return self.seek is not None and self.seek.backward

    @property
    def _rest(self) -> Order:
        return Order(descending=not self._backward)

    def values(self) -> Fragment:
        """The values of a row that a token needs, as texts."""
        return sql("ARRAY[", join(", ", (sql("(", key.expression, ")::text") for key in self.keys)), "] AS keys")

    def by(self) -> Fragment:
        keys = join(", ", (key.by(self._backward) for key in self.keys))
        return sql("ORDER BY ", keys, ", ", self._rest.columns("i"))

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
        later.append(join(" AND ", [*equal, self._rest.after(self.seek)]))
        return sql("(", join(" OR ", (sql("(", case, ")") for case in later)), ")")


def _keys(key: SortKey) -> list[_Key]:
    column = _COLUMNS.get(key.field)
    value = _property(key.field) if column is None else sql()
    return [_Key(sql(column) if column else _OF_KIND[kind](value), _TYPES[kind], key.descending) for kind in key.kinds]


_COLUMNS = {"id": "i.id", "collection": "c.id", "datetime": "extract(epoch FROM i.datetime)"}
_TYPES: dict[Kind, str] = {"number": "numeric", "text": "text"}


def _number(value: Fragment) -> Fragment:
    return sql("(CASE WHEN jsonb_typeof(", value, ") = 'number' THEN (", value, ")::numeric END)")


def _text(value: Fragment) -> Fragment:
    kind = sql("jsonb_typeof(", value, ") IN ('string', 'boolean')")
    return sql("(CASE WHEN ", kind, " THEN ", value, " #>> '{}' END COLLATE \"C\")")


_OF_KIND: dict[Kind, Callable[[Fragment], Fragment]] = {"number": _number, "text": _text}


def _property(name: str) -> Fragment:
    parameter = Parameter(name, "text")
    if "." not in name:
        return sql("(i.properties -> ", parameter, ")")
    # A dot may be in the name itself, or lead into an object.
    path = Parameter(name.split("."), "text[]")
    return sql("coalesce(i.properties -> ", parameter, ", i.properties #> ", path, ")")
