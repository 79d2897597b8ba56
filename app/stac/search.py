"""The one parsed request: GET and POST become the same `Search` at the door, and nobody behind it splits a string."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from app.errors import InvalidRequest
from app.stac import paging, parameters
from app.stac.access import Visible
from app.stac.cql2.nodes import Node
from app.stac.fields import Fields
from app.stac.interval import Interval
from app.stac.paging import Seek
from app.stac.sorting import SortKey

_PAGE = {"bbox", "collections", "datetime", "ids", "limit", "token"}
_EXTENSIONS = {"fields", "filter", "filter-crs", "filter-lang", "q", "query", "sortby"}
SEARCH_PARAMETERS = frozenset(_PAGE | _EXTENSIONS | {"intersects"})
# `ids` and `collections` are what pystac-client sends to the items of a collection.
ITEMS_PARAMETERS = frozenset(_PAGE | _EXTENSIONS)


@dataclass(frozen=True, slots=True)
class Search:
    """Which items, as STAC API item-search 1.0.0 defines the parameters. None leaves a parameter out.

    `area` holds EWKB geometries that an item intersects one of: a box, the two halves of a box across the
    antimeridian, or `intersects`. `terms` are those of free text, of which an item has one. `visible` comes from who
    asks, not from the request.
    """

    collections: tuple[str, ...] | None = None
    ids: tuple[str, ...] | None = None
    area: tuple[bytes, ...] | None = None
    interval: Interval | None = None
    limit: int | None = None
    filter: Node | None = None
    terms: tuple[str, ...] | None = None
    sortby: tuple[SortKey, ...] = ()
    fields: Fields | None = None
    seek: Seek | None = field(default=None, compare=False)
    visible: Visible = None

    def digest(self) -> str:
        """What a page token is bound to: all that decides which items there are, and in which order."""
        return parameters.digest(
            "items", self.collections, self.ids, self.area, self.interval, self.filter, self.terms, self.sortby
        )

    def token(self, seek: Seek) -> str:
        return paging.encode(seek, self.digest())

    @classmethod
    def from_query(cls, query: Mapping[str, str], collection: str | None = None) -> "Search":
        """From the query string of GET /search, or of GET /collections/{collection}/items.

        Raises InvalidRequest.
        """
        return cls.from_values(parameters.of_query(query), collection)

    @classmethod
    def from_body(cls, body: bytes) -> "Search":
        """From the JSON body of POST /search. Raises InvalidRequest."""
        return cls.from_values(parameters.of_body(body, SEARCH_PARAMETERS))

    @classmethod
    def from_values(cls, values: Mapping[str, Any], collection: str | None = None) -> "Search":
        """From values of the types that a JSON body has. Raises InvalidRequest."""
        if "bbox" in values and "intersects" in values:
            raise InvalidRequest("bbox and intersects exclude each other: send one of them", "intersects")
        collections = parameters.texts(values, "collections")
        if collection is not None and collection not in (collections or (collection,)):
            raise InvalidRequest(f"collections: does not contain {collection!r}, the collection asked", "collections")
        search = cls(
            collections=collections if collection is None else (collection,),
            ids=parameters.texts(values, "ids"),
            area=parameters.area(values),
            interval=parameters.optional(values, "datetime", parameters.interval),
            limit=parameters.optional(values, "limit", parameters.limit),
            filter=parameters.condition(values),
            terms=parameters.optional(values, "q", parameters.terms),
            sortby=parameters.optional(values, "sortby", parameters.sortby) or (),
            fields=parameters.optional(values, "fields", parameters.selection),
        )
        seek = parameters.optional(values, "token", search._seek)
        return search if seek is None else search.behind(seek)

    def _seek(self, token: Any) -> Seek:
        return parameters.seek(token, self.digest(), self.sortby)

    def behind(self, seek: Seek) -> "Search":
        """The same search, at another page."""
        return replace(self, seek=seek)
