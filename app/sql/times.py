"""Pages by the indexes on times: of all items, of collections, and of the cells of the globe.

A walk tests what else an item has to meet, and comes to an end after so many tests as it is given.
"""

from collections.abc import Sequence
from dataclasses import replace

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import candidates, visibility
from app.sql.candidates import Tests, Walk
from app.sql.conditions import (
    LONGEST,
    ROW,
    all_of,
    earliest,
    given,
    in_collections,
    latest,
    limit,
    matches,
    not_after,
    not_before,
    overlaps,
    with_ties,
)
from app.sql.keyset import Order
from app.stac.search import Search

PAGE = "id, collection, datetime, tie, content, dictionary, collection_id"
# So that statements are few, the streams of cells are as many as one of these numbers.
_STREAMS = (8, 12, 16, 24, 32, 48)
CELLS_AT_MOST = _STREAMS[-1]
# Of the collections that are searched.
_REACH = """WITH reach AS MATERIALIZED (SELECT max(c.lag) AS lag, max(c.lead) AS lead, min(c.first_datetime) AS first,
    max(c.last_datetime) AS last FROM collections c WHERE """
_IN_REACH = "i.datetime BETWEEN (SELECT first FROM reach) AND (SELECT last FROM reach)"


def in_order(search: Search, rows: int, tests: Tests | None) -> Fragment:
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
    return of_two(search, rows, passing, _through_collections(search, rows, None))


def of_two(search: Search, rows: int, walked: Fragment, otherwise: Fragment) -> Fragment:
    """A page by a walk, or by another way where the walk is cut."""
    return candidates.page_of_two(walked, otherwise, PAGE, sql(Order.of(search).by("p"), limit(rows)))


def _through_collections(search: Search, rows: int, walk: Walk | None) -> Fragment:
    order = Order.of(search)
    return sql(by_times(search, rows, walk), " WHERE ", in_collections(search), " ", order.by("p"), limit(rows))


def by_times(search: Search, rows: int, walk: Walk | None, condition: Fragment | None = None) -> Fragment:
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
    conditions = sql("TRUE", all_of(*_in_time(search, order, *LONGEST)))
    stream = _stream(conditions, order.by_index("i", of_one_collection=False), rows, walk)
    return _with_ids_of_collections(stream, order, rows)


def through_cells(search: Search, found: Sequence[int], rows: int, tests: Tests) -> Fragment:
    """A walk through the items of some cells: one stream for each, merged row by row.

    Each has the bound of the walk, too. Without a limit the planner would sort what the cell has.
    """
    order = Order.of(search)
    walk, by = Walk.of(tests, rows, sql("1")), order.by_index("i", of_one_collection=False)
    in_time = all_of(
        sql(_IN_REACH) if search.collections is not None else None,
        *_in_time(search, order, "(SELECT lag FROM reach)", "(SELECT lead FROM reach)"),
    )
    most = next(number for number in _STREAMS if number >= len(found))
    numbers = [Parameter(number, "smallint") for number in (*found, *[None] * (most - len(found)))]
    streams = (
        sql("(SELECT i.* FROM items i WHERE i.cell = ", number, in_time, " ", by, with_ties(walk.bound), ")")
        for number in numbers
    )
    reach = sql(_REACH, in_collections(search), ") ")
    merged = sql(reach, "SELECT i.* FROM (", join(" UNION ALL ", streams), ") AS i ", by, with_ties(walk.bound))
    return _with_ids_of_collections(walk.stream(merged, ROW, by, with_ties(Parameter(rows, "int"))), order, rows)


def _with_ids_of_collections(stream: Fragment, order: Order, rows: int) -> Fragment:
    return sql(
        "SELECT p.*, c.id AS collection_id FROM (",
        stream,
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


def _stream(conditions: Fragment, by: Fragment, rows: int, walk: Walk | None) -> Fragment:
    """The first items that meet the conditions, of an index that has the order."""
    scan, first = sql(" FROM items i WHERE ", conditions, " ", by), with_ties(Parameter(rows, "int"))
    if walk is None:
        return sql("SELECT ", ROW, scan, first)
    return walk.stream(sql("SELECT i.*", scan, with_ties(walk.bound)), ROW, by, first)
