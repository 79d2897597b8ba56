"""A database of pgstac, 0.8 to 0.10: what stac-fastapi-pgstac serves, without going through it.

pgstac stores of an item only what differs from the base item of its collection, made of `item_assets`. What is the same
is left out, and what the base item has and the item has not is marked. Its functions put that together in milliseconds,
and drop every null on the way; here it is microseconds, and nulls that are stored come through.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

import shapely
from shapely.geometry import mapping

from app import sql
from app.bulk.readers.entry import Entry
from app.database.snapshot import Snapshot
from app.errors import InvalidDocument, SetupError
from app.stac import document as documents

# In place of what the base item has and the item has not.
_ABSENT = "𒍟※"
# The number of the base item that an item was stored against, where it is not the first one.
_BASE = "pgstac:base_item"
_SCHEMES = {"postgresql", "postgres"}


def is_database(location: str) -> bool:
    return urlsplit(location).scheme in _SCHEMES


def name(location: str) -> str:
    """The location for people to read: without a password."""
    parts = urlsplit(location)
    access, separator, host = parts.netloc.rpartition("@")
    user = access.partition(":")[0]
    return f"{parts.scheme}://{user}{separator}{host}{parts.path}{'#' if parts.fragment else ''}{parts.fragment}"


def entries(location: str) -> Iterator[Entry]:
    """Each collection and then its items, all as they were at one moment.

    `location` is a URL of PostgreSQL; `#id` behind it is one collection alone. Raises SetupError where it is no
    database of pgstac.
    """
    url, _, fragment = location.partition("#")
    only = unquote(fragment) or None
    with Snapshot(url, name(url)) as database:
        (state,) = database.rows(sql.pgstac.state())
        if not state["here"]:
            raise SetupError(f"{name(url)} is no database of pgstac: it has no pgstac.items")
        found = list(database.rows(sql.pgstac.collections(only)))
        if only is not None and not found:
            raise SetupError(f"there is no collection {only!r} in {name(url)}")
        for row in found:
            yield Entry(f"collection {row['id']!r}", text=row["content"].encode())
            earlier = list(database.rows(sql.pgstac.base_items(row["id"]))) if state["versioned"] else []
            bases = _Bases.of(row["base_item"], earlier)
            for item in database.rows(sql.pgstac.items(row["id"])):
                place = f"{row['id']}/{item['id']}"
                try:
                    yield Entry(place, _item(item, row["id"], bases))
                except InvalidDocument as error:
                    yield Entry(place, fault=str(error))


@dataclass(frozen=True, slots=True)
class _Bases:
    """The base items of a collection: by the number that items name them with, and of those that name none."""

    numbered: Mapping[int, dict[str, Any]]
    first: dict[str, Any]

    @classmethod
    def of(cls, current: str, versions: Sequence[Mapping[str, Any]]) -> "_Bases":
        """A collection that was never changed has no versions. Items that name none are older than the first change."""
        numbered = {version["id"]: documents.parse(version["base_item"].encode()) for version in versions}
        return cls(numbered, next(iter(numbered.values()), documents.parse(current.encode())))

    def base_of(self, tag: Any) -> dict[str, Any]:
        if tag is None:
            return self.first
        try:
            return self.numbered[int(tag)]
        except (KeyError, ValueError, TypeError):
            raise InvalidDocument(f"was stored against a base item that is not there: {tag!r}") from None


def _item(row: Mapping[str, Any], collection: str, bases: _Bases) -> dict[str, Any]:
    content = documents.parse(row["content"].encode())
    geometry = None
    if row["geometry"] is not None:
        geometry = documents.parse(documents.dump(mapping(shapely.from_wkb(row["geometry"]))))
    given = {"type": "Feature", "id": row["id"], "collection": collection, "geometry": geometry}
    base = bases.base_of(content.pop(_BASE, None))
    # A collection without `item_assets` has nothing to say of assets.
    base = {name: value for name, value in base.items() if value is not None and name not in given}
    item: dict[str, Any] = given | _merged_objects(content, base)
    # It must be there in an item with an interval, and pgstac dropped it where it was null.
    properties = item.get("properties")
    if isinstance(properties, dict) and "start_datetime" in properties:
        properties.setdefault("datetime", None)
    return item


def _merged(stored: Any, base: Any) -> Any:
    match stored, base:
        case dict(), dict():
            return _merged_objects(stored, base)
        case list(), list() if len(stored) == len(base):
            return [_merged(*pair) for pair in zip(stored, base, strict=True)]
    if stored == _ABSENT:
        return None
    return base if stored is None else stored


def _merged_objects(stored: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    merged = {name: _merged(value, base.get(name)) for name, value in stored.items() if value != _ABSENT}
    return merged | {name: value for name, value in base.items() if name not in stored}
