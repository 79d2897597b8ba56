"""Cubes of items with known pixels, and against odc-stac called directly."""

from pathlib import Path
from typing import Any

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
import xarray as xr
from distributed import LocalCluster, get_task_stream
from zarr.storage import ZipStore

from app import raster
from app.demo import rasters
from app.errors import InvalidMetadata, InvalidRequest, NotFound, SetupError, TooLarge, Unreadable
from app.raster import cluster, files
from app.raster.cubes import Cube
from app.raster.shape import CubeShape
from app.raster.sources import File, Sources
from tests.factories import Document, box
from tests.raster import images
from tests.raster.images import NORTH, WEST, Pixels

NOON = "2024-07-16T12:00:00Z"


def shape(*assets: str, **more: Any) -> CubeShape:
    return CubeShape(assets or ("data",), **more)


def stored(folder: Path, name: str, when: str, pixels: Pixels, west: float = WEST, **more: Any) -> Document:
    path = images.write(folder / f"{name}.tif", pixels, west)
    return images.scene(name, when, {"data": images.asset(path, pixels, west)}, **more)


def test_one_asset_is_a_stack_in_time(tmp_path: Path) -> None:
    first, second = images.numbered(4, 4), images.numbered(4, 4, 100)
    items = [
        stored(tmp_path, "b", "2024-07-17T12:00:00Z", second),
        stored(tmp_path, "a", "2024-07-16T12:00:00Z", first),
    ]
    found = Cube(items, shape()).loaded()
    assert found.dims == ("time", "y", "x")
    assert np.array_equal(found.values, np.stack([first, second]))
    assert found.dtype == "uint16"
    assert found.nodata == 0
    assert found.odc.geobox.affine == rasterio.Affine(10, 0, WEST, 0, -10, NORTH)


@pytest.mark.parametrize(
    ("align", "size", "expected"),
    [("finest", 10.0, (4, 4)), ("coarsest", 20.0, (2, 2)), ("coarse", 20.0, (2, 2)), ("fine", 10.0, (4, 4))],
)
def test_assets_of_two_resolutions_on_one_grid(
    tmp_path: Path, align: str, size: float, expected: tuple[int, int]
) -> None:
    fine, coarse = images.numbered(4, 4), images.numbered(2, 2, 100)
    assets = {
        "fine": images.asset(images.write(tmp_path / "fine.tif", fine), fine),
        "coarse": images.asset(images.write(tmp_path / "coarse.tif", coarse, size=20.0), coarse, size=20.0),
    }
    found = Cube([images.scene("a", NOON, assets)], shape("fine", "coarse", align=align)).loaded()
    assert found.dims == ("time", "band", "y", "x")
    assert list(found.band.values) == ["fine", "coarse"]
    assert found.shape == (1, 2, *expected)
    assert found.odc.geobox.resolution.x == size
    if size == 10:
        assert np.array_equal(found.values[0, 0], fine)
        assert np.array_equal(found.values[0, 1], coarse.repeat(2, 0).repeat(2, 1))
    else:
        assert np.array_equal(found.values[0, 1], coarse)
        assert set(found.values[0, 0].ravel()) <= set(fine.ravel())


def test_averages(tmp_path: Path) -> None:
    fine = images.numbered(4, 4)
    item = stored(tmp_path, "a", NOON, fine)
    found = Cube([item], shape(resolution=20.0, resampling="average")).loaded()
    assert np.array_equal(found.values[0], np.rint(fine.reshape(2, 2, 2, 2).mean((1, 3))))


def test_the_first_valid_pixel_of_a_solar_day(tmp_path: Path) -> None:
    early, late = images.numbered(4, 4), np.full((4, 4), 99, "uint16")
    early[:2] = 0
    items = [stored(tmp_path, "b", "2024-07-16T10:00:10Z", late), stored(tmp_path, "a", "2024-07-16T10:00:00Z", early)]
    found = Cube(items, shape(groupby="solar_day")).loaded()
    assert np.array_equal(found.values, np.where(early != 0, early, late)[None])
    assert len(Cube(items, shape()).loaded().time) == 2
    assert len(Cube([items[0], items[0]], shape(groupby="id")).loaded().time) == 2


def test_a_solar_day_across_the_date_line(tmp_path: Path) -> None:
    """At 177° east noon by the sun is about midnight UTC: the next day in UTC can be the same day there."""
    west, footprint = 500_000.0, box(177.0, 46.9, 177.1, 47.0)
    days = ("2024-07-15T23:30:00Z", "2024-07-16T00:30:00Z", "2024-07-16T23:30:00Z")
    items = []
    for number, when in enumerate(days, start=1):
        pixels = np.full((4, 4), number, "uint16")
        path = images.write(tmp_path / f"{number}.tif", pixels, west, crs="EPSG:32660")
        described = {"data": images.asset(path, pixels, west)}
        items.append(images.scene(str(number), when, described, "EPSG:32660", geometry=footprint))
    found = Cube(items, shape(groupby="solar_day")).loaded()
    assert found.values[:, 0, 0].tolist() == [1, 3]


def test_degrees_have_an_edge_at_the_antimeridian() -> None:
    """Half of such a cube was empty, as the items on one side have longitudes below 0."""
    described = {"data": images.asset("https://data.invalid/a.tif", images.numbered(4, 4), 179.9, 47.0, 0.05)}
    item = images.scene("a", NOON, described, "EPSG:4326", geometry=box(179.9, 46.8, 180, 47.0))
    across = (179.95, 46.8, 180.05, 47.0)
    with pytest.raises(InvalidRequest, match="EPSG:4326 has its edge in this box"):
        Cube([item], shape(bbox=across)).lazy()
    assert Cube([item], shape(bbox=across, crs="utm", resolution=1000.0)).lazy().shape == (1, 23, 9)


def test_around_a_point(tmp_path: Path) -> None:
    pixels = images.numbered(64, 64)
    item = stored(tmp_path, "a", NOON, pixels)
    with rasterio.open(tmp_path / "a.tif") as file:
        x, y = WEST + 320, NORTH - 320
        ((longitude,), (latitude,)) = rasterio.warp.transform(file.crs, "EPSG:4326", [x], [y])[:2]
    found = Cube([item], shape(point=(longitude, latitude), edge_size=8)).loaded()
    assert np.array_equal(found.values[0], pixels[28:36, 28:36])


def test_a_box_and_a_crs(tmp_path: Path) -> None:
    item = stored(tmp_path, "a", NOON, images.numbered(64, 64))
    found = Cube([item], shape(crs="EPSG:4326", resolution=0.0001, bbox=(10.3135, 46.945, 10.314, 46.9455))).lazy()
    assert found.odc.geobox.crs.epsg == 4326
    assert found.shape == (1, 5, 5)


def test_it_is_what_odc_stac_loads(tmp_path: Path) -> None:
    rasters.write(tmp_path / rasters.ID)
    items = list(rasters.items())
    own = Sources.anything(tmp_path)
    opened = [{key: File(own.locate(item, key)) for key in ("red", "nir")} for item in items]
    found = Cube(items, shape("red", "nir", groupby="solar_day"), files=opened).loaded()
    parsed = [pystac.Item.from_dict(item) for item in items]
    for item in parsed:
        for asset in item.assets.values():
            asset.href = asset.href.replace("../../../static", str(tmp_path))
    direct = odc.stac.load(parsed, bands=["red", "nir"], groupby="solar_day", resolution=10)
    assert np.array_equal(found.sel(band="red").values, direct.red.values)
    assert np.array_equal(found.sel(band="nir").values, direct.nir.values)
    assert found.odc.geobox == direct.odc.geobox
    assert np.array_equal(found.time.values, direct.time.values)


def test_what_only_a_grid_says_is_told_to_odc_stac(tmp_path: Path) -> None:
    """The projection extension is not listed, or all is in the collection: the cube is the file, and no more."""
    item = stored(tmp_path, "a", NOON, images.numbered(4, 4))
    unlisted = {**item, "stac_extensions": []}
    told = {name: value for name, value in item["assets"]["data"].items() if name != "href"}
    bare = {**item, "assets": {"data": {"href": item["assets"]["data"]["href"]}}}
    owner = {item["collection"]: {"item_assets": {"data": told}}}
    for found in (Cube([unlisted], shape()).loaded(), Cube([bare], shape(), owner).loaded()):
        assert np.array_equal(found.values[0], images.numbered(4, 4))
        assert (found.dtype.name, found.nodata) == ("uint16", 0)


@pytest.mark.parametrize("collections", [("things", "things"), ("things", "others"), ("others", "things")])
def test_a_type_that_holds_the_values_of_all(tmp_path: Path, collections: tuple[str, str]) -> None:
    small, large = images.numbered(4, 4, dtype="uint8"), images.numbered(4, 4, 1000)
    items = [stored(tmp_path, "a", NOON, small), stored(tmp_path, "b", "2024-07-17T12:00:00Z", large)]
    for item, collection in zip(items, collections, strict=True):
        item["collection"] = collection
    for order in (items, items[::-1]):
        found = Cube(order, shape()).loaded()
        assert found.dtype == "uint16"
        assert np.array_equal(found.values, [small, large])


@pytest.mark.parametrize(
    ("data_type", "said", "nodata"),
    [
        ("uint8", -9999, None),
        ("uint8", 256, None),
        ("uint8", 0.5, None),
        ("uint16", "nan", None),
        ("int8", -128, -128),
        ("float32", 1e300, None),
        ("float32", -3.4028234663852886e38, -3.4028234663852886e38),
        ("float32", "inf", np.inf),
    ],
)
def test_no_data_that_no_pixel_can_have_is_none(tmp_path: Path, data_type: str, said: Any, nodata: Any) -> None:
    pixels = images.numbered(4, 4, dtype=data_type)
    path = images.write(tmp_path / "a.tif", pixels, nodata=None)
    item = images.scene("a", NOON, {"data": {**images.asset(path, pixels), "nodata": said}})
    found = Cube([item], shape(bbox=(10.313, 46.945, 10.315, 46.947))).loaded()
    assert found.attrs.get("nodata") == nodata
    assert set(pixels.ravel()) <= set(found.values.ravel())


@pytest.mark.parametrize(("said", "data_type"), [("cfloat32", "complex64"), ("cfloat64", "complex128")])
def test_complex_pixels(tmp_path: Path, said: str, data_type: str) -> None:
    pixels = images.numbered(4, 4).astype(data_type) * 1j
    path = images.write(tmp_path / "a.tif", pixels)
    item = images.scene("a", NOON, {"data": {**images.asset(path, pixels), "data_type": said}})
    found = Cube([item], shape()).loaded()
    assert found.dtype == data_type
    assert np.array_equal(found.values[0], pixels)
    item["assets"]["data"]["data_type"] = "other"
    with pytest.raises(InvalidMetadata, match="'other'"):
        Cube([item], shape()).lazy()


def test_the_first_band_says_what_is_read_of_several(tmp_path: Path) -> None:
    pixels = np.stack([images.numbered(4, 4), images.numbered(4, 4, 100)])
    item = stored(tmp_path, "a", NOON, pixels)
    del item["assets"]["data"]["data_type"], item["assets"]["data"]["nodata"]
    bands = [{"data_type": "uint16", "nodata": 0}, {"data_type": "uint8"}]
    found = Cube([item], shape(), {item["collection"]: {"item_assets": {"data": {"bands": bands}}}}).loaded()
    assert np.array_equal(found.values[0], pixels[0])
    assert (found.dtype.name, found.nodata) == ("uint16", 0)


def test_pixels_are_those_of_the_items(tmp_path: Path) -> None:
    """Those of Landsat begin half a pixel beside the multiples of their size."""
    pixels, place = images.numbered(16, 16), (600_015.0, 5_200_005.0)
    path = images.write(tmp_path / "a.tif", pixels, *place, size=30.0)
    item = images.scene("a", NOON, {"data": images.asset(path, pixels, *place, size=30.0)})
    whole = rasterio.Affine(30, 0, place[0], 0, -30, place[1])
    for same in (shape(), shape(resolution=30.0), shape(crs="EPSG:32632")):
        found = Cube([item], same).loaded()
        assert found.odc.geobox.affine == whole
        assert np.array_equal(found.values[0], pixels)
    part = Cube([item], shape(bbox=(10.317, 46.943, 10.318, 46.944))).loaded()
    column, row = ~whole @ (part.odc.geobox.affine.c, part.odc.geobox.affine.f)
    assert (column, row) == (round(column), round(row))
    rows, columns = part.shape[1:]
    assert np.array_equal(part.values[0], pixels[round(row) :, round(column) :][:rows, :columns])
    around = Cube([item], shape(point=(10.3175, 46.9435), edge_size=4)).loaded()
    column, row = ~whole @ (around.odc.geobox.affine.c, around.odc.geobox.affine.f)
    assert np.array_equal(around.values[0], pixels[round(row) :, round(column) :][:4, :4])
    # Other pixels have a line through 0.
    assert Cube([item], shape(resolution=20.0)).lazy().odc.geobox.affine.c == 600_000


def test_pixels_that_are_not_square(tmp_path: Path) -> None:
    pixels, path = images.numbered(4, 4), tmp_path / "a.tif"
    place = rasterio.Affine(0.5, 0, 10, 0, -0.25, 47)
    profile = {"driver": "GTiff", "count": 1, "width": 4, "height": 4, "dtype": "uint16", "nodata": 0}
    with rasterio.open(path, "w", crs="EPSG:4326", transform=place, **profile) as file:
        file.write(pixels, 1)
    described = {**images.asset(path, pixels), "proj:transform": list(place)[:6]}
    item = images.scene("a", NOON, {"data": described}, "EPSG:4326", geometry=box(10, 46, 12, 47))
    found = Cube([item], shape()).loaded(16)
    assert found.odc.geobox.affine == place
    assert np.array_equal(found.values[0], pixels)
    assert Cube([item], shape(resolution=0.5)).lazy().shape == (1, 2, 4)


@pytest.mark.parametrize(("form", "name"), [("netcdf", "a.nc"), ("zarr", "a.zarr"), ("zarr", "a.zip")])
def test_files(tmp_path: Path, form: Any, name: str) -> None:
    cube = Cube([stored(tmp_path, "a", NOON, images.numbered(4, 6))], shape()).loaded()
    files.write(cube, form, tmp_path / name)
    if form == "netcdf":
        read = xr.open_dataset(tmp_path / name, engine="h5netcdf", decode_coords="all")
    else:
        store = ZipStore(tmp_path / name, mode="r") if name.endswith(".zip") else tmp_path / name
        read = xr.open_zarr(store, consolidated=False, decode_coords="all")
    with read:
        assert np.array_equal(read.data.values, cube.values)
        assert read.data.dtype == "uint16"
        assert read.odc.geobox == cube.odc.geobox
        assert read.data.attrs["nodata"] == 0


@pytest.mark.parametrize(("form", "name"), [("netcdf", "a.nc"), ("zarr", "a.zarr")])
def test_an_asset_with_a_slash_is_no_group(tmp_path: Path, form: Any, name: str) -> None:
    item = stored(tmp_path, "a", NOON, images.numbered(4, 4))
    item["assets"] = {"a/b": item["assets"]["data"]}
    files.write(Cube([item], shape("a/b")).loaded(), form, tmp_path / name)
    if form == "zarr":
        read = xr.open_zarr(tmp_path / name, consolidated=False)
    else:
        read = xr.open_dataset(tmp_path / name, engine="h5netcdf")
    with read:
        assert np.array_equal(read.data.values[0], images.numbered(4, 4))


def test_geotiff(tmp_path: Path) -> None:
    pixels = images.numbered(4, 6)
    path = images.write(tmp_path / "a.tif", pixels)
    item = images.scene("a", NOON, dict.fromkeys(("b", "c"), images.asset(path, pixels)))
    files.write(Cube([item], shape("b", "c")).lazy(), "geotiff", tmp_path / "cube.tif")
    with rasterio.open(tmp_path / "cube.tif") as file:
        assert np.array_equal(file.read(), np.stack([pixels, pixels]))
        assert file.descriptions == ("2024-07-16T12:00:00Z b", "2024-07-16T12:00:00Z c")
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (file.crs.to_epsg(), file.nodata) == (32632, 0)


def test_lazy_opens_nothing() -> None:
    item = images.scene("a", NOON, {"data": images.asset("https://data.invalid/a.tif", images.numbered(4, 4))})
    assert Cube([item], shape()).lazy().shape == (1, 4, 4)


def test_a_cluster_does_the_work(tmp_path: Path) -> None:
    pixels = images.numbered(8, 8)
    item = stored(tmp_path, "a", NOON, pixels)
    start: Any = LocalCluster
    options = {"processes": False, "dashboard_address": None, "host": "127.0.0.1"}
    with (
        start(n_workers=1, threads_per_worker=1, protocol="tcp", **options) as made,
        cluster.used(made.scheduler_address),
    ):
        assert made.scheduler_address.startswith("tcp://127.0.0.1:")
        cube = Cube([item], shape()).lazy({"x": 4, "y": 4})
        with get_task_stream() as stream:
            assert np.array_equal(cube.compute().values[0], pixels)
    assert len(stream.data) >= 4


def test_there_is_no_such_cluster() -> None:
    with pytest.raises(SetupError, match="no Dask cluster at nowhere"), cluster.used("nowhere://x"):
        pass


def test_limits_and_faults(tmp_path: Path) -> None:
    item = stored(tmp_path, "a", NOON, images.numbered(4, 4))
    with pytest.raises(TooLarge, match=r"16 pixels \(1 band x 4 y x 4 x\), and 15 are the most"):
        Cube([item], shape()).loaded(15)
    with pytest.raises(TooLarge, match=r"32 pixels \(2 time x 4 y x 4 x\), and 31 are the most"):
        Cube([item, item], shape(groupby="id")).loaded(31)
    assert Cube([item], shape()).loaded(16).size == 16
    with pytest.raises(InvalidRequest, match="finds no item"):
        Cube([], shape()).lazy()
    with pytest.raises(NotFound, match="no asset 'nope'"):
        Cube([item], shape("nope")).lazy()
    with pytest.raises(InvalidRequest, match="crs"):
        Cube([item], shape(crs="EPSG:1")).lazy()
    (tmp_path / "a.tif").write_text("broken")
    with pytest.raises(Unreadable):
        Cube([item], shape()).loaded()


@pytest.mark.parametrize(
    ("values", "parameter"),
    [
        ({}, "assets"),
        ({"assets": []}, "assets"),
        ({"assets": ["a", "a"]}, "assets"),
        ({"assets": ["a"], "resolution": 0}, "resolution"),
        ({"assets": ["a"], "resolution": True}, "resolution"),
        ({"assets": ["a"], "groupby": "week"}, "groupby"),
        ({"assets": ["a"], "resampling": "best"}, "resampling"),
        ({"assets": ["a"], "align": "b"}, "align"),
        ({"assets": ["a"], "crs": ""}, "crs"),
        ({"assets": ["a"], "bbox": [1, 2, 3]}, "bbox"),
        ({"assets": ["a"], "bbox": [0, 5, 1, 4]}, "bbox"),
        ({"assets": ["a"], "point": [181, 0]}, "point"),
        ({"assets": ["a"], "point": [1, 2], "bbox": [0, 0, 1, 1]}, "point"),
        ({"assets": ["a"], "edge_size": 0}, "edge_size"),
        ({"assets": ["a"], "edge_size": 1.5}, "edge_size"),
    ],
)
def test_what_is_no_shape(values: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        CubeShape.from_values(values)
    assert raised.value.parameter == parameter


def test_items_that_lack_an_asset_are_left_out_and_counted(tmp_path: Path) -> None:
    pixels = images.numbered(4, 6)
    both = images.scene(
        "a", NOON, dict.fromkeys(("b", "c"), images.asset(images.write(tmp_path / "a.tif", pixels), pixels))
    )
    lacking = images.scene("d", "2024-07-17T12:00:00Z", {"b": both["assets"]["b"]})
    found = raster.cube([lacking, both], ["b", "c"])
    assert np.array_equal(found.values, [[pixels, pixels]])
    assert found.attrs["items_left_out"] == 1
    assert "items_left_out" not in raster.cube([lacking, both], ["b"]).attrs
    with pytest.raises(NotFound, match="none of the 2 items has 'd'"):
        raster.cube([lacking, both], ["d"])
    files.write(found, "netcdf", tmp_path / "cube.nc")
    with xr.open_dataset(tmp_path / "cube.nc", engine="h5netcdf") as read:
        assert read.data.attrs["items_left_out"] == 1
    files.write(found, "geotiff", tmp_path / "cube.tif")
    with rasterio.open(tmp_path / "cube.tif") as file:
        assert file.tags()["ITEMS_LEFT_OUT"] == "1"


def test_the_function_makes_the_same_cube(tmp_path: Path) -> None:
    items = [stored(tmp_path, "a", NOON, images.numbered(4, 4))]
    found = raster.cube(items, ["data"], groupby="solar_day", resolution=20.0, resampling="average")
    assert not isinstance(found.data, np.ndarray)
    same = Cube(items, CubeShape(("data",), groupby="solar_day", resolution=20.0, resampling="average")).loaded()
    assert np.array_equal(found.values, same.values)
    assert found.odc.geobox == same.odc.geobox
    assert raster.grid(items[0], "data").shape == (4, 4)
