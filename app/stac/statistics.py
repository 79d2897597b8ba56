"""What the items of a collection have in their properties: names, types, bounds, and the texts where they are few.

Statistics only widen: they hold for each item that was ever stored, and so for all that are there.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import msgspec

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


@dataclass(frozen=True, slots=True)
class Statistic:
    """Of one property. `members` has the types inside arrays; `texts` the texts of both, None where they are many."""

    types: int
    members: int = 0
    minimum: float | None = None
    maximum: float | None = None
    texts: frozenset[str] | None = frozenset()

    @classmethod
    def of(cls, values: Sequence[Any]) -> Self:
        kinds = set(map(type, values))
        numbers = values if kinds <= _NUMBERS else [value for value in values if type(value) in _NUMBERS]
        members = [member for value in values if type(value) is list for member in value] if list in kinds else []
        inside = set(map(type, members))
        own, texts = _of_texts(values) if str in kinds else (0, set())
        theirs, more = _of_texts(members) if str in inside else (0, set())
        texts = texts | more
        few = len(texts) <= TEXTS_AT_MOST and all(len(text) <= _TEXT_LENGTH for text in texts)
        return cls(
            types=sum(_TYPES[kind] for kind in kinds if kind is not str) | own,
            members=sum(_TYPES[kind] for kind in inside if kind is not str) | theirs,
            minimum=min(numbers, default=None),
            maximum=max(numbers, default=None),
            texts=frozenset(texts) if few else None,
        )

    def holds(self, value: Any) -> bool:
        """Whether it is true of such a value too: told at once of numbers and texts, as most are."""
        kind = type(value)
        if kind is list:
            return self.joined(self.of([value])) == self
        if kind is str:
            if _is_time(value):
                return self.types & Type.TIME > 0
            return self.types & Type.TEXT > 0 and (self.texts is None or value in self.texts)
        if not self.types & _TYPES[kind]:
            return False
        if kind not in _NUMBERS:
            return True
        low, high = self.minimum, self.maximum
        return low is not None and high is not None and low <= value <= high

    def joined(self, other: Self) -> Self:
        """What is true of the values of both."""
        minima, maxima = (self.minimum, other.minimum), (self.maximum, other.maximum)
        texts = None if self.texts is None or other.texts is None else self.texts | other.texts
        return type(self)(
            types=self.types | other.types,
            members=self.members | other.members,
            minimum=min((each for each in minima if each is not None), default=None),
            maximum=max((each for each in maxima if each is not None), default=None),
            texts=None if texts is None or len(texts) > TEXTS_AT_MOST else texts,
        )


def hold(known: Mapping[str, Statistic], stored: bytes) -> bool:
    """Whether statistics by name are true of an item with these properties, as JSON."""
    properties: dict[str, Any] = msgspec.json.decode(stored)
    return all(name in known and known[name].holds(value) for name, value in properties.items())


def joined(known: Mapping[str, Statistic], found: Mapping[str, Statistic]) -> dict[str, Statistic]:
    return {**known, **{name: known[name].joined(each) if name in known else each for name, each in found.items()}}


def _of_texts(values: Iterable[Any]) -> tuple[int, set[str]]:
    """The types of the texts among values, and those texts that are no times."""
    texts = {value for value in values if type(value) is str}
    others = {text for text in texts if not _is_time(text)}
    return (Type.TIME if len(others) < len(texts) else 0) | (Type.TEXT if others else 0), others


def of_properties(stored: Iterable[bytes]) -> dict[str, Statistic]:
    """By name. `stored` are the properties of items, as JSON; whole numbers may be of any size."""
    values: defaultdict[str, list[Any]] = defaultdict(list)
    for properties in map(msgspec.json.decode, stored):
        for name, value in properties.items():
            values[name].append(value)
    return {name: Statistic.of(each) for name, each in values.items() if len(name.encode()) <= NAME_BYTES}


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
_NUMBERS = {int, float}
