"""Statements on items. Pure: a search becomes text and parameters, and nothing is asked here.

A page is found in one of six ways. Five follow the page, not the number of items that match: by ids (primary key), in
an area (space.py: GiST index in the order of time, or btree of its cells), through collections and through time
(times.py: btree), and by a property that an operator made an index for (indexed.py). The sixth sorts what matches by
other fields. Free text, a filter on a property with an index, and an area of some size are a walk with a bound, and
behind that their own index (candidates.py).
docs/architecture.md says why, and tests/sql/test_plans.py holds the plans to it.
"""

from collections.abc import Collection
from dataclasses import replace

from app.database.fragment import Fragment, Parameter, sql
from app.sql import candidates, indexed, space, times, visibility
from app.sql.candidates import Candidates, Tests, Ways
from app.sql.conditions import ROW, all_of, every, given, limit, matches, with_words
from app.sql.keyset import Order
from app.sql.sorting import Sorted, columns
from app.stac.access import Visible
from app.stac.search import Search
from app.stac.sorting import fields


def page(search: Search, rows: int, indexes: Collection[str] = (), large: Collection[str] = ()) -> Fragment:
    """The next `rows` items of a search, in the order it is read in (from the other end for the page before).

    `indexes` are the properties that have an index, `large` the collections with a good part of all items.
    """
    found = None if search.ids is not None else indexed.candidates(search, indexes)
    if fields(search.sortby):
        field = indexed.field(search, indexes)
        return _sorted(search, rows, found) if field is None else indexed.by_field(search, field, rows, found)
    if search.ids is not None:
        return _tested(search, rows, sql("items i"))
    if found is not None:
        return _with_candidates(search, rows, large, found)
    if search.area is not None:
        return space.in_order(search, search.area, rows, large)
    return times.in_order(search, rows, None)


def way(search: Search, indexes: Collection[str] = ()) -> str:
    """Which of the ways `page` takes, in a word; `candidates` where terms or an indexed filter lead to the items."""
    if fields(search.sortby):
        return "sort" if indexed.field(search, indexes) is None else "property"
    if search.ids is not None:
        return "ids"
    if indexed.candidates(search, indexes) is not None:
        return "candidates"
    return "space" if search.area is not None else "time" if search.collections is None else "collections"


def _with_candidates(search: Search, rows: int, large: Collection[str], found: Candidates) -> Fragment:
    scanned, rest = replace(search, terms=None, filter=None), replace(search, terms=None)

    def walked(tests: Tests) -> Fragment:
        if scanned.area is None:
            return times.in_order(scanned, rows, tests)
        return space.walk(scanned, scanned.area, rows, large, tests)

    ways = Ways(
        walked=walked,
        few=_tested(rest, rows, candidates.FOUND),
        all=_tested(rest, rows, found.all()),
        columns=times.PAGE,
        limited=lambda row: sql(Order.of(search).by(row), limit(rows)),
    )
    tested = given(matches(search.filter), with_words(search.terms))
    return candidates.page(found, Tests.of(search, tested), ways)


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
        all_of(order.behind_token(search)),
        " ",
        order.by("i"),
        limit(rows),
    )
