"""The Sort extension 1.1.0: by which fields, and which way."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal

from app.stac.lists import signed

Kind = Literal["number", "text"]

_COLUMNS: dict[str, tuple[Kind, ...]] = {"id": ("text",), "collection": ("text",), "datetime": ("number",)}
_NUMBER = re.compile(r"-?\d{1,20}(\.\d{1,20})?(e[+-]\d{1,3})?", re.ASCII)
# More keys than anybody means, and few enough for the comparison behind a page token.
_KEYS_AT_MOST = 10


@dataclass(frozen=True, slots=True)
class SortKey:
    """`field` is `id`, `collection`, `datetime`, or the name of a property without the prefix `properties.`."""

    field: str
    descending: bool

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What is compared, in this order: a property has its numbers in front of its texts."""
        return _COLUMNS.get(self.field, ("number", "text"))


def fields(keys: Sequence[SortKey]) -> tuple[SortKey, ...]:
    """What is compared before the order that all results have. A `datetime` that comes last is that order itself."""
    return tuple(keys[:-1] if keys and keys[-1].field == "datetime" else keys)


def newest_first(keys: Sequence[SortKey]) -> bool:
    """Which way the order behind the fields runs: as a last `datetime` says, else against the last field.

    So the least cloudy come newest first, and the order of a field is the same one read from its other end.
    """
    if not keys:
        return True
    return keys[-1].descending == (keys[-1].field == "datetime")


def check_values(keys: Sequence[SortKey], values: Sequence[str | None]) -> None:
    """Whether the values of a page token can be those of this order. Raises ValueError."""
    kinds = [kind for key in fields(keys) for kind in key.kinds]
    if len(values) != len(kinds):
        raise ValueError("does not fit the order of the search")
    for kind, value in zip(kinds, values, strict=True):
        if kind == "number" and value is not None and not _is_number(value):
            raise ValueError("has a number that is none")


def _is_number(value: str) -> bool:
    return _NUMBER.fullmatch(value) is not None and isfinite(float(value))


def from_text(text: str) -> tuple[SortKey, ...]:
    """`+a,-b`. Raises ValueError."""
    names = signed(text)
    if not names:
        raise ValueError("names no field")
    return _checked([_key(name, descending=minus) for name, minus in names])


def from_json(value: Any) -> tuple[SortKey, ...]:
    """`[{"field": "a", "direction": "asc"}]`. Raises ValueError."""
    if not isinstance(value, list):
        raise ValueError("is not an array")
    return _checked([_from_object(part) for part in value])


def _from_object(part: Any) -> SortKey:
    match part:
        case {"field": str(field), "direction": "asc" | "desc" as direction}:
            return _key(field, direction == "desc")
        case {"field": str(field)} if "direction" not in part:
            return _key(field, descending=False)
    raise ValueError('has a member that is not {"field": …, "direction": "asc" or "desc"}')


def _key(field: str, descending: bool) -> SortKey:
    name = field.removeprefix("properties.")
    if not name or "\0" in name:
        raise ValueError(f"{field!r} is not the name of a field")
    return SortKey(name, descending)


def _checked(keys: Sequence[SortKey]) -> tuple[SortKey, ...]:
    if len(keys) > _KEYS_AT_MOST:
        raise ValueError(f"has more than {_KEYS_AT_MOST} fields")
    first: dict[str, SortKey] = {}
    for key in keys:
        first.setdefault(key.field, key)  # A field that comes again orders nothing any more.
    return tuple(first.values())
