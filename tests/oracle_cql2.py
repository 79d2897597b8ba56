"""CQL2-JSON on one item's properties, in three-valued logic; None is unknown. Knows nothing of nodes or SQL."""

import math
import operator
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.factories import Document

Truth = bool | None

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_CALCULATE: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": math.fmod,
    "div": lambda left, right: float(math.trunc(left / right)),
    "^": operator.pow,
    "abs": lambda number, _: abs(number),
    "ceil": lambda number, _: float(math.ceil(number)),
    "floor": lambda number, _: float(math.floor(number)),
}
_TEXTS: dict[str, Callable[[str], str]] = {"lower": str.lower, "upper": str.upper}
_SETS: dict[str, Callable[[set[Any], set[Any]], bool]] = {
    "a_equals": operator.eq,
    "a_contains": operator.ge,
    "a_containedBy": operator.le,
    "a_overlaps": lambda one, other: bool(one & other),
}
# Of a start and an end with another.
_TIMES: dict[str, Callable[[Any, Any], bool]] = {
    "t_after": lambda one, other: one[0] > other[1],
    "t_before": lambda one, other: one[1] < other[0],
    "t_contains": lambda one, other: one[0] < other[0] and other[1] < one[1],
    "t_disjoint": lambda one, other: one[1] < other[0] or other[1] < one[0],
    "t_during": lambda one, other: other[0] < one[0] and one[1] < other[1],
    "t_equals": operator.eq,
    "t_finishedBy": lambda one, other: one[0] < other[0] and one[1] == other[1],
    "t_finishes": lambda one, other: one[0] > other[0] and one[1] == other[1],
    "t_intersects": lambda one, other: one[0] <= other[1] and other[0] <= one[1],
    "t_meets": lambda one, other: one[1] == other[0],
    "t_metBy": lambda one, other: one[0] == other[1],
    "t_overlappedBy": lambda one, other: other[0] < one[0] < other[1] < one[1],
    "t_overlaps": lambda one, other: one[0] < other[0] < one[1] < other[1],
    "t_startedBy": lambda one, other: one[0] == other[0] and other[1] < one[1],
    "t_starts": lambda one, other: one[0] == other[0] and one[1] < other[1],
}


def evaluate(tree: Any, item: Document) -> Truth:
    if not isinstance(tree, dict) or "property" in tree:
        truth: Truth = _as(tree, bool, item)
        return truth
    name, arguments = tree["op"], tree["args"]
    match name:
        case "and":
            return _and([evaluate(each, item) for each in arguments])
        case "or":
            return _not(_and([_not(evaluate(each, item)) for each in arguments]))
        case "not":
            return _not(evaluate(arguments[0], item))
        case "isNull":
            return _value(arguments[0], item) is None
        case "between":
            value, low, high = arguments
            return _and([_compare(">=", value, low, [high], item), _compare("<=", value, high, [low], item)])
        case "in":
            value, options = arguments
            equal = [_compare("=", value, option, options, item) for option in options]
            return _not(_and([_not(each) for each in equal]))
    return _relation(name, arguments, item)


def _relation(name: str, arguments: list[Any], item: Document) -> Truth:
    if name in _SETS:
        one, other = (_set(each, item) for each in arguments)
        return None if one is None or other is None else _SETS[name](one, other)
    if name in _TIMES:
        left, right = (_span(each, item) for each in arguments)
        return None if left is None or right is None else _TIMES[name](left, right)
    if name in ("like", "contains"):
        value, pattern = (_as(each, str, item) for each in arguments)
        if value is None or pattern is None:
            return None
        return pattern in value if name == "contains" else _pattern(pattern).fullmatch(value) is not None
    left, right = arguments
    return _compare(name, left, right, [], item)


def _compare(name: str, left: Any, right: Any, beside: list[Any], item: Document) -> Truth:
    """As the type that one of all that are compared has by itself; two properties as the type that both have."""
    known = next((each for each in map(_type, [left, right, *beside]) if each is not None), None)
    for kind in [known] if known else [bool, float, str]:
        one, other = _as(left, kind, item), _as(right, kind, item)
        if one is not None and other is not None:
            return _COMPARE[name](one, other)
    return None


def _type(tree: Any) -> type | None:
    """What it is by itself; None for a property."""
    match tree:
        case {"property": "datetime"} | {"date": _} | {"timestamp": _}:
            return datetime
        case {"property": _}:
            return None
        case {"op": name}:
            return float if name in _CALCULATE else str if name in _TEXTS else bool
    return float if type(tree) is int else type(tree)


def _value(tree: Any, item: Document) -> Any:
    """Of any type, for isNull."""
    if isinstance(tree, dict) and "property" in tree:
        return _property(tree["property"], item)
    return _as(tree, _type(tree) or str, item)


def _as(tree: Any, kind: type, item: Document) -> Any:
    match tree:
        case {"property": name}:
            return _narrowed(_property(name, item), kind)
        case {"date": text} | {"timestamp": text}:
            return _narrowed(text, datetime)
        case {"op": name, "args": arguments} if name in _CALCULATE:
            numbers = [_as(each, float, item) for each in arguments]
            return None if None in numbers else _calculated(name, numbers)
        case {"op": name, "args": [argument]} if name in _TEXTS:
            text = _as(argument, str, item)
            return None if text is None else _TEXTS[name](text)
        case {"op": _}:
            return evaluate(tree, item)
    return _narrowed(tree, kind)


def _property(name: str, item: Document) -> Any:
    name = name.removeprefix("properties.")
    if name in item:
        return item[name]
    found: Any = item
    for step in name.split("."):
        found = found.get(step) if isinstance(found, dict) else None
    return found


def _narrowed(value: Any, kind: type) -> Any:
    if kind is float and type(value) in (int, float):
        return float(value) if abs(value) <= 1e300 else None
    if kind is datetime and isinstance(value, str):
        return _instant(value)
    return value if type(value) is kind else None


def _instant(text: str) -> datetime | None:
    leap = timedelta(seconds=1) if ":60" in text else timedelta()
    try:
        instant = datetime.fromisoformat(text.replace(":60", ":59").upper())
    except ValueError:
        return None
    if (instant.tzinfo is None and len(text) > 10) or abs(instant.utcoffset() or leap) >= timedelta(hours=16):
        return None
    return (instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant) + leap


def _span(tree: Any, item: Document) -> tuple[datetime, datetime] | None:
    """Start and end of a time or an interval; None where one of them is unknown."""
    match tree:
        case {"interval": [first, last]}:
            one, other = _span(first, item), _span(last, item)
            return None if one is None or other is None else (one[0], other[1])
        case {"property": name}:
            value = _property(name, item)
        case {"date": value} | {"timestamp": value}:
            pass
        case _:
            value = tree
    if value == "..":
        return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    start = value if isinstance(value, datetime) else _narrowed(value, datetime)
    if start is None:
        return None
    day = timedelta(days=1, microseconds=-1) if len(str(value)) == len("2020-01-01") else timedelta()
    return start, start + day


def _calculated(name: str, numbers: list[float]) -> Any:
    try:
        return _narrowed(_CALCULATE[name](numbers[0], numbers[-1]), float)
    except (ZeroDivisionError, OverflowError, ValueError):
        return None


def _pattern(like: str) -> re.Pattern[str]:
    found, position = "", 0
    while position < len(like):
        if like[position] == "\\":
            position += 1
            found += re.escape(like[position : position + 1] or "\\")
        else:
            found += {"%": ".*", "_": "."}.get(like[position], re.escape(like[position]))
        position += 1
    return re.compile(found, re.DOTALL)


def _set(tree: Any, item: Document) -> set[Any] | None:
    if isinstance(tree, dict):
        values = _property(tree["property"], item)
    else:
        values = [each if isinstance(each, list) else _value(each, item) for each in tree]
        values = None if None in values else values
    return {_element(value) for value in values} if isinstance(values, list) else None


def _element(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_element, value))
    return (type(value) is bool, repr(value) if isinstance(value, dict) else value)


def _and(truths: list[Truth]) -> Truth:
    return False if False in truths else None if None in truths else True


def _not(truth: Truth) -> Truth:
    return None if truth is None else not truth
