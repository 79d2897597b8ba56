from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import shapely
from shapely.geometry.base import BaseGeometry

from app.stac import extent

DECLARED = (
    b'{"spatial":{"bbox":[[-180,-90,180,90],[1,2,3,4]]},'
    b'"temporal":{"interval":[["2000-01-01T00:00:00Z",null]]},"note":1}'
)
START = datetime(2024, 1, 1, tzinfo=UTC)
END = datetime(2024, 6, 1, 12, 30, 0, 5, tzinfo=UTC)
INTERVAL = [["2024-01-01T00:00:00Z", "2024-06-01T12:30:00.000005Z"]]


def test_without_items_the_declared_extent_is_served_to_the_byte() -> None:
    assert extent.of_items(DECLARED, None, None, None) is DECLARED


@pytest.mark.parametrize(
    ("box", "bbox"),
    [
        ((1.5, 2.0, 3.0, 4.25), [[1.5, 2.0, 3.0, 4.25]]),
        ((1.0, 2.0, 1.0, 2.0), [[1.0, 2.0, 1.0, 2.0]]),
        ((179.0, -90.0000005, 181.0, 1.0), [[179.0, -90.0, -179.0, 1.0]]),
        ((-190.0, 2.0, -170.0, 4.0), [[170.0, 2.0, -170.0, 4.0]]),
        ((-180.0, 2.0, 180.0, 4.0), [[-180.0, 2.0, 180.0, 4.0]]),
        ((-179.0, 2.0, 190.0, 90.0000005), [[-180.0, 2.0, 180.0, 90.0]]),
        ((1.0, 90.0000005, 2.0, 90.0000005), [[1.0, 90.0, 2.0, 90.0]]),
        ((1.0, -90.0000005, 2.0, -90.0000001), [[1.0, -90.0, 2.0, -90.0]]),
        ((175.0, 2.0, -175.0, 4.0), [[175.0, 2.0, -175.0, 4.0]]),
        (None, [[-180, -90, 180, 90], [1, 2, 3, 4]]),
    ],
)
def test_items_decide(box: tuple[float, float, float, float] | None, bbox: list[list[float]]) -> None:
    served = orjson.loads(extent.of_items(DECLARED, box, START, END))
    assert served == {"spatial": {"bbox": bbox}, "temporal": {"interval": INTERVAL}, "note": 1}


def test_other_members_stay() -> None:
    declared = b'{"spatial":{"bbox":[[0,0,1,1]],"wkt":"x"},"temporal":{"interval":[[null,null]],"trs":"y"}}'
    served = orjson.loads(extent.of_items(declared, (1.0, 2.0, 3.0, 4.0), START, END))
    assert served["spatial"]["wkt"] == "x"
    assert served["temporal"]["trs"] == "y"


def area(*boxes: Any) -> BaseGeometry | None:
    found = extent.declared_area({"spatial": {"bbox": [*boxes]}})
    return None if found is None else shapely.from_wkb(found)


NO_BOXES = ["x", "1234", None, [1, 2], [1, 2, 3, "y"], [10**400, 0, 1, 1], {}, {"1": 1, "2": 2, "3": 3, "4": 4}]


@pytest.mark.parametrize(
    ("boxes", "inside", "outside"),
    [
        ([[1, 2, 3, 4]], [(1, 2), (2, 3)], [(0, 0), (3.1, 3)]),
        ([[1, 2, -9, 3, 4, 9]], [(1, 2), (3, 4)], [(0, 0)]),
        ([[1, 2, 1, 2]], [(1, 2)], [(1, 2.1)]),
        ([[170, -10, -170, 10]], [(175, 0), (-175, 0), (180, 0)], [(0, 0), (169, 0)]),
        ([[0, 0, 1, 1], [5, 5, 6, 6]], [(0, 0), (6, 6)], [(3, 3)]),
        ([[0, -90, 360, 90]], [(-100, 0), (100, 0)], []),
        ([[190, 0, 200, 10]], [(-165, 5)], [(165, 5)]),
        ([[170, 0, 190, 10]], [(175, 5), (-175, 5)], [(0, 5)]),
        ([[100, 0, 180, 10]], [(180, 5)], [(-180, 5)]),
        ([[0, -91, 1, 95]], [(0, -90), (1, 90)], [(2, 0)]),
        ([*NO_BOXES, [0, 0, 1, 1]], [(0, 0)], [(2, 2)]),
    ],
    ids=str,
)
def test_area_is_all_boxes(boxes: list[Any], inside: list[Any], outside: list[Any]) -> None:
    found = area(*boxes)
    assert found is not None
    assert all(found.intersects(shapely.Point(place)) for place in inside)
    assert not any(found.intersects(shapely.Point(place)) for place in outside)


@pytest.mark.parametrize("declared", [None, {}, {"spatial": 5}, {"spatial": {"bbox": []}}, {"spatial": {"bbox": [[]]}}])
def test_no_area(declared: Any) -> None:
    assert extent.declared_area(declared) is None


@pytest.mark.parametrize(
    ("intervals", "times"),
    [
        ([[None, None]], ((None, None),)),
        ([["2024-01-01T00:00:00Z", None]], ((START, None),)),
        ([[None, "2024-01-01T01:00:00+01:00"], ["2024-01-01T00:00:00Z"] * 2], ((None, START), (START, START))),
        ([["2024-06-01T12:30:00.000005Z", "2024-01-01T00:00:00Z"], 5, [], ["x", None]], ()),
        ([["0001-01-01T00:00:00Z", None]], ((datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC), None),)),
    ],
    ids=str,
)
def test_times_are_all_intervals(intervals: Any, times: Any) -> None:
    assert extent.declared_times({"temporal": {"interval": intervals}}) == times


@pytest.mark.parametrize("declared", [None, {}, {"temporal": 5}, {"temporal": {"interval": None}}])
def test_no_times(declared: Any) -> None:
    assert extent.declared_times(declared) == ()
