import math
import re
from contextlib import suppress
from random import Random
from typing import Any

import orjson
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st
from shapely.geometry import LineString, MultiPolygon, Point, box, shape
from shapely.geometry.base import BaseGeometry

from app.stac.geometry import Footprint, asked_geometry, box_ewkb, geometry_ewkb, to_ewkb
from tests.factories import Document, point
from tests.factories import box as polygon

RING = [[0.0, 0.0], [4.0, 0.0], [4.0, 4.0], [0.0, 4.0], [0.0, 0.0]]
HOLE = [[1.0, 1.0], [1.0, 2.0], [2.0, 2.0], [2.0, 1.0], [1.0, 1.0]]
OPEN_RING = RING[:-1]


def of(kind: str, coordinates: Any) -> Document:
    return {"type": kind, "coordinates": coordinates}


@pytest.mark.parametrize(
    ("numbers", "shapes"),
    [
        ([1, 2, 3, 4], [box(1, 2, 3, 4)]),
        ([1, 2, -7, 3, 4, 900], [box(1, 2, 3, 4)]),
        ([-180, -90, 180, 90], [box(-180, -90, 180, 90)]),
        ([170, -10, -170, 10], [box(170, -10, 180, 10), box(-180, -10, -170, 10)]),
        ([170, -10, 0, -170, 10, 0], [box(170, -10, 180, 10), box(-180, -10, -170, 10)]),
        ([1, 2, 1, 2], [Point(1, 2)]),
        ([1, 2, 5, 1, 2, 5], [Point(1, 2)]),
        ([1, 2, 1, 4], [LineString([(1, 2), (1, 4)])]),
        ([1, 2, 3, 2], [LineString([(1, 2), (3, 2)])]),
        ([180, 5, 180, 5], [Point(180, 5)]),
        ([180, 0, -180, 1], [LineString([(180, 0), (180, 1)]), LineString([(-180, 0), (-180, 1)])]),
        ([180, 0, -170, 1], [LineString([(180, 0), (180, 1)]), box(-180, 0, -170, 1)]),
        ([170, 5, -170, 5], [LineString([(170, 5), (180, 5)]), LineString([(-180, 5), (-170, 5)])]),
    ],
)
def test_box(numbers: list[float], shapes: list[BaseGeometry]) -> None:
    found = [shapely.from_wkb(part) for part in box_ewkb(numbers)]
    assert [part.is_valid for part in found] == [True] * len(shapes)
    assert [part.equals(wanted) for part, wanted in zip(found, shapes, strict=True)] == [True] * len(shapes)
    assert {shapely.get_srid(part) for part in found} == {4326}


@given(st.lists(st.floats(-180, 180), min_size=2, max_size=2), st.lists(st.floats(-90, 90), min_size=2, max_size=2))
def test_box_has_the_bounds_it_was_given(longitudes: list[float], latitudes: list[float]) -> None:
    (west, east), (south, north) = sorted(longitudes), sorted(latitudes)
    (found,) = (shapely.from_wkb(part) for part in box_ewkb([west, south, east, north]))
    assert found.bounds == (west, south, east, north)


@pytest.mark.parametrize(
    ("numbers", "reason"),
    [
        ([], "has 0 numbers instead of 4 or 6"),
        ([1, 2, 3], "has 3 numbers instead of 4 or 6"),
        ([1, 2, 3, 4, 5], "has 5 numbers instead of 4 or 6"),
        ([1, 2, 3, 4, 5, 6, 7], "has 7 numbers instead of 4 or 6"),
        ([1, 2, 3, float("nan")], "has a number that is not finite"),
        ([1, 2, float("inf"), 4], "has a number that is not finite"),
        ([1, 2, float("-inf"), 3, 4, 5], "has a number that is not finite"),
        ([1, 4, 3, 2], "has its south (4) above its north (2)"),
        ([1, 2.5, 0, 3, 2.25, 0], "has its south (2.5) above its north (2.25)"),
        ([1, 2, 9, 3, 4, 8], "has its bottom (9) above its top (8)"),
        ([-180.1, 0, 0, 1], "goes beyond longitude ±180 or latitude ±90"),
        ([0, 0, 190, 1], "goes beyond longitude ±180 or latitude ±90"),
        ([0, -91, 1, 1], "goes beyond longitude ±180 or latitude ±90"),
        ([0, 0, 1, 90.5], "goes beyond longitude ±180 or latitude ±90"),
    ],
)
def test_no_box(numbers: list[float], reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}$"):
        box_ewkb(numbers)


GEOMETRIES = [
    point(1.5, -2.25),
    of("MultiPoint", [[1.0, 2.0], [3.0, 4.0]]),
    of("LineString", [[1.0, 2.0], [3.0, 4.0], [5.0, 1.0]]),
    of("MultiLineString", [[[1.0, 2.0], [3.0, 4.0]], [[5.0, 6.0], [7.0, 8.0]]]),
    of("Polygon", [RING]),
    of("Polygon", [RING, HOLE]),
    of("MultiPolygon", [[RING, HOLE], polygon(10, 10, 12, 12)["coordinates"]]),
    {"type": "GeometryCollection", "geometries": [point(1.0, 2.0), polygon(0, 0, 1, 1)]},
]


@pytest.mark.parametrize("geometry", GEOMETRIES, ids=lambda geometry: str(geometry["type"]))
def test_geometry(geometry: Document) -> None:
    found = shapely.from_wkb(geometry_ewkb(geometry))
    assert found.equals_exact(shape(geometry))
    assert shapely.get_srid(found) == 4326
    assert geometry_ewkb(geometry) == to_ewkb(shape(geometry))


@pytest.mark.parametrize(
    "geometry",
    [
        {"type": "GeometryCollection", "geometries": [point(1.0, 2.0)]},
        {"type": "GeometryCollection", "geometries": [point(1.0, 2.0), point(3.0, 4.0)]},
        {"type": "GeometryCollection", "geometries": [polygon(0, 0, 1, 1), {**GEOMETRIES[-1]}]},
    ],
    ids=["single", "homogeneous", "nested"],
)
def test_geometry_that_rfc_7946_only_advises_against(geometry: Document) -> None:
    """SHOULD NOT is no reason to refuse it, nor to write a warning into the log of the service."""
    assert shapely.from_wkb(geometry_ewkb(geometry)).equals(shapely.unary_union(shape(geometry)))


def test_heights_are_dropped() -> None:
    assert geometry_ewkb(of("Point", [1.0, 2.0, 3.0])) == geometry_ewkb(point(1.0, 2.0))
    mixed = of("LineString", [[1.0, 2.0, 3.0], [4.0, 5.0]])
    assert geometry_ewkb(mixed) == geometry_ewkb(of("LineString", [[1.0, 2.0], [4.0, 5.0]]))


@pytest.mark.parametrize("coordinates", [[7, 3], [-0.0, 0.1], [179.99999999999997, 1e-300]])
def test_coordinates_are_kept_to_the_last_bit(coordinates: list[float]) -> None:
    assert shapely.from_wkb(geometry_ewkb(of("Point", coordinates))).coords[:] == [tuple(map(float, coordinates))]


RINGED = "POLYGON ((170 0, 190 0, 190 9, 170 9, 170 0), (175 1, 185 1, 185 8, 175 8, 175 1))"
RINGED_PARTS = (
    "MULTIPOLYGON (((170 0, 180 0, 180 1, 175 1, 175 8, 180 8, 180 9, 170 9, 170 0)),"
    " ((-170 0, -170 9, -180 9, -180 8, -175 8, -175 1, -180 1, -180 0, -170 0)))"
)


@pytest.mark.parametrize(
    ("given", "stored"),
    [
        ("POINT (181 5)", "POINT (-179 5)"),
        ("POINT (-180.5 5)", "POINT (179.5 5)"),
        ("POINT (360 5)", "POINT (0 5)"),
        ("MULTIPOINT (179 5, 180 5, 181 5)", "MULTIPOINT (179 5, 180 5, -179 5)"),
        ("LINESTRING (179 0, 181 2)", "MULTILINESTRING ((179 0, 180 1), (-180 1, -179 2))"),
        ("LINESTRING (180 0, 181 2)", "LINESTRING (-180 0, -179 2)"),
        (box(170, 0, 190, 5).wkt, MultiPolygon([box(170, 0, 180, 5), box(-180, 0, -170, 5)]).wkt),
        (box(-190, 0, -170, 5).wkt, MultiPolygon([box(170, 0, 180, 5), box(-180, 0, -170, 5)]).wkt),
        (box(190, 0, 200, 5).wkt, box(-170, 0, -160, 5).wkt),
        (box(180, 0, 190, 5).wkt, box(-180, 0, -170, 5).wkt),
        (box(-200, 0, -180, 5).wkt, box(160, 0, 180, 5).wkt),
        (box(170, 0, 180, 5).wkt, box(170, 0, 180, 5).wkt),
        (box(-190, 0, 190, 90.0000005).wkt, box(-180, 0, 180, 90.0000005).wkt),
        (box(-360, -90, 360, 90).wkt, box(-180, -90, 180, 90).wkt),
        (RINGED, RINGED_PARTS),
        (MultiPolygon([box(0, 0, 1, 1), box(358, 0, 360, 1)]).wkt, box(-2, 0, 1, 1).wkt),
        (
            "GEOMETRYCOLLECTION (POINT (187 5), LINESTRING (179 5, 181 5))",
            "GEOMETRYCOLLECTION (POINT (-173 5), LINESTRING (179 5, 180 5), LINESTRING (-180 5, -179 5))",
        ),
        (
            "POLYGON ((178 0, 182 4, 182 0, 178 4, 178 0))",
            "MULTIPOLYGON (((178 0, 180 2, 178 4, 178 0)), ((-178 4, -180 2, -178 0, -178 4)))",
        ),
    ],
)
def test_a_geometry_beyond_the_globe_is_stored_on_it(given: str, stored: str) -> None:
    found = shapely.from_wkb(geometry_ewkb(orjson.loads(shapely.to_geojson(shapely.from_wkt(given)))))
    wanted = shapely.from_wkt(stored)
    assert (found.is_valid, found.geom_type, found.bounds) == (True, wanted.geom_type, wanted.bounds)
    assert found.equals(wanted)


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        (None, "Input should be"),
        (5, "Input should be"),
        ([], "Input should be"),
        ({}, "Unable to extract tag using discriminator 'type'"),
        ({"type": "Circle"}, "Input tag 'Circle' found using 'type' does not match any of the expected tags"),
        ({"type": "Point"}, "coordinates: Field required"),
        ({"type": "GeometryCollection"}, "geometries: Field required"),
        (of("Point", None), "coordinates"),
        (of("Point", [1.0]), "coordinates"),
        (of("Point", ["a", 1.0]), "coordinates"),
        (of("Point", [1.0, 2.0, 3.0, 4.0]), "coordinates"),
        (of("LineString", [[0.0, 0.0]]), "coordinates: List should have at least 2 items"),
        (of("Polygon", [RING[:3]]), "coordinates.0: List should have at least 4 items"),
        (of("Polygon", [OPEN_RING]), "coordinates: All linear rings MUST have the same start and end coordinates"),
        (of("Polygon", [RING, HOLE[:-1]]), "coordinates: All linear rings MUST have the same"),
        (of("Polygon", [RING, HOLE[:2]]), "coordinates.1: List should have at least 4 items"),
        (of("MultiPolygon", [[RING], [OPEN_RING]]), "coordinates: All linear rings MUST have the same"),
        (of("MultiPolygon", [[RING], [RING, HOLE[:2]]]), "coordinates.1.1: List should have at least 4 items"),
        ({"type": "GeometryCollection", "geometries": [point(0, 0), {"type": "Point"}]}, "geometries.1"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_no_geometry(geometry: object, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(reason)}") as failure:
        geometry_ewkb(geometry)
    assert "\n" not in str(failure.value)


def nested(depth: int) -> Document:
    geometry = point(0, 0)
    for _ in range(depth):
        geometry = {"type": "GeometryCollection", "geometries": [point(1, 1), polygon(0, 0, 1, 1), geometry]}
    return geometry


@pytest.mark.filterwarnings("ignore:GeometryCollection should not be used:UserWarning")
@pytest.mark.parametrize(
    "geometry",
    [of("Point", ["10", "20"]), of("Point", [True, 1.0]), of("Point", [10**25, 1.0]), nested(200), nested(500)],
    ids=["texts", "boolean", "beyond 64 bits", "deep", "deeper"],
)
def test_geometry_that_only_one_of_the_libraries_refuses(geometry: Document) -> None:
    """pydantic takes "10" for a number and GEOS does not; and each library has a depth of its own."""
    with suppress(ValueError):
        geometry_ewkb(geometry)


def test_geometry_in_the_form_of_a_parsed_request() -> None:
    assert geometry_ewkb(orjson.loads(orjson.dumps(GEOMETRIES[5]))) == geometry_ewkb(GEOMETRIES[5])


def test_many_positions_at_random_take_no_minute() -> None:
    """The usual way to make a ring valid works out each of its crossings: it would be stopped here, not finished."""
    dice = Random(1)
    ring = [[dice.uniform(-100, 100), dice.uniform(-80, 80)] for _ in range(300)]
    crossing = of("Polygon", [[*ring, ring[0]]])
    assert shapely.from_wkb(geometry_ewkb(crossing)).is_valid
    with pytest.raises(ValueError, match="crosses itself"):
        asked_geometry(crossing)


def test_a_geometry_that_is_asked_with_is_on_the_globe_when_it_is_repaired() -> None:
    """A hole outside its shell becomes an area, of as many cells as it is wide."""
    hole = [[50.0, 50.0], [1e9, 50.0], [50.0, 50.000001], [50.0, 50.0]]
    with pytest.raises(ValueError, match="goes beyond longitude ±180"):
        asked_geometry(of("Polygon", [RING, hole]))


def test_a_shell_without_area() -> None:
    flat = of("Polygon", [[[-180, 40]] * 4, [[-180, -90], [-180, 0], [-105, -90], [-180, -90]]])
    assert shapely.from_wkb(geometry_ewkb(flat)).equals(shapely.Point(-180, 40))


POSITIONS = st.tuples(st.integers(-5, 5) | st.floats(-180, 180), st.integers(-5, 5) | st.floats(-90, 90)).map(list)
RINGS = st.lists(POSITIONS, min_size=3, max_size=6).map(lambda ring: [*ring, ring[0]])


@given(st.lists(RINGS, min_size=1, max_size=3))
def test_polygons_are_the_same_without_the_parser_of_geojson(rings: list[Any]) -> None:
    plain = of("Polygon", rings)
    parsed = plain | {"a foreign member": 1}
    assert Footprint.of(plain).wkb is not None
    assert Footprint.of(parsed).wkb is None
    assert geometry_ewkb(plain) == geometry_ewkb(parsed)
    assert Footprint.of(plain).bounds == Footprint.of(parsed).bounds


@given(
    st.lists(
        st.lists(st.lists(st.sampled_from([0, 1, 2.5, True, None, "3", 10**400, math.nan, math.inf]), max_size=4)),
        max_size=3,
    )
)
def test_a_polygon_is_left_to_the_parser_unless_it_is_plain(rings: list[Any]) -> None:
    """Which says what is wrong."""
    plain, parsed = of("Polygon", rings), of("Polygon", rings) | {"a foreign member": 1}
    try:
        expected = geometry_ewkb(parsed)
    except ValueError as error:
        with pytest.raises(ValueError, match=re.escape(str(error))):
            geometry_ewkb(plain)
    else:
        assert geometry_ewkb(plain) == expected
