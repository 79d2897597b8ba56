from pathlib import Path
from typing import Any

import orjson
import pytest

from app.raster.reader import reader

COG = "image/tiff; application=geotiff; profile=cloud-optimized"
FORMATS = [
    (COG, "a", (), "COG"),
    ("IMAGE/TIFF;application=GeoTIFF;profile=Cloud-Optimized", "a", (), "COG"),
    ('image/tiff; profile="cloud-optimized"; application=geotiff', "a", (), "COG"),
    ("image/vnd.stac.geotiff; cloud-optimized=true", "a", (), "COG"),
    ("image/vnd.stac.geotiff; profile=cloud-optimized", "a", (), "COG"),
    ("image/vnd.stac.geotiff", "a.tif", (), "GeoTIFF"),
    ("image/tiff; application=geotiff", "a.tif", (), "GeoTIFF"),
    ("image/tiff; application=geotiff", "a.tif", ("data", "cloud-optimized"), "COG"),
    ("image/tiff", "a.tif", (), "TIFF"),
    ("image/jp2", "a.jp2", (), "JPEG2000"),
    ("application/vnd+zarr", "a.zarr", (), "Zarr"),
    ("application/vnd.zarr; version=3", "a", (), "Zarr"),
    ("application/vnd.zarr+icechunk", "a", (), "Icechunk"),
    ("application/x-netcdf", "a.nc", (), "NetCDF"),
    ("application/x-hdf5", "a.h5", (), "HDF5"),
    ("application/x-hdf5", "a.nc", (), "NetCDF"),
    ("application/x-hdf", "a.hdf", (), "HDF4"),
    ("application/wmo-GRIB2", "a.grib2", (), "GRIB"),
    ("application/x-gdal-vrt", "a", (), "VRT"),
    ("application/vnd.apache.parquet", "a", (), "GeoParquet"),
    ("application/vnd.laszip+copc", "a.copc.laz", (), "COPC"),
    ("image/png", "a.tif", ("thumbnail",), "PNG"),
    ("image/jpeg", "a", (), "JPEG"),
    ("application/json", "refs.json", ("references",), "Kerchunk"),
    ("application/json", "tiles.json", ("tiles",), None),
    ("application/xml", "a.tif.xml", ("metadata",), None),
    ("text/html", "a.tif", (), None),
    (None, "a.tif", (), "GeoTIFF"),
    (None, "s3://bucket/a.TIFF", ("cloud-optimized",), "COG"),
    ("application/octet-stream", "https://h.example/a%2Ejp2?token=x.tif", (), "JPEG2000"),
    (None, "https://h.example/store.zarr/", (), "Zarr"),
    (None, "https://h.example/points.copc.laz", (), "COPC"),
    (None, "https://h.example/points.laz", (), "LAZ"),
    (None, "https://h.example/.tif/metadata", (), None),
    (None, "https://[h/a.vrt", (), "VRT"),
    (None, "a", (), None),
    (None, None, (), None),
    (7, ["a"], "data", None),
    ("", "a.grb", None, "GRIB"),
    ("image/tiff\r\ncontent-type: image/png; profile=cloud-optimized", "a", (), None),
]


@pytest.mark.parametrize(("media_type", "href", "roles", "expected"), FORMATS)
def test_the_format(media_type: Any, href: Any, roles: Any, expected: str | None) -> None:
    asset = {"type": media_type, "href": href, "roles": list(roles) if roles is not None else None}
    found = reader({name: value for name, value in asset.items() if value is not None})
    assert (found and found.format) == expected


def test_every_driver_is_one_of_gdal() -> None:
    raster = pytest.importorskip("rasterio.drivers", reason="the extra raster is not installed")
    from app.raster import reader as module

    drivers = {found.driver for found in vars(module).values() if isinstance(found, module.Reader)}
    known = set(raster.raster_driver_extensions().values())
    assert {"GTiff", "PNG", "VRT"} <= drivers & known


@pytest.mark.parametrize("collection", ["sentinel-2-l2a", "landsat-c2-l2", "naip"])
def test_rasters_of_real_items(shared_data: Path, collection: str) -> None:
    item = orjson.loads((shared_data / f"{collection}.ndjson").read_bytes().splitlines()[0])
    for asset in item["assets"].values():
        found = reader(asset)
        assert (found and found.driver) == {"image/tiff": "GTiff", "image/png": "PNG", "image/jpeg": "JPEG"}.get(
            asset["type"].partition(";")[0]
        )
