"""Statements on collections."""

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import envelopes, free_text, visibility
from app.sql.filter import condition
from app.sql.sorting import Sorted
from app.sql.spatial import intersect
from app.stac.access import Visible
from app.stac.collection_search import CollectionSearch
from app.stac.geometry import has_lines
from app.stac.interval import Interval

_SERVED = f"""c.id, c.content, c.extent, {envelopes.WEST} AS west, ST_YMin(c.envelope) AS south,
 {envelopes.EAST} AS east, ST_YMax(c.envelope) AS north, c.first_start, c.last_end"""
# A collection as if it were an item, which is what filters and orders speak of. The planner sees through it.
_AS_ITEM = """collections c CROSS JOIN LATERAL (SELECT c.id, c.key AS collection, c.area AS geometry,
 lower(c.times) AS datetime, CASE WHEN lower_inf(c.times) THEN '-infinity' ELSE lower(c.times) END AS start_datetime,
 CASE WHEN upper_inf(c.times) THEN 'infinity' ELSE upper(c.times) END AS end_datetime,
 c.document AS properties, 0 AS tie) AS i"""
# A place in the order. Ids are unique, so that nothing behind an id decides; it must only be what the row has.
_PLACE = "i.collection, coalesce(i.datetime, 'epoch') AS datetime, i.tie"


def page(search: CollectionSearch, rows: int) -> Fragment:
    """The next `rows` collections of a search, in the order it is read in, each with how many there are in all.

    What is asked is tested once on each collection, for the page and for the count.
    """
    head = sql("SELECT ", _SERVED, ", ", _PLACE)
    limit = sql(" LIMIT ", Parameter(rows, "int"))
    conditions = _conditions(search)
    if conditions is None and search.by_id_alone:
        after, order = _by_id(search, "c")
        counted = ", (SELECT count(*) FROM collections) AS matched FROM "
        return sql(head, counted, _AS_ITEM, " WHERE ", after, order, limit)
    found = sql("WITH found AS MATERIALIZED (SELECT c.key, c.id FROM ", _AS_ITEM, " WHERE ", conditions or "TRUE", ") ")
    head = sql(found, head, ", (SELECT count(*) FROM found) AS matched")
    if search.by_id_alone:
        after, order = _by_id(search, "found")
        page_ = sql("(SELECT key FROM found WHERE ", after, order, limit, ") AS page JOIN ")
        return sql(head, " FROM ", page_, _AS_ITEM, " ON c.key = page.key", _by_id(search, "c")[1])
    sorted_ = Sorted.of(search)
    head = sql(head, ", ", sorted_.values(), " FROM found JOIN ")
    return sql(head, _AS_ITEM, " ON c.key = found.key WHERE ", sorted_.after(), " ", sorted_.by(), limit)


def _by_id(search: CollectionSearch, row: str) -> tuple[Fragment, Fragment]:
    """What lies behind the token, and the order."""
    backward = search.seek is not None and search.seek.backward
    descending = search.sortby[0].descending != backward
    order = sql(f" ORDER BY {row}.id {'DESC' if descending else 'ASC'}")
    if search.seek is None:
        return sql("TRUE"), order
    return sql(f"{row}.id {'<' if descending else '>'} ", Parameter(search.seek.position.id, "text")), order


def _conditions(search: CollectionSearch) -> Fragment | None:
    conditions = [
        None if search.area is None else join(" OR ", map(_touches, search.area)),
        None if search.interval is None else _meets(search.interval),
        None if search.terms is None else free_text.matches(sql("c.words"), search.terms),
        None if search.filter is None else condition(search.filter),
        visibility.of_collection(search.visible),
    ]
    asked = [sql("(", given, ")") for given in conditions if given is not None]
    return join(" AND ", asked) if asked else None


def _touches(part: bytes) -> Fragment:
    shape = Parameter(part, "geometry")
    return sql("c.area && ", shape, " AND ", intersect("c.area", shape, of_lines=has_lines(part)))


def _meets(interval: Interval) -> Fragment:
    """Closed intervals that share an instant; NULL is an open end."""
    start, end = Parameter(interval.start, "timestamptz"), Parameter(interval.end, "timestamptz")
    return sql("c.times && tstzrange(", start, ", ", end, ", '[]')")


def one(collection: str, visible: Visible = None) -> Fragment:
    return sql("SELECT ", _SERVED, _named(collection, visible))


def exists(collection: str, visible: Visible = None) -> Fragment:
    return sql("SELECT 1", _named(collection, visible))


def _named(collection: str, visible: Visible) -> Fragment:
    seen = visibility.of_collection(visible)
    named = sql(" FROM collections c WHERE c.id = ", Parameter(collection, "text"))
    return named if seen is None else sql(named, " AND ", seen)
