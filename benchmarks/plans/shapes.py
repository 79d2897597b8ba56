"""The searches whose plans are looked at, and how many rows each may read."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isqrt
from typing import Any

import orjson

from app.database.fragment import Fragment
from app.sql import candidates, items
from app.stac.paging import Position, Seek
from app.stac.search import Search

CLOUD = "eo:cloud_cover"
INDEXED: Collection[str] = {CLOUD}
PAGE = 10
COLLECTIONS = 23
# What a walk looks at before an index is asked.
_WALK = isqrt(candidates.PROPERTIES[0] ** 2 * (PAGE + 1))
_WALK_FOR_WORDS = isqrt(candidates.WORDS[0] ** 2 * (PAGE + 1))
_WALK_IN_AREA = isqrt(candidates.AREA**2 * (PAGE + 1)) + 1  # And the first that is no tie.
_AFRICA = [-18, -35, 52, 38]
_WORLD = [-180, -90, 180, 90]
_BOX, _SMALL = [5, 40, 15, 50], [8, 46, 9, 47]
_BRAZIL = [[-70, -10], [-57, -30], [-48, -26], [-35, -8], [-50, 0], [-70, -10]]
_DEEP = Position(datetime(2019, 1, 1, tzinfo=UTC), 1 << 27, "c5-5", 5)
_IN_TIE = Position(datetime(2020, 1, 1, tzinfo=UTC), 1 << 27, "tied-5", 21)


@dataclass(frozen=True)
class Shape:
    """`rows` of `items` are read at most, whatever the size of the catalogue."""

    name: str
    query: Fragment
    rows: int


def shapes() -> list[Shape]:
    page, streams = 3 * (PAGE + 1), COLLECTIONS
    less_cloudy = {"op": "<", "args": [{"property": CLOUD}, 20]}
    hardly = {"op": "<", "args": [{"property": CLOUD}, 0.001]}
    return [
        _search("newest", {}, page),
        _search("newest of a small box", {"bbox": _SMALL}, streams * page),
        _search("newest of a small box, far behind", {"bbox": _SMALL}, 2 * streams * page, _DEEP),
        _search("a small box and a month", {"bbox": _SMALL, "datetime": _MONTH}, streams * page),
        _search("newest of a box", {"bbox": _BOX}, _WALK_IN_AREA),
        _search("newest of a box, far behind", {"bbox": _BOX}, _WALK_IN_AREA, _DEEP),
        _search("a box and a month", {"bbox": _BOX, "datetime": _MONTH}, _WALK_IN_AREA),
        _search("a small box of one collection", {"bbox": _SMALL, "collections": ["c3"]}, page),
        _search("newest of the world's box", {"bbox": _WORLD}, page),
        _search("newest of a continent's box", {"bbox": _AFRICA}, _WALK_IN_AREA),
        _search("newest of a continent's box, far behind", {"bbox": _AFRICA}, _WALK_IN_AREA, _DEEP),
        _search("an empty box", {"bbox": [0, -90, 1, -89.5]}, streams * page),
        _search("a country, little cloud", {"intersects": _polygon(_BRAZIL), "filter": less_cloudy}, 2 * _WALK + 1000),
        _search("hardly a cloud, in the world's box", {"bbox": _WORLD, "filter": hardly}, 3 * _WALK + 1000),
        _search("a small collection", {"collections": ["small"]}, page),
        _search("several collections", {"collections": ["c1", "c2", "small", "tied"]}, 4 * page),
        _search("a period", {"collections": ["periods"], "datetime": _MONTH}, page),
        _search("all at one instant", {"collections": ["tied"]}, page),
        _search("inside of that instant", {"collections": ["tied"]}, 2 * page, _IN_TIE),
        _search("a box inside of that instant", {"collections": ["tied"], "bbox": _BOX}, 2 * page, _IN_TIE),
        _search("least cloudy", {"sortby": CLOUD}, 4 * COLLECTIONS * (PAGE + 1)),
        _search("least cloudy of one collection", {"sortby": CLOUD, "collections": ["c3"]}, 4 * (PAGE + 1)),
        _search("a word of all", {"q": ["scene"]}, page),
        _search("a word of few", {"q": ["rare"]}, 3 * _WALK_FOR_WORDS + 2000),
        _search("ids", {"ids": ["c1-1", "c2-2", "nothing"]}, 10),
        Shape("one item", items.one("c3", "c3-5"), 1),
    ]


_MONTH = "2018-06-01T00:00:00Z/2018-06-30T00:00:00Z"


def _search(name: str, body: dict[str, Any], rows: int, position: Position | None = None) -> Shape:
    search = Search.from_body(orjson.dumps(body))
    if position is not None:
        search = search.behind(Seek(position, backward=False))
    return Shape(name, items.page(search, PAGE + 1, INDEXED), rows)


def _polygon(ring: list[list[int]]) -> dict[str, Any]:
    return {"type": "Polygon", "coordinates": [ring]}
