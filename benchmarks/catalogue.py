"""The catalogue that every service gets: the same documents for the same number of items, on any machine."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

import orjson

from app.demo import aerial, sentinel2

Document = dict[str, Any]
CLOUD = "eo:cloud_cover"
_SAMPLE = 500
_KEPT = ("datetime", "start_datetime", "end_datetime", CLOUD, "platform")
_SECOND_SHARE = 5  # every fifth item is in the second collection


@dataclass(frozen=True)
class Catalogue:
    """`large` has most of the items, `second` a fifth of them, `small` 300 however many there are."""

    collections: list[Document]
    items: Iterable[Document]
    large: str
    second: str
    small: str


@dataclass(frozen=True)
class Written:
    """The catalogue as files, with a sample of its items spread evenly over the large collection."""

    catalogue: Catalogue
    collections: Path
    items: Path
    count: int
    sample: list[Document]

    @property
    def bytes(self) -> int:
        return self.items.stat().st_size


def made_up(count: int) -> Catalogue:
    """Sentinel-2 items of 15 kB in two collections, and an aerial survey of 300 items of 2 kB."""
    large = sentinel2.collection()
    second = large | {"id": "demo-sentinel-2-l1c", "title": "Demo: Sentinel-2 Level-1C"}
    many = max(count - 300, 1)
    items = (_placed(item, number, large["id"], second["id"]) for number, item in enumerate(sentinel2.items(many)))
    collections = [large, second, aerial.collection()]
    return Catalogue(collections, chain(items, aerial.items()), large["id"], second["id"], aerial.ID)


def _placed(item: Document, number: int, large: str, second: str) -> Document:
    return item | {"collection": second if number % _SECOND_SHARE == 0 else large}


def of_templates(templates: Path, count: int) -> Catalogue:
    """Real items, each used many times: moved to the place and the day of a made-up one.

    The folder has `collections.ndjson`, and `<id>.ndjson` with the items of each. The collection with the largest items
    after the first is the second; the aerial survey stays the small one.
    """
    collections = [orjson.loads(line) for line in (templates / "collections.ndjson").read_bytes().splitlines()]
    models = [
        [orjson.loads(line) for line in (templates / f"{collection['id']}.ndjson").read_bytes().splitlines()]
        for collection in collections
    ]
    many = max(count - 300, 1)

    def items() -> Iterator[Document]:
        for number, made in enumerate(sentinel2.items(many)):
            turn = number % _SECOND_SHARE
            # Of five items one is of the second collection, one in fifty of the others, the rest of the first.
            which = 1 if turn == 0 else 2 + number // 50 % (len(models) - 2) if number % 50 == 1 else 0
            model = models[which][number // 7 % len(models[which])]
            yield moved(model, made, number)

    listed = [*collections, aerial.collection()]
    return Catalogue(listed, chain(items(), aerial.items()), collections[0]["id"], collections[1]["id"], aerial.ID)


def moved(model: Document, made: Document, number: int) -> Document:
    """The model with another id; its south-western corner, instant and cloud cover are those of a made-up item."""
    west, south, east, north = (model["bbox"][axis] for axis in (0, 1, -2, -1))
    by_east = min(made["bbox"][0], 180 - (east - west)) - west
    by_north = min(made["bbox"][1], 90 - (north - south)) - south

    def shifted(position: Any) -> Any:
        if isinstance(position[0], list):
            return [shifted(part) for part in position]
        return [round(position[0] + by_east, 6), round(position[1] + by_north, 6)]

    geometry = model["geometry"] | {"coordinates": shifted(model["geometry"]["coordinates"])}
    corners = [*shifted([west, south]), *shifted([east, north])]
    taken = {"datetime", CLOUD} & {"datetime", *model["properties"]}
    properties = model["properties"] | {name: made["properties"][name] for name in sorted(taken)}
    for name in ("start_datetime", "end_datetime"):
        properties.pop(name, None)
    return model | {"id": f"{model['id']}_{number}", "geometry": geometry, "bbox": corners, "properties": properties}


def slim(catalogue: Catalogue) -> Catalogue:
    """The same items with their times, two properties, and one asset each."""
    return replace(catalogue, items=map(_slim, catalogue.items))


def _slim(item: Document) -> Document:
    properties = {name: item["properties"][name] for name in _KEPT if name in item["properties"]}
    asset = dict([next(iter(item["assets"].items()))])
    return item | {"properties": properties, "assets": asset, "links": [], "stac_extensions": []}


def many_collections(catalogue: Catalogue, count: int) -> Iterator[Document]:
    """Copies of the large one, without items."""
    model = next(each for each in catalogue.collections if each["id"] == catalogue.large)
    return (model | {"id": f"many-{number:05}", "title": f"One of many: {number}"} for number in range(count))


def write(catalogue: Catalogue, folder: Path) -> Written:
    """Both files as NDJSON, which every loader reads."""
    collections, items = folder / "collections.ndjson", folder / "items.ndjson"
    collections.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in catalogue.collections))
    count, every, sample = 0, 1, []
    with items.open("wb") as file:
        for count, item in enumerate(catalogue.items, start=1):
            file.write(orjson.dumps(item) + b"\n")
            if item["collection"] == catalogue.large and count % every == 0:
                sample.append(_outline(item))
            if len(sample) == 2 * _SAMPLE:  # so that it is even however many follow
                every, sample = every * 2, sample[::2]
    return Written(catalogue, collections, items, count, sample)


def _outline(item: Document) -> Document:
    return {name: item[name] for name in ("id", "collection", "bbox", "properties")}


def first_items(written: Written, count: int) -> list[Document]:
    """Whole items of the large collection."""
    with written.items.open() as lines:
        large = (item for line in lines if (item := json.loads(line))["collection"] == written.catalogue.large)
        return list(islice(large, count))
