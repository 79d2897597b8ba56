"""Which types meet in a filter. All raise ValueError."""

from collections.abc import Sequence

from app.stac.cql2 import literals
from app.stac.cql2.functions import FUNCTIONS
from app.stac.cql2.nodes import (
    COLUMNS,
    Arithmetic,
    Array,
    Call,
    Geometry,
    Instant,
    Interval,
    Kind,
    Node,
    Property,
    Value,
)

_NAMES: dict[Kind, str] = {
    "any": "a property",
    "array": "an array",
    "boolean": "a condition",
    "geometry": "a geometry",
    "instant": "a time",
    "interval": "an interval",
    "number": "a number",
    "text": "a text",
}
_KINDS: dict[type[Node], Kind] = {
    Instant: "instant",
    Interval: "interval",
    Geometry: "geometry",
    Array: "array",
    Arithmetic: "number",
}
_VALUES: dict[type, Kind] = {bool: "boolean", float: "number", str: "text"}


def kind(node: Node) -> Kind:
    match node:
        case Property(name):
            return COLUMNS.get(name, "any")
        case Value(value):
            return _VALUES[type(value)]
        case Call(name):
            return FUNCTIONS[name].returns
    return _KINDS.get(type(node), "boolean")


def common(nodes: Sequence[Node]) -> Kind:
    """The type that nodes which are `alike` have, or "any" if only the item knows."""
    return next((found for found in map(kind, nodes) if found != "any"), "any")


def expect(node: Node, *kinds: Kind) -> Node:
    found = kind(node)
    if found != "any" and found not in kinds:
        raise ValueError(f"has {_NAMES[found]} where it takes {' or '.join(_NAMES[kind] for kind in kinds)}")
    return node


def as_condition(node: Node) -> Node:
    return expect(node, "boolean")


def alike(nodes: Sequence[Node], *kinds: Kind) -> list[Node]:
    """Nodes that can be compared. A text beside a time is one, as many clients send it."""
    if any(kind(node) == "instant" for node in nodes):
        nodes = [_as_time(node) for node in nodes]
    found = {kind(expect(node, *kinds)) for node in nodes} - {"any"}
    if len(found) > 1:
        raise ValueError(f"compares {' with '.join(sorted(_NAMES[kind] for kind in found))}")
    return list(nodes)


def _as_time(node: Node) -> Node:
    if isinstance(node, Value) and isinstance(node.value, str):
        return literals.date_or_timestamp(node.value)
    return node
