"""Cubes as files. Each has the CRS and the coordinates in it."""

from pathlib import Path
from shutil import make_archive
from tempfile import TemporaryDirectory

import rasterio
import xarray as xr
from rasterio.errors import RasterioError
from rasterio.shutil import copy

from app.errors import Unreadable
from app.raster.cubes import stacked
from app.raster.shape import Form
from app.stac.asset import LEFT_OUT

# With the bytes of pixels sorted, more work hardly makes it smaller.
_PACKED = {"compression": "gzip", "compression_opts": 1, "shuffle": True}


def write(cube: xr.DataArray, form: Form, path: Path, compress: bool = True) -> None:
    """A folder for Zarr, or a ZIP of it where the name ends in .zip; else a file. A lazy cube is read here.

    `compress` is for NetCDF, where it takes longer than all else of writing; the others are packed as they are.

    Raises Unreadable where a file of a lazy cube is, and OSError.
    """
    try:
        _write(cube, form, path, compress)
    except RasterioError as error:
        raise Unreadable(f"a file of the cube cannot be read: {error}") from None


def _write(cube: xr.DataArray, form: Form, path: Path, compress: bool) -> None:
    if form == "netcdf":
        named = _named(cube)
        named.to_netcdf(path, engine="h5netcdf", encoding=dict.fromkeys(named.data_vars, _PACKED) if compress else {})
    elif form == "zarr" and path.suffix == ".zip":
        # Its metadata is written more than once, and a ZIP keeps what was.
        with TemporaryDirectory(prefix="upesi-") as folder:
            _named(cube).to_zarr(folder, consolidated=False, zarr_format=3, mode="w")
            make_archive(str(path.with_suffix("")), "zip", folder)
    elif form == "zarr":
        _named(cube).to_zarr(path, consolidated=False, zarr_format=3, mode="w-")
    else:
        _write_geotiff(cube, path)


def _named(cube: xr.DataArray) -> xr.Dataset:
    """The no-data value is an attribute, as xarray would make NaN of `_FillValue`, and floats of whole numbers."""
    # A name with a slash would be a group in the file.
    array = cube if cube.name and "/" not in str(cube.name) else cube.rename("data")
    return array.to_dataset()


def _write_geotiff(cube: xr.DataArray, path: Path) -> None:
    """A cloud-optimised one; a band for each asset of each time, which its description names."""
    bands, names = stacked(cube)
    place = cube.odc.geobox
    profile = {
        "driver": "GTiff",
        "count": len(bands),
        "height": bands.shape[1],
        "width": bands.shape[2],
        "dtype": bands.dtype.name,
        "crs": str(place.crs),
        "transform": place.affine,
        "nodata": cube.attrs.get("nodata"),
    }
    with rasterio.MemoryFile() as memory:
        with memory.open(**profile) as file:
            file.write(bands)
            if LEFT_OUT in cube.attrs:
                file.update_tags(**{LEFT_OUT.upper(): cube.attrs[LEFT_OUT]})
            for number, name in enumerate(names, start=1):
                file.set_band_description(number, name)
        with memory.open() as file:
            copy(file, path, driver="COG", compress="deflate", bigtiff="if_safer")
