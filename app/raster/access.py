"""From the assets of items to what GDAL opens, as the operator's signers have it. Nothing is opened here."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.assets.signing import Signers
from app.raster.sources import File, Sources


@dataclass(frozen=True, slots=True)
class Access:
    """`signers` are all the operator has: what they sign goes to a process that reads, and to no client."""

    sources: Sources = field(default_factory=Sources)
    signers: Signers = field(default_factory=Signers)

    def check(self, item: Mapping[str, Any], key: str) -> None:
        """Whether an asset may be opened, without its being signed. Raises NotFound, InvalidMetadata, Forbidden."""
        place = self.signers.place(self.sources.href(item, key), _collection(item))
        self.sources.opened(place, item, key)

    async def file(self, item: Mapping[str, Any], key: str) -> File:
        """Raises NotFound, InvalidMetadata, Forbidden, and Unavailable where a token cannot be had."""
        readable = await self.signers.readable(self.sources.href(item, key), _collection(item))
        return File(self.sources.opened(readable.href, item, key), readable.options)

    async def files(self, items: Iterable[Mapping[str, Any]], assets: Iterable[str]) -> list[dict[str, File]]:
        """Those of each item, by the keys of its assets. Raises what `file` does."""
        keys, found = list(assets), []
        for item in items:
            found.append({key: await self.file(item, key) for key in keys})
            # A signature is work for this worker alone: others are answered between items.
            await asyncio.sleep(0)
        return found


def _collection(item: Mapping[str, Any]) -> str | None:
    collection = item.get("collection")
    return collection if isinstance(collection, str) else None
