"""Statements on items. Pure: a search becomes text and parameters, and nothing is asked here.

A page is found in one of five ways. Four follow the page, not the number of items that match: by ids (primary key),
through space (GiST index, in the order of time), through collections (btree) and through time (btree). The fifth sorts
what matches by other fields. docs/architecture.md says why, and tests/sql/test_plans.py holds the plans to it.
"""

from datetime import datetime

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql.filter import condition
from app.sql.keyset import TIE_MAX, Order
from app.sql.sorting import Sorted
from app.stac.cql2.nodes import Node
from app.stac.interval import Interval
from app.stac.search import Search
from app.stac.sorting import by_time_alone

# GiST distances of timestamptz are float8 seconds, exact to the microsecond up to 2^32 s (136 years). Longer stretches
# of time are read in windows of 128 years, each with distances from its own end.
_WINDOW = "interval '1128000 hours'"
_ROW = "i.id, i.collection, i.datetime, i.tie, i.content, i.dictionary"


def page(search: Search, rows: int) -> Fragment:
    """The next `rows` items of a search, in the order it is read in (from the other end for the page before)."""
    if not by_time_alone(search.sortby):
        return _sorted(search, rows)
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
    order = Sorted.of(search.sortby, search.seek)
    return sql(
        "SELECT ",
        _ROW,
        ", c.id AS collection_id, ",
        order.values(),
        " FROM items i JOIN collections c ON c.key = i.collection WHERE ",
        order.after(),
        _all_conditions(search),
        " ",
        order.by(),
        _limit(rows),
    )


def _by_ids(search: Search, rows: int) -> Fragment:
    order = Order.of(search)
    return sql(
        "SELECT ",
        _ROW,
        ", c.id AS collection_id FROM items i JOIN collections c ON c.key = i.collection WHERE TRUE",
        _all_conditions(search),
        _all_of(order.after(search.seek)),
        " ",
        order.by("i"),
        _limit(rows),
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
        _all_of(_in_collections(search.collections)),
        " ",
        order.by("p"),
        _limit(rows),
    )


def _stream_through_space(search: Search, order: Order, rows: int) -> Fragment:
    nearest = TIE_MAX if order.descending else 0
    return sql(
        "SELECT ",
        _ROW,
        " FROM items i",
        " WHERE i.collection = c.key AND i.geometry && area.shape AND ST_Intersects(i.geometry, area.shape)",
        " AND i.datetime BETWEEN bounds.earliest AND bounds.latest AND ",
        sql(f"i.datetime <= far.instant AND i.datetime > far.instant - {_WINDOW}")
        if order.descending
        else sql(f"i.datetime >= far.instant AND i.datetime < far.instant + {_WINDOW}"),
        " AND i.tie BETWEEN stretch.low AND stretch.high",
        _all_of(_overlaps(search.interval), _matches(search.filter), order.after(search.seek)),
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
        earliest.append(_earlier(interval.start, "c.lag"))
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
        _ROW,
        " FROM items i WHERE i.collection = c.key",
        _all_of(
            _near(search.interval, "c.lag", "c.lead"),
            _overlaps(search.interval),
            _matches(search.filter),
            order.after(search.seek),
        ),
        " ",
        order.by("i"),
        _limit(rows),
        ") AS p WHERE ",
        _in_collections(collections),
        " ",
        order.by("p"),
        _limit(rows),
    )


def _through_time(search: Search, rows: int) -> Fragment:
    order = Order.of(search)
    longest = ("(SELECT max(lag) FROM collections)", "(SELECT max(lead) FROM collections)")
    return sql(
        "SELECT p.*, c.id AS collection_id FROM (SELECT ",
        _ROW,
        " FROM items i WHERE ",
        order.after(search.seek),
        _all_of(_near(search.interval, *longest), _overlaps(search.interval), _matches(search.filter)),
        " ",
        order.by("i"),
        _limit(rows),
        ") AS p JOIN collections c ON c.key = p.collection ",
        order.by("p"),
    )


def _all_conditions(search: Search) -> Fragment:
    """What an item has to meet, tested on the item itself."""
    return _all_of(
        _with_ids(search.ids),
        _in_collections(search.collections),
        _intersects_any(search.area),
        _overlaps(search.interval),
        _matches(search.filter),
    )


def _all_of(*conditions: Fragment | None) -> Fragment:
    return sql(*(sql(" AND ", condition) for condition in conditions if condition is not None))


def _with_ids(ids: tuple[str, ...] | None) -> Fragment | None:
    return None if ids is None else sql("i.id = ANY(", Parameter(ids, "text[]"), ")")


def _in_collections(collections: tuple[str, ...] | None) -> Fragment:
    if collections is None:
        return sql("TRUE")
    return sql("c.id = ANY(", Parameter(collections, "text[]"), ")")


def _intersects_any(area: tuple[bytes, ...] | None) -> Fragment | None:
    if area is None:
        return None
    return sql("(", join(" OR ", (_intersects(Parameter(part, "geometry")) for part in area)), ")")


def _intersects(part: Parameter) -> Fragment:
    return sql("i.geometry && ", part, " AND ST_Intersects(i.geometry, ", part, ")")


def _overlaps(interval: Interval | None) -> Fragment | None:
    """Closed intervals that share an instant."""
    if interval is None:
        return None
    tests = []
    if interval.start:
        tests.append(sql("i.end_datetime >= ", Parameter(interval.start, "timestamptz")))
    if interval.end:
        tests.append(sql("i.start_datetime <= ", Parameter(interval.end, "timestamptz")))
    return join(" AND ", tests)


def _matches(filter_: Node | None) -> Fragment | None:
    return None if filter_ is None else condition(filter_)


def _near(interval: Interval | None, lag: str, lead: str) -> Fragment | None:
    """The range of the index that `_overlaps` can be met in: an item starts or ends only so far from its datetime."""
    if interval is None:
        return None
    tests = []
    if interval.start:
        tests.append(sql("i.datetime >= ", _earlier(interval.start, lag)))
    if interval.end:
        tests.append(sql("i.datetime <= ", Parameter(interval.end, "timestamptz"), f" + {lead}"))
    return join(" AND ", tests)


def _earlier(instant: datetime, lag: str) -> Fragment:
    """Not before year 1: an item that ends in 9999 makes a lag that leads beyond what PostgreSQL's calendar has."""
    return sql("greatest(", Parameter(instant, "timestamptz"), f", timestamptz '0001-01-01Z' + {lag}) - {lag}")


def _limit(rows: int) -> Fragment:
    return sql(" LIMIT ", Parameter(rows, "int"))
