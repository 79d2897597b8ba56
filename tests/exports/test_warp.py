"""Mosaics of several CRSs and resolutions: what GDAL reads of them is what rasterio warps."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.vrt import WarpedVRT
from rasterio.warp import transform

from app.errors import InvalidRequest
from app.exports import warp
from app.exports.vrt import RESAMPLING, Form, Reader, mosaic
from app.exports.warp import reprojected
from tests.factories import Document
from tests.raster import images
from tests.raster.images import NORTH, WEST, Pixels

HERE, THERE = images.numbered(64, 64), images.numbered(64, 64, 5000)


@pytest.fixture(autouse=True)
def _exact_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """Places in between depend on how the work is cut up, and with them pixels, within the error that is allowed."""
    monkeypatch.setattr(warp, "_ERROR", 1e-9)


def items_of(folder: Path) -> list[Document]:
    """One in zone 32, and below it one in zone 33 that reaches beneath it."""
    (x,), (y,) = transform("EPSG:32632", "EPSG:32633", [WEST + 500], [NORTH])[:2]
    west, north = round(x, -1), round(y, -1)
    images.write(folder / "here.tif", HERE)
    images.write(folder / "there.tif", THERE, west, north, crs="EPSG:32633")
    here, there = images.asset(folder / "here.tif", HERE), images.asset(folder / "there.tif", THERE, west, north)
    return [
        images.scene("here", "2024-07-17T10:00:00Z", {"data": here}),
        images.scene("there", "2024-07-16T10:00:00Z", {"data": there}, crs="EPSG:32633"),
    ]


def made(path: Path, items: list[Document], form: Form) -> Path:
    parts = [Reader("data").part(item) for item in items]
    path.write_bytes(mosaic(reprojected(parts, form), form))
    return path


def warped(path: Path, like: rasterio.DatasetReader, resampling: str) -> Pixels:
    grid = {"crs": like.crs, "transform": like.transform, "width": like.width, "height": like.height, "tolerance": 1e-9}
    with rasterio.open(path) as file, WarpedVRT(file, **grid, resampling=rasterio.enums.Resampling[resampling]) as one:
        return np.asarray(one.read(1))


@pytest.mark.parametrize("resampling", RESAMPLING)
def test_two_zones(tmp_path: Path, resampling: str) -> None:
    form = Form("epsg:32632", resampling=resampling)
    with rasterio.open(made(tmp_path / "m.vrt", items_of(tmp_path), form)) as file:
        assert file.crs.to_epsg() == 32632
        assert file.res == (10, 10)
        top = warped(tmp_path / "here.tif", file, "nearest")
        below = warped(tmp_path / "there.tif", file, resampling)
        assert np.array_equal(file.read(1), np.where(top != 0, top, below))
        assert (below != 0).sum() > 3000


def test_a_third_crs(tmp_path: Path) -> None:
    form = Form("EPSG:3857", 20.0)
    with rasterio.open(made(tmp_path / "m.vrt", items_of(tmp_path), form)) as file:
        top, below = (warped(tmp_path / f"{name}.tif", file, "nearest") for name in ("here", "there"))
        assert file.transform.c % 20 == 0
        assert np.array_equal(file.read(1), np.where(top != 0, top, below))


def test_a_resolution_that_is_asked_for(tmp_path: Path) -> None:
    fine, coarse = images.numbered(4, 4), images.numbered(2, 2, 100)
    images.write(tmp_path / "fine.tif", fine)
    images.write(tmp_path / "coarse.tif", coarse, WEST + 40, size=20.0)
    items = [
        images.scene("fine", "2024-07-17T10:00:00Z", {"data": images.asset(tmp_path / "fine.tif", fine)}),
        images.scene(
            "coarse",
            "2024-07-17T10:00:00Z",
            {"data": images.asset(tmp_path / "coarse.tif", coarse, WEST + 40, size=20.0)},
        ),
    ]
    with rasterio.open(made(tmp_path / "m.vrt", items, Form(resolution=20.0, resampling="average"))) as file:
        averaged = fine.reshape(2, 2, 2, 2).mean((1, 3))
        assert file.res == (20, 20)
        assert np.abs(file.read(1)[:, :2] - averaged).max() <= 0.5
        assert np.array_equal(file.read(1)[:, 2:], coarse)


def test_gdal_itself_reads_it(tmp_path: Path) -> None:
    if shutil.which("gdalinfo") is None:
        pytest.skip("GDAL's programs are not here")
    found = made(tmp_path / "m.vrt", items_of(tmp_path), Form("EPSG:32632"))
    told = subprocess.run(["gdalinfo", "-mm", found], capture_output=True, text=True, check=True).stdout
    assert "Computed Min/Max=1.000,9095.000" in told


@pytest.mark.parametrize(
    ("form", "parameter"),
    [
        (Form("EPSG:1"), "crs"),
        (Form("/etc/passwd"), "crs"),
        (Form("EPSG:4326\n"), "crs"),
        (Form("EPSG:3857"), "resolution"),
        (Form("EPSG:4326", 1e-12), None),
    ],
)
def test_what_is_refused(tmp_path: Path, form: Form, parameter: str | None) -> None:
    with pytest.raises(InvalidRequest) as raised:
        made(tmp_path / "m.vrt", items_of(tmp_path), form)
    assert raised.value.parameter == parameter


def test_what_hides_others_is_refused(tmp_path: Path) -> None:
    items = items_of(tmp_path)
    del items[1]["assets"]["data"]["nodata"]
    with pytest.raises(InvalidRequest, match=r"nodata: 'there\.tif' says none"):
        made(tmp_path / "m.vrt", items, Form("EPSG:32632"))


def test_nowhere_in_the_crs() -> None:
    far = images.asset("https://x.example/a.tif", images.numbered(4, 4), 1e12)
    part = Reader("data").part(images.scene("a", "2024-07-17T10:00:00Z", {"data": far}))
    with pytest.raises(InvalidRequest, match="EPSG:32632 is not in EPSG:3857"):
        reprojected([part], Form("EPSG:3857", 10.0))
