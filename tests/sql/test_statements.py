"""Which statement a search becomes, and that its text is made of the code's own words alone."""

import inspect
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

import app.sql
from app import sql
from app.database.fragment import Fragment
from app.sql import candidates, free_text, keyset
from app.stac.collection import CheckedCollection
from app.stac.collection_search import CollectionSearch
from app.stac.cql2.nodes import Comparison, Property, Value
from app.stac.paging import Position, Seek
from app.stac.search import Search
from tests.factories import Document, box, point

DAY = "2024-01-01T00:00:00Z"
SEEK = Seek(Position(datetime(2024, 1, 1, tzinfo=UTC), 5, "item", 2), backward=False)
BACK = Seek(SEEK.position, backward=True)

SHAPES = IDS, SPACE, COLLECTIONS, TIME = (
    "WHERE TRUE AND i.id = ANY(",
    "AS area (shape) CROSS JOIN",
    "AS p WHERE c.id = ANY(",
    "AS p JOIN collections c",
)
TWO_TIMES = ["timestamptz"] * 2
PLACE = ["timestamptz", "int", "int", "text"]
FROM_THE_END = ["timestamptz"] * 3 + ["timestamptz", "int", "int", "int", "text"]
INSIDE = ["geometry[]", *PLACE, "int", "geometry[]", "int"]
STRETCHES = ["geometry[]", "timestamptz[]", "timestamptz[]", "int[]", "int[]"]


def search_of(body: Document, seek: Seek | None = None) -> Search:
    search = Search.from_body(orjson.dumps(body))
    return search if seek is None else search.behind(seek)


@pytest.mark.parametrize(
    ("body", "shape", "first", "behind"),
    [
        ({}, TIME, ["timestamptz", "int", "int"], [*PLACE, "int", "int"]),
        ({"limit": 3}, TIME, ["timestamptz", "int", "int"], [*PLACE, "int", "int"]),
        (
            {"datetime": DAY},
            TIME,
            ["timestamptz"] * 4 + ["int", "int"],
            [*FROM_THE_END, "timestamptz", *TWO_TIMES, "int", "int"],
        ),
        (
            {"datetime": f"{DAY}/.."},
            TIME,
            ["timestamptz", *TWO_TIMES, "int", "int"],
            [*PLACE, *TWO_TIMES, "int", "int"],
        ),
        (
            {"collections": ["a"]},
            COLLECTIONS,
            ["timestamptz", "int", "text[]", "int"],
            [*PLACE, "int", "text[]", "int"],
        ),
        (
            {"collections": ["a"], "datetime": f"../{DAY}"},
            COLLECTIONS,
            [*TWO_TIMES, "int", "text[]", "int"],
            [*FROM_THE_END, "timestamptz", "int", "text[]", "int"],
        ),
        ({"bbox": [0, 0, 1, 1]}, SPACE, ["geometry[]", "int", "int"], [*STRETCHES, *PLACE, "int", *INSIDE]),
        ({"bbox": [170, 0, -170, 1]}, SPACE, ["geometry[]", "int", "int"], [*STRETCHES, *PLACE, "int", *INSIDE]),
        (
            {"bbox": [0, 0, 9, 9], "collections": ["a"]},
            SPACE,
            ["geometry[]", "int", "text[]", "geometry[]", "timestamptz", "int", "text[]", "geometry[]", "int"],
            [*STRETCHES, *PLACE, "int", "text[]", "geometry[]", *PLACE, "int", "text[]", "geometry[]", "int"],
        ),
        ({"intersects": point(1, 2)}, SPACE, ["geometry[]", "int", "int"], [*STRETCHES, *PLACE, "int", *INSIDE]),
        (
            {"intersects": point(1, 2), "collections": ["a"]},
            SPACE,
            ["geometry[]", "int", "text[]", "int"],
            [*STRETCHES, *PLACE, "int", "text[]", "geometry[]", *PLACE, "int", "text[]", "geometry[]", "int"],
        ),
        ({"ids": ["x"]}, IDS, ["text[]", "int"], ["text[]", *PLACE, "int"]),
        (
            {"ids": ["x"], "collections": ["a"], "bbox": [0, 0, 1, 1]},
            IDS,
            ["text[]", "text[]", "geometry", "geometry", "int"],
            ["text[]", "text[]", "geometry", "geometry", *PLACE, "int"],
        ),
    ],
    ids=str,
)
def test_shape_of_a_search(body: Document, shape: str, first: list[str], behind: list[str]) -> None:
    for seek, types in ((None, first), (SEEK, behind)):
        text, _ = sql.items.page(search_of(body, seek), 11).render()
        assert [known for known in SHAPES if known in text] == [shape]
        assert re.findall(r"\$\d+::(\w+(?:\[\])?)", text) == types


@pytest.mark.parametrize(
    ("corner", "width", "streams"), [(5, 4, 8), (3, 4, 12), (3, 9, 16), (3, 12, 16), (3, 20, 24), (3, 30, 32)]
)
@pytest.mark.parametrize("seek", [None, SEEK])
def test_an_area_of_some_degrees_has_a_stream_for_each_of_its_cells(
    corner: int, width: int, streams: int, seek: Seek | None
) -> None:
    """And a few that are empty: statements are as few as the numbers of streams."""
    text, values = sql.items.page(
        search_of({"bbox": [corner, corner, corner + width, corner + width]}, seek), 11
    ).render()
    near, _, otherwise = text.partition(" AS collection_id FROM (SELECT ")[2].partition(
        "UNION ALL SELECT id, collection"
    )
    assert near.count("(SELECT i.* FROM items i WHERE i.cell = ") == streams
    assert "AS area (shape) CROSS JOIN" in otherwise
    assert values.count(20_000) == 1


@pytest.mark.parametrize(("west", "distinct"), [(0, False), (170, True)])
@pytest.mark.parametrize("seek", [None, SEEK])
def test_items_come_twice_from_two_parts_of_an_area_alone(west: int, distinct: bool, seek: Seek | None) -> None:
    text, _ = sql.items.page(search_of({"bbox": [west, 0, 1, 1]}, seek), 11).render()
    assert ("DISTINCT ON" in text) is distinct


ALIKE: list[tuple[Document, Document]] = [
    ({}, {"limit": 1000}),
    ({"datetime": DAY}, {"datetime": "1999-01-01T00:00:00Z/2001-01-01T00:00:00.5Z"}),
    ({"collections": ["a"]}, {"collections": ["b", "c'", 'd"$1']}),
    ({"ids": ["a"]}, {"ids": [str(number) for number in range(500)]}),
    ({"bbox": [170, 0, -170, 1]}, {"bbox": [175, -1, -175, 1]}),
    ({"bbox": [0, 0, 0, 0]}, {"bbox": [0, 0, 1, 1]}),
    ({"bbox": [0, 0, 1, 1]}, {"intersects": box(0, 0, 5, 5)}),
    ({"q": ["a"]}, {"q": ["b", "c d", "!"]}),
    ({"q": ["a"], "bbox": [0, 0, 1, 1]}, {"q": ["a", "b"], "bbox": [5, 5, 6, 6]}),
    ({"q": ["a"], "collections": ["a"]}, {"q": ["b"], "collections": ["b", "c"]}),
    ({"q": ["a"], "ids": ["a"]}, {"q": ["b"], "ids": ["b", "c"]}),
    ({"bbox": [0, 0, 1, 1], "ids": ["a"]}, {"intersects": point(0, 0), "ids": ["b", "c"]}),
]


@pytest.mark.parametrize("seek", [None, SEEK, BACK], ids=["first", "next", "previous"])
@pytest.mark.parametrize(("one", "other"), ALIKE, ids=str)
def test_other_values_have_the_same_text(one: Document, other: Document, seek: Seek | None) -> None:
    texts = {sql.items.page(search_of(body, seek), rows).render()[0] for body, rows in ((one, 11), (other, 1001))}
    assert len(texts) == 1


@pytest.mark.parametrize("body", [body for pair in ALIKE for body in pair], ids=str)
def test_pages_behind_a_token_have_one_text(body: Document) -> None:
    later = Seek(Position(datetime(1999, 1, 1, tzinfo=UTC), 7, "other", 3), backward=False)
    first, second, third, back = (
        sql.items.page(search_of(body, seek), 11).render()[0] for seek in (None, SEEK, later, BACK)
    )
    assert second == third != back
    assert len(first) < len(second)


# Nothing of the code's own text looks like these.
markers = st.from_regex(r"§[0-9a-z'\"$;%\\-]{6}", fullmatch=True)
times = st.sampled_from(
    ["1771-03-04T05:06:07.123457Z", "1771-03-04T05:06:07.123457Z/..", "../1771-03-04T05:06:07.123457Z"]
)
numbers = st.sampled_from([71.317, -23.7719])
bodies = st.fixed_dictionaries(
    {},
    optional={
        "collections": st.lists(markers, min_size=1, max_size=3),
        "ids": st.lists(markers, min_size=1, max_size=3),
        "q": st.lists(markers, min_size=1, max_size=3),
        "datetime": times,
        "intersects": st.builds(point, numbers, numbers),
    },
)
seeks = st.none() | st.builds(
    Seek,
    st.builds(Position, st.just(datetime(1771, 3, 4, tzinfo=UTC)), st.just(7_131_719), markers, st.just(23_771_931)),
    st.booleans(),
)


@given(bodies, seeks)
def test_no_value_of_a_search_is_in_the_text(body: dict[str, Any], seek: Seek | None) -> None:
    text, values = sql.items.page(search_of(body, seek), 7_777_777).render()
    for trace in ("§", "1771", "71.317", "23.77", "7131719", "23771931", "7777777", "\\x", "POINT"):
        assert trace not in text
    assert values.count(7_777_777) >= 1
    assert {int(number) for number in re.findall(r"\$(\d+)::", text)} == set(range(1, len(values) + 1))


@given(st.lists(markers.map(lambda field: {"field": f"properties.{field}"}), min_size=1, max_size=3))
def test_no_field_of_a_sort_is_in_the_text(sortby: list[dict[str, str]]) -> None:
    text, _ = sql.items.page(search_of({"sortby": sortby}), 11).render()
    assert "§" not in text


@pytest.mark.parametrize("indexes", [set(), {"n"}, {"n", "m"}], ids=str)
@given(names=st.lists(markers, min_size=1, max_size=2))
def test_of_names_only_those_with_an_index_are_in_the_text(names: list[str], indexes: set[str]) -> None:
    for name in ("n", names[0]):
        body = {"sortby": [{"field": name}], "filter": {"op": "=", "args": [{"property": names[-1]}, names[0]]}}
        text, _ = sql.items.page(search_of(body), 11, indexes).render()
        assert "§" not in text
        assert ("'n'" in text) == (name in indexes)


@pytest.mark.parametrize("seek", [None, SEEK, BACK], ids=["first", "next", "previous"])
def test_values_beside_an_index_are_not_in_the_text(seek: Seek | None) -> None:
    texts = set()
    for value in (7_777_777.5, 1.25):
        place = seek and replace(seek, position=replace(seek.position, keys=(str(value), None)))
        body: Document = {"sortby": "n", "filter": {"op": "<", "args": [{"property": "n"}, value]}}
        texts.add(sql.items.page(search_of(body, place), 11, {"n"}).render()[0])
    assert len(texts) == 1


MARK = "§'; DROP TABLE items"
MARKS = [MARK, MARK, 7]
AT_MARK = Seek(Position(datetime(2024, 1, 1, tzinfo=UTC), 0, MARK, 1), backward=True)
CHECKED = CheckedCollection(MARK, b"c", b"e", b"{}", b"g", ((None, AT_MARK.position.datetime),))
STORED = [MARK, b"c", b"e", b"{}", b"g", [None], [AT_MARK.position.datetime]]
NEW_YEAR = datetime(2024, 1, 1, tzinfo=UTC)
ROW = (MARK, 7, b"g", 5, *[NEW_YEAR] * 3, b"{}", b"content", None)


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (sql.items.one(MARK, MARK), [MARK, MARK]),
        (sql.collections.one(MARK), [MARK]),
        (sql.collections.exists(MARK), [MARK]),
        (sql.collections.page(CollectionSearch(), 7), [7]),
        (sql.collections.page(CollectionSearch(seek=AT_MARK), 7), [MARK, 7]),
        (sql.collections.page(CollectionSearch(terms=(MARK,)), 7), [(MARK,), 7]),
        (sql.collections.page(CollectionSearch(filter=Comparison("=", Property(MARK), Value(MARK))), 7), MARKS),
        (sql.loading.keys([MARK]), [[MARK]]),
        (sql.loading.newest_dictionaries([MARK]), [[MARK]]),
        (sql.loading.add_dictionary(7, b"content"), [7, b"content"]),
        (sql.loading.store_collection(CHECKED, "insert"), STORED),
        (sql.loading.store_collection(CHECKED, "upsert"), STORED),
        (sql.loading.store([ROW, ROW], "insert"), [[], *([value] * 2 for value in ROW), b"[]", 30]),
        (sql.loading.store([(*ROW[:-1], 9)], "upsert"), [[9], *([value] for value in ROW[:-1]), [9], b"[]", 30]),
        (sql.loading.insert(MARK, ROW, None, {}, parted=True), [7, MARK, ROW[0], *ROW[2:]]),
        (
            sql.loading.insert(MARK, (*ROW[:-1], 9), b"mark", {7: {}}, parted=False),
            [9, b"mark", 7, MARK, ROW[0], *ROW[2:-1], b"[]", 30],
        ),
        (sql.loading.hold_dictionaries([9]), [[9]]),
        (sql.loading.otherwise_compressed([ROW]), [[MARK], [7], [None]]),
        (sql.loads.find([b"digest"], [MARK]), [[b"digest"], [MARK]]),
        (sql.loads.mark((b"digest", MARK, MARK), (7, 8), True, b"{}"), [b"digest", MARK, MARK, 7, 8, True, b"{}"]),
        (sql.loads.forget([MARK]), [[MARK]]),
        (sql.compacting.collections([MARK]), [[MARK]]),
        (sql.compacting.sample(7, 8), [7, 8]),
        (sql.compacting.window(7, (NEW_YEAR, 8, MARK), 9), [7, NEW_YEAR, 8, MARK, 9]),
        (sql.compacting.lock(7, [MARK]), [7, [MARK]]),
        (sql.compacting.rewrite(7, 8, {MARK: b"content"}), [8, [MARK], [b"content"], 7]),
        (sql.compacting.hold_replaced(7), [7]),
        (sql.compacting.drop_unused([7]), [[7]]),
        (sql.transactions.lock_items(MARK, [MARK]), [MARK, [MARK]]),
        (sql.transactions.delete_item(MARK, MARK), [MARK, MARK]),
        (sql.transactions.lock_collection(MARK), [MARK]),
        (sql.transactions.lock_collection_alone(MARK), [MARK]),
        (sql.transactions.any_item(MARK), [MARK]),
        (sql.transactions.delete_items(MARK), [MARK]),
        (sql.transactions.delete_collection(MARK), [MARK]),
        (sql.loading.analyze(), []),
    ],
    ids=lambda value: " ".join(value.render()[0].split()[:4]) if isinstance(value, Fragment) else "",
)
def test_other_statements_carry_their_values_apart(statement: Fragment, values: list[object]) -> None:
    text, found = statement.render()
    assert found == values
    assert "§" not in text


@pytest.mark.parametrize("seek", [SEEK, BACK])
def test_row_comparison_follows_the_order(seek: Seek) -> None:
    order = keyset.Order.of(Search(seek=seek))
    assert order.descending == (seek is not BACK)
    way, sign = ("DESC", "<") if order.descending else ("ASC", ">")
    assert order.by("i").render()[0].count(way) == 4
    text, values = order.after(seek).render()
    assert text.startswith(f"(i.datetime, i.tie, i.collection, i.id) {sign} (")
    assert values == [*(SEEK.position.datetime, 5, 2, "item")]


@pytest.mark.parametrize("instant", [datetime.min, datetime(2024, 1, 1), datetime.max])
@pytest.mark.parametrize("backward", [False, True])
def test_stretches_at_the_ends_of_time(instant: datetime, backward: bool) -> None:
    place = Seek(Position(instant.replace(tzinfo=UTC), 5, "item", 2), backward)
    _, values = keyset.Order.of(Search(seek=place)).stretches(place).render()
    assert [len(column) for column in values if isinstance(column, list)] == [2, 2, 2, 2]


@pytest.mark.parametrize(
    "module",
    [app.sql, sql.items, sql.collections, sql.indexed, sql.loading, sql.transactions, keyset, candidates, free_text],
)
def test_statements_are_pure(module: ModuleType) -> None:
    code = inspect.getsource(module).replace("the word `await` does not occur here", "")
    assert "await" not in code
    assert "async def" not in code


@pytest.mark.parametrize("statement", [sql.items.page, sql.items.one, sql.collections.page, sql.loading.keys])
def test_statements_are_plain_functions(statement: Callable[..., Fragment]) -> None:
    assert not inspect.iscoroutinefunction(statement)


SEEN = [
    lambda body, visible: sql.items.page(replace(search_of(body), visible=visible), 11),
    lambda body, visible: sql.items.page(replace(search_of(body), visible=visible), 11, {"n"}),
    lambda body, visible: sql.items.page(replace(search_of(body | {"sortby": "n"}), visible=visible), 11, {"n"}),
    lambda body, visible: sql.items.page(replace(search_of(body | {"sortby": "n"}), visible=visible), 11),
    lambda body, visible: sql.conditions.count(replace(search_of(body), visible=visible), 11),
    lambda body, visible: sql.aggregations.extremes(replace(search_of(body), visible=visible)),
    lambda _, visible: sql.collections.page(CollectionSearch(visible=visible), 11),
    lambda _, visible: sql.collections.one("a", visible),
    lambda _, visible: sql.items.one("a", "b", visible),
    lambda _, visible: sql.queryables.of_all(visible),
    lambda _, visible: sql.queryables.of_collection("a", visible),
    lambda _, visible: sql.queryables.unknown(["a"], None, visible),
    lambda _, visible: sql.queryables.unordered(["a"], "a", visible),
]


@pytest.mark.parametrize("statement", SEEN)
@pytest.mark.parametrize("body", [one for one, _ in ALIKE], ids=str)
def test_where_nothing_is_hidden_there_is_no_condition_for_it(
    statement: Callable[[Document, tuple[str, ...] | None], Fragment], body: Document
) -> None:
    public, nothing, something = (statement(body, visible).render()[0] for visible in (None, (), ("a", "b")))
    assert "private" not in public
    assert "private" in nothing
    assert nothing == something
