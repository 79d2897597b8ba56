"""What is checked of an Item before it is stored, and what is taken out of it for searching."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from stac_pydantic import Item

from app.errors import InvalidDocument
from app.stac import document as documents
from app.stac.geometry import geometry_ewkb, without_advice
from app.stac.interval import parse_instant

# The relations the server writes itself, whatever an item brings along of where it came from.
OWNED_LINKS = frozenset({"self", "root", "parent", "collection"})
# An entry of a btree is a third of a page at most, and holds the sort values too.
_ID_BYTES = 2000


@dataclass(frozen=True, slots=True)
class CheckedItem:
    """An item as it goes into the database.

    `geometry` is EWKB. `instant` is what results are sorted by: `properties.datetime`, else
    `start_datetime`. `start` to `end` is what the datetime parameter tests. `content` is the whole item, links last.
    """

    collection: str
    id: str
    geometry: bytes | None
    instant: datetime
    start: datetime
    end: datetime
    properties: bytes
    content: bytes


def check_item(document: Any) -> CheckedItem:
    """STAC Item 1.0 and 1.1. Raises InvalidDocument with what is wrong and where."""
    try:
        with without_advice():
            Item.model_validate(document)
    except ValidationError as error:
        raise InvalidDocument(documents.first_fault(error)) from None
    check_identity(document)
    collection = document.get("collection")
    if not isinstance(collection, str) or not collection or "\0" in collection:
        raise InvalidDocument("collection: an item is stored in a collection, and this one names none")
    properties = document["properties"]
    try:
        geometry = None if document["geometry"] is None else geometry_ewkb(document["geometry"])
        instant, start, end = _time(properties)
    except ValueError as error:
        raise InvalidDocument(str(error)) from None
    return CheckedItem(
        collection=collection,
        id=document["id"],
        geometry=geometry,
        instant=instant,
        start=start,
        end=end,
        properties=searchable(properties),
        content=documents.dump_with_links_last(document, OWNED_LINKS),
    )


def check_identity(document: dict[str, Any]) -> None:
    """What Items and Collections share. Raises InvalidDocument."""
    version = document.get("stac_version")
    if not isinstance(version, str) or not version.startswith("1."):
        raise InvalidDocument(f"stac_version: {version!r} is not STAC 1; pystac migrates older documents")
    if "\0" in document["id"]:
        raise InvalidDocument("id: has a NUL character, which PostgreSQL cannot hold")
    if len(document["id"].encode()) > _ID_BYTES:
        raise InvalidDocument(f"id: is longer than the {_ID_BYTES} bytes an index can hold")


def _time(properties: dict[str, Any]) -> tuple[datetime, datetime, datetime]:
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
