"""The assets of items, of which some lack some."""

import pytest

from app.errors import NotFound
from app.stac.asset import having
from tests.factories import Document

RED: Document = {"id": "a", "assets": {"red": {}}}
BOTH: Document = {"id": "b", "assets": {"nir": {}, "red": {}}}
NONE: Document = {"id": "c"}
ODD: Document = {"id": "d", "assets": {"red": None, "nir": "x"}}


@pytest.mark.parametrize(
    ("items", "keys", "kept"),
    [
        ([], ["red"], ""),
        ([BOTH, NONE, RED, ODD], ["red"], "ba"),
        ([RED, BOTH, NONE, ODD], ["red", "nir"], "b"),
        ([RED, BOTH], [], "ab"),
        ([ODD, {"id": "e", "assets": ["red"]}, RED], ["red"], "a"),
    ],
)
def test_items_that_have_all(items: list[Document], keys: list[str], kept: str) -> None:
    assert "".join(item["id"] for item in having(items, keys)) == kept


def test_none_of_them_has() -> None:
    with pytest.raises(NotFound, match=r"none of the 3 items has 'red' and 'blue'; the assets there are: nir, red$"):
        having([RED, BOTH, NONE], ["red", "blue"])
    with pytest.raises(NotFound, match=r"there are: none$"):
        having([NONE], ["red"])
    many: Document = {"assets": {f"b{number:03}": {} for number in range(1000)}}
    with pytest.raises(NotFound, match=r"b048, b049 and 950 more$"):
        having([many], ["red"])
