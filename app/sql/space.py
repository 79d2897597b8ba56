"""Pages of the items in an area.

The index in space returns the items of a collection's box in the order of time, and goes on until the page is full: of
a small area it reads a few pages. Of a larger one it reads more than that, and behind a token all there is, so that the
newest items of all, or of the area's cells, are tested first (docs/decisions/0022, 0027).
"""

from collections.abc import Collection
from dataclasses import replace
from math import isqrt

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import candidates, times
from app.sql.candidates import Tests, Walk
from app.sql.conditions import (
    ROW,
    all_of,
    earliest,
    given,
    in_collections,
    intersects_any,
    latest,
    limit,
    matches,
    overlaps,
    with_ties,
)
from app.sql.keyset import TIE_MAX, Order
from app.sql.spatial import intersect
from app.stac import cells
from app.stac.geometry import bounds_of, has_lines, share_of_globe
from app.stac.search import Search

Area = tuple[bytes, ...]

# GiST distances of timestamptz are float8 seconds, exact to the microsecond up to 2^32 s (136 years). Longer stretches
# of time are read in windows of 128 years, each with distances from its own end.
_WINDOW = "interval '1128000 hours'"
_IN_WINDOW = f"({_WINDOW} - interval '1 microsecond')"
# The share below which it is small: a box of 8° has that.
_SMALL = 0.001


def in_order(search: Search, area: Area, rows: int, large: Collection[str]) -> Fragment:
    """The first items in the area, by an index that has the order of the page."""
    through_space = _through_space(search, area, rows, None)
    inside = Tests(join(" AND ", given(intersects_any(area), matches(search.filter))), candidates.AREA)
    walked = _among_the_newest(replace(search, area=None, filter=None), area, rows, large, inside)
    return through_space if walked is None else times.of_two(search, rows, walked, through_space)


def walk(search: Search, area: Area, rows: int, large: Collection[str], tests: Tests) -> Fragment:
    """The same with `tests` beside the search, of so many items as these allow."""
    inside = replace(tests, condition=join(" AND ", given(intersects_any(area), tests.condition)))
    walked = _among_the_newest(replace(search, area=None), area, rows, large, inside)
    return _through_space(search, area, rows, tests) if walked is None else walked


def _among_the_newest(search: Search, area: Area, rows: int, large: Collection[str], inside: Tests) -> Fragment | None:
    """A walk through all items, or those of cells, that tests which are inside; None where these are too few."""
    share = share_of_globe(area)
    if _is_likely(share, rows):
        return times.in_order(search, rows, inside)
    named = search.collections
    if not _is_likely(share / cells.SHARE_OF_ONE, rows) or not (named is None or any(name in large for name in named)):
        return None
    found = cells.of_area(map(bounds_of, area))
    if not _is_likely(share / cells.share(found), rows) or len(found) > times.CELLS_AT_MOST:
        return None
    if named is not None or search.visible is not None:
        seen = sql("i.collection = ANY(ARRAY(SELECT c.key FROM collections c WHERE ", in_collections(search), "))")
        inside = inside.beside(seen)
    return times.through_cells(search, found, rows, inside)


def _is_likely(share: float, rows: int) -> bool:
    """That the page is full after half the tests of a walk, where such a share of the items tested is inside."""
    return 2 * rows <= share * isqrt(candidates.AREA**2 * rows)


def _through_space(search: Search, area: Area, rows: int, tests: Tests | None) -> Fragment:
    """Collections that lie in the area as a whole are read by the index on their times, which costs a tenth; the others
    are `_partly_inside`. The streams of both are merged outside.
    """
    order = Order.of(search)
    shapes = sql("unnest(", Parameter(area, "geometry[]"), ") AS area (shape)")
    some = sql("c.last_datetime IS NOT NULL", all_of(in_collections(search)))
    places = sql("collections c CROSS JOIN ", shapes)
    within = sql(" WHERE ", some, " AND c.envelope && area.shape")
    walk = Walk.of(tests, rows, sql("SELECT count(*)::int FROM ", places, within)) if tests else None
    # Hardly a collection lies in a small area, and its first page is soon found either way.
    if search.seek is None and share_of_globe(area) < _SMALL:
        streams = [_partly_inside(search, places, within, rows, walk)]
    else:
        inside = sql(
            "EXISTS (SELECT FROM ", shapes, " WHERE c.envelope @ area.shape AND ST_Covers(area.shape, c.envelope))"
        )
        streams = [
            _partly_inside(search, places, sql(within, " AND NOT ", inside), rows, walk),
            sql(times.by_times(search, rows, walk, sql("i.geometry IS NOT NULL")), " WHERE ", some, " AND ", inside),
        ]
    return sql(
        # An item can be in two parts of the area.
        "SELECT DISTINCT ON (p.datetime, p.tie, p.collection, p.id)" if len(area) > 1 else "SELECT",
        " p.* FROM (",
        join(" UNION ALL ", streams),
        ") AS p ",
        order.by("p"),
        # And in one of them, it can be where the stream was cut.
        sql(", p.cut DESC") if walk else sql(),
        limit(rows),
    )


def _partly_inside(search: Search, places: Fragment, within: Fragment, rows: int, walk: Walk | None) -> Fragment:
    """One stream for each collection, each part of the area and each stretch of time: an index scan that returns the
    items of its box in the order of time and stops at the page.

    Every key of a stream's order is a distance in the index; WITH TIES keeps it exact where two ids share a `tie`.
    """
    order = Order.of(search)
    return sql(
        "SELECT p.*, c.id AS collection_id FROM ",
        places,
        sql(" CROSS JOIN ", order.stretches(search.seek)) if search.seek else sql(),
        " CROSS JOIN LATERAL (SELECT ",
        _bounds(search),
        ") AS bounds CROSS JOIN LATERAL ",
        _windows(order),
        " CROSS JOIN LATERAL (",
        _stream_through_space(search, order, rows, walk),
        ") AS p",
        within,
    )


def _stream_through_space(search: Search, order: Order, rows: int, walk: Walk | None) -> Fragment:
    distances = "i.datetime <-> far.instant", f"i.tie <-> {TIE_MAX if order.descending else 0}"
    scan = sql(
        " FROM items i",
        " WHERE i.collection = c.key AND i.geometry && area.shape AND ",
        intersect("i.geometry", "area.shape", of_lines=any(map(has_lines, search.area or ()))),
        # Else PostGIS has the index compare the boxes a second time.
        " IS TRUE AND i.datetime BETWEEN ",
        f"greatest(bounds.earliest, far.instant - {_IN_WINDOW}) AND far.instant"
        if order.descending
        else f"far.instant AND least(bounds.latest, far.instant + {_IN_WINDOW})",
        " AND i.tie BETWEEN stretch.low AND stretch.high" if search.seek else "",
        all_of(overlaps(search.interval), matches(search.filter), order.behind_token(search)),
        f" ORDER BY {', '.join(distances)}",
    )
    page = Parameter(rows, "int")
    if walk is None:
        return sql("SELECT ", ROW, scan, with_ties(page))
    return walk.stream(
        sql("SELECT i.*, {} AS far, {} AS far_tie".format(*distances), scan, with_ties(walk.bound)),
        ROW,
        sql("ORDER BY i.far, i.far_tie"),
        with_ties(page),
    )


def _bounds(search: Search) -> Fragment:
    """Where in the index the items of a collection can be that meet the interval and the stretch."""
    later, sooner = (sql("stretch.earliest"), sql("stretch.latest")) if search.seek else (None, None)
    first = given(sql("c.first_datetime"), later, earliest(search.interval, "c.lag"))
    last = given(sql("c.last_datetime"), sooner, latest(search.interval, "c.lead"))
    return sql("greatest(", join(", ", first), ") AS earliest, least(", join(", ", last), ") AS latest")


def _windows(order: Order) -> Fragment:
    first, last, step = ("latest", "earliest", "-") if order.descending else ("earliest", "latest", "")
    return sql(f"generate_series(bounds.{first}, bounds.{last}, {step}{_WINDOW}) AS far (instant)")
