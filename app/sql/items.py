"""Statements on items. Pure: a search becomes text and parameters, and nothing is asked here.

A page is found in one of five ways. Four follow the page, not the number of items that match: by ids (primary key),
through space (GiST index, in the order of time), through collections (btree) and through time (btree). The fifth sorts
what matches by other fields. docs/architecture.md says why, and tests/sql/test_plans.py holds the plans to it.
"""

from collections.abc import Collection

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import indexed
from app.sql.conditions import LONGEST, ROW, all_of, earlier, every, in_collections, limit, matches, near, overlaps
from app.sql.keyset import TIE_MAX, Order
from app.sql.sorting import Sorted
from app.stac.interval import Interval
from app.stac.search import Search
from app.stac.sorting import fields

# GiST distances of timestamptz are float8 seconds, exact to the microsecond up to 2^32 s (136 years). Longer stretches
# of time are read in windows of 128 years, each with distances from its own end.
_WINDOW = "interval '1128000 hours'"


def page(search: Search, rows: int, indexes: Collection[str] = ()) -> Fragment:
    """The next `rows` items of a search, in the order it is read in (from the other end for the page before).

    `indexes` are the properties that have an index.
    """
    if fields(search.sortby):
        field = indexed.field(search, indexes)
        return _sorted(search, rows) if field is None else indexed.by_field(search, field, rows)
    if search.ids is not None:
        return _by_ids(search, rows)
    if search.area is not None:
        return _through_space(search, search.area, rows)
    if search.collections is not None:
        return _through_collections(search, search.collections, rows)
    return _through_time(search, rows)


def one(collection: str, item_id: str) -> Fragment:
    return sql(
        "SELECT i.content, i.dictionary FROM items i JOIN collections c ON c.key = i.collection WHERE c.id = ",
        Parameter(collection, "text"),
        " AND i.id = ",
        Parameter(item_id, "text"),
    )


def _sorted(search: Search, rows: int) -> Fragment:
    """All that matches, and of it the page: an order without an index. It is the time limit that bounds it."""
    order = Sorted.of(search)
    return sql(
        "SELECT ",
        ROW,
        ", c.id AS collection_id, ",
        order.values(),
        " FROM items i JOIN collections c ON c.key = i.collection WHERE ",
        order.after(),
        every(search),
        " ",
        order.by(),
        limit(rows),
    )


def _by_ids(search: Search, rows: int) -> Fragment:
    order = Order.of(search)
    return sql(
        "SELECT ",
        ROW,
        ", c.id AS collection_id FROM items i JOIN collections c ON c.key = i.collection WHERE TRUE",
        every(search),
        all_of(order.after(search.seek)),
        " ",
        order.by("i"),
        limit(rows),
    )


def _through_space(search: Search, area: tuple[bytes, ...], rows: int) -> Fragment:
    """One stream for each collection, each part of the area and each stretch of time: an index scan that returns the
    items of its box in the order of time and stops at the page. The streams are merged outside.

    Every key of a stream's order is a distance in the index; WITH TIES keeps it exact where two ids share a `tie`.
    """
    order = Order.of(search)
    return sql(
        "SELECT DISTINCT ON (p.datetime, p.tie, p.id, p.collection) p.*, c.id AS collection_id FROM collections c",
        " CROSS JOIN unnest(",
        Parameter(area, "geometry[]"),
        ") AS area (shape) CROSS JOIN ",
        order.stretches(search.seek),
        " CROSS JOIN LATERAL (SELECT ",
        _bounds(search.interval),
        ") AS bounds CROSS JOIN LATERAL ",
        _windows(order),
        " CROSS JOIN LATERAL (",
        _stream_through_space(search, order, rows),
        ") AS p WHERE c.last_datetime IS NOT NULL AND c.envelope && area.shape",
        all_of(in_collections(search.collections)),
        " ",
        order.by("p"),
        limit(rows),
    )


def _stream_through_space(search: Search, order: Order, rows: int) -> Fragment:
    nearest = TIE_MAX if order.descending else 0
    return sql(
        "SELECT ",
        ROW,
        " FROM items i",
        " WHERE i.collection = c.key AND i.geometry && area.shape AND ST_Intersects(i.geometry, area.shape)",
        " AND i.datetime BETWEEN bounds.earliest AND bounds.latest AND ",
        sql(f"i.datetime <= far.instant AND i.datetime > far.instant - {_WINDOW}")
        if order.descending
        else sql(f"i.datetime >= far.instant AND i.datetime < far.instant + {_WINDOW}"),
        " AND i.tie BETWEEN stretch.low AND stretch.high",
        all_of(overlaps(search.interval), matches(search.filter), order.after(search.seek)),
        f" ORDER BY i.datetime <-> far.instant, i.tie <-> {nearest} FETCH FIRST (",
        Parameter(rows, "int"),
        ") ROWS WITH TIES",
    )


def _bounds(interval: Interval | None) -> Fragment:
    """Where in the index the items of a collection can be that meet the interval and the stretch."""
    earliest, latest = (
        [sql("c.first_datetime"), sql("stretch.earliest")],
        [
            sql("c.last_datetime"),
            sql("stretch.latest"),
        ],
    )
    if interval and interval.start:
        earliest.append(earlier(interval.start, "c.lag"))
    if interval and interval.end:
        latest.append(sql(Parameter(interval.end, "timestamptz"), " + c.lead"))
    return sql("greatest(", join(", ", earliest), ") AS earliest, least(", join(", ", latest), ") AS latest")


def _windows(order: Order) -> Fragment:
    first, last, step = ("latest", "earliest", "-") if order.descending else ("earliest", "latest", "")
    return sql(f"generate_series(bounds.{first}, bounds.{last}, {step}{_WINDOW}) AS far (instant)")


def _through_collections(search: Search, collections: tuple[str, ...], rows: int) -> Fragment:
    order = Order.of(search)
    return sql(
        "SELECT p.*, c.id AS collection_id FROM collections c CROSS JOIN LATERAL (",
        "SELECT ",
        ROW,
        " FROM items i WHERE i.collection = c.key",
        all_of(
            near(search.interval, "c.lag", "c.lead"),
            overlaps(search.interval),
            matches(search.filter),
            order.after(search.seek),
        ),
        " ",
        order.by("i"),
        limit(rows),
        ") AS p WHERE ",
        in_collections(collections),
        " ",
        order.by("p"),
        limit(rows),
    )


def _through_time(search: Search, rows: int) -> Fragment:
    order = Order.of(search)
    return sql(
        "SELECT p.*, c.id AS collection_id FROM (SELECT ",
        ROW,
        " FROM items i WHERE ",
        order.after(search.seek),
        all_of(near(search.interval, *LONGEST), overlaps(search.interval), matches(search.filter)),
        " ",
        order.by("i"),
        limit(rows),
        ") AS p JOIN collections c ON c.key = p.collection ",
        order.by("p"),
    )
