"""What is checked of an Item before it is stored, and what is taken out of it for searching."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from stac_pydantic import Item

from app.errors import Fault, InvalidDocument
from app.stac import cells
from app.stac import document as documents
from app.stac.geometry import Footprint, disagreement, has_parts, misplaced
from app.stac.interval import parse_instant
from app.stac.recognition import is_item
from app.stac.validation import CORE, Rules, of_model, refuse

# The relations the server writes itself, whatever an item brings along of where it came from.
OWNED_LINKS = frozenset({"self", "root", "parent", "collection"})
# An entry of a btree is a third of a page at most, and holds the sort values too.
_ID_BYTES = 2000
# Clients take them out of a path before they ask, percent-encoded too (RFC 3986, 5.2.4 and 6.2.2.3).
_STEPS = frozenset({".", ".."})
_NEVER = datetime.min


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """An item as it goes into the database.

    `geometry` is EWKB within longitude ±180, `cell` where on the globe it is. `instant` is what results are sorted by:
    `properties.datetime`, else `start_datetime`. `start` to `end` is what the datetime parameter tests. `content` is
    the whole item, links last.
    """

    collection: str
    id: str
    geometry: bytes | None
    cell: int
    instant: datetime
    start: datetime
    end: datetime
    properties: bytes
    content: bytes

    @property
    def is_parted(self) -> bool:
        """Whether it may lie on both sides of the antimeridian, in parts."""
        return self.cell == cells.LARGEST and self.geometry is not None and has_parts(self.geometry)

    @property
    def size(self) -> int:
        return len(self.geometry or b"") + len(self.properties) + len(self.content)


def check_item(document: Any, rules: Rules = CORE) -> CheckedItem:
    """STAC Item 1.0 and 1.1, as strictly as `rules` say. Raises InvalidDocument with all that is wrong and where."""
    if not isinstance(document, dict):
        raise InvalidDocument("is not a JSON object")
    faults = of_identity(document, "Feature", rules)
    collection = document.get("collection")
    if not isinstance(collection, str) or not collection or "\0" in collection:
        collection = ""
        faults.append(Fault("collection", "an item is stored in a collection, and this one names none"))
    footprint = _footprint(document, rules, faults)
    times = _times(document.get("properties"), faults)
    # What was read of the geometry without a fault is what the model accepts of it.
    unchecked = rules.core and (faults or not is_item(document))
    refuse(of_model(Item, document) if unchecked else [], faults, rules.of_extensions(document))
    return CheckedItem(
        collection=collection,
        id=document["id"],
        geometry=None if footprint is None else footprint.ewkb(),
        cell=cells.of_item(None if footprint is None else footprint.bounds),
        instant=times[0],
        start=times[1],
        end=times[2],
        properties=searchable(document["properties"]),
        content=documents.dump_with_links_last(document, OWNED_LINKS),
    )


def of_identity(document: dict[str, Any], kind: str, rules: Rules) -> list[Fault]:
    """What is wrong with what Items and Collections share."""
    faults = []
    if document.get("type") != kind:
        faults.append(Fault("type", f"is not {kind!r}"))
    version = document.get("stac_version")
    if rules.core and (not isinstance(version, str) or not version.startswith("1.")):
        faults.append(Fault("stac_version", f"{version!r} is not STAC 1; pystac migrates older documents"))
    name = document.get("id")
    if not isinstance(name, str) or not name:
        faults.append(Fault("id", "is not a text of one character or more"))
    elif name in _STEPS:
        faults.append(Fault("id", f"{name!r} is a step in the path of a URL, so that no URL leads to it"))
    elif "\0" in name:
        faults.append(Fault("id", "has a NUL character, which PostgreSQL cannot hold"))
    elif len(name.encode()) > _ID_BYTES:
        faults.append(Fault("id", f"is longer than the {_ID_BYTES} bytes an index can hold"))
    if not isinstance(document.get("links", []), list):
        faults.append(Fault("links", "is not a list"))
    return faults


def _footprint(document: dict[str, Any], rules: Rules, faults: list[Fault]) -> Footprint | None:
    """What is stored of the item's geometry; what is wrong with it is added to the faults."""
    geometry = document.get("geometry")
    if geometry is None:
        return None
    try:
        footprint = Footprint.of(geometry)
    except ValueError as error:
        faults.append(Fault("geometry", str(error)))
        return None
    if not rules.core:
        return footprint.stored()
    outside = misplaced(footprint.bounds)
    stored = footprint if outside else footprint.stored()
    checks = {
        "geometry.coordinates": outside or misplaced(stored.bounds),
        "bbox": disagreement(footprint.bounds, document.get("bbox")),
    }
    faults += [Fault(path, reason) for path, reason in checks.items() if reason is not None]
    return stored


def _times(properties: Any, faults: list[Fault]) -> tuple[datetime, datetime, datetime]:
    """The item's instant, start and end; what is wrong with them is added to the faults."""
    if not isinstance(properties, dict):
        faults.append(Fault("properties", "is not an object"))
        return _NEVER, _NEVER, _NEVER
    try:
        return _interval(properties)
    except ValueError as error:
        path, _, reason = str(error).partition(": ")
        faults.append(Fault(path, reason))
        return _NEVER, _NEVER, _NEVER


def _interval(properties: dict[str, Any]) -> tuple[datetime, datetime, datetime]:
    instant, start, end = (_instant(properties, name) for name in ("datetime", "start_datetime", "end_datetime"))
    if start is None or end is None:
        if instant is None:
            raise ValueError("properties.datetime: is null without start_datetime and end_datetime")
        return instant, instant, instant
    if start > end:
        raise ValueError("properties.end_datetime: is before start_datetime")
    return instant or start, start, end


def _instant(properties: dict[str, Any], name: str) -> datetime | None:
    value = properties.get(name)
    try:
        return None if value is None else parse_instant(value)
    except (ValueError, TypeError):
        reason = f"{value!r} is not an RFC 3339 date-time such as 2024-07-16T17:39:09Z"
        raise ValueError(f"properties.{name}: {reason}") from None


def searchable(members: dict[str, Any]) -> bytes:
    """Members as jsonb takes them; NUL, which it cannot hold, is replaced here and kept in the content."""
    text = documents.dump(members)
    return documents.dump(_without_nul(members)) if b"\\u0000" in text else text


def _without_nul(value: Any) -> Any:
    if isinstance(value, dict):
        return {_without_nul(name): _without_nul(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_without_nul(member) for member in value]
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
