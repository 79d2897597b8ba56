"""The cell of the globe that an item lies in, and the cells of an area's items.

An item is in the cell of its south-west corner. So those of an area are in its cells, and in others only as far west or
south of it as an item is wide. For that not to be far, small items have cells of 10°, larger ones of 40°, and the
largest are all in one.
"""

from collections.abc import Iterable, Iterator
from itertools import product
from math import floor

from app.stac.geometry import Bounds

# Degrees: how large the items are at most, and how large their cells are.
_GRIDS = ((4, 10), (16, 40))
# Of the globe's longitudes and latitudes: a cell of small items.
SHARE_OF_ONE = _GRIDS[0][1] ** 2 / (360 * 180)
# Numbers of cells, of 15 bits, with room for longitudes to ±360; degrees are above zero for that.
_OF_GRID, _OF_ROW, _ABOVE_ZERO = 10_000, 100, 400
# Of the largest items, wherever they are.
LARGEST = _OF_GRID * len(_GRIDS)
# Without coordinates.
_NOWHERE = -1
# Degrees: sizes are differences, which are rounded.
_MARGIN = 1e-9


def of_item(bounds: Bounds | None) -> int:
    """By west, south, east, north. What lies beyond the globe is in the cells at its ends."""
    if bounds is None:
        return _NOWHERE
    west, south, east, north = bounds
    size = max(east - west, north - south)
    for grid, (largest, width) in enumerate(_GRIDS):
        if size <= largest:
            column, row = _cut(max(-360.0, min(360.0, west)), width), _cut(max(-90.0, min(90.0, south)), width)
            return _OF_GRID * grid + column + _OF_ROW * row
    return LARGEST


def share(found: Iterable[int]) -> float:
    """How much of longitudes and latitudes the cells take, from 0 to 1, as far as small items are concerned."""
    return SHARE_OF_ONE * sum(number < _OF_GRID for number in found)


def of_area(parts: Iterable[Bounds]) -> list[int]:
    """The cells of all items that a part of the area has a point in common with: west, south, east, north."""
    return sorted({LARGEST, *(number for part in parts for number in _of_part(part))})


def _of_part(part: Bounds) -> Iterator[int]:
    west, south, east, north = part
    for grid, (largest, width) in enumerate(_GRIDS):
        columns, rows = (
            range(_cut(low - largest - _MARGIN, width), _cut(high, width) + 1)
            for low, high in ((west, east), (south, north))
        )
        yield from (_OF_GRID * grid + column + _OF_ROW * row for column, row in product(columns, rows))


def _cut(degrees: float, width: int) -> int:
    return (floor(degrees) + _ABOVE_ZERO) // width
