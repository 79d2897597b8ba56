"""A condition that is dear to test on an item and has an index: few matches come from the index, many from a walk.

Where an item in three matches, a walk in the order of the page is over after a few dozen tests, while the index would
bring a third of the catalogue to be sorted. Where an item in a million matches, it is the other way round. No plan is
right for both, and no statistics know how a condition goes with a box. So one statement has both ways: it walks, with a
bound on its tests, and only if the page is not full by then it asks the index (decisions/0008).

The walk may consist of several streams. A stream that comes to its bound sends the item it stands at, as `cut`. Behind
that item the order is not known, so a page with one on it is thrown away, and one without is right.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isqrt

from app.database.fragment import Fragment, Parameter, sql

# A walk that tests t items without filling a page of n shows that about n / t of them match: the index is left with
# that share of the catalogue. Both ways cost the same where t grows with the root of n.
TESTS = 60
# Of that number for a cheap test; a test makes it smaller.
_SHARE = 1


@dataclass(frozen=True, slots=True)
class Candidates:
    """`condition` is over `items i` and has an index."""

    condition: Fragment

    def items(self) -> Fragment:
        """What the index finds, in the place of `items i`. OFFSET keeps the order and the limit of the page outside:
        for their sake the planner would walk, and test each item."""
        return sql("(SELECT i.* FROM items i WHERE ", self.condition, " OFFSET 0) AS i")


@dataclass(frozen=True, slots=True)
class Tested:
    """What is tested on each item of a walk. A dear condition costs as much as reading ten items from an index."""

    condition: Fragment
    dear: bool

    def tests(self, rows: int) -> Fragment:
        """How many are worth a page of so many rows. As many as the index would then find, by the share that matches:
        the root of the items there are, times the rows."""
        if self.dear:
            return sql(Parameter(isqrt(TESTS**2 * rows), "int"))
        return sql(
            f"(SELECT {_SHARE} * sqrt(greatest(t.reltuples, 1) * ",
            Parameter(rows, "int"),
            ") FROM pg_class t WHERE t.oid = 'items'::regclass)::int",
        )


@dataclass(frozen=True, slots=True)
class Walk:
    """One stream of a walk: what is tested on each item, all that its scan does not test, and how many there may be.

    `bound` is an SQL integer of at least one page.
    """

    condition: Fragment
    bound: Fragment

    @classmethod
    def of(cls, tested: Tested, rows: int, streams: Fragment) -> "Walk":
        """The tests that a page is worth, shared by its streams: `streams` is how many, an SQL integer."""
        page = Parameter(rows, "int")
        bound = sql("greatest(", page, ", ", tested.tests(rows), " / greatest((", streams, "), 1))")
        return cls(tested.condition, bound)

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


def page(walk: Fragment, indexed: Fragment, columns: str, limited: Callable[[str], Fragment]) -> Fragment:
    """A page by a walk, or else by the index.

    `walk` and `indexed` both have `columns`, and `walk` has `cut`; `limited` is the order and the limit of a page whose
    rows have the name it is given. Of the two the one that is not needed is never executed.
    """
    return sql(
        "WITH walked AS MATERIALIZED (",
        walk,
        ") SELECT p.* FROM (SELECT ",
        columns,
        " FROM walked WHERE NOT ",
        _CUT,
        " UNION ALL SELECT ",
        columns,
        " FROM (",
        indexed,
        ") AS found WHERE ",
        _CUT,
        ") AS p ",
        limited("p"),
    )


_CUT = "(SELECT coalesce(bool_or(cut), FALSE) FROM walked)"
