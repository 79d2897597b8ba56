"""What the items of a collection have in their properties: names, types, bounds, and the texts where they are few.

Statistics only widen: they hold for each item that was ever stored, and so for all that are there.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from app.stac.interval import parse_instant

# More distinct texts than these are not a choice any more, and longer ones no names.
TEXTS_AT_MOST = 30
_TEXT_LENGTH = 100
# An entry of a btree is a third of a page at most. Longer names work in filters, and are not listed.
NAME_BYTES = 1000


class Type:
    """Of a value, as flags. TEXT is what is no RFC 3339 date-time. Not an IntFlag: those take a microsecond to join."""

    NULL = 1
    BOOLEAN = 2
    INTEGER = 4
    NUMBER = 8
    TEXT = 16
    TIME = 32
    ARRAY = 64
    OBJECT = 128


@dataclass(slots=True)
class Statistic:
    """Of one property. `members` has the types inside arrays; `texts` the texts of both, None where they are many."""

    types: int = 0
    members: int = 0
    minimum: float | None = None
    maximum: float | None = None
    texts: set[str] | None = field(default_factory=set)

    def add(self, value: Any) -> None:
        kind = type(value)
        if kind is str:
            self.types |= self._text(value)
            return
        self.types |= _TYPES[kind]
        if kind is float or kind is int:
            if self.minimum is None or value < self.minimum:
                self.minimum = value
            if self.maximum is None or value > self.maximum:
                self.maximum = value
        elif kind is list:
            for member in value:
                self.members |= self._text(member) if type(member) is str else _TYPES[type(member)]

    def _text(self, text: str) -> int:
        if _is_time(text):
            return Type.TIME
        if self.texts is not None:
            self.texts.add(text)
            if len(text) > _TEXT_LENGTH or len(self.texts) > TEXTS_AT_MOST:
                self.texts = None
        return Type.TEXT


def of_properties(stored: Sequence[bytes]) -> dict[str, Statistic]:
    """By name. `stored` are the properties of items, as JSON."""
    try:
        found = _gathered(map(orjson.loads, stored))
        if all(_is_exact(each.minimum) and _is_exact(each.maximum) for each in found.values()):
            return found
    except ValueError:  # A number beyond what doubles hold.
        pass
    return _gathered(map(json.loads, stored))


def _gathered(items: Iterable[dict[str, Any]]) -> dict[str, Statistic]:
    found: dict[str, Statistic] = {}
    for properties in items:
        for name, value in properties.items():
            if name in found:
                found[name].add(value)
            elif len(name.encode()) <= NAME_BYTES:
                found[name] = Statistic()
                found[name].add(value)
    return found


def _is_exact(number: float | None) -> bool:
    """Whole numbers beyond 64 bits are read as doubles by the fast parser."""
    return number is None or abs(number) < 1 << 63


def _is_time(text: str) -> bool:
    if text[4:5] != "-":
        return False
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True


_TYPES: dict[type, int] = {
    type(None): Type.NULL,
    bool: Type.BOOLEAN,
    int: Type.INTEGER,
    float: Type.NUMBER,
    list: Type.ARRAY,
    dict: Type.OBJECT,
}
