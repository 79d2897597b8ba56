"""Any two geometries that are taken can be compared: PostGIS neither fails nor crashes, and finds what GEOS finds."""

import json
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry.base import BaseGeometry

from app.database.fragment import Parameter, sql
from app.database.pool import Database
from app.sql.filter import condition
from app.sql.spatial import intersect
from app.stac.cql2.nodes import Geometry, Or, Property, Spatial
from app.stac.geometry import geometry_ewkb, has_lines
from tests.factories import Document, point

pytestmark = pytest.mark.anyio


def of(kind: str, coordinates: st.SearchStrategy[object]) -> st.SearchStrategy[Document]:
    return coordinates.map(lambda c: {"type": kind, "coordinates": c})


def between(*longitudes: float) -> st.SearchStrategy[Document]:
    """Geometries with these longitudes."""
    latitudes = st.sampled_from([-90.0, 0.0, 40.0, 41.5, 90.0])
    positions = st.tuples(st.sampled_from(longitudes), latitudes).map(list)
    lines = st.lists(positions, min_size=2, max_size=4)
    rings = st.lists(positions, min_size=3, max_size=6).map(lambda ring: [*ring, ring[0]])
    polygons = st.lists(rings, max_size=2)
    simple = st.one_of(
        of("Point", positions),
        of("MultiPoint", st.lists(positions, max_size=3)),
        of("LineString", lines),
        of("MultiLineString", st.lists(lines, max_size=3)),
        of("Polygon", polygons),
        of("MultiPolygon", st.lists(polygons, max_size=3)),
    )
    return st.recursive(
        simple,
        lambda inner: st.lists(inner, max_size=3).map(
            lambda members: {"type": "GeometryCollection", "geometries": members}
        ),
        max_leaves=4,
    )


geometries = between(-180.0, -105.0, 0.0, 2.5, 180.0)
# What goes beyond is stored on the globe.
published = between(-185.0, -180.0, -105.0, 0.0, 2.5, 180.0, 182.5, 360.0)


@pytest.fixture(scope="module")
async def opened(database_url: str) -> AsyncIterator[Database]:
    async with Database.opened(database_url, size=1, query_timeout=60) as database:
        yield database


@given(asked=published, stored=st.lists(published, min_size=1, max_size=8))
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_two_geometries(opened: Database, asked: Document, stored: list[Document]) -> None:
    shape, others = geometry_ewkb(asked), [geometry_ewkb(geometry) for geometry in stored]
    assert await intersecting(opened, shape, others) == [
        bool(shapely.intersects(shapely.from_wkb(shape), shapely.from_wkb(other))) for other in others
    ]


async def test_an_empty_member_beside_points(opened: Database) -> None:
    """PostGIS 3.3.2 crashes on this pair, were the empty member left in."""
    triangle = [[[-180, 0], [180, 90], [-180, 90], [-180, 0]]]
    shape = geometry_ewkb({"type": "MultiPolygon", "coordinates": [triangle, []]})
    points = [geometry_ewkb(point(0, 39.9)), geometry_ewkb(point(-104.5, 0)), geometry_ewkb(point(-170, 60))]
    assert await intersecting(opened, shape, points) == [False, False, True]


async def test_points_of_collections_on_a_line(opened: Database) -> None:
    """GEOS 3.11 finds the first of them alone, were they compared by ST_Intersects."""
    line = geometry_ewkb({"type": "LineString", "coordinates": [[0, 10], [180, 10]]})
    members = [{"type": "LineString", "coordinates": [[85, -50], [90 + n, -50]]} for n in range(4)]
    found = [{"type": "GeometryCollection", "geometries": [point(55, 10), member]} for member in members]
    assert await intersecting(opened, line, [geometry_ewkb(geometry) for geometry in found]) == [True] * 4


async def intersecting(database: Database, shape: bytes, others: list[bytes]) -> list[bool]:
    rows = await database.fetch(
        sql(
            "SELECT ",
            intersect("other", Parameter(shape, "geometry"), of_lines=has_lines(shape)),
            " FROM unnest(",
            Parameter(others, "geometry[]"),
            ") WITH ORDINALITY AS stored (other, place) ORDER BY place",
        )
    )
    return [row[0] for row in rows]


SPATIAL = ["s_contains", "s_crosses", "s_disjoint", "s_equals", "s_intersects", "s_overlaps", "s_touches", "s_within"]
ODD: list[Any] = [0, 1, 2.5, -3, 1e14, 1e200, -1e308, 10**400, 1e-300, "1", None, True, [], [1], [1, 2], {}]
levels = st.recursive(st.sampled_from(ODD), lambda inner: st.lists(inner, max_size=5), max_leaves=12)
kinds = [
    "Point",
    "MultiPoint",
    "LineString",
    "MultiLineString",
    "Polygon",
    "MultiPolygon",
    "GeometryCollection",
    "x",
    1,
]
members = {"type": st.sampled_from(kinds), "coordinates": levels, "geometries": levels}
references = st.sampled_from([None, {}, {"type": "name", "properties": {"name": "EPSG:0"}}])
anything = st.fixed_dictionaries({}, optional=members | {"crs": references, "bbox": levels})


@given(held=st.lists(geometries | anything | levels, min_size=1, max_size=20), asked=geometries)
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_a_property_holds(opened: Database, held: list[Any], asked: Document) -> None:
    """It is compared as a geometry if it is a valid one, else it is unknown; PostGIS never fails."""
    a, shape = Property("a"), geometry_ewkb(asked)
    relations = [Spatial(name, a, other) for name in SPATIAL for other in (a, Geometry(shape))]
    await having(opened, held, Or(tuple(relations)))
    places = [
        place
        for place, value in enumerate(held)
        if (known := as_geometry(value)) and known.intersects(shapely.from_wkb(shape))
    ]
    assert await having(opened, held, Spatial("s_intersects", a, Geometry(shape))) == places


def as_geometry(value: Any) -> BaseGeometry | None:
    if not isinstance(value, dict) or "crs" in value or "[]" in str(value.get("coordinates", "[]")):
        return None
    try:
        found = shapely.from_geojson(orjson.dumps(value))
    except (TypeError, shapely.errors.GEOSException):
        return None
    if any(not abs(bound) < 1e15 for bound in found.bounds):
        return None
    return found if found.is_valid and found.geom_type != "GeometryCollection" else None


async def having(database: Database, values: list[Any], node: Or | Spatial) -> list[int]:
    """The places of the values that, as a property `a`, answer the filter."""
    documents = [json.dumps({"a": value}).encode() for value in values]
    rows = await database.fetch(
        sql(
            "SELECT i.number - 1 FROM unnest(",
            Parameter(documents, "jsonb[]"),
            ") WITH ORDINALITY AS i (properties, number) WHERE ",
            condition(node),
            " ORDER BY 1",
        )
    )
    return [row[0] for row in rows]
