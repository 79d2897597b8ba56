import struct
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from app.demo import rasters
from app.errors import SetupError

rasterio: Any = pytest.importorskip("rasterio")
ITEMS = list(rasters.items())
IMAGES = [(item, key) for item in ITEMS for key in item["assets"] if key != "thumbnail"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / "static" / "demo-cogs"
    rasters.write(folder)
    return folder


def file_of(folder: Path, asset: dict[str, Any]) -> Path:
    return folder / str(asset["href"]).rpartition("/")[2]


def snapshot(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.iterdir()}


@pytest.mark.parametrize("root", ["http://host", "https://host/below/a/prefix"])
def test_hrefs_resolve_to_the_static_folder(root: str) -> None:
    for item in ITEMS:
        for asset in item["assets"].values():
            url = urljoin(f"{root}/collections/demo-cogs/items/{item['id']}", asset["href"])
            assert url == f"{root}/static/demo-cogs/{asset['href'].rpartition('/')[2]}"


def test_the_files_are_the_ones_of_the_items(folder: Path) -> None:
    hrefs = {asset["href"].rpartition("/")[2] for item in ITEMS for asset in item["assets"].values()}
    assert {path.name for path in folder.iterdir()} == hrefs | {".version"}
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8_000_000


def test_each_image_is_a_cog_with_the_grid_of_its_item(folder: Path) -> None:
    for item, key in IMAGES:
        asset = item["assets"][key]
        with rasterio.open(file_of(folder, asset)) as file:
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert file.profile["tiled"]
            assert file.profile["compress"] == "deflate"
            assert file.overviews(1)
            assert str(file.crs) == item["properties"]["proj:code"]
            assert list(file.shape) == asset["proj:shape"]
            assert list(file.transform)[:6] == asset["proj:transform"]
            assert file.res == (asset["gsd"], asset["gsd"])


def test_each_image_has_the_bands_of_its_item(folder: Path) -> None:
    for item, key in IMAGES:
        asset = item["assets"][key]
        with rasterio.open(file_of(folder, asset)) as file:
            assert file.count == len(asset.get("bands", [key]))
            assert set(file.dtypes) == {asset["data_type"]}
            assert set(file.nodatavals) == {asset["nodata"]}
            assert set(file.scales) == {asset.get("raster:scale", 1)}
            assert set(file.offsets) == {asset.get("raster:offset", 0)}


def test_each_footprint_is_the_one_of_the_pixels(folder: Path) -> None:
    warp = pytest.importorskip("rasterio.warp")
    for item in ITEMS:
        with rasterio.open(file_of(folder, item["assets"]["red"])) as file:
            west, south, east, north = file.bounds
            longitudes, latitudes = warp.transform(file.crs, "EPSG:4326", [west, west, east, east], 2 * [north, south])
        assert item["bbox"] == pytest.approx(
            [min(longitudes), min(latitudes), max(longitudes), max(latitudes)], abs=1e-6
        )


def test_classes_and_cloud_cover_are_the_ones_of_the_pixels(folder: Path) -> None:
    for item in ITEMS:
        asset = item["assets"]["scl"]
        with rasterio.open(file_of(folder, asset)) as file:
            classes = file.read(1)
        known = {described["value"] for described in asset["classification:classes"]}
        assert set(classes.flat) <= known
        cover = 100 * ((classes == 8) | (classes == 9)).sum() / (classes != 0).sum()
        assert item["properties"]["eo:cloud_cover"] == pytest.approx(cover, abs=0.5)


def test_each_date_has_a_margin_without_data(folder: Path) -> None:
    for date in {item["id"][:8] for item in ITEMS}:
        missing = 0
        for item in ITEMS:
            if item["id"].startswith(date):
                with rasterio.open(file_of(folder, item["assets"]["red"])) as file:
                    missing += int((file.read(1) == 0).sum())
        assert missing > 1000


def test_thumbnails_are_png(folder: Path) -> None:
    for item in ITEMS:
        start = file_of(folder, item["assets"]["thumbnail"]).read_bytes()[:24]
        assert start[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack(">II", start[16:]) == (256, 256)


def test_a_finished_folder_is_left_alone(folder: Path) -> None:
    before = snapshot(folder)
    rasters.write(folder)
    assert snapshot(folder) == before


def test_another_version_is_written_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rasters, "_write_files", lambda folder: (folder / "image.tif").touch())
    folder = tmp_path / "demo-cogs"
    folder.mkdir()
    (folder / ".version").write_text("0")
    (folder / "old.tif").touch()
    rasters.write(folder)
    assert {path.name for path in folder.iterdir()} == {".version", "image.tif"}
    assert list(tmp_path.iterdir()) == [folder]


def test_a_failure_leaves_nothing_half_done(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(path: Path, *_: object) -> None:
        path.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(rasters, "_write_image", stop)
    with pytest.raises(KeyboardInterrupt):
        rasters.write(tmp_path / "demo-cogs")
    assert list(tmp_path.iterdir()) == []


def test_files_of_others_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").touch()
    with pytest.raises(SetupError, match="not the demo's"):
        rasters.write(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_without_rasterio_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(SetupError, match=r"rasterio.*upesi\[raster\]"):
        rasters.write(tmp_path / "demo-cogs")
