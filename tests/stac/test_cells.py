"""Cells of items and of areas: what an area has lies in the area's cells."""

import random
from math import nextafter

import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from app.stac import cells
from app.stac.geometry import Bounds

# Around the sides of cells and the largest items of each size.
EDGES = [-360.0, -180.0, -90.0, -40.0, -10.0, -4.0, -0.0, 0.1, 4.0, 6.0, 10.0, 16.0, 24.0, 40.0, 90.0, 180.0, 344.0]
numbers = st.one_of(
    st.sampled_from(EDGES),
    st.sampled_from(EDGES).map(lambda edge: nextafter(edge, 1e9)),
    st.sampled_from(EDGES).map(lambda edge: nextafter(edge, -1e9)),
    st.floats(-180, 180),
)
sizes = st.one_of(st.sampled_from([0.0, 0.1, 4.0, nextafter(4.0, 5.0), 16.0, nextafter(16.0, 17.0)]), st.floats(0, 20))


@st.composite
def boxes(draw: st.DrawFn) -> Bounds:
    west, south = draw(numbers), max(-90.0, min(90.0, draw(numbers)))
    return west, south, west + draw(sizes), min(90.0, south + draw(sizes))


def on_globe(item: Bounds) -> Bounds:
    west, south, east, north = item
    return max(-180.0, min(180.0, west)), south, max(-180.0, min(180.0, east)), north


@given(item=boxes(), area=boxes().map(on_globe))
def test_an_item_that_touches_an_area_is_in_its_cells(item: Bounds, area: Bounds) -> None:
    found = cells.of_area([area])
    assert len(set(found)) == len(found)
    if shapely.box(*item).intersects(shapely.box(*area)):
        assert cells.of_item(item) in found


def test_small_items_are_spread_over_cells_and_the_largest_are_in_one() -> None:
    dice = random.Random(3)

    def some(size: float) -> set[int]:
        corners = [(dice.uniform(-180, 180 - size), dice.uniform(-90, 90 - size)) for _ in range(10_000)]
        return {cells.of_item((west, south, west + size, south + size)) for west, south in corners}

    small, larger, largest = some(1), some(15), some(17)
    assert (len(small), len(larger), len(largest)) == (36 * 18, 10 * 5, 1)
    assert len(small | larger | largest) == len(small) + len(larger) + 1
    # All of them, and the cells beside them that items reach from.
    assert small | larger | largest < set(cells.of_area([(-180, -90, 180, 90)]))
    assert cells.share(small) == pytest.approx(1)


@pytest.mark.parametrize(
    "bounds", [(1e300, 0, 1e300, 0), (0, -1e300, 0, 0), (-400, 0, -399, 1), (5e-324, 0, 1, 1), None]
)
def test_whatever_is_stored_has_a_cell_of_15_bits(bounds: Bounds | None) -> None:
    assert -(1 << 15) <= cells.of_item(bounds) < 1 << 15


def test_parts_of_an_area_share_cells() -> None:
    both = cells.of_area([(175, 0, 180, 5), (-180, 0, -175, 5)])
    assert both == sorted({*cells.of_area([(175, 0, 180, 5)]), *cells.of_area([(-180, 0, -175, 5)])})
