"""Statements on items. Pure: a search becomes text and parameters, and nothing is asked here.

A page is found in one of six ways. Five follow the page, not the number of items that match: by ids (primary key),
through space (GiST index, in the order of time), through collections (btree), through time (btree), and by a property
that an operator made an index for (indexed.py). The sixth sorts what matches by other fields. Free text, a filter on a
property with an index, and a wide area are a walk with a bound, and behind that their own index (candidates.py).
docs/architecture.md says why, and tests/sql/test_plans.py holds the plans to it.
"""

from collections.abc import Collection
from dataclasses import replace

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import candidates, indexed, visibility
from app.sql.candidates import Candidates, Tests, Walk, Ways
from app.sql.conditions import (
    LONGEST,
    ROW,
    all_of,
    earliest,
    every,
    given,
    in_collections,
    intersects_any,
    latest,
    limit,
    matches,
    not_after,
    not_before,
    overlaps,
    with_ties,
    with_words,
)
from app.sql.keyset import TIE_MAX, Order
from app.sql.sorting import Sorted, columns
from app.sql.spatial import intersect
from app.stac.access import Visible
from app.stac.geometry import has_lines, share_of_globe
from app.stac.search import Search
from app.stac.sorting import fields

# GiST distances of timestamptz are float8 seconds, exact to the microsecond up to 2^32 s (136 years). Longer stretches
# of time are read in windows of 128 years, each with distances from its own end.
_WINDOW = "interval '1128000 hours'"
# The share of the globe from which on an area is wide: one item in fifty, so a page of 10 is found in some 500 tests.
_WIDE = 0.02
# The share below which it is small: a box of 8° has that.
_SMALL = 0.001
_PAGE = "id, collection, datetime, tie, content, dictionary, collection_id"


def page(search: Search, rows: int, indexes: Collection[str] = ()) -> Fragment:
    """The next `rows` items of a search, in the order it is read in (from the other end for the page before).

    `indexes` are the properties that have an index.
    """
    found = None if search.ids is not None else indexed.candidates(search, indexes)
    if fields(search.sortby):
        field = indexed.field(search, indexes)
        return _sorted(search, rows, found) if field is None else indexed.by_field(search, field, rows, found)
    if search.ids is not None:
        return _tested(search, rows, sql("items i"))
    return _in_order(search, rows) if found is None else _with_candidates(search, rows, found)


def way(search: Search, indexes: Collection[str] = ()) -> str:
    """Which of the ways `page` takes, in a word; `candidates` where terms or an indexed filter lead to the items."""
    if fields(search.sortby):
        return "sort" if indexed.field(search, indexes) is None else "property"
    if search.ids is not None:
        return "ids"
    if indexed.candidates(search, indexes) is not None:
        return "candidates"
    return "space" if search.area is not None else "time" if search.collections is None else "collections"


def _with_candidates(search: Search, rows: int, found: Candidates) -> Fragment:
    scanned, rest = replace(search, terms=None, filter=None), replace(search, terms=None)
    ways = Ways(
        walked=lambda tests: _in_order(scanned, rows, tests),
        few=_tested(rest, rows, candidates.FOUND),
        all=_tested(rest, rows, found.all()),
        columns=_PAGE,
        limited=lambda row: sql(Order.of(search).by(row), limit(rows)),
    )
    tested = given(matches(search.filter), with_words(search.terms))
    return candidates.page(found, Tests.of(search, tested), ways)


def _in_order(search: Search, rows: int, tests: Tests | None = None) -> Fragment:
    """By an index that has the order of the page; with `tests` beside the search, as a walk.

    Of a wide area the newest items are likely to be found among the newest of all, so these are tested first: behind a
    token, the index in space would read all that it has of the area.
    """
    if search.area is None:
        return _in_order_of_time(search, rows, tests)
    share = share_of_globe(search.area)
    # Hardly a collection lies in such an area, and its first page is soon found either way.
    through_space = _through_space(search, search.area, rows, tests, alike=search.seek is None and share < _SMALL)
    if tests is not None or share < _WIDE:
        return through_space
    inside = Tests(join(" AND ", given(intersects_any(search.area), matches(search.filter))), candidates.AREA)
    return _of_two(
        search, rows, _in_order_of_time(replace(search, area=None, filter=None), rows, inside), through_space
    )


def _in_order_of_time(search: Search, rows: int, tests: Tests | None) -> Fragment:
    """Of a search without an area.

    Where some collections are hidden, the newest items may all be of those. So their items are passed over a few times,
    and else the visible collections are asked one by one.
    """
    if search.collections is not None:
        walk = Walk.of(tests, rows, sql(Parameter(len(search.collections), "int"))) if tests else None
        return _through_collections(search, rows, walk)
    seen = visibility.of_key("i.collection", search.visible)
    if seen is None:
        return _through_time(search, rows, tests)
    scanned = replace(search, visible=None)
    if tests is not None:
        return _through_time(scanned, rows, tests.beside(seen))
    passing = _through_time(scanned, rows, Tests(seen, candidates.PROPERTIES[0]))
    return _of_two(search, rows, passing, _through_collections(search, rows, None))


def _of_two(search: Search, rows: int, walked: Fragment, otherwise: Fragment) -> Fragment:
    return candidates.page_of_two(walked, otherwise, _PAGE, sql(Order.of(search).by("p"), limit(rows)))


def one(collection: str, item_id: str, visible: Visible = None) -> Fragment:
    return sql(
        "SELECT i.content, i.dictionary FROM items i JOIN collections c ON c.key = i.collection WHERE c.id = ",
        Parameter(collection, "text"),
        " AND i.id = ",
        Parameter(item_id, "text"),
        all_of(visibility.of_collection(visible)),
    )


def _sorted(search: Search, rows: int, found: Candidates | None) -> Fragment:
    """All that matches, and of it the page: an order without an index. It is the time limit that bounds it.

    What is sorted are the values alone. OFFSET keeps the limit right behind the sort, which then holds but a page;
    else the planner would sort whole rows, in files, before it joins the collections.
    """
    order = Sorted.of_columns(search)
    source, rest = (sql("items i"), search) if found is None else (found.all(), replace(search, terms=None))
    values = sql(
        "SELECT i.id, i.collection, i.datetime, i.tie, c.id AS collection_id, ",
        columns(search),
        " FROM ",
        source,
        " JOIN collections c ON c.key = i.collection WHERE TRUE",
        every(rest),
        " OFFSET 0",
    )
    return sql(
        "SELECT i.id, i.collection, i.datetime, i.tie, whole.content, whole.dictionary, i.collection_id, ",
        order.values(),
        sql(" FROM (SELECT * FROM (", values, ") AS i WHERE ", order.after(), " ", order.by(), limit(rows), ") AS i"),
        " CROSS JOIN LATERAL (SELECT content, dictionary FROM items"
        " WHERE items.id = i.id AND items.collection = i.collection OFFSET 0) AS whole ",
        order.by(),
    )


def _tested(search: Search, rows: int, source: Fragment) -> Fragment:
    """A page of what is in `source`, each item tested, and sorted."""
    order = Order.of(search)
    return sql(
        "SELECT ",
        ROW,
        ", c.id AS collection_id FROM ",
        source,
        " JOIN collections c ON c.key = i.collection WHERE TRUE",
        every(search),
        all_of(_behind(search, order)),
        " ",
        order.by("i"),
        limit(rows),
    )


def _through_space(search: Search, area: tuple[bytes, ...], rows: int, tests: Tests | None, *, alike: bool) -> Fragment:
    """Collections that lie in the area as a whole are read by the index on their times, which costs a tenth; the others
    are `_partly_inside`, and all of them where they are taken `alike`. The streams of both are merged outside.
    """
    order = Order.of(search)
    shapes = sql("unnest(", Parameter(area, "geometry[]"), ") AS area (shape)")
    some = sql("c.last_datetime IS NOT NULL", all_of(in_collections(search)))
    places = sql("collections c CROSS JOIN ", shapes)
    within = sql(" WHERE ", some, " AND c.envelope && area.shape")
    walk = Walk.of(tests, rows, sql("SELECT count(*)::int FROM ", places, within)) if tests else None
    if alike:
        streams = [_partly_inside(search, places, within, rows, walk)]
    else:
        inside = sql(
            "EXISTS (SELECT FROM ", shapes, " WHERE c.envelope @ area.shape AND ST_Covers(area.shape, c.envelope))"
        )
        streams = [
            _partly_inside(search, places, sql(within, " AND NOT ", inside), rows, walk),
            sql(_by_times(search, rows, walk, sql("i.geometry IS NOT NULL")), " WHERE ", some, " AND ", inside),
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
        " AND i.datetime BETWEEN bounds.earliest AND bounds.latest AND ",
        f"i.datetime <= far.instant AND i.datetime > far.instant - {_WINDOW}"
        if order.descending
        else f"i.datetime >= far.instant AND i.datetime < far.instant + {_WINDOW}",
        " AND i.tie BETWEEN stretch.low AND stretch.high" if search.seek else "",
        all_of(overlaps(search.interval), matches(search.filter), _behind(search, order)),
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


def _through_collections(search: Search, rows: int, walk: Walk | None) -> Fragment:
    order = Order.of(search)
    return sql(_by_times(search, rows, walk), " WHERE ", in_collections(search), " ", order.by("p"), limit(rows))


def _by_times(search: Search, rows: int, walk: Walk | None, condition: Fragment | None = None) -> Fragment:
    """One stream for each of the collections that are told behind it."""
    order = Order.of(search)
    conditions = sql("i.collection = c.key", all_of(condition, *_in_time(search, order, "c.lag", "c.lead")))
    return sql(
        "SELECT p.*, c.id AS collection_id FROM collections c CROSS JOIN LATERAL (",
        _stream(conditions, order.by_index("i", of_one_collection=True), rows, walk),
        ") AS p",
    )


def _through_time(search: Search, rows: int, tests: Tests | None) -> Fragment:
    order = Order.of(search)
    walk = Walk.of(tests, rows, sql("1")) if tests else None
    return sql(
        "SELECT p.*, c.id AS collection_id FROM (",
        _stream(
            sql("TRUE", all_of(*_in_time(search, order, *LONGEST))),
            order.by_index("i", of_one_collection=False),
            rows,
            walk,
        ),
        ") AS p JOIN collections c ON c.key = p.collection ",
        order.by("p"),
        limit(rows),
    )


def _in_time(search: Search, order: Order, lag: str, lead: str) -> list[Fragment]:
    """What an index on times can begin and end with, and the rest of the search but its place."""
    bounds = not_before(start := earliest(search.interval, lag)), not_after(end := latest(search.interval, lead))
    begin, close = reversed(bounds) if order.descending else bounds
    if search.seek is not None:
        begin = order.after(search.seek, end if order.descending else start)
    return given(begin or order.begin(), close, overlaps(search.interval), matches(search.filter))


def _behind(search: Search, order: Order) -> Fragment | None:
    return None if search.seek is None else order.after(search.seek)


def _stream(conditions: Fragment, by: Fragment, rows: int, walk: Walk | None) -> Fragment:
    """The first items that meet the conditions, of an index that has the order."""
    scan, first = sql(" FROM items i WHERE ", conditions, " ", by), with_ties(Parameter(rows, "int"))
    if walk is None:
        return sql("SELECT ", ROW, scan, first)
    return walk.stream(sql("SELECT i.*", scan, with_ties(walk.bound)), ROW, by, first)
