"""The pictures of items without pixels: each item has one that is there, and that looks as the item says."""

from collections import Counter
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from app import demo
from app.demo import aerial, sentinel2, thumbnails
from app.demo.files import NOWHERE

rasterio: Any = pytest.importorskip("rasterio")
ITEMS = list(chain(sentinel2.items(), aerial.items()))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    static = tmp_path_factory.mktemp("demo") / "static"
    demo.write_files(static)
    return static / thumbnails.ID


def picture(item: dict[str, Any]) -> str:
    """The name of its file, below the folder that is served."""
    url: str = urljoin(f"https://a.example/api/collections/c/items/{item['id']}", item["assets"]["thumbnail"]["href"])
    assert url.startswith(f"https://a.example/api/static/{thumbnails.ID}/")
    return url.rpartition("/")[2]


def brightness(path: Path) -> float:
    with rasterio.open(path) as file:
        return float(file.read().mean())


def test_each_item_has_a_picture_and_each_picture_an_item(folder: Path) -> None:
    used = Counter(picture(item) for item in ITEMS)
    assert {path.name for path in folder.iterdir()} == used.keys() | {".version"}
    assert min(used.values()) >= 10


def test_they_are_small_pictures_of_the_type_that_is_said(folder: Path) -> None:
    assert {item["assets"]["thumbnail"]["type"] for item in ITEMS} == {"image/jpeg"}
    for path in folder.glob("*.jpg"):
        with rasterio.open(path) as file:
            assert (file.driver, file.shape, file.count) == ("JPEG", (256, 256), 3)
    assert sum(path.stat().st_size for path in folder.iterdir()) < 500_000


def test_more_clouds_are_brighter(folder: Path) -> None:
    found = list(sentinel2.items())
    means = []
    for share in range(5):
        names = {picture(item) for item in found if share == int(item["properties"]["eo:cloud_cover"] // 20)}
        assert len(names) == 4
        means.append(sum(brightness(folder / name) for name in names))
    assert means == sorted(means)


def test_a_tile_and_a_cell_have_one_place() -> None:
    places: dict[str, set[str]] = {}
    for item in ITEMS:
        place = item["properties"].get("s2:mgrs_tile") or item["id"].partition("_r")[2]
        places.setdefault(place, set()).add(picture(item).rpartition("-")[2])
    assert {len(parts) for parts in places.values()} == {1}


def test_what_is_not_there_is_said() -> None:
    for item in ITEMS:
        elsewhere = {key for key, asset in item["assets"].items() if asset["href"].startswith(NOWHERE)}
        assert elsewhere == item["assets"].keys() - {"thumbnail"}
        assert "no file" in item["properties"]["description"]
    for collection in (sentinel2.collection(), aerial.collection()):
        assert NOWHERE in collection["description"]
