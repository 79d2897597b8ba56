"""Spatial relations as SQL, and the geometries that properties hold."""

from collections.abc import Mapping

from app.database.fragment import Fragment, Parameter, sql

_FUNCTIONS: Mapping[str, str] = {
    "s_contains": "ST_Contains",
    "s_crosses": "ST_Crosses",
    "s_disjoint": "ST_Disjoint",
    "s_equals": "ST_Equals",
    "s_overlaps": "ST_Overlaps",
    "s_touches": "ST_Touches",
    "s_within": "ST_Within",
}

# How deep the positions are in the coordinates of each type.
_DEPTHS: Mapping[str, int] = {
    "Point": 0,
    "MultiPoint": 1,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}


def _well_formed(depth: int) -> str:
    """Unknown, so that nothing is found, where an array is missing. An empty member crashes PostGIS 3.3."""
    levels = [f"@.coordinates{'[*]' * level}" for level in range(depth + 2)]
    sizes = [f"!exists({level}.size() ? (@ < 1))" for level in levels[:depth]]
    positions = f"!exists({levels[depth]}.size() ? (@ < 2 || @ > 4))"
    return " && ".join([*sizes, positions, f'!exists({levels[depth + 1]}.type() ? (@ != "number"))'])


_GEOJSON = " || ".join(f'@.type == "{name}" && {_well_formed(depth)}' for name, depth in _DEPTHS.items())
# A `crs`, as GeoJSON had it before RFC 7946, is looked up and may be none that PostGIS knows.
_NARROW = f'strict $ ? (!exists(@.keyvalue() ? (@.key == "crs")) && ({_GEOJSON}))'
# Beyond it GEOS calculates with infinity.
_PLANE = "ST_MakeEnvelope(-1e15, -1e15, 1e15, 1e15, 4326)"


def intersect(left: str | Fragment, right: str | Fragment | Parameter, of_lines: bool) -> Fragment:
    """Whether two geometries intersect; `of_lines` says that one of them may have lines.

    GEOS 3.11 overlooks the points of a collection where it compares one line with several of them, so that lines are
    asked for their distance, which takes longer.
    """
    return sql("ST_DWithin(" if of_lines else "ST_Intersects(", left, ", ", right, ", 0)" if of_lines else ")")


def relation(operator: str, left: Fragment, right: Fragment, in_index: bool, of_lines: bool) -> Fragment:
    """`in_index` is false where the boxes of an operand are in no index, so that to ask for them first is no use."""
    if operator == "s_intersects":
        related = intersect(left, right, of_lines)
    else:
        related = sql(f"{_FUNCTIONS[operator]}(", left, ", ", right, ")")
    if operator == "s_disjoint" or not in_index:
        return related
    return sql("(", left, " && ", right, " AND ", related, ")")


def from_geojson(value: Fragment) -> Fragment:
    """A jsonb value as a geometry, and NULL where it is none that PostGIS relates to others without failing."""
    shape = sql("ST_Force2D(ST_GeomFromGeoJSON(jsonb_path_query_first(", value, f", '{_NARROW}')))")
    known = f"CASE WHEN ST_IsValid(g.shape) AND g.shape @ {_PLANE} THEN g.shape END"
    return sql("(SELECT ", known, " FROM (SELECT ", shape, " AS shape OFFSET 0) AS g)")
