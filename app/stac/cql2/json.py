"""CQL2-JSON, as parsed, to nodes. The text encoding comes through here too, so that there is one reader."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from app.stac.cql2 import literals
from app.stac.cql2.bounds import check_tree
from app.stac.cql2.functions import FUNCTIONS
from app.stac.cql2.nodes import (
    And,
    Arithmetic,
    Array,
    ArrayRelation,
    Between,
    Call,
    Comparison,
    In,
    Instant,
    Interval,
    IsNull,
    Kind,
    Like,
    Node,
    Not,
    Or,
    Property,
    Spatial,
    Temporal,
    Value,
)
from app.stac.cql2.types import alike, as_condition, expect, kind

_Arguments: TypeAlias = list[Any]
_Builder: TypeAlias = Callable[[str, _Arguments], Node]

_ELEMENTS: tuple[Kind, ...] = ("array", "boolean", "instant", "number", "text")


def from_json(value: object) -> Node:
    """A condition: a tree that is true, false or unknown for an item. Raises ValueError that says what is wrong."""
    check_tree(value)
    return as_condition(_read(value))


def _read(value: object) -> Node:
    match value:
        case bool():
            return Value(value)
        case int() | float():
            return literals.number(value)
        case str():
            return Value(literals.text(value))
        case list():
            return _array(value)
        case dict():
            return _read_object(value)
    raise ValueError("null is not a value: ask with isNull")


def _read_object(value: dict[str, Any]) -> Node:
    if "op" in value:
        return _operation(value)
    for member, reader in _OBJECTS.items():
        if member in value:
            return reader(value[member])
    if "type" in value:
        return literals.shape(value)
    raise ValueError(f"an object with {', '.join(map(repr, value)) or 'nothing'} is no expression")


def _operation(value: dict[str, Any]) -> Node:
    name, arguments = value["op"], value.get("args")
    if not isinstance(name, str) or not isinstance(arguments, list):
        raise ValueError("an operation needs a text `op` and an array `args`")
    folded = name.lower()
    if folded not in _OPERATORS:
        raise ValueError(f"unknown operator or function {name!r}: functions are {', '.join(FUNCTIONS)}")
    build, least, most = _OPERATORS[folded]
    if not least <= len(arguments) <= most:
        raise ValueError(f"{name}: has {len(arguments)} arguments instead of {least}{' or more' * (most > least)}")
    try:
        return build(folded, arguments)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _call(name: str, arguments: _Arguments) -> Node:
    kinds = FUNCTIONS[name].arguments
    return Call(name, tuple(expect(_read(value), kind) for value, kind in zip(arguments, kinds, strict=True)))


def _and(_: str, arguments: _Arguments) -> Node:
    """One alone is what STAC Browser sends of a single filter: the standard asks for two, and one means itself."""
    conditions = tuple(as_condition(_read(value)) for value in arguments)
    return And(conditions) if len(conditions) > 1 else conditions[0]


def _or(_: str, arguments: _Arguments) -> Node:
    conditions = tuple(as_condition(_read(value)) for value in arguments)
    return Or(conditions) if len(conditions) > 1 else conditions[0]


def _not(_: str, arguments: _Arguments) -> Node:
    return Not(as_condition(_read(arguments[0])))


def _comparison(operator: str, arguments: _Arguments) -> Node:
    left, right = alike([_read(value) for value in arguments], "boolean", "instant", "number", "text")
    return Comparison(operator, left, right)


def _between(_: str, arguments: _Arguments) -> Node:
    if len(arguments) == 2:
        # Drafts of the standard, and clients since, write the bounds as an array.
        if not isinstance(arguments[1], list) or len(arguments[1]) != 2:
            raise ValueError("needs a value and its two bounds")
        arguments = [arguments[0], *arguments[1]]
    return Between(*alike([_read(value) for value in arguments], "instant", "number", "text"))


def _in(_: str, arguments: _Arguments) -> Node:
    if not isinstance(arguments[1], list):
        raise ValueError("its second argument is not an array")
    read = [_read(value) for value in (arguments[0], *arguments[1])]
    value, *options = alike(read, "boolean", "instant", "number", "text")
    return In(value, tuple(options))


def _like(_: str, arguments: _Arguments) -> Node:
    return Like(*(expect(_read(value), "text") for value in arguments))


def _is_null(_: str, arguments: _Arguments) -> Node:
    return IsNull(expect(_read(arguments[0]), "boolean", "geometry", "instant", "interval", "number", "text"))


def _arithmetic(operator: str, arguments: _Arguments) -> Node:
    left, right = (expect(_read(value), "number") for value in arguments)
    return Arithmetic(operator, left, right)


def _spatial(operator: str, arguments: _Arguments) -> Node:
    return Spatial(operator, *(expect(_read(value), "geometry") for value in arguments))  # type: ignore[arg-type]


def _temporal(operator: str, arguments: _Arguments) -> Node:
    return Temporal(operator, *(_time(value) for value in arguments))


def _array_relation(operator: str, arguments: _Arguments) -> Node:
    return ArrayRelation(operator, *(expect(_read(value), "array") for value in arguments))  # type: ignore[arg-type]


def _time(value: object) -> Property | Instant | Interval:
    if isinstance(value, str):
        return literals.date_or_timestamp(value)
    read = expect(_read(value), "instant", "interval")
    assert isinstance(read, Property | Instant | Interval)  # No operation has these types.
    return read


def _array(values: list[Any]) -> Array:
    elements = tuple(expect(_read(value), *_ELEMENTS) for value in values)
    inside = [each for element in elements if isinstance(element, Array) for each in element.values]
    if any(kind(each) == "instant" for each in inside):
        raise ValueError("an array within an array may not hold times")
    return Array(elements)


def _property(name: object) -> Property:
    if not literals.text(name):
        raise ValueError("a property has an empty name")
    return Property(str(name))


def _interval(value: object) -> Interval:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("interval: is not an array of a start and an end")
    start, end = (None if bound == ".." else _bound(bound) for bound in value)
    if isinstance(start, Instant) and isinstance(end, Instant) and start.start > end.end:
        raise ValueError(f"interval: ends ({end.end.isoformat()}) before it starts ({start.start.isoformat()})")
    return Interval(start, end)


def _bound(value: object) -> Property | Instant:
    bound = _time(value)
    if isinstance(bound, Interval):
        raise ValueError("interval: a bound is a time, not an interval")
    return bound


_OBJECTS: Mapping[str, Callable[[Any], Node]] = {
    "property": _property,
    "date": literals.date,
    "timestamp": literals.timestamp,
    "interval": _interval,
    "bbox": literals.box,
}

_MANY = 1_000_000  # as many as a tree may have

# Functions too, by the lower case of the name: how it is read, and how many arguments it has.
_OPERATORS: Mapping[str, tuple[_Builder, int, int]] = {
    "and": (_and, 1, _MANY),
    "or": (_or, 1, _MANY),
    "not": (_not, 1, 1),
    "between": (_between, 2, 3),
    "in": (_in, 2, 2),
    "like": (_like, 2, 2),
    "isnull": (_is_null, 1, 1),
    **dict.fromkeys(("=", "<>", "<", "<=", ">", ">="), (_comparison, 2, 2)),
    **dict.fromkeys(("+", "-", "*", "/", "%", "^", "div"), (_arithmetic, 2, 2)),
    **dict.fromkeys(
        ("s_contains", "s_crosses", "s_disjoint", "s_equals", "s_intersects", "s_overlaps", "s_touches", "s_within"),
        (_spatial, 2, 2),
    ),
    **dict.fromkeys(
        (
            *("t_after", "t_before", "t_contains", "t_disjoint", "t_during", "t_equals", "t_finishedby", "t_finishes"),
            *("t_intersects", "t_meets", "t_metby", "t_overlappedby", "t_overlaps", "t_startedby", "t_starts"),
        ),
        (_temporal, 2, 2),
    ),
    **dict.fromkeys(("a_containedby", "a_contains", "a_equals", "a_overlaps"), (_array_relation, 2, 2)),
    **{name: (_call, len(function.arguments), len(function.arguments)) for name, function in FUNCTIONS.items()},
}
