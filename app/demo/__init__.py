"""The demo catalogue, made up by this project: nothing to download, nobody's data, the same on every machine.

The items need no optional library; the pixels behind `demo-cogs` and the thumbnails of the others are files that
`write_files` makes.
"""

from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from app.demo import aerial, rasters, sentinel2, thumbnails

# How many documents there are, for a progress bar.
COUNT = 3_315


def collections() -> list[dict[str, Any]]:
    return [sentinel2.collection(), aerial.collection(), rasters.collection()]


def items() -> Iterator[dict[str, Any]]:
    """About 3,300 items, the ones of a collection together."""
    return chain(sentinel2.items(), aerial.items(), rasters.items())


def write_files(static: Path) -> None:
    """All files of the items, below the folder that is served at /static. Raises SetupError."""
    for module in (rasters, thumbnails):
        module.write(static / module.ID)
