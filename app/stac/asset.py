"""The assets of items."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from app.errors import NotFound

Item = TypeVar("Item", bound=Mapping[str, Any])

# How files made of items tell how many have been left out, for want of an asset.
LEFT_OUT = "items_left_out"
# Names of assets in a message.
_TOLD = 50


def asset_of(item: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Raises NotFound, which names the assets there are."""
    assets = item.get("assets")
    asset = assets.get(key) if isinstance(assets, Mapping) else None
    if not isinstance(asset, Mapping):
        known = ", ".join(map(str, assets)) if isinstance(assets, Mapping) and assets else "none"
        raise NotFound(f"there is no asset {key!r} in item {item.get('id')!r}; it has {known}")
    return asset


def having(items: Sequence[Item], keys: Sequence[str]) -> list[Item]:
    """The items that have each of these assets. Raises NotFound where there are items, and none that has."""
    kept = [item for item in items if all(isinstance(_assets(item).get(key), Mapping) for key in keys)]
    if items and not kept:
        known = sorted({str(key) for item in items for key in _assets(item)})
        told = ", ".join(known[:_TOLD]) or "none"
        told += f" and {len(known) - _TOLD} more" if len(known) > _TOLD else ""
        asked = " and ".join(map(repr, keys))
        raise NotFound(f"none of the {len(items)} items has {asked}; the assets there are: {told}")
    return kept


def _assets(item: Mapping[str, Any]) -> Mapping[str, Any]:
    found = item.get("assets")
    return found if isinstance(found, Mapping) else {}
