"""Pixels: from files to items, and from items to arrays and pictures. What opens files needs the extra `raster`."""

from importlib.util import find_spec

_LIBRARIES = ("dask", "h5netcdf", "h5py", "numpy", "odc", "rasterio", "rio_stac", "rio_tiler", "xarray", "zarr")


def is_installed() -> bool:
    """Whether the libraries are here. They are not imported for that: they take seconds, and memory of the service."""
    return all(find_spec(name) is not None for name in _LIBRARIES)
