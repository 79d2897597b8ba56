"""The items of a search all together, as documents, for what needs all of them: a mosaic, a cube."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from app.catalog import Catalog
from app.errors import TooLarge
from app.exports import pages
from app.stac import document as documents
from app.stac.asset import having
from app.stac.search import Search

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """Items in the order of the search, and by id the collections they are of.

    `left_out` is how many of the search are not among them, for want of an asset.
    """

    items: list[Document]
    collections: dict[str, Document]
    left_out: int = 0

    def having(self, assets: Sequence[str]) -> "Found":
        """The items with each of these assets. Raises NotFound where none of several has."""
        kept = having(self.items, assets)
        return Found(kept, self.collections, self.left_out + len(self.items) - len(kept))


async def found(catalog: Catalog, search: Search, most: int | None = None) -> Found:
    """Raises TooLarge where the search finds more than `most`, or asks for more."""
    limit = search.limit
    if most is not None and (limit is None or limit > most):
        limit = most + 1
    contents = [item.content async for page in pages.items(catalog, replace(search, limit=limit)) for item in page]
    if most is not None and len(contents) > most:
        raise TooLarge(
            f"the search finds more than the {most} items this service takes together: ask for less", "limit"
        )
    items = [documents.parse(content) for content in contents]
    return Found(items, await _collections(catalog, (item["collection"] for item in items)))


async def _collections(catalog: Catalog, names: Iterable[str]) -> dict[str, Document]:
    return {name: documents.parse((await catalog.collection(name)).document()) for name in sorted(set(names))}
