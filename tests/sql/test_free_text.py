"""Which words an item has, and which terms find them. https://github.com/stac-api-extensions/freetext-search."""

from typing import Any

import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from app.database import words
from app.database.fragment import Parameter, sql
from app.database.pool import Database
from app.sql.free_text import matches
from tests.oracle import has_term

pytestmark = pytest.mark.anyio

DOCUMENT = {
    "datetime": "2024-07-16T12:00:00Z",
    "title": "Sentinel-2 over the Alps, a first look",
    "keywords": ["glacier", "mass loss", "Zürich"],
    "proj:projjson": {"name": "WGS 84", "ids": [{"authority": "EPSG"}]},
    "eo:cloud_cover": 12.5,
    "href": "https://data.example.com/path/to_file.tif?x=1",
    "quoted": 'he said "Hello\\World"\nand\twent; <b>bold</b> &amp; me@here.org',
    "ratio": "-9.5e+3",
}


async def found(database: Database, document: dict[str, Any], *terms: str, item_id: str = "S2A_32TLR-0") -> bool:
    vector = sql(
        "(SELECT ",
        words.vector("d.id", "d.properties"),
        " FROM (SELECT ",
        Parameter(item_id, "text"),
        " AS id, ",
        Parameter(orjson.dumps(document), "jsonb"),
        " AS properties) AS d)",
    )
    row = await database.fetch_one(sql("SELECT ", matches(vector, terms), " AS found"))
    assert row is not None
    return bool(row["found"])


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("sentinel 2", True),
        ("SENTINEL-2", True),
        ("sentinel", True),
        ("sentine", False),
        ("2 sentinel", False),
        ("Alps a", True),
        ("alps,a", True),
        ("glacier", True),
        ("glacier mass", False),
        ("mass  loss", True),
        ("ZÜRICH", True),
        ("zurich", False),
        ("wgs 84 epsg", False),
        ("epsg", True),
        ("name", False),
        ("12", False),
        ("example", True),
        ("data.example.com", True),
        ("to_file.tif", True),
        ("file", True),
        ("https://data.example.com/path/to_file.tif", True),
        ("hello world", True),
        ("and", True),
        ("nand", False),
        ("twent", False),
        ("bold", True),
        ("here.org", True),
        ("9", True),
        ("2024", False),
        ("12:00:00Z", False),
        ("S2A_32TLR", True),
        ("s2a 32tlr 0", True),
        ("0 sentinel", False),
        ("sentinel & alps", False),
        ("sentinel | nothing", False),
        ("sentinel:*", True),
        ("!nothing", False),
        ("alps <-> a", True),
        ("'alps'", True),
        ("\\", False),
        ("!!! ??? ---", False),
        ("\x01\x7f", False),
        ("\U0001d4b3", False),
        ("x" * 2000, False),
    ],
)
async def test_terms(database: Database, term: str, expected: bool) -> None:
    assert await found(database, DOCUMENT, term) is expected


@pytest.mark.parametrize(
    "text", ["\u039f\u0394\u039f\u03a3", "\u03a3", "\u03a35", "\u03a35\u03a3", "\u03a3\u0391\u03a3 \u03a3"]
)
@pytest.mark.parametrize("place", ["{}", "\n{}", "{}'a", "a:{}:a", "\n{}'a"])
async def test_sigma_is_found_whatever_is_beside_it(database: Database, text: str, place: str) -> None:
    """It is folded in one of two ways, which the letters around it decide, those of other words too."""
    for term in (text, text.lower(), text.lower().replace("\u03c2", "\u03c3")):
        assert await found(database, {"text": place.format(text)}, term)
        assert not await found(database, {"text": place.format(f"\u03b1{text}\u03b1")}, term)


async def test_one_of_many_terms(database: Database) -> None:
    assert await found(database, DOCUMENT, "nothing", "...", "epsg")
    assert not await found(database, DOCUMENT, "nothing", "...", "epsg7")
    assert not await found(database, DOCUMENT, "...", "''")


async def test_no_notices(database: Database) -> None:
    heard: list[object] = []

    def listen(_: object, message: asyncpg.PostgresLogMessage) -> None:
        heard.append(message)

    statement, values = sql("SELECT ", matches(sql("to_tsvector('a')"), ("!!!", "'", "a b", "&"))).render()
    async with database.pool.acquire() as connection:
        connection.add_log_listener(listen)
        await connection.fetchval(statement, *values)
        connection.remove_log_listener(listen)
    assert heard == []


letters = st.sampled_from(
    [*"abzABZ059  ", *"-+./<>&@~_:;,'\"\\!?*()[]{}|=#%^$`", "é", "ß", "Ω", "\u03a3", "日", "http://", "\n", "e5"]
)
texts = st.lists(letters, max_size=12).map("".join)


@given(values=st.lists(texts, max_size=3), item_id=texts, terms=st.lists(texts, min_size=1, max_size=2))
@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_words_are_what_is_between_punctuation(
    database: Database, values: list[str], item_id: str, terms: list[str]
) -> None:
    document = {"a": values, "b": {"c": values[:1]}}
    expected = any(has_term(text, term) for text in [item_id, *values] for term in terms)
    assert await found(database, document, *terms, item_id=item_id) is expected


@given(values=st.lists(texts.filter(str.strip), min_size=1, max_size=3))
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_text_finds_itself(database: Database, values: list[str]) -> None:
    for value in values:
        assert await found(database, {"a": values}, value) is has_term(value, value)


@pytest.mark.parametrize("word", ["{:05}", "ΐΐ{}", "{}", "ΐ{}ΐΐΐΐΐΐΐΐΐΐ"])
async def test_documents_of_any_size(database: Database, word: str) -> None:
    """PostgreSQL refuses a tsvector beyond 1 MB: none is made of more than can be, and the id is found all the same."""
    count = 1
    while len(" ".join(map(word.format, range(count))).encode()) < 150_000:
        count *= 2
    document = {"text": " ".join(map(word.format, range(count)))}
    size = len(orjson.dumps(document))
    while size > 299_000:
        count = count * 99 // 100
        document = {"text": " ".join(map(word.format, range(count)))}
        size = len(orjson.dumps(document))
    assert await found(database, document, word.format(count // 2))
    longer = {"text": document["text"] + " more" * 70_000}
    assert not await found(database, longer, "more")
    assert await found(database, longer, "32tlr")
