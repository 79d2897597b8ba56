"""The extent a collection is served with: where and when its items are."""

from datetime import datetime

from app.stac import document as documents
from app.stac.interval import format_instant


def of_items(
    declared: bytes,
    box: tuple[float, float, float, float] | None,
    start: datetime | None,
    end: datetime | None,
) -> bytes:
    """The declared extent (JSON) with the box and the interval of the items, as far as there are any."""
    if box is None and start is None:
        return declared
    extent = documents.parse(declared)
    if box is not None:
        extent["spatial"] |= {"bbox": [box]}
    if start is not None and end is not None:
        extent["temporal"] |= {"interval": [[format_instant(start), format_instant(end)]]}
    return documents.dump(extent)
