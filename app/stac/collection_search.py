"""The one parsed request for collections, whether it comes by GET or by POST."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from app.stac import fields, paging, parameters
from app.stac.access import Visible
from app.stac.cql2.nodes import Node
from app.stac.fields import Fields
from app.stac.interval import Interval
from app.stac.paging import Seek
from app.stac.sorting import SortKey

COLLECTIONS_PARAMETERS = frozenset(
    {"bbox", "datetime", "limit", "q", "token"} | {"fields", "filter", "filter-crs", "filter-lang", "query", "sortby"}
)
_BY_ID = SortKey("id", descending=False)


@dataclass(frozen=True, slots=True)
class CollectionSearch:
    """Which collections, as Collection Search 1.0.0-rc.1 defines the parameters. None leaves a parameter out.

    `area` holds EWKB geometries that a collection intersects one of, `terms` the texts it holds one of. `sortby` is
    a total order: it ends in the id. `visible` comes from who asks, not from the request.
    """

    area: tuple[bytes, ...] | None = None
    interval: Interval | None = None
    terms: tuple[str, ...] | None = None
    limit: int | None = None
    filter: Node | None = None
    sortby: tuple[SortKey, ...] = (_BY_ID,)
    fields: Fields | None = None
    seek: Seek | None = field(default=None, compare=False)
    visible: Visible = None

    @property
    def by_id_alone(self) -> bool:
        return len(self.sortby) == 1

    def digest(self) -> str:
        """What a page token is bound to: all that decides which collections there are, and in which order."""
        return parameters.digest("collections", self.area, self.interval, self.terms, self.filter, self.sortby)

    def token(self, seek: Seek) -> str:
        return paging.encode(seek, self.digest())

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "CollectionSearch":
        """From the query string of GET /collections. Raises InvalidRequest."""
        return cls._from_values(parameters.of_query(query))

    @classmethod
    def from_body(cls, body: bytes) -> "CollectionSearch":
        """From the JSON body of POST /collections-search. Raises InvalidRequest."""
        return cls._from_values(parameters.of_body(body, COLLECTIONS_PARAMETERS))

    @classmethod
    def _from_values(cls, values: Mapping[str, Any]) -> "CollectionSearch":
        search = cls(
            area=parameters.area(values),
            interval=parameters.optional(values, "datetime", parameters.interval),
            terms=parameters.optional(values, "q", parameters.terms),
            limit=parameters.optional(values, "limit", parameters.limit),
            filter=parameters.condition(values),
            sortby=_total(parameters.optional(values, "sortby", parameters.sortby) or ()),
            fields=parameters.optional(values, "fields", partial(parameters.selection, of=fields.COLLECTION)),
        )
        seek = parameters.optional(values, "token", search._seek)
        return search if seek is None else search.behind(seek)

    def _seek(self, token: Any) -> Seek:
        return parameters.seek(token, self.digest(), () if self.by_id_alone else self.sortby)

    def behind(self, seek: Seek) -> "CollectionSearch":
        """The same search, at another page."""
        return replace(self, seek=seek)


def _total(keys: Iterable[SortKey]) -> tuple[SortKey, ...]:
    """Ids differ, so that nothing behind them orders anything. `collection` is what items call the same id."""
    total: list[SortKey] = []
    for key in keys:
        if key.field in ("id", "collection"):
            return (*total, replace(key, field="id"))
        total.append(key)
    return (*total, _BY_ID)
