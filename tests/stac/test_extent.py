from datetime import UTC, datetime

import orjson
import pytest

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
