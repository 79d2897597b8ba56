"""Filters on PostGIS: each operator on items it is true, false and unknown for, and random ones against an oracle."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from itertools import product
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings

from app.bulk.load import Loader
from app.database.fragment import Parameter, sql
from app.database.pool import Database
from app.sql import filter as filters
from app.stac.cql2 import from_json, from_text
from app.stac.cql2.nodes import Node
from tests.factories import Document, collection, item, load, point
from tests.oracle_cql2 import evaluate
from tests.sql.test_geometries import geometries
from tests.stac.cql2.things import PLACES, PROPERTIES, TIMES
from tests.stac.cql2.trees import conditions

pytestmark = pytest.mark.anyio

NOON = datetime(2024, 7, 16, 12, tzinfo=UTC)

_DATED = "day noon leap never year0 local"
FOUND: list[tuple[str, str]] = [
    # Numbers, and what is none.
    ("n = 1", "one"),
    ("1 = n", "one"),
    ("n <> 1", "half minus zero"),
    ("NOT n = 1", "half minus zero"),
    ("n < 1", "minus zero"),
    ("n <= 1", "one minus zero"),
    ("n > 1", "half"),
    ("n >= 1", "one half"),
    ("n = '1'", "digit"),
    ("n = TRUE", "yes"),
    ("n = m", "one digit"),
    ("n < m", "half"),
    ("n <> m", "half"),
    ("NOT n = m", "half"),
    ("n BETWEEN 0 AND 1", "one zero"),
    ("n NOT BETWEEN 0 AND 1", "half minus"),
    ("m BETWEEN n AND 5", "one half"),
    ("m BETWEEN n AND m", "one half digit"),
    ("n IN (1, 2.5)", "one half"),
    ("n NOT IN (1, 2.5)", "minus zero"),
    ("n IN (m, m)", "one digit"),
    ("n IN (m, 0)", "one zero"),
    ("n IS NULL AND b IS NOT NULL", "no"),
    ("n IS NOT NULL", "one half minus zero huge digit yes list"),
    ("n + 1 IS NULL AND m IS NOT NULL AND n IS NOT NULL", "digit"),
    # Calculation.
    ("n + 1 = 2", "one"),
    ("n - 1 = -1", "zero"),
    ("n * 2 = 5", "half"),
    ("-n = 3", "minus"),
    ("6 / n = -2", "minus"),
    ("6 / n > -100", "one half minus"),
    ("NOT 1 / n = 5", "one half minus"),
    ("n % 2 = -1", "minus"),
    ("n % 2 = 0.5", "half"),
    ("1 % n >= 0", "one half minus"),
    ("n div 2 = -1", "minus"),
    ("n div 2 = 1", "half"),
    ("1 div n >= 0", "one half minus"),
    ("n ^ 2 = 9", "minus"),
    ("n ^ 0.5 >= 0", "one half zero"),
    ("n ^ -1 > -1", "one half minus"),
    ("0 ^ n = 1", "zero"),
    ("n ^ 1000000 > 0", "one"),
    ("m * m * m > 0", "one half"),
    ("big * 5 > 0", "huge"),
    ("big * 50 > 0 OR big ^ 2 > 0 OR 1 / big / big >= 0", ""),
    ("0.1 + 0.2 = 0.3 AND n = 1", "one"),
    ("abs(n) = 3", "minus"),
    ("floor(n) = 2", "half"),
    ("ceil(n) = 3", "half"),
    ("round(n) = 2", "half"),
    # Texts.
    ("t = 'alpha'", "alpha"),
    ("t > 'm'", "street Alpha"),
    ("t BETWEEN 'a' AND 'b'", "alpha"),
    ("t = u", "Alpha"),
    ("t < u", "alpha"),
    ("u = '''; DROP TABLE items; --'", "sign"),
    ("t LIKE 'a%a'", "alpha"),
    ("t LIKE 'alph_'", "alpha"),
    ("t NOT LIKE 'a%'", "Alpha street sign"),
    (r"t LIKE '100\%\_%'", "sign"),
    (r"t LIKE '%\\'", "sign"),
    (r"t LIKE '%\'", "sign"),
    ("casei(t) = casei('álpha')", "Alpha"),
    ("casei(t) = casei('STRASSE')", "street"),
    ("accenti(t) = accenti('ALPHA')", "Alpha"),
    ("casei(accenti(t)) = 'alpha'", "alpha Alpha"),
    ("casei(t) LIKE casei('ÁL%')", "Alpha"),
    (r"casei(t) LIKE casei('x\')", ""),
    ("accenti(casei(t)) IN (accenti(casei('Álpha')), 'x')", "alpha Alpha"),
    ("n = 1 AND casei('ΑΣΤΡΟ') LIKE casei('ας%') AND contains(casei('ΒΑΣΗ'), casei('ΑΣ'))", "one"),
    ("lower(t) = 'álpha'", "Alpha"),
    ("upper(t) = upper(u)", "Alpha"),
    ("length(t) = 5 AND length(u) = 4", "alpha"),
    ("starts_with(t, 'al')", "alpha"),
    ("ends_with(t, 'ße')", "street"),
    ("contains(t, '%')", "sign"),
    ("NOT contains(t, '%')", "alpha Alpha street"),
    # Truth.
    ("b", "yes"),
    ("NOT b", "no"),
    ("b = FALSE", "no"),
    ("b IN (TRUE, FALSE)", "yes no"),
    ("b OR n = 1", "yes one"),
    ("b AND n", "yes"),
    ("NOT (b AND n)", "no"),
    ("(n > 0) = (m > 2)", "half"),
    ("(n > 0) IS NULL AND b IS NOT NULL", "yes no list"),
    ("TRUE AND b", "yes"),
    ("b AND FALSE", ""),
    # Times.
    ("d = DATE('2020-01-01')", "day"),
    ("d > DATE('2020-01-01')", "noon leap"),
    ("d < TIMESTAMP('2020-01-01T13:00:00+01:00')", "day"),
    ("d = TIMESTAMP('2020-01-01T13:00:00+01:00')", "noon"),
    ("d = TIMESTAMP('2020-03-01T00:00:00Z')", "leap"),
    ("e = TIMESTAMP('2020-01-01T13:00:00.123456Z')", "noon"),
    ("d NOT IN (DATE('2020-01-01'))", "noon leap"),
    ("d BETWEEN DATE('2020-01-01') AND DATE('2020-01-02')", "day noon"),
    ("t_equals(d, DATE('2020-01-01'))", "day"),
    ("t_intersects(d, DATE('2020-01-01'))", "day noon"),
    ("t_during(d, DATE('2020-01-01'))", "noon"),
    ("t_disjoint(d, DATE('2020-01-01'))", "leap"),
    ("t_before(d, e)", "day noon"),
    ("t_contains(INTERVAL(d, e), TIMESTAMP('2020-01-31T12:00:00Z'))", "day"),
    ("t_contains(INTERVAL(d, '..'), TIMESTAMP('2020-01-31T12:00:00Z'))", "day noon"),
    ("t_after(INTERVAL('2021-01-01', '..'), INTERVAL('..', d))", "day noon leap"),
    ("t_after(TIMESTAMP('2021-01-01T00:00:00Z'), INTERVAL(e, d))", "day noon"),
    (f"d IS NOT NULL AND id IN ('{_DATED.replace(' ', chr(39) + ',' + chr(39))}')", _DATED),
    ("d = 'tomorrow' OR e = 'tomorrow'", "local"),
    # Arrays are sets.
    ("a_equals(a, ('y', 'x'))", "xy"),
    ("a_equals(a, c)", "xy"),
    ("a_contains(a, ('x'))", "xy x dates"),
    ("NOT a_contains(a, ('x'))", "empty numbers deep"),
    ("a_contains(c, a)", "xy x deep"),
    ("a_containedby(a, ('x', 'z'))", "x empty"),
    ("a_containedby((1, 2.5), a)", "numbers"),
    ("a_overlaps(a, ('y', 1))", "xy numbers"),
    ("a_overlaps(a, c)", "xy x deep"),
    ("NOT a_overlaps(a, c)", "numbers"),
    ("a = 'x' OR c = 'x'", "empty"),
    ("a_contains(c, ((1)))", "x"),
    ("a_contains(c, ((1, 2), 3))", "deep"),
    ("a_contains(c, ((2, 1)))", ""),
    ("a_equals(c, (3, (1, 2)))", "deep"),
    ("a_containedby(a, c)", "xy x deep"),
    ("a_contains(a, (c, 1))", ""),
    ("a_contains((n, m, 2), (1, 2)) AND n IS NOT NULL", "one"),
    ("a_equals((n, m), (2.5, 1 + 2))", "half"),
    ("a_overlaps((casei(t), id = 'Alpha', id), (casei('ÁLPHA'), 'x'))", "Alpha"),
    ("a_contains(a, (DATE('2020-01-01')))", "dates"),
    ("a_contains(a, (DATE('2020-01-01'), 'x'))", "dates"),
    ("a_contains(a, (TIMESTAMP('2020-01-01T13:00:00.5+01:00')))", "dates"),
    ("a_equals(a, ('2020-01-01T00:00:00+00:00', TIMESTAMP('2020-01-01T12:00:00.5Z'), 'x'))", "dates"),
    ("a_equals(a, ('2020-01-01', '2020-01-01T12:00:00.500z', 'x'))", "dates"),
    ("NOT a_contains(a, (DATE('2020-01-01')))", "xy x empty numbers deep"),
    ("a_containedby((DATE('2020-01-01')), (d, e)) AND id IN ('day', 'noon')", "day"),
    # Patterns that an item holds.
    ("t LIKE u", "Alpha"),
    ("'beta' LIKE u", "alpha"),
    ("casei('álpha') LIKE casei(u)", "Alpha"),
    ("'x' LIKE t", ""),
    (r"'100%_\' LIKE t", "sign"),
    (r"'100xx\' LIKE t", "sign"),
    ("'slash' LIKE id", ""),
    # NULL of everything.
    ("INTERVAL(d, e) IS NOT NULL", "day noon"),
    ("INTERVAL(d, '..') IS NULL AND d IS NOT NULL", "never year0 local"),
    ("footprint IS NOT NULL AND POINT(1 2) IS NOT NULL AND DATE('2020-01-01') IS NOT NULL", "printed broken"),
    ("n = .5E1 OR n = 2.5e0", "half"),
    # Names.
    ("k.l = 1", "dots"),
    ("properties.k.l = 2", "nested"),
    ("k.m.n = 3", "dots"),
    ("eo:cover = 4", "dots"),
    ('"it\'s ""$1""; --" = 5', "nested"),
    ("properties.id = 6", "nested"),
    ("id = 'nested' AND collection = 'things'", "nested"),
    ("id IN ('dots', 'nested') AND collection IN ('things', 'x')", "dots nested"),
    ("id LIKE 'e%' AND collection = 'things'", "empty"),
    ("id IS NULL OR collection IS NULL", ""),
    # Places.
    ("geometry IS NULL", "nowhere"),
    (
        "collection = 'places' AND geometry IS NOT NULL AND NOT s_intersects(geometry, BBOX(-30,-30,30,30))",
        "mixed|date line",
    ),
    ("s_intersects(geometry, POINT(5 5))", "point square line across"),
    ("s_intersects(POLYGON((2 2,3 2,3 3,2 3,2 2)), geometry)", "square small"),
    ("s_intersects(geometry, BBOX(170,-1,-170,1))", "date line"),
    ("s_within(geometry, BBOX(170,-1,-170,1))", "date line"),
    ("s_intersects(geometry, GEOMETRYCOLLECTION(POINT(60 60),LINESTRING(2 2,2 3)))", "square small mixed"),
    ("collection = 'places' AND s_disjoint(geometry, BBOX(-10,-10,40,40))", "mixed|date line"),
    ("s_equals(geometry, BBOX(0,0,10,10))", "square"),
    ("s_equals(geometry, geometry) AND s_within(geometry, BBOX(2,2,3,3))", "small"),
    ("s_touches(geometry, BBOX(0,0,10,10))", "corner beside"),
    ("s_within(geometry, BBOX(0,0,10,10))", "point square small"),
    ("s_contains(geometry, POINT(2.5 2.5))", "square small"),
    ("s_contains(BBOX(0,0,10,10), geometry)", "point square small"),
    ("s_within(BBOX(2,2,3,3), geometry)", "square small"),
    ("s_overlaps(geometry, BBOX(0,0,10,10))", "across"),
    ("s_crosses(geometry, BBOX(0,0,10,10))", "line"),
    ("s_crosses(BBOX(0,0,10,10), geometry)", "line"),
    ("s_intersects(footprint, POINT(5 5))", "printed"),
    ("s_within(POINT(5 5), properties.footprint)", "printed"),
    ("s_intersects(footprint, geometry)", ""),
    ("s_disjoint(footprint, geometry)", "printed"),
    ("NOT s_intersects(k.m, POINT(5 5))", "printed"),
    ("s_equals(footprint, BBOX(0,0,10,10))", "printed"),
    ("s_disjoint(broken, POINT(5 5)) OR s_intersects(n, geometry) OR s_touches(t, POINT(5 5))", ""),
    ("s_within(geometry, POLYGON((49 49,70 49,70 70,49 70,49 49)))", "mixed"),
]


async def find(database: Database, node: Node) -> set[str]:
    rows = await database.fetch(sql("SELECT i.id FROM items i WHERE ", filters.condition(node)))
    return {row["id"] for row in rows}


@pytest.fixture(scope="module")
async def filled(database_url: str) -> AsyncIterator[Database]:
    async with Database.opened(database_url, size=1, query_timeout=60) as database:
        await database.execute(sql("TRUNCATE collections CASCADE"))
        # The answers may not depend on what a session is set to.
        await database.execute(sql("SET timezone TO 'Pacific/Apia'"))
        await database.execute(sql("SET datestyle TO 'SQL, DMY'"))

        def fail(place: str, reason: str) -> None:
            raise AssertionError(f"{place}: {reason}")

        # Somewhere and some time that no other row asks for.
        away = point(-100, -80)
        documents = [item(name, geometry=away, properties=each) for name, each in PROPERTIES.items()]
        documents += [item(name, "places", geometry=shape) for name, shape in PLACES.items()]
        for name, (start, end) in TIMES.items():
            interval = {"datetime": None, "start_datetime": start, "end_datetime": end}
            documents.append(item(name, "times", geometry=away, properties=interval))
        documents.append(item("instant", "times", geometry=away, properties={"datetime": "2020-02-01T00:00:00Z"}))
        collections = [collection(name) for name in ("things", "places", "times")]
        await load(Loader(database, "insert", "stop", fail), *collections, *documents)
        yield database


def ids(found: str) -> set[str]:
    return set(found.split("|")) if "|" in found else set(found.split()) if found != "date line" else {found}


@pytest.mark.parametrize(("text", "found"), FOUND, ids=[text for text, _ in FOUND])
async def test_filters(filled: Database, text: str, found: str) -> None:
    assert await find(filled, from_text(text)) == ids(found)


RELATIONS: list[tuple[str, str]] = [
    ("t_before", "before"),
    ("t_meets", "meets"),
    ("t_overlaps", "overlaps"),
    ("t_finishedBy", "finished"),
    ("t_contains", "contains"),
    ("t_starts", "starts"),
    ("t_equals", "equals"),
    ("t_startedBy", "started"),
    ("t_during", "during instant"),
    ("t_finishes", "finishes"),
    ("t_overlappedBy", "overlapped"),
    ("t_metBy", "met"),
    ("t_after", "after"),
    ("t_disjoint", "before after"),
    ("t_intersects", " ".join(set(TIMES) - {"before", "after"}) + " instant"),
]
YEAR = {"interval": ["2020-01-01T00:00:00Z", {"timestamp": "2020-06-01T00:00:00Z"}]}


@pytest.mark.parametrize(("operator", "found"), RELATIONS)
async def test_relations_of_an_items_interval(filled: Database, operator: str, found: str) -> None:
    """Each of Allen's relations holds for one of the intervals, and each other one is the reverse of one."""
    among = {"op": "=", "args": [{"property": "collection"}, "times"]}
    tree = {"op": operator, "args": [{"property": "datetime"}, YEAR]}
    assert await find(filled, from_json({"op": "and", "args": [among, tree]})) == set(found.split())
    properties = {"interval": [{"property": "start_datetime"}, {"property": "end_datetime"}]}
    tree = {"op": operator, "args": [properties, YEAR]}
    assert await find(filled, from_json(tree)) == set(found.split()) - {"instant"}


async def test_datetime(filled: Database) -> None:
    among = "collection = 'times' AND "
    assert await find(filled, from_text(among + "datetime IS NOT NULL")) == {"instant"}
    assert await find(filled, from_text(among + "datetime IN ('2020-02-01', '2021-01-01')")) == {
        *("during", "instant", "after"),
    }
    assert await find(filled, from_text(among + "properties.datetime > DATE('2020-06-01')")) == {"after"}


async def test_texts_that_are_times(filled: Database) -> None:
    """PostgreSQL is never asked to read one that it would refuse."""
    days = [f"{y:04}-{m:02}-{d:02}" for y in (0, 1, 1900, 2000, 2023, 2024, 9999) for m in range(14) for d in range(33)]
    hours = ("00:00:00Z", "23:59:60z", "12:00:00.1+15:59", f"12:00:00.{'9' * 500}-00:00")
    wrong = ("24:00:00Z", "12:60:00Z", "12:00:61Z", "12:00:60.5Z", "12:00:00.Z", "12:00Z", "12:00:00", "12:00:00+16:00")
    texts = [*days, *(f"2024-07-16T{hour}" for hour in (*hours, *wrong)), "infinity", "now", "today", "2024-07-16\n"]
    valid = {day for day in days if is_date(day)} | {f"2024-07-16T{hour}" for hour in hours}
    rows = await filled.fetch(
        sql(
            "SELECT i.properties ->> 'd' FROM (SELECT jsonb_build_object('d', text) AS properties FROM unnest(",
            Parameter(texts, "text[]"),
            ") AS text) AS i WHERE ",
            filters.condition(from_text("t_before(d, INTERVAL('9999-12-31', '..')) OR d >= DATE('0001-01-01')")),
        )
    )
    assert {row[0] for row in rows} == valid


def is_date(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", ["casei", "accenti"])
async def test_letters_beyond_ascii(filled: Database, name: str) -> None:
    pairs = {
        "casei": ["Οδός ΟΔΌΣ", "Straße STRASSE", "STRAẞE straße", "ǅ ǆ", "Ж ж"],
        "accenti": ["é e", "Ǻ A", "ñ n", "ở o", "й и"],
    }
    for pair in pairs[name]:
        one, other = pair.split()
        tree = {"op": "=", "args": [{"op": name, "args": [one]}, {"op": name, "args": [other]}]}
        assert len(await find(filled, from_json(tree))) > 25, pair


HOSTILE = [
    "'; DROP TABLE items; --",
    '"',
    "\\",
    "$1",
    "%s",
    "{}",
    "a.b.c",
    "..",
    ".",
    "' || 'x",
    "\u2028",
    "🦆",
    "x" * 5000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_names_and_values_of_any_kind(filled: Database, text: str) -> None:
    a = {"property": text}
    trees: list[Any] = [
        {"op": "or", "args": [{"op": op, "args": [a, text]} for op in ("=", "<", "like")]},
        {"op": "in", "args": [a, [text, a]]},
        {"op": "isNull", "args": [{"op": "casei", "args": [a]}]},
        {"op": "a_overlaps", "args": [a, [text]]},
        {"op": "=", "args": [{"op": "+", "args": [a, a]}, a]},
        {"op": "t_after", "args": [a, {"interval": [a, a]}]},
    ]
    for tree in trees:
        found = await find(filled, from_json(tree))
        assert bool(found) == (tree["op"] == "isNull")


async def test_large_filters_end(filled: Database) -> None:
    n: Any = {"property": "n"}
    deep: Any = n
    for operator in "+-*/%^" * 16:
        deep = {"op": operator, "args": [n, deep]}
    many = {"op": "or", "args": [{"op": "t_metBy", "args": [{"interval": [n, n]}, n]}] * 199}
    ring = [list(position) for position in shapely.Point(0, 0).buffer(9, 2500).exterior.coords]
    for tree in (
        {"op": "=", "args": [deep, 1]},
        {"op": "=", "args": [{"op": "*", "args": [deep, deep]}, n]},
        many,
        {"op": "in", "args": [n, list(range(9_000))]},
        {"op": "a_contains", "args": [n, [*map(str, range(9_000)), {"date": "2020-01-01"}]]},
        {"op": "a_overlaps", "args": [n, [{"property": f"a.b{number}"} for number in range(990)]]},
        {"op": "s_within", "args": [{"property": "geometry"}, {"type": "Polygon", "coordinates": [ring]}]},
    ):
        await find(filled, from_json(tree))


async def test_any_text_is_a_pattern(filled: Database) -> None:
    patterns = ["".join(each) for size in range(6) for each in product("\\%a", repeat=size)]
    texts = ["", "a", "\\", "a\\", "\\a", "aa", "\\\\", "%", "a%\\a"]
    for text in texts:
        rows = await filled.fetch(
            sql(
                "SELECT i.properties ->> 'p' FROM (SELECT jsonb_build_object('p', text) AS properties FROM unnest(",
                Parameter(patterns, "text[]"),
                ") AS text) AS i WHERE ",
                filters.condition(from_json({"op": "like", "args": [text, {"property": "p"}]})),
            )
        )
        expected = [each for each in patterns if evaluate({"op": "like", "args": [text, each]}, {})]
        assert [row[0] for row in rows] == expected


SPATIAL = ["s_contains", "s_crosses", "s_disjoint", "s_equals", "s_intersects", "s_overlaps", "s_touches", "s_within"]


@given(one=geometries, other=geometries)
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_geometries(filled: Database, one: Document, other: Document) -> None:
    """PostGIS fails on none that are taken."""
    try:
        from_json({"op": "s_equals", "args": [one, other]})
    except ValueError as error:
        assert "no coordinates" in str(error)  # noqa: PT017
        return
    relations: list[Any] = [{"op": name, "args": [one, other]} for name in SPATIAL]
    relations += [{"op": name, "args": [{"property": "geometry"}, one]} for name in SPATIAL]
    await find(filled, from_json({"op": "or", "args": relations}))


@given(tree=conditions)
@settings(max_examples=500, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
async def test_random_filters(filled: Database, tree: Any) -> None:
    try:
        node = from_json(tree)
    except ValueError as error:
        # `datetime` is a time, not whatever an item holds.
        assert "compares" in str(error) or "takes" in str(error)  # noqa: PT017
        return
    among = from_json({"op": "=", "args": [{"property": "collection"}, "things"]})
    things = await find(filled, among)
    expected = {name for name, each in PROPERTIES.items() if evaluate(tree, each | {"datetime": NOON}) is True}
    assert await find(filled, node) & things == expected
