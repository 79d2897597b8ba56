"""Items written one at a time, each in one statement that leaves out what is known."""

import random
import time
from typing import Any

import pytest

from app.bulk.load import Loader
from app.database.content import train
from app.database.fragment import Parameter, sql
from app.database.pool import Database
from app.errors import Unavailable
from app.sql import loading
from app.stac.item import CheckedItem, check_item
from app.writer import PackedItem, Packer, Writer
from tests.factories import box, collection, item, load, point

pytestmark = pytest.mark.anyio

DAYS = [f"20{year}-{month:02}-31T00:00:00Z" for year in range(10, 30) for month in (1, 3, 5)]
GEOMETRIES = (None, point(7.0, 50.0), point(-9.5, 38.7), box(5.0, 45.0, 6.0, 46.0), box(170.0, -20.0, 175.0, -10.0))


def any_item(name: str, collection_id: str, draw: random.Random) -> dict[str, Any]:
    start, instant, end = sorted(draw.sample(DAYS, 3))
    interval = {"start_datetime": start, "end_datetime": end} if draw.random() < 0.5 else {}
    values = [1, -2.5, 2**70, "a", DAYS[0], None, True, [1, "b"], {"c": 2}, f"text {draw.randrange(100)}"]
    properties = {name: draw.choice(values) for name in draw.sample("defgh", 3)}
    return item(
        name,
        collection_id,
        geometry=draw.choice(GEOMETRIES),
        properties={"datetime": draw.choice([instant, None]) if interval else instant, **interval, **properties},
    )


async def bounds(database: Database) -> list[tuple[Any, ...]]:
    found = await database.fetch(
        sql(
            "SELECT id, ST_AsText(envelope), first_datetime, last_datetime, first_start, last_end, lead::text,"
            " lag::text FROM collections ORDER BY id"
        )
    )
    return [tuple(row)[1:] for row in found]


async def queryables(database: Database, collection_id: str) -> list[tuple[Any, ...]]:
    rows = await database.fetch(
        sql(
            "SELECT q.name, q.types, q.members, q.minimum, q.maximum, (SELECT array_agg(text ORDER BY text)"
            " FROM jsonb_array_elements_text(q.texts) AS text) FROM queryables q JOIN collections c"
            " ON c.key = q.collection WHERE c.id = ",
            Parameter(collection_id, "text"),
            " ORDER BY q.name",
        )
    )
    return [tuple(row) for row in rows]


@pytest.mark.parametrize("seed", range(5))
async def test_items_one_by_one_widen_what_all_at_once_do(database: Database, loader: Loader, seed: int) -> None:
    names = [str(number) for number in range(60)]
    one, other = Writer(database), Writer(database)
    await load(loader, collection("all"), collection("each"))
    await load(loader, *(any_item(name, "all", random.Random(f"{seed} {name}")) for name in names))
    for name in names:
        writer = one if int(name) % 3 else other
        assert await writer.insert(check_item(any_item(name, "each", random.Random(f"{seed} {name}"))))
    there, here = await bounds(database)
    assert here == there
    assert await queryables(database, "each") == await queryables(database, "all")


async def test_item_that_is_there_is_left_as_it_is(database: Database, loader: Loader) -> None:
    writer = Writer(database)
    await load(loader, collection())
    assert await writer.insert(check_item(item(properties={"n": 1}))) is True
    assert await writer.insert(check_item(item(properties={"n": 2}))) is False
    assert [row["n"] for row in await database.fetch(sql("SELECT (properties -> 'n')::int AS n FROM items"))] == [1]


@pytest.mark.parametrize("others", [0, 70], ids=["plain", "with a dictionary"])
async def test_collection_that_was_made_again_is_told_all(database: Database, loader: Loader, others: int) -> None:
    writer, document = Writer(database), check_item(item(properties={"n": 1}))
    filled = [collection(), *(item(f"other {number}") for number in range(others))]
    await load(loader, *filled)
    for _ in range(2):
        assert await writer.insert(document)
        assert [row[0] for row in await queryables(database, "things")] == ["datetime", "n"]
        await database.execute(sql("DELETE FROM items"))
        await database.execute(sql("DELETE FROM collections"))
        assert await writer.insert(document) is None
        await load(loader, *filled)


async def test_what_a_server_has_lost_is_told_again_after_a_minute(
    database: Database, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(database)
    await load(loader, collection())
    await writer.insert(check_item(item("first", properties={"n": 1})))
    await database.execute(sql("DELETE FROM queryables"))
    await writer.insert(check_item(item("second", properties={"n": 1})))
    assert await queryables(database, "things") == []
    now = time.monotonic() + 61
    monkeypatch.setattr("app.writer.monotonic", lambda: now)
    await writer.insert(check_item(item("third", properties={"n": 1})))
    assert [row[0] for row in await queryables(database, "things")] == ["datetime", "n"]


@pytest.fixture
async def stale(database: Database, loader: Loader) -> Writer:
    """Knows a dictionary that the server has lost since, with all that came behind it, and whose key came again."""
    writer = Writer(database)
    await load(loader, collection(), *(item(f"{number}", properties={"note": "lost"}) for number in range(70)))
    assert await writer.insert(check_item(item("lost")))
    assert await texts(database)
    await database.execute(sql("DELETE FROM items"))
    other = train([item_text(f"other {number}") for number in range(70)])
    assert other is not None
    await database.execute(sql("UPDATE dictionaries SET content = ", Parameter(other, "bytea")))
    return writer


def item_text(name: str) -> bytes:
    return check_item(item(name, properties={"title": "of another kind", "n": 1})).content


async def texts(database: Database) -> list[bytes]:
    return await database.decoded(await database.fetch(sql("SELECT content, dictionary FROM items")))


async def put(database: Database, writer: Writer, *items: CheckedItem | PackedItem) -> int:
    keys = {row["id"]: row["key"] for row in await database.fetch(loading.keys(["things"]))}
    async with database.transaction() as transaction:
        return len(await writer.put(transaction, items, keys, "upsert"))


@pytest.mark.parametrize("one", [True, False], ids=["insert", "put"])
async def test_nothing_is_compressed_with_a_dictionary_that_is_lost(
    stale: Writer, database: Database, database_url: str, one: bool
) -> None:
    document = check_item(item())
    assert await (stale.insert(document) if one else put(database, stale, document))
    async with Database.opened(database_url, 1, 60) as other:
        assert await texts(other) == [document.content]


async def test_what_was_compressed_with_a_dictionary_that_is_lost_is_not_stored(
    stale: Writer, database: Database
) -> None:
    packed = stale.newest(1)["things"].pack(check_item(item()))
    with pytest.raises(Unavailable, match="on their way"):
        await put(database, stale, packed)
    assert await texts(database) == []


async def test_nothing_is_read_by_a_dictionary_that_is_lost(
    stale: Writer, database: Database, database_url: str
) -> None:
    del stale
    document = check_item(item())
    async with Database.opened(database_url, 1, 60) as other:
        assert await Writer(other).insert(document)
    assert await texts(database) == [document.content]


async def test_items_are_locked_in_the_order_of_their_column(database: Database, loader: Loader) -> None:
    """Whatever the collation of the database: a batch that locks what it replaces does it in that order too."""
    await load(loader, collection())
    (row,) = await database.fetch(loading.newest_dictionaries(["things"]))
    packed = Packer(row["key"], None, None).pack(check_item(item()))
    plan = await database.fetch(sql("EXPLAIN ", loading.store([packed.row] * 2, "upsert")))
    assert any('Sort Key: given.id COLLATE "C", given.collection' in line["QUERY PLAN"] for line in plan)
