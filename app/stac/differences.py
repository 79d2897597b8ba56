"""What makes one JSON document out of another: a list of paths with the values to put there.

`[["properties", "gsd"], 10]` sets a member, `[["properties", "gsd"]]` removes it. A list that
differs is set as a whole.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from app.errors import InvalidDocument

Difference = list[Any]


def between(given: Any, wanted: Any) -> list[Difference]:
    """What `apply` has to do to `given`, an object, to make it `wanted`. Numbers that are equal are the same."""
    return list(_between(given, wanted, []))


def apply(document: Any, differences: Sequence[Any]) -> Any:
    """The document, changed in place. Raises InvalidDocument for differences that are not of this document."""
    try:
        for path, *value in differences:
            *steps, last = path
            parent = document
            for step in steps:
                parent = parent[step]
            if value:
                (parent[last],) = value
            else:
                del parent[last]
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidDocument(f"has differences that do not belong to it: {error!r}") from None
    return document


def _between(given: dict[str, Any], wanted: dict[str, Any], path: list[str]) -> Iterator[Difference]:
    for name in given.keys() - wanted.keys():
        yield [[*path, name]]
    for name, value in wanted.items():
        here = given.get(name)
        if name in given and isinstance(here, dict) and isinstance(value, dict):
            yield from _between(here, value, [*path, name])
        elif name not in given or not _same(here, value):
            yield [[*path, name], value]


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[name], other[name]) for name in one)
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
