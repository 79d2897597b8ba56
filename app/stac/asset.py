"""The assets of an item."""

from collections.abc import Mapping
from typing import Any

from app.errors import NotFound


def asset_of(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Raises NotFound, which names the assets there are."""
    assets = item.get("assets")
    asset = assets.get(key) if isinstance(assets, Mapping) else None
    if not isinstance(asset, Mapping):
        known = ", ".join(map(str, assets)) if isinstance(assets, Mapping) and assets else "none"
        raise NotFound(f"there is no asset {key!r} in item {item.get('id')!r}; it has {known}")
    return asset
