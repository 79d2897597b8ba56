"""The Query extension 1.0.0: operators on properties, as JSON, become the nodes of a CQL2 filter.

Each is written as CQL2-JSON, so that there is one reader, one set of types and one set of bounds. JSON has no times,
and the extension does not say what an array is to `in` and `contains`; here:

- a text that is an RFC 3339 date-time is compared as a time;
- a text that is a number is compared with numbers too, for many clients send `"20"`;
- `in` and `contains` are met by an array too that has one of the values as a member.
"""

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from app.stac import cql2
from app.stac.cql2.bounds import check_tree
from app.stac.cql2.nodes import COLUMNS, And, Node
from app.stac.interval import parse_instant

_Tree: TypeAlias = dict[str, Any]

_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)


def from_json(query: object) -> Node | None:
    """What all of the query asks; None where it asks nothing. Raises ValueError that says what is wrong, and where."""
    if not isinstance(query, dict):
        raise ValueError("is not an object")
    trees = [
        (f"{name!r}: {operator}", _tree(name, operator, value))
        for name, operators in query.items()
        for operator, value in _operators(name, operators).items()
    ]
    check_tree({"op": "and", "args": [tree for _, tree in trees]})
    conditions = tuple(_read(place, tree) for place, tree in trees)
    return And(conditions) if len(conditions) > 1 else next(iter(conditions), None)


def _operators(name: str, operators: object) -> Mapping[str, Any]:
    if not isinstance(operators, dict) or not operators:
        raise ValueError(f'{name!r}: is not an object such as {{"eq": 1}}')
    for operator in operators:
        if operator not in _OPERATORS:
            raise ValueError(f"{name!r}: unknown operator {operator!r}: known are {', '.join(_OPERATORS)}")
    return operators


def _tree(name: str, operator: str, value: object) -> _Tree:
    try:
        return _OPERATORS[operator](name, value)
    except ValueError as error:
        raise ValueError(f"{name!r}: {operator}: {error}") from None


def _read(place: str, tree: _Tree) -> Node:
    try:
        return cql2.from_json(tree)
    except ValueError as error:
        raise ValueError(f"{place}: {error}") from None


def _compared(operator: str) -> Callable[[str, object], _Tree]:
    def tree(name: str, value: object) -> _Tree:
        return _any_of([_operation(operator, name, each) for each in _meanings(name, _scalar(value))])

    return tree


def _called(function: str) -> Callable[[str, object], _Tree]:
    def tree(name: str, value: object) -> _Tree:
        return _operation(function, name, _text(value))

    return tree


def _contains(name: str, value: object) -> _Tree:
    trees = [_operation("contains", name, _text(value))]
    return _any_of([*trees, _operation("a_contains", name, [value])] if _is_any(name) else trees)


def _in(name: str, values: object) -> _Tree:
    """A list for each type of its values: a property is compared with those of its own."""
    if not isinstance(values, list):
        raise ValueError("is not an array")
    options: dict[type, list[Any]] = {str: []}
    for value in values:
        for each in _meanings(name, _scalar(value)):
            options.setdefault(float if type(each) is int else type(each), []).append(each)
    trees = [_operation("in", name, each) for each in options.values()]
    return _any_of([*trees, _operation("a_overlaps", name, values)] if _is_any(name) else trees)


def _scalar(value: object) -> str | float | bool:
    if isinstance(value, str | int | float):
        return value
    raise ValueError("is not a text, a number or a boolean")


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    raise ValueError("is not a text")


def _meanings(name: str, value: str | float | bool) -> list[Any]:
    """The value as CQL2-JSON, and what else it can be where only the item knows the type of the property."""
    if not isinstance(value, str) or not _is_any(name):
        return [value]
    if _NUMBER.fullmatch(value) and math.isfinite(float(value)):
        return [value, float(value)]
    return [{"timestamp": value}] if _is_time(value) else [value]


def _is_any(name: str) -> bool:
    return name not in COLUMNS


def _is_time(text: str) -> bool:
    try:
        parse_instant(text)
    except ValueError:
        return False
    return True


def _operation(operator: str, name: str, value: object) -> _Tree:
    return {"op": operator, "args": [{"property": name}, value]}


def _any_of(trees: list[_Tree]) -> _Tree:
    return trees[0] if len(trees) == 1 else {"op": "or", "args": trees}


_OPERATORS: Mapping[str, Callable[[str, object], _Tree]] = {
    "eq": _compared("="),
    "neq": _compared("<>"),
    "lt": _compared("<"),
    "lte": _compared("<="),
    "gt": _compared(">"),
    "gte": _compared(">="),
    "startsWith": _called("starts_with"),
    "endsWith": _called("ends_with"),
    "contains": _contains,
    "in": _in,
}
