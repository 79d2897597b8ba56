"""Columns that hold what items have: inferred from all of them first, as Parquet's schema stands before the first row.

A member with values of one kind is a column of that kind. Where kinds are mixed the column is text, with JSON in it.
GeoJSON is WKB, as the specification has it.
"""

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import shapely
from shapely.errors import ShapelyError

from app.bulk.readers.geoparquet import DIFFERENCES, MEMBERS, PROJECTED
from app.stac import document as documents
from app.stac.geometry import without_advice

# More members than this are no columns but keys: such an object is text.
_MEMBERS_AT_MOST = 1000
# Of all together, as each costs memory in every row: an object without room is text, a property among the differences.
_PLACES_AT_MOST = 10_000
_DEPTH_AT_MOST = 16
TIMES = frozenset(
    {"datetime", "start_datetime", "end_datetime", "created", "updated", "expires", "published", "unpublished"}
)
_SCALARS = {"bool": pa.bool_(), "int": pa.int64(), "float": pa.float64(), "text": pa.string()}


@dataclass(slots=True)
class Room:
    """For places in the items, of all there are together."""

    left: int = _PLACES_AT_MOST

    def place(self) -> "Seen | None":
        if self.left == 0:
            return None
        self.left -= 1
        return Seen(self)


@dataclass(slots=True)
class Seen:
    """The values met at one place in the items."""

    room: Room
    kinds: set[str] = field(default_factory=set)
    members: dict[str, "Seen"] = field(default_factory=dict)
    element: "Seen | None" = None

    def observe(self, value: Any, depth: int = 0) -> None:
        if value is None:
            return
        kind = _kind(value, depth)
        self.kinds.add(kind)
        if kind == "struct" and not self.observe_members(value, depth):
            self.kinds.add("json")
            self.room.left += sum(member.places() for member in self.members.values())
            self.members.clear()
        elif kind == "list":
            self.element = self.element or self.room.place()
            if self.element is not None:
                for part in value:
                    self.element.observe(part, depth + 1)

    def observe_members(self, value: dict[str, Any], depth: int = 0) -> bool:
        """Whether there is a place for each of them."""
        is_whole = True
        for name, member in value.items():
            seen = self.members.get(name)
            if seen is None and member is not None and "json" not in self.kinds:
                seen = self.room.place() if len(self.members) < _MEMBERS_AT_MOST else None
                if seen is None:
                    is_whole = False
                else:
                    self.members[name] = seen
            if seen is not None:
                seen.observe(member, depth + 1)
        return is_whole

    def places(self) -> int:
        """This one and all below."""
        below = [*self.members.values(), *([self.element] if self.element else [])]
        return 1 + sum(seen.places() for seen in below)


@dataclass(frozen=True, slots=True)
class Column:
    """A type of Arrow, and how a value becomes one of that type."""

    type: pa.DataType
    kind: str
    members: dict[str, "Column"]
    element: "Column | None" = None

    @classmethod
    def of(cls, seen: Seen) -> "Column | None":
        """None where there is nothing to hold: Parquet has no object without members."""
        if not seen.kinds:
            return None
        if seen.kinds <= {"int", "float"}:
            kind = "float" if "float" in seen.kinds else "int"
            return cls(_SCALARS[kind], kind, {})
        if seen.kinds == {"struct"}:
            members = cls.of_members(seen)
            if not members:
                return None
            return cls(pa.struct([(name, column.type) for name, column in members.items()]), "struct", members)
        if seen.kinds == {"list"}:
            element = (seen.element and cls.of(seen.element)) or cls(pa.string(), "json", {})
            return cls(pa.list_(element.type), "list", {}, element)
        (kind, *others) = seen.kinds
        return cls(pa.string(), "json", {}) if others or kind == "json" else cls(_SCALARS[kind], kind, {})

    @classmethod
    def of_members(cls, seen: Seen) -> dict[str, "Column"]:
        """Of those that there is anything to hold of."""
        found = {
            name: _GEOMETRY if name == PROJECTED and part.kinds == {"struct"} else cls.of(part)
            for name, part in seen.members.items()
        }
        return {name: column for name, column in found.items() if column is not None}

    def fit(self, value: Any) -> Any:
        if value is None:
            return None
        if self.kind == "geometry":
            return wkb(value)
        if self.kind == "json":
            return documents.dump(value).decode()
        if self.kind == "struct":
            return {name: column.fit(value.get(name)) for name, column in self.members.items()}
        if self.element is not None:
            return [self.element.fit(part) for part in value]
        return float(value) if self.kind == "float" else value


_GEOMETRY = Column(pa.binary(), "geometry", {})


def wkb(geometry: Any) -> bytes | None:
    """None where there is none for it."""
    if geometry is None:
        return None
    try:
        with without_advice():
            written: bytes = shapely.to_wkb(shapely.geometry.shape(geometry), flavor="iso")
            return written
    except (ShapelyError, ValueError, TypeError, KeyError, AttributeError, IndexError):
        return None


def _kind(value: Any, depth: int) -> str:
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "int" if -(1 << 63) <= value < 1 << 63 else "json"
    if isinstance(value, float):
        return "float"
    if isinstance(value, str):
        return "text"
    if depth >= _DEPTH_AT_MOST:
        return "json"
    return "list" if isinstance(value, list) else "struct"


class Inference:
    """What is known of the items so far."""

    def __init__(self) -> None:
        room = Room()
        self._properties, self._links, self._assets = Seen(room), Seen(room), Seen(room)
        self.heights = True

    def observe(self, item: dict[str, Any]) -> None:
        self._properties.observe_members(item.get("properties") or {})
        self._links.observe(item.get("links"))
        self._assets.observe(item.get("assets"))
        box = item.get("bbox")
        self.heights &= not (isinstance(box, list) and len(box) == 4)

    def properties(self) -> dict[str, Column]:
        """Without those that have the name of another column."""
        taken = {*MEMBERS, DIFFERENCES, "", "datetime"}
        return {name: column for name, column in Column.of_members(self._properties).items() if name not in taken}

    def links(self) -> Column | None:
        return Column.of(self._links)

    def assets(self) -> Column | None:
        return Column.of(self._assets)
