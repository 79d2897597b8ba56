"""NDJSON: a document a line, the collections before the items, as `upesi load` takes them."""

from collections.abc import AsyncIterator

from app.catalog import Catalog
from app.exports import pages
from app.stac.search import Search


async def stream(catalog: Catalog, search: Search) -> AsyncIterator[bytes]:
    """Collections that are made meanwhile are left out, and their items with them. Raises NotFound."""
    known = set()
    async for collection in pages.collections(catalog, search.collections):
        known.add(collection.id)
        yield collection.document() + b"\n"
    async for page in pages.items(catalog, search):
        yield b"".join(item.content + b"\n" for item in page if item.collection in known)
