"""Conditions that have an index, in an order that has another: few matches come from theirs, many from a walk.

Where an item in three matches, a walk in the order of the page is over after a few dozen tests, while the index of the
condition would bring a third of the catalogue to be sorted. Where an item in a million matches, it is the other way
round. No plan is right for both, and no statistics know how a condition goes with a box. So one statement has four
ways, and goes from each to the next only where it must (decisions/0008): it walks, for a few tests; if the page is not
full by then it asks the index, for so many matches at most; if there are more it walks again, for many tests; and sorts
all matches last.

A walk may consist of several streams. A stream that comes to its bound sends the item it stands at, as `cut`. Behind
that item the order is not known, so a page with one on it is thrown away, and one without is right.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isqrt

from app.database.fragment import Fragment, Parameter, join, sql
from app.stac.search import Search

# Tests of the first walk and of the second, times the root of the page. A walk that tests t items without filling a
# page of n shows that about n / t of them match, and leaves that share of the catalogue to the index: both cost the
# same where t grows with that root. To test words costs as much as to read twenty items.
WORDS, PROPERTIES = (60, 3_000), (1_000, 10_000)
# Of a walk through time that tests whether items are in an area, once.
AREA = 300
# Matches that the index may find between the walks.
FEW = 50_000


@dataclass(frozen=True, slots=True)
class Candidates:
    """Items that indexes find, as `FROM … WHERE …` of `i`."""

    matching: Fragment

    def all(self) -> Fragment:
        """In the place of `items i`. OFFSET keeps the order and the limit of the page outside: for their sake the
        planner would walk, and test each item."""
        return sql("(SELECT i.* ", self.matching, " OFFSET 0) AS i")

    def found(self) -> Fragment:
        return sql("SELECT i.ctid AS place ", self.matching)


# What `page` has found by an index, in the place of `items i`.
FOUND = sql("(SELECT i.* FROM items i WHERE i.ctid = ANY(ARRAY(SELECT place FROM found)) OFFSET 0) AS i")


@dataclass(frozen=True, slots=True)
class Tests:
    """What a walk tests on each item, all that its scans do not, and how many items: times the root of the page."""

    condition: Fragment
    factor: int

    @classmethod
    def of(cls, search: Search, conditions: Sequence[Fragment]) -> "tuple[Tests, Tests]":
        """Of the first walk and of the second."""
        condition = join(" AND ", conditions)
        near, far = PROPERTIES if search.terms is None else WORDS
        return cls(condition, near), cls(condition, far)

    def beside(self, condition: Fragment) -> "Tests":
        return Tests(join(" AND ", [condition, self.condition]), self.factor)


@dataclass(frozen=True, slots=True)
class Walk:
    """One stream of a walk. `bound` is how many items it tests: an SQL integer of at least one page."""

    condition: Fragment
    bound: Fragment

    @classmethod
    def of(cls, tests: Tests, rows: int, streams: Fragment) -> "Walk":
        """The tests shared by the streams: `streams` is how many there are, an SQL integer."""
        whole, page = Parameter(isqrt(tests.factor**2 * rows), "int"), Parameter(rows, "int")
        return cls(tests.condition, sql("greatest(", page, ", ", whole, " / greatest((", streams, "), 1))"))

    def stream(self, scan: Fragment, columns: str, by: Fragment, limit: Fragment) -> Fragment:
        """What matches of a scan that is ordered and bounded, and the item at the bound as `cut`.

        `by` is the scan's order over its own columns, so that items are read and tested one at a time.
        """
        return sql(
            f"SELECT {columns}, i.place >= ",
            self.bound,
            " AS cut FROM (SELECT i.*, row_number() OVER (",
            by,
            ") AS place FROM (",
            scan,
            ") AS i) AS i WHERE (",
            self.condition,
            " OR i.place >= ",
            self.bound,
            ") ",
            by,
            limit,
        )


@dataclass(frozen=True, slots=True)
class Ways:
    """The same page of the same `columns`: walked with tests, sorted of `FOUND`, and sorted of all that matches.

    A walk has `cut` too. `limited` is the order and the limit of a page whose rows have the name it is given.
    """

    walked: Callable[[Tests], Fragment]
    few: Fragment
    all: Fragment
    columns: str
    limited: Callable[[str], Fragment]


def page(candidates: Candidates, tests: tuple[Tests, Tests], ways: Ways) -> Fragment:
    """The page, by the first of the four ways that leads to it; those that are not needed are never executed."""
    most = Parameter(FEW, "int")
    is_few = sql("(SELECT count(*) <= ", most, " FROM found)")
    near, far = map(ways.walked, tests)
    select = sql("SELECT ", ways.columns, " FROM ")
    return sql(
        sql("WITH near AS MATERIALIZED (", near, "), "),
        sql("found AS MATERIALIZED (", candidates.found(), " AND ", _CUT_NEAR, " LIMIT ", most, " + 1), "),
        sql("far AS MATERIALIZED (SELECT * FROM (", far, ") AS far WHERE ", _CUT_NEAR, " AND NOT ", is_few, ") "),
        sql("SELECT p.* FROM (", select, "near WHERE NOT ", _CUT_NEAR),
        sql(" UNION ALL ", select, "(", ways.few, ") AS few WHERE ", _CUT_NEAR, " AND ", is_few),
        sql(" UNION ALL ", select, "far WHERE NOT ", _CUT_FAR),
        sql(" UNION ALL ", select, "(", ways.all, ") AS every WHERE ", _CUT_FAR, ") AS p "),
        ways.limited("p"),
    )


def page_of_two(walked: Fragment, otherwise: Fragment, columns: str, limited: Fragment) -> Fragment:
    """The page by a walk, or by another way where the walk is cut. `limited` is the order and the limit, of `p`."""
    select = sql("SELECT ", columns, " FROM ")
    return sql(
        sql("WITH near AS MATERIALIZED (", walked, ") SELECT p.* FROM (", select, "near WHERE NOT ", _CUT_NEAR),
        sql(" UNION ALL ", select, "(", otherwise, ") AS far WHERE ", _CUT_NEAR, ") AS p "),
        limited,
    )


_CUT_NEAR = "(SELECT coalesce(bool_or(cut), FALSE) FROM near)"
_CUT_FAR = "(SELECT coalesce(bool_or(cut), FALSE) FROM far)"
