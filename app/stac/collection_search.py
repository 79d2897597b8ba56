"""The one parsed request for collections."""

from collections.abc import Mapping
from dataclasses import dataclass

from app.stac import paging, parameters

COLLECTIONS_PARAMETERS = frozenset({"limit", "token"})


@dataclass(frozen=True, slots=True)
class CollectionSearch:
    """Which page of the collections, in the order of their ids."""

    limit: int | None = None
    after: str | None = None
    backward: bool = False

    @classmethod
    def from_query(cls, query: Mapping[str, str]) -> "CollectionSearch":
        """Raises InvalidRequest."""
        values = parameters.of_query(query)
        limit = parameters.optional(values, "limit", parameters.limit)
        if "token" not in query:
            return cls(limit)
        after, backward = parameters.read("token", paging.decode_id, query["token"])
        return cls(limit, after, backward)

    @staticmethod
    def token(after: str, backward: bool) -> str:
        return paging.encode_id(after, backward)
