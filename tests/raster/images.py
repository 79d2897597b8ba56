"""Tiny images with known pixels, and items that describe them."""

from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray

from tests.factories import Document, box, item

WEST, NORTH = 600_000.0, 5_200_000.0

Pixels = NDArray[Any]


def write(path: Path, pixels: Pixels, west: float = WEST, north: float = NORTH, **more: Any) -> Path:
    """A GeoTIFF with bands, rows, columns, or with rows, columns."""
    bands = pixels if pixels.ndim == 3 else pixels[None]
    size, crs = more.pop("size", 10.0), more.pop("crs", "EPSG:32632")
    tags = more.pop("tags", {})
    profile = {"driver": "GTiff", "count": len(bands), "height": bands.shape[1], "width": bands.shape[2]}
    place = {"crs": crs, "transform": rasterio.Affine(size, 0, west, 0, -size, north)}
    with rasterio.open(path, "w", dtype=bands.dtype.name, **profile, **place, **{"nodata": 0, **more}) as file:
        file.write(bands)
        file.update_tags(**tags)
    return path


def asset(path: Path | str, pixels: Pixels, west: float = WEST, north: float = NORTH, size: float = 10.0) -> Document:
    rows, columns = pixels.shape[-2:]
    return {
        "href": f"file://{path}" if isinstance(path, Path) else path,
        "data_type": pixels.dtype.name,
        "nodata": 0,
        "proj:shape": [rows, columns],
        "proj:transform": [size, 0, west, 0, -size, north],
    }


def scene(name: str, when: str, assets: Document, crs: str = "EPSG:32632", **more: Any) -> Document:
    return item(
        name,
        geometry=more.pop("geometry", box(10.3, 46.9, 10.4, 47.0)),
        properties={"datetime": when, "proj:code": crs},
        assets=assets,
        stac_extensions=["https://stac-extensions.github.io/projection/v2.0.0/schema.json"],
        **more,
    )


def numbered(rows: int, columns: int, first: int = 1, dtype: str = "uint16") -> Pixels:
    return np.arange(first, first + rows * columns, dtype=dtype).reshape(rows, columns)
