"""Statements on all items of a search together. None of them reads an item's content.

Everything that is asked is counted in one pass: one set of a GROUP BY for each frequency, and the empty set for the
count of all and the bounds of time. Keys are texts, made of the groups and not of the rows where that is possible.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import conditions, items, properties
from app.stac.aggregation import CLOUD_COVER, HISTOGRAM_WIDTH, Aggregate, Aggregation, Kind
from app.stac.search import Search
from app.stac.sorting import SortKey

# A number beyond is in no histogram that anybody draws, and a cast of it to a float could fail.
_NUMBER_AT_MOST = "1e15"


def counted(asked: Aggregate, buckets: int, places: int) -> Fragment:
    """Rows of `(asked, key, frequency, earliest, latest)`. `asked` is the number of a frequency among those asked, and
    NULL in the one row of all items. Of each the most frequent `buckets`; of geohex, whose keys are places, `places`.
    """
    if not asked.frequencies:
        return sql("SELECT NULL::int AS asked, NULL AS key, ", _SUMS, " FROM (", _rows(asked, []), ") AS m")
    bounds = [places if frequency.kind == "geohex" else buckets for frequency in asked.frequencies]
    return sql(
        "SELECT r.asked, r.key, r.frequency, r.earliest, r.latest FROM (SELECT k.*,",
        ' row_number() OVER (PARTITION BY k.asked ORDER BY k.frequency DESC, k.key COLLATE "C") AS place FROM (',
        _keyed(asked),
        ") AS k WHERE k.key IS NOT NULL OR k.asked IS NULL) AS r WHERE r.asked IS NULL OR r.place <= (",
        Parameter(bounds, "bigint[]"),
        ")[r.asked + 1]",
    )


def _keyed(asked: Aggregate) -> Fragment:
    """The groups of all sets, each with the number of its set and its key as a text."""
    columns = [f"k{number}" for number in range(len(asked.frequencies))]
    keys = (_text(frequency.kind, column) for frequency, column in zip(asked.frequencies, columns, strict=True))
    sets = ", ".join(f"({column})" for column in columns)
    return sql(
        f"SELECT {_number_of_set(columns)} AS asked, coalesce(",
        join(", ", keys),
        f") AS key, g.frequency, g.earliest, g.latest FROM (SELECT GROUPING({', '.join(columns)}) AS bits, ",
        f"{', '.join(columns)}, {_SUMS} FROM (",
        _rows(asked, columns),
        f") AS m GROUP BY GROUPING SETS ((), {sets})) AS g",
    )


def _rows(asked: Aggregate, columns: list[str]) -> Fragment:
    """Of each item its datetime and what it is grouped by."""
    values = [
        sql(", ", _KEYS[frequency.kind](frequency), f" AS {column}")
        for frequency, column in zip(asked.frequencies, columns, strict=True)
    ]
    of_place = any(frequency.kind in _OF_PLACE for frequency in asked.frequencies)
    return sql("SELECT i.datetime", *values, " ", conditions.matching(asked.search, joined=_PLACE if of_place else ""))


def extremes(search: Search) -> Fragment:
    """The first and the last `datetime`: each a page of one item, which an index finds, in one row."""
    return sql("SELECT (", _first(search, False), ") AS earliest, (", _first(search, True), ") AS latest")


def _first(search: Search, descending: bool) -> Fragment:
    ordered = replace(search, sortby=(SortKey("datetime", descending),))
    return sql("SELECT page.datetime FROM (", items.page(ordered, 1), ") AS page")


def _number_of_set(columns: list[str]) -> str:
    """GROUPING has a bit for each column, the first highest, which is off in the set of that column."""
    last = len(columns) - 1
    everything = (1 << len(columns)) - 1
    whens = (f" WHEN {everything ^ (1 << (last - number))} THEN {number}" for number in range(len(columns)))
    return f"CASE g.bits{''.join(whens)} END"


def _text(kind: Kind, column: str) -> Fragment:
    return sql(_TEXTS.get(kind, "g.%s::text") % column)


def _interval(frequency: Aggregation) -> Fragment:
    return sql("date_trunc(", Parameter(frequency.interval, "text"), ", i.datetime, 'UTC')")


def _term(frequency: Aggregation) -> Fragment:
    value = _value(frequency)
    scalar = sql("jsonb_typeof(", value, ") IN ('string', 'number', 'boolean')")
    return sql("(CASE WHEN ", scalar, " THEN ", value, " #>> '{}' END)")


def _ranges(frequency: Aggregation) -> Fragment:
    bounds = [start for start, _ in CLOUD_COVER if start is not None]
    return sql("width_bucket(", _number(frequency), f", ARRAY{bounds}::float8[])")


def _histogram(frequency: Aggregation) -> Fragment:
    number = _number(frequency)
    near = sql("abs(", number, f") < {_NUMBER_AT_MOST}")
    return sql("(CASE WHEN ", near, " THEN (floor(", number, f" / {HISTOGRAM_WIDTH}) * {HISTOGRAM_WIDTH})::bigint END)")


def _number(frequency: Aggregation) -> Fragment:
    return properties.number(_value(frequency))


def _value(frequency: Aggregation) -> Fragment:
    assert frequency.source is not None
    return properties.named(frequency.source)


def _geohash(frequency: Aggregation) -> Fragment:
    return sql("ST_GeoHash(ST_Point(place.x, place.y, 4326), ", Parameter(frequency.precision, "int"), ")")


def _geotile(frequency: Aggregation) -> Fragment:
    """The tile of the web mercator grid; what lies beyond its latitudes is in the outermost row."""
    zoom = Parameter(frequency.precision, "int")
    column = "(place.x + 180) / 360"
    row = "(1 - asinh(tan(radians(place.y))) / pi()) / 2"
    tile = sql(zoom, "::text || '/' || ", _tile(column, zoom), " || '/' || ", _tile(row, zoom))
    # greatest() and least() pass over NULL.
    return sql("(CASE WHEN place.x IS NOT NULL THEN ", tile, " END)")


def _tile(fraction: str, zoom: Parameter) -> Fragment:
    tiles = sql("(1 << ", zoom, ")")
    return sql("greatest(0, least(", tiles, f" - 1, floor({fraction} * ", tiles, ")))::int")


_OF_PLACE: frozenset[Kind] = frozenset({"geohash", "geotile", "geohex"})
_KEYS: Mapping[Kind, Callable[[Aggregation], Fragment]] = {
    "collection": lambda _: sql("i.collection"),
    "interval": _interval,
    "term": _term,
    "ranges": _ranges,
    "histogram": _histogram,
    "geohash": _geohash,
    "geotile": _geotile,
    "geohex": lambda _: sql("(CASE WHEN place.x IS NOT NULL THEN ARRAY[place.x, place.y] END)"),
}
_TEXTS: Mapping[Kind, str] = {
    "collection": "(SELECT c.id FROM collections c WHERE c.key = g.%s)",
    "interval": """to_char(g.%s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""",
    "geohex": "array_to_string(g.%s, ' ')",
}
_SUMS = "count(*) AS frequency, min(m.datetime) AS earliest, max(m.datetime) AS latest"
# A footprint in two halves, on both sides of the antimeridian, has its middle in neither: the west is moved behind the
# east, and what they have in the middle is moved back. OFFSET keeps the planner from writing a step out several times.
# ST_WrapX would move the west too, and stops the server at a line, with PostGIS 3.6.4 and GEOS 3.15. A point on the
# boundary is in no clip: so the east begins a little before it.
_PLACE = """ CROSS JOIN LATERAL (SELECT
    CASE WHEN p.x > 180 THEN 180 WHEN p.x < -180 THEN -180 ELSE p.x END AS x,
    CASE WHEN p.y > 90 THEN 90 WHEN p.y < -90 THEN -90 ELSE p.y END AS y
    FROM (SELECT ST_X(middle.at) AS x, ST_Y(middle.at) AS y FROM (SELECT
        CASE WHEN ST_XMax(i.geometry) - ST_XMin(i.geometry) <= 180 THEN ST_Centroid(i.geometry) ELSE (SELECT
            CASE WHEN ST_XMax(moved.shape) - ST_XMin(moved.shape) < 180
            THEN ST_WrapX(ST_Centroid(moved.shape), 180, -360) ELSE ST_Centroid(i.geometry) END
            FROM (SELECT ST_Collect(
                ST_Translate(ST_ClipByBox2D(i.geometry, 'BOX(-540 -540, 0 540)'::box2d), 360, 0),
                ST_ClipByBox2D(i.geometry, 'BOX(-1e-9 -540, 540 540)'::box2d)) AS shape OFFSET 0) AS moved)
        END AS at OFFSET 0) AS middle OFFSET 0) AS p OFFSET 0) AS place"""
