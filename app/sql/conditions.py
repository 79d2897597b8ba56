"""What an item has to meet, each parameter of a search as a condition over `items i` and `collections c`."""

from dataclasses import replace

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import free_text, visibility
from app.sql.filter import condition
from app.sql.spatial import intersect
from app.stac.cql2.nodes import Node
from app.stac.geometry import has_lines
from app.stac.interval import Interval
from app.stac.search import Search

# Of all collections, where none is named.
LONGEST = ("(SELECT max(lag) FROM collections)", "(SELECT max(lead) FROM collections)")
# Of more than a century, PostgreSQL makes an interval of seconds that is some microseconds short.
_ROUNDED = "interval '1 millisecond'"
ROW = "i.id, i.collection, i.datetime, i.tie, i.content, i.dictionary"


def every(search: Search) -> Fragment:
    """What an item has to meet, tested on the item itself."""
    return all_of(
        _with_ids(search.ids),
        in_collections(search),
        intersects_any(search.area),
        overlaps(search.interval),
        matches(search.filter),
        with_words(search.terms),
    )


def matching(search: Search, joined: str = "") -> Fragment:
    """`FROM … WHERE …` of all items of a search as `i`, in no order and whatever its page.

    `joined` is what comes before WHERE.
    """
    if search.collections is None and search.area is None:
        seen, rest = visibility.of_key("i.collection", search.visible), replace(search, visible=None)
        return sql(f"FROM items i{joined} WHERE TRUE", all_of(near(search.interval, *LONGEST), seen), every(rest))
    return sql(
        f"FROM collections c JOIN items i ON i.collection = c.key{joined} WHERE TRUE",
        all_of(_has_some_in(search.area), near(search.interval, "c.lag", "c.lead")),
        every(search),
    )


def count(search: Search, most: int) -> Fragment:
    """How many items a search finds, or `most` if there are more."""
    return sql("SELECT count(*) AS found FROM (SELECT 1 ", matching(search), limit(most), ") AS counted")


def _has_some_in(area: tuple[bytes, ...] | None) -> Fragment | None:
    """Of a collection: its box. It names the collections to look in, as the index begins with them."""
    if area is None:
        return None
    return sql("(", join(" OR ", (sql("c.envelope && ", Parameter(part, "geometry")) for part in area)), ")")


def given(*conditions: Fragment | None) -> list[Fragment]:
    return [condition for condition in conditions if condition is not None]


def all_of(*conditions: Fragment | None) -> Fragment:
    return sql(*(sql(" AND ", condition) for condition in given(*conditions)))


def _with_ids(ids: tuple[str, ...] | None) -> Fragment | None:
    return None if ids is None else sql("i.id = ANY(", Parameter(ids, "text[]"), ")")


def in_collections(search: Search) -> Fragment:
    """The collections that are asked for, of those that the caller sees, over `collections c`."""
    named = None
    if search.collections is not None:
        named = sql("c.id = ANY(", Parameter(search.collections, "text[]"), ")")
    conditions = given(named, visibility.of_collection(search.visible))
    return join(" AND ", conditions) if conditions else sql("TRUE")


def intersects_any(area: tuple[bytes, ...] | None) -> Fragment | None:
    if area is None:
        return None
    return sql("(", join(" OR ", map(_intersects, area)), ")")


def _intersects(part: bytes) -> Fragment:
    shape = Parameter(part, "geometry")
    return sql("i.geometry && ", shape, " AND ", intersect("i.geometry", shape, of_lines=has_lines(part)))


def overlaps(interval: Interval | None) -> Fragment | None:
    """Closed intervals that share an instant."""
    if interval is None:
        return None
    tests = []
    if interval.start:
        tests.append(sql("i.end_datetime >= ", Parameter(interval.start, "timestamptz")))
    if interval.end:
        tests.append(sql("i.start_datetime <= ", Parameter(interval.end, "timestamptz")))
    return join(" AND ", tests)


def matches(filter_: Node | None) -> Fragment | None:
    return None if filter_ is None else condition(filter_)


def with_words(terms: tuple[str, ...] | None) -> Fragment | None:
    return None if terms is None else free_text.matches(free_text.ITEM, terms)


def near(interval: Interval | None, lag: str, lead: str) -> Fragment | None:
    """The range of the index that `overlaps` can be met in: an item starts or ends only so far from its datetime."""
    tests = given(not_before(earliest(interval, lag)), not_after(latest(interval, lead)))
    return join(" AND ", tests) if tests else None


def not_before(instant: Fragment | None) -> Fragment | None:
    return None if instant is None else sql("i.datetime >= ", instant)


def not_after(instant: Fragment | None) -> Fragment | None:
    return None if instant is None else sql("i.datetime <= ", instant)


def earliest(interval: Interval | None, lag: str) -> Fragment | None:
    """Not before year 1, or nearly: an item that ends in 9999 makes a lag that leads beyond what PostgreSQL's calendar
    has."""
    if interval is None or not interval.start:
        return None
    start = Parameter(interval.start, "timestamptz")
    return sql("greatest(", start, f", timestamptz '0001-01-01Z' + {lag}) - {lag} - {_ROUNDED}")


def latest(interval: Interval | None, lead: str) -> Fragment | None:
    if interval is None or not interval.end:
        return None
    return sql(Parameter(interval.end, "timestamptz"), f" + {lead} + {_ROUNDED}")


def limit(rows: int) -> Fragment:
    return sql(" LIMIT ", Parameter(rows, "int"))


def with_ties(rows: Parameter | Fragment) -> Fragment:
    """The first rows, and those equal to the last of them in what they are ordered by."""
    return sql(" FETCH FIRST (", rows, ") ROWS WITH TIES")
