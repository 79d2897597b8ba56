"""Which properties a search names, for services that accept only those their items have."""

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass
from difflib import get_close_matches

from app.errors import InvalidRequest
from app.stac.cql2.nodes import Node, Property
from app.stac.queryables import COMMON, TIMES
from app.stac.search import Search
from app.stac.statistics import NAME_BYTES

# Comparing texts takes the product of their lengths.
_SLIP_AT_MOST = 100


def of_filter(search: Search) -> list[str]:
    return _checked(set() if search.filter is None else set(_names(search.filter)), COMMON)


def of_order(search: Search) -> list[str]:
    return _checked({key.field for key in search.sortby}, COMMON - {"geometry"})


def unknown(parameter: str, name: str, known: Iterable[str]) -> InvalidRequest:
    """That a property is none of the known ones, with those that it may be a slip of."""
    near = get_close_matches(name, {*COMMON, *known}) if len(name) <= _SLIP_AT_MOST else []
    choice = f"; near to it: {', '.join(near)}" if near else ""
    return InvalidRequest(f"{parameter}: no item has a property {name!r}{choice}", parameter)


def _names(node: Node) -> Iterator[str]:
    if isinstance(node, Property):
        yield node.name
        return
    for each in fields(node):
        value = getattr(node, each.name)
        for inner in value if isinstance(value, tuple) else (value,):
            if is_dataclass(inner):
                yield from _names(inner)  # type: ignore[arg-type]


def _checked(names: set[str], common: frozenset[str]) -> list[str]:
    """In one order and without the prefix, without what every item has and what is too long to be known."""
    stripped = {name.removeprefix("properties.") for name in names - common} - set(TIMES)
    return sorted(name for name in stripped if len(name.encode()) <= NAME_BYTES)
