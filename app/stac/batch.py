"""Several documents in one body: an ItemCollection, a list of collections, and the bulk items of the community."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.errors import Fault, InvalidDocument

_LISTS = {"features": "FeatureCollection", "collections": None}
_METHODS: dict[str, Literal["insert", "upsert"]] = {"insert": "insert", "upsert": "upsert"}


def members_of(document: Any, name: str) -> dict[str, Any] | None:
    """The documents of a list and their places; None for what is no list of documents but one of them."""
    if not isinstance(document, dict) or document.get("type") != _LISTS[name]:
        return None
    members = document.get(name)
    if not isinstance(members, list):
        return None
    return {f"{name}.{number}": member for number, member in enumerate(members)}


@dataclass(frozen=True, slots=True)
class BulkItems:
    """The body of stac-fastapi's bulk transactions: `{"items": {id: item}, "method": "insert"}`."""

    members: Mapping[str, Any]
    method: Literal["insert", "upsert"]

    @classmethod
    def of(cls, document: Any) -> "BulkItems":
        """Raises InvalidDocument."""
        if not isinstance(document, dict):
            raise InvalidDocument("is not a JSON object")
        faults = [Fault(name, "is not known here") for name in document.keys() - {"items", "method"}]
        items, method = document.get("items"), document.get("method", "insert")
        if not isinstance(items, dict):
            faults.append(Fault("items", "is not an object of items by their ids"))
        else:
            faults += [
                Fault(f"items.{name}.id", f"is not {name!r}, under which it is listed")
                for name, item in items.items()
                if isinstance(item, dict) and item.get("id") != name
            ]
        if not isinstance(method, str) or method not in _METHODS:
            faults.append(Fault("method", "is neither 'insert' nor 'upsert'"))
        if faults or not isinstance(items, dict):
            raise InvalidDocument(*faults)
        return cls({f"items.{name}": item for name, item in items.items()}, _METHODS[method])
