"""The abstract test suite of CQL2 (OGC 21-065r2, Annex A): its predicates, on its data, with the counts it expects."""

import gzip
import random
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import cql2
import orjson
import pytest

from app.bulk.load import Loader
from app.database.fragment import Parameter, sql
from app.database.pool import Database
from app.sql import filter as filters
from app.stac.cql2 import from_json, from_text
from app.stac.cql2.nodes import Node
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio

DATA = Path(__file__).parents[1] / "data"
COUNTRIES, PLACES, RIVERS = (
    f"ne_110m_{layer}" for layer in ("admin_0_countries", "populated_places_simple", "rivers_lake_centerlines")
)


def lines(name: str) -> Iterator[str]:
    for line in (DATA / name).read_text().splitlines():
        if line and not line.startswith("#"):
            yield line


def predicates() -> Iterator[Any]:
    conformance = source = ""
    for line in lines("cql2_suite.txt"):
        if heading := re.fullmatch(r"\[(.*)\] (.*)", line):
            conformance, source = heading.groups()
        else:
            count, predicate = line.split(maxsplit=1)
            yield pytest.param(source, predicate, int(count), id=f"{conformance}: {predicate}")


def as_stac(predicate: str) -> str:
    return re.sub(r"\bgeom\b", "geometry", predicate)


@pytest.fixture(scope="module")
async def earth(database_url: str) -> AsyncIterator[Database]:
    async with Database.opened(database_url, size=1, query_timeout=60) as database:
        await database.execute(sql("TRUNCATE collections CASCADE"))

        def fail(place: str, reason: str) -> None:
            raise AssertionError(f"{place}: {reason}")

        with gzip.open(DATA / "natural_earth.ndjson.gz") as file:
            features = [orjson.loads(line) for line in file]
        items = [
            item(str(number), each["collection"], properties=each["properties"], geometry=each["geometry"])
            for number, each in enumerate(features)
        ]
        sources = [collection(name) for name in (COUNTRIES, PLACES, RIVERS)]
        await load(Loader(database, "insert", "stop", fail), *sources, *items)
        yield database


async def find(database: Database, source: str, node: Node) -> set[str]:
    among = sql("i.collection = (SELECT c.key FROM collections c WHERE c.id = ", Parameter(source, "text"), ")")
    rows = await database.fetch(sql("SELECT i.id FROM items i WHERE ", among, " AND ", filters.condition(node)))
    return {row["id"] for row in rows}


@pytest.mark.parametrize(("source", "predicate", "count"), list(predicates()))
async def test_predicates(earth: Database, source: str, predicate: str, count: int) -> None:
    node = from_text(as_stac(predicate))
    assert len(await find(earth, source, node)) == count
    assert from_json(cql2.parse_text(as_stac(predicate)).to_json()) == node


SUBJECTS = {
    "n": ("name", "'København'"),
    "o": ("pop_other", "1038288"),
    "s": ("start", "TIMESTAMP('2022-04-16T10:13:19Z')"),
    "b": ("boolean", "true"),
}


def spelled(code: str) -> str:
    name, value = SUBJECTS[code[0]]
    return name + {"?": " IS NULL", "!": " IS NOT NULL"}.get(code[1:], f"{code[1:]}{value}")


def combinations() -> Iterator[tuple[int, str]]:
    for line in lines("cql2_combinations.txt"):
        count, *codes = line.split()
        p1, p2, p3, p4 = map(spelled, codes)
        yield int(count), f"(NOT ({p2}) AND {p1}) OR ({p3} and {p4}) or not ({p1} OR {p4})"


@pytest.mark.parametrize(("count", "predicate"), list(combinations()))
async def test_combinations(earth: Database, count: int, predicate: str) -> None:
    assert len(await find(earth, PLACES, from_text(predicate))) == count


@pytest.mark.parametrize("source", [COUNTRIES, PLACES, RIVERS])
async def test_logical(earth: Database, source: str) -> None:
    """Random combinations find what the answers to their predicates, and to the opposites of these, come to."""
    stored = [f"({as_stac(each.values[1])})" for each in predicates() if each.values[0] == source]
    choice = random.Random(21065)
    for _ in range(15):
        p1, p2, p3, p4 = choice.choices(stored, k=4)
        found = await find(
            earth, source, from_text(f"((NOT {p1} AND {p2}) OR ({p3} and NOT {p4}) or not ({p1} AND {p4}))")
        )
        (_, no1), (yes2, _), (yes3, _), (_, no4) = [await both(earth, source, each) for each in (p1, p2, p3, p4)]
        assert found == (no1 & yes2) | (yes3 & no4) | no1 | no4


async def both(database: Database, source: str, predicate: str) -> tuple[set[str], set[str]]:
    return await find(database, source, from_text(predicate)), await find(
        database, source, from_text(f"NOT {predicate}")
    )


VALUES = {
    "name": "'foo'",
    "boolean": "true",
    "pop_other": "3.14",
    "pop_min": "1",
    "start": "TIMESTAMP('2022-04-14T14:48:46Z')",
    '"date"': "DATE('2022-04-14')",
}
OPPOSITE = {"=": "<>", ">": "<=", "<": ">="}


@pytest.mark.parametrize("name", VALUES)
async def test_comparisons(earth: Database, name: str) -> None:
    """Basic CQL2: comparison and is-null; property-property: values and properties on either side."""

    async def answer(left: str, operator: str, right: str) -> set[str]:
        return await find(earth, PLACES, from_text(f"{left} {operator} {right}"))

    value, known = VALUES[name], await find(earth, PLACES, from_text(f"{name} is not null"))
    everything = await find(earth, PLACES, from_text("true"))
    assert await find(earth, PLACES, from_text(f"{name} IS NULL")) == everything - known
    assert not await find(earth, PLACES, from_text("false"))
    for operator, opposite in OPPOSITE.items():
        for sides in ((name, value), (value, name)):
            one, other = await answer(sides[0], operator, sides[1]), await answer(sides[0], opposite, sides[1])
            assert not one & other
            assert one | other == known
    for operator in ("<>", "<", ">"):
        assert not await answer(name, operator, name) | await answer(value, operator, value)
    for operator in ("=", "<=", ">="):
        assert await answer(name, operator, name) == known
        assert await answer(value, operator, value) == everything


# In each row all answers are the same.
SAME = [
    ("name LIKE '%'", "name like '%%'", "name like '_%'"),
    ("name like ''", "name like '\\%\\_'", "false"),
    ("pop_other between 100.0 and 1.0", "false"),
    ("pop_other BETWEEN 0 AND 100", "pop_other >= 0 AND pop_other <= 100"),
    ("pop_other IN (1, 2, 3)", "pop_other = 1 or pop_other = 2 or pop_other = 3"),
    ("boolean in (true)", "boolean"),
    ("\"date\" in ('2022-04-16', '2022-04-15')", "\"date\" = DATE('2022-04-16')"),
    ("start in ('2022-04-16T10:13:19Z')", "start = TIMESTAMP('2022-04-16T10:13:19Z')"),
    ("CASEI(name) LIKE casei('PAR%')", "CASEI(name) LIKE casei('par%')"),
    ("CASEI(name) <> casei('FOO')", "NOT CASEI(name) = casei('foo')"),
    ("ACCENTI(name) <> accenti('aoueai')", "NOT ACCENTI(name) = accenti('äöüéáí')"),
    ("ACCENTI(name) LIKE accenti('Ä%')", "ACCENTI(name) LIKE accenti('A%')"),
    ("ACCENTI(CASEI(name)) = accenti(casei('ÄÉ'))", "ACCENTI(CASEI(name)) = accenti(casei('ae'))"),
    ("ACCENTI(CASEI(name)) LIKE accenti(casei('Ä%'))", "ACCENTI(CASEI(name)) LIKE accenti(casei('a%'))"),
    ("S_INTERSECTS(geometry,BBOX(-180,-90,180,90))", "true"),
    ("S_INTERSECTS(geometry,POLYGON((-180 -90,180 -90,180 90,-180 90,-180 -90)))", "true"),
    ("S_INTERSECTS(geometry,BBOX(-180,-90,-90,90)) AND S_INTERSECTS(geometry,BBOX(90,-90,180,90))", "false"),
    ("S_DISJOINT(geometry,LINESTRING(7 50,10 51))", "NOT S_INTERSECTS(geometry,LINESTRING(7 50,10 51))"),
    ("S_WITHIN(geometry,MULTIPOINT(7 50,10 51))", "S_CONTAINS(geometry,MULTIPOINT(7 50,10 51))", "false"),
    ('A_CONTAINS(name,("foo","bar"))', 'A_CONTAINEDBY(name,("foo","bar"))', "false"),
    ('A_EQUALS(name,("foo","bar"))', 'A_OVERLAPS(name,("foo","bar"))', "false"),
]


@pytest.mark.parametrize("row", SAME, ids=[row[0] for row in SAME])
async def test_same_answers(earth: Database, row: tuple[str, ...]) -> None:
    first, *others = [await find(earth, PLACES, from_text(each)) for each in row]
    assert all(other == first for other in others)


SPATIAL = ["CONTAINS", "CROSSES", "DISJOINT", "EQUALS", "INTERSECTS", "OVERLAPS", "TOUCHES", "WITHIN"]


@pytest.mark.parametrize("name", SPATIAL)
@pytest.mark.parametrize("place", ["POINT(90 180)", "MULTIPOINT(7.02 49.92, 90 180)"])
def test_coordinates_beyond_the_globe(name: str, place: str) -> None:
    with pytest.raises(ValueError, match="latitude ±90"):
        from_text(f"S_{name}(geometry,{place})")
