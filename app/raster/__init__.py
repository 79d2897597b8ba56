"""Pixels: from files to items, and from items to arrays and pictures. What opens files needs the extra `raster`."""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from app.raster.grids import grid as grid
from app.stac.asset import having

if TYPE_CHECKING:
    import xarray as xr

    from app.raster.shape import Groupby

_LIBRARIES = ("dask", "h5netcdf", "h5py", "numpy", "odc", "rasterio", "rio_stac", "rio_tiler", "xarray", "zarr")


class CubeOptions(TypedDict, total=False):
    """Members of `app.raster.shape.CubeShape`, which says what they mean."""

    crs: str
    resolution: float
    align: str
    groupby: "Groupby"
    resampling: str
    bbox: tuple[float, float, float, float]
    point: tuple[float, float]
    edge_size: int


def is_installed() -> bool:
    """Whether the libraries are here. They are not imported for that: they take seconds, and memory of the service."""
    return all(find_spec(name) is not None for name in _LIBRARIES)


def cube(
    items: Sequence[Mapping[str, Any]],
    assets: Sequence[str],
    collections: Mapping[str, Mapping[str, Any]] | None = None,
    **options: Unpack[CubeOptions],
) -> "xr.DataArray":
    """Items, as JSON objects of any catalogue, as an array in time: (time, y, x), of several assets (time, band, y, x).

    It is lazy: dask reads the files when `.compute()`, or writing to a file, asks for pixels; `app.raster.cubes.Cube`
    loads them at once. `collections`, by id, say what items leave to their `item_assets`.

    Items without one of the assets are left out: `.attrs["items_left_out"]` is how many, where there are any.

    Raises InvalidRequest, NotFound where no item has the assets, InvalidMetadata and Forbidden for items that make no
    cube.
    """
    from app.raster.cubes import Cube
    from app.raster.shape import CubeShape

    kept = having(items, assets)
    shape = CubeShape(tuple(assets), **options)
    return Cube(kept, shape, collections, left_out=len(items) - len(kept)).lazy()
