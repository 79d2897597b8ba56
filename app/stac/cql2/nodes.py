"""The tree of a filter. Values: the repr of a node holds all of it, and is the same for equal nodes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

# "any" is a property whose type only the item knows.
Kind: TypeAlias = Literal["any", "array", "boolean", "geometry", "instant", "interval", "number", "text"]

# What of an item is not in its `properties`, or is known to be a time.
COLUMNS: dict[str, Kind] = {
    "id": "text",
    "collection": "text",
    "geometry": "geometry",
    "datetime": "instant",
    "properties.datetime": "instant",
}


@dataclass(frozen=True, slots=True)
class Property:
    """By its name as the filter gives it: `a`, `properties.a`, `a.b`."""

    name: str


@dataclass(frozen=True, slots=True)
class Value:
    value: str | float | bool


@dataclass(frozen=True, slots=True)
class Instant:
    """A timestamp, where start and end are the same, or a date, which is its whole day in UTC."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Interval:
    """Closed; None is an open end."""

    start: "Property | Instant | None"
    end: "Property | Instant | None"


@dataclass(frozen=True, slots=True)
class Geometry:
    ewkb: bytes


@dataclass(frozen=True, slots=True)
class Array:
    values: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of `functions.FUNCTIONS`."""

    name: str
    arguments: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Comparison:
    operator: str
    left: "Node"
    right: "Node"


@dataclass(frozen=True, slots=True)
class Between:
    value: "Node"
    low: "Node"
    high: "Node"


@dataclass(frozen=True, slots=True)
class In:
    value: "Node"
    options: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Like:
    value: "Node"
    pattern: "Node"


@dataclass(frozen=True, slots=True)
class IsNull:
    value: "Node"


@dataclass(frozen=True, slots=True)
class And:
    conditions: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Or:
    conditions: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Not:
    condition: "Node"


@dataclass(frozen=True, slots=True)
class Spatial:
    operator: str
    left: "Property | Geometry"
    right: "Property | Geometry"


@dataclass(frozen=True, slots=True)
class Temporal:
    operator: str
    left: "Property | Instant | Interval"
    right: "Property | Instant | Interval"


@dataclass(frozen=True, slots=True)
class ArrayRelation:
    operator: str
    left: "Property | Array"
    right: "Property | Array"


Operand: TypeAlias = Property | Value | Instant | Interval | Geometry | Array | Call | Arithmetic
Condition: TypeAlias = Comparison | Between | In | Like | IsNull | And | Or | Not | Spatial | Temporal | ArrayRelation
Node: TypeAlias = Operand | Condition
