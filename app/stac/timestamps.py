"""`created` and `updated`, where the service keeps them (STAC common metadata, Date and Time).

Of an Item they are properties, of a Collection members of its own.
"""

from datetime import datetime
from typing import Any

from app.stac import differences
from app.stac.interval import format_instant

_NAMES = ("created", "updated")


def stamped(document: dict[str, Any], now: datetime, before: dict[str, Any] | None) -> dict[str, Any]:
    """`created` is that of the document before, and `updated` is now, or as before where nothing else is new.

    Both documents are without the links that the server owns.
    """
    kept = {} if before is None else _holder(before)
    created = kept.get("created")
    instant = format_instant(now)
    stamps = {"created": created if isinstance(created, str) else instant, "updated": instant}
    if before is not None and not differences.between(_bare(before), _bare(document)):
        stamps |= {name: kept[name] for name in _NAMES if name in kept}
    holder = {name: value for name, value in _holder(document).items() if name not in _NAMES} | stamps
    return _with(document, holder)


def _holder(document: dict[str, Any]) -> dict[str, Any]:
    if document.get("type") != "Feature":
        return document
    properties = document.get("properties")
    return properties if isinstance(properties, dict) else {}


def _with(document: dict[str, Any], holder: dict[str, Any]) -> dict[str, Any]:
    if document.get("type") != "Feature":
        return holder
    # What is no object is refused for that, and not made one.
    return document | {"properties": holder} if isinstance(document.get("properties"), dict) else document


def _bare(document: dict[str, Any]) -> dict[str, Any]:
    """Without the stamps."""
    return _with(document, {name: value for name, value in _holder(document).items() if name not in _NAMES})
