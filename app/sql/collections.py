"""Statements on collections."""

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import free_text
from app.sql.filter import condition
from app.sql.sorting import Sorted
from app.stac.collection_search import CollectionSearch
from app.stac.interval import Interval

_SERVED = """c.id, c.content, c.extent, ST_XMin(c.envelope) AS west, ST_YMin(c.envelope) AS south,
 ST_XMax(c.envelope) AS east, ST_YMax(c.envelope) AS north, c.first_start, c.last_end"""
# A collection as if it were an item, which is what filters and orders speak of. The planner sees through it.
_AS_ITEM = """ FROM collections c CROSS JOIN LATERAL (SELECT c.id, c.key AS collection, c.area AS geometry,
 lower(c.times) AS datetime, CASE WHEN lower_inf(c.times) THEN '-infinity' ELSE lower(c.times) END AS start_datetime,
 CASE WHEN upper_inf(c.times) THEN 'infinity' ELSE upper(c.times) END AS end_datetime,
 c.document AS properties, 0 AS tie) AS i WHERE """
# A place in the order. Ids are unique, so that nothing behind an id decides; it must only be what the row has.
_PLACE = "i.collection, coalesce(i.datetime, 'epoch') AS datetime, i.tie"


def page(search: CollectionSearch, rows: int) -> Fragment:
    """The next `rows` collections of a search, in the order it is read in, each with how many there are in all."""
    found = _conditions(search)
    matched = sql("(SELECT count(*)", _AS_ITEM, found, ") AS matched")
    limit = sql(" LIMIT ", Parameter(rows, "int"))
    head = sql("SELECT ", _SERVED, ", ", _PLACE, ", ", matched)
    if search.by_id_alone:
        return sql(head, _AS_ITEM, found, _by_id(search), limit)
    order = Sorted.of(search)
    return sql(head, ", ", order.values(), _AS_ITEM, found, " AND ", order.after(), " ", order.by(), limit)


def _by_id(search: CollectionSearch) -> Fragment:
    backward = search.seek is not None and search.seek.backward
    descending = search.sortby[0].descending != backward
    order = f" ORDER BY c.id {'DESC' if descending else 'ASC'}"
    if search.seek is None:
        return sql(order)
    return sql(f" AND c.id {'<' if descending else '>'} ", Parameter(search.seek.position.id, "text"), order)


def _conditions(search: CollectionSearch) -> Fragment:
    conditions = [
        None if search.area is None else join(" OR ", map(_touches, search.area)),
        None if search.interval is None else _meets(search.interval),
        None if search.terms is None else free_text.matches(sql("c.words"), search.terms),
        None if search.filter is None else condition(search.filter),
    ]
    return join(" AND ", [sql("(", given, ")") for given in conditions if given is not None] or [sql("TRUE")])


def _touches(part: bytes) -> Fragment:
    """By distance: GEOS overlooks points where it compares one line with many areas of mixed dimensions."""
    shape = Parameter(part, "geometry")
    return sql("c.area && ", shape, " AND ST_DWithin(c.area, ", shape, ", 0)")


def _meets(interval: Interval) -> Fragment:
    """Closed intervals that share an instant; NULL is an open end."""
    start, end = Parameter(interval.start, "timestamptz"), Parameter(interval.end, "timestamptz")
    return sql("c.times && tstzrange(", start, ", ", end, ", '[]')")


def one(collection: str) -> Fragment:
    return sql("SELECT ", _SERVED, " FROM collections c WHERE c.id = ", Parameter(collection, "text"))


def exists(collection: str) -> Fragment:
    return sql("SELECT 1 FROM collections c WHERE c.id = ", Parameter(collection, "text"))
