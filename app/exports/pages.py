"""All items of a search, a page at a time."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from app.catalog import Catalog, StoredCollection, StoredItem
from app.stac.collection_search import CollectionSearch
from app.stac.search import Search
from app.stopwatch import Stopwatch

# Items of 20 kB make 5 MB of these.
_PAGE_ITEMS = 250


async def items(catalog: Catalog, search: Search) -> AsyncGenerator[list[StoredItem], None]:
    """To the last item, or as many as the search has for a limit.

    Each page is one query, found by keyset, so that no transaction is held open. An item that is there all the while
    and not moved comes once; one that is written meanwhile comes if its place is behind the page being read.
    """
    left = search.limit
    while left is None or left > 0:
        size = _PAGE_ITEMS if left is None else min(left, _PAGE_ITEMS)
        page = await catalog.search(replace(search, limit=size), Stopwatch())
        if page.items:
            yield page.items
        if page.next is None:
            return
        left = None if left is None else left - len(page.items)
        search = search.behind(page.next)


async def collections(catalog: Catalog, asked: tuple[str, ...] | None) -> AsyncGenerator[StoredCollection, None]:
    """The collections asked for, or all. Raises NotFound."""
    if asked is not None:
        for collection in asked:
            yield await catalog.collection(collection)
        return
    search: CollectionSearch | None = CollectionSearch()
    while search is not None:
        page = await catalog.collections(search, Stopwatch())
        for found in page.collections:
            yield found
        search = search.behind(page.next) if page.next else None
