"""What compacting changes, which is bytes alone, and who may write meanwhile."""

from typing import Any

import anyio
import orjson
import pytest

from app import sql as statements
from app.bulk.compact import Compaction, _Newest, _rewrite, compact
from app.bulk.load import Loader
from app.database.content import Encoder, train
from app.database.fragment import sql
from app.database.pool import Database
from app.errors import NotFound, Unavailable
from app.stac.item import check_item
from app.writer import Writer
from tests.bulk.test_load import count, items, loaded, stored
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio

# What the first batch is like says little of what comes later.
FIRST = {"note": "a first kind of items, which the dictionary was trained on, and which nobody ever saw again"}


def later(number: int) -> dict[str, Any]:
    return {f"later:member_{n}": f"{n} words that are the same in all later items" for n in range(20)} | {"n": number}


@pytest.fixture
async def outgrown(database: Database) -> Database:
    """A collection whose dictionary is of other items than it has."""
    await loaded(database, [collection(), *items(range(100), **FIRST)])
    await loaded(database, [item(f"later {n}", properties=later(n)) for n in range(600)])
    return database


async def compacted(database: Database, *names: str) -> list[Compaction]:
    return [done async for done in compact(database, names)]


async def rows(database: Database) -> list[Any]:
    return await database.fetch(sql("SELECT id, dictionary, length(content) AS size, updated FROM items ORDER BY id"))


async def test_bytes_change_and_nothing_else(outgrown: Database) -> None:
    before, documents = await rows(outgrown), await stored(outgrown)
    (done,) = await compacted(outgrown)
    after = await rows(outgrown)
    assert done.trained
    assert done.gain is not None
    assert done.gain > 0.3
    assert (done.collection, done.rewritten) == ("things", 700)
    assert (done.before, done.after) == (sum(row["size"] for row in before), sum(row["size"] for row in after))
    assert done.after < done.before * 0.7
    assert await stored(outgrown) == documents
    assert [(row["id"], row["updated"]) for row in before] == [(row["id"], row["updated"]) for row in after]
    assert len({row["dictionary"] for row in after}) == 1
    report, _ = await loaded(outgrown, list(documents.values()), "upsert")
    assert (report.unchanged, report.replaced) == (700, 0)


async def test_once_more_is_nothing(outgrown: Database) -> None:
    await compacted(outgrown)
    before = await rows(outgrown)
    (done,) = await compacted(outgrown)
    assert (done.trained, done.rewritten, done.dropped) == (False, 0, 0)
    assert await rows(outgrown) == before
    assert await count(outgrown, "dictionaries") == 2


async def test_items_from_before_there_was_a_dictionary(database: Database) -> None:
    await loaded(database, [collection(), *items(range(50)), collection("small"), *items(range(30), "small")])
    await loaded(database, items(range(50, 200)))
    done = {found.collection: found for found in await compacted(database)}
    assert (done["small"].gain, done["small"].rewritten) == (None, 0)
    assert done["things"].rewritten in (50, 200)
    assert await count(database, "items WHERE dictionary IS NULL") == 30


async def test_collection_that_was_loaded_in_small_parts_gets_its_first_dictionary(database: Database) -> None:
    await loaded(database, [collection()])
    for start in range(0, 200, 50):
        await loaded(database, items(range(start, start + 50)))
    assert await count(database, "dictionaries") == 0
    (done,) = await compacted(database, "things")
    assert (done.trained, done.rewritten) == (True, 200)
    assert len(await stored(database)) == 200


async def test_collections_by_name(database: Database) -> None:
    await loaded(database, [collection("a"), collection("b"), *items(range(10), "a")])
    assert [done.collection for done in await compacted(database, "b")] == ["b"]
    with pytest.raises(NotFound, match="'missing'"):
        await compacted(database, "b", "missing")


async def test_old_dictionary_goes_when_its_successor_is_an_hour_old(outgrown: Database) -> None:
    documents = await stored(outgrown)
    await compacted(outgrown)
    assert await count(outgrown, "dictionaries") == 2
    await outgrown.execute(sql("UPDATE dictionaries SET created = created - interval '61 minutes'"))
    (done,) = await compacted(outgrown)
    assert (done.dropped, await count(outgrown, "dictionaries")) == (1, 1)
    assert await stored(outgrown) == documents


async def test_dictionary_that_an_item_needs_stays(outgrown: Database) -> None:
    async with outgrown.transaction() as transaction:
        await transaction.fetch(statements.transactions.lock_items("things", ["item 5"]))
        (done,) = await compacted(outgrown)
        assert done.rewritten == 699, "what somebody else writes is passed over"
    await outgrown.execute(sql("UPDATE dictionaries SET created = created - interval '61 minutes'"))
    (row,) = await outgrown.fetch(sql("SELECT min(key) AS oldest FROM dictionaries"))
    held = await outgrown.fetch(statements.compacting.hold_replaced(await key(outgrown)))
    assert [found["key"] for found in held] == [row["oldest"]]
    assert await outgrown.fetch(statements.compacting.drop_unused([row["oldest"]])) == []
    (done,) = await compacted(outgrown)
    assert (done.rewritten, done.dropped) == (1, 0), "who has read the item before needs its dictionary yet"
    (done,) = await compacted(outgrown)
    assert (done.rewritten, done.dropped) == (0, 1)


async def test_nothing_is_rewritten_with_a_dictionary_that_is_lost(outgrown: Database) -> None:
    """A server that has lost one gives its key to another."""
    (known,) = await outgrown.fetch(statements.loading.newest_dictionaries(["things"]))
    lost = train([orjson.dumps(document)[::-1] for document in (await stored(outgrown)).values()])
    assert lost is not None
    done = Compaction("things")
    await _rewrite(outgrown, _Newest(known["key"], known["dictionary"], lost, Encoder(lost)), ["item 5"], done)
    assert done.rewritten == 0


async def test_items_whose_dictionary_is_gone_are_to_be_read_again(outgrown: Database, database_url: str) -> None:
    rows = await outgrown.fetch(sql("SELECT content, dictionary FROM items LIMIT 1"))
    await compacted(outgrown)
    await outgrown.execute(sql("UPDATE dictionaries SET created = created - interval '61 minutes'"))
    await compacted(outgrown)
    async with Database.opened(database_url, 1, 60) as other:
        with pytest.raises(Unavailable, match="ask again"):
            await other.decoded(rows)


async def key(database: Database) -> int:
    (row,) = await database.fetch(sql("SELECT key FROM collections"))
    return int(row["key"])


async def test_writer_that_remembers_a_dictionary_that_was_dropped(outgrown: Database) -> None:
    writer, new = Writer(outgrown), item("new", properties=later(0))
    assert await writer.insert(check_item(item("first")))
    await compacted(outgrown)
    await outgrown.execute(sql("UPDATE dictionaries SET created = created - interval '61 minutes'"))
    await compacted(outgrown)
    assert await writer.insert(check_item(new)) is True
    assert await writer.insert(check_item(new)) is False
    assert (await stored(outgrown))["things", "new"] == new


async def test_load_that_remembers_a_dictionary_that_was_dropped(outgrown: Database) -> None:
    def fail(place: str, reason: str) -> None:
        raise AssertionError(f"{place}: {reason}")

    loader = Loader(outgrown, "insert", "stop", fail)
    await load(loader, item("first"))
    await compacted(outgrown)
    await outgrown.execute(sql("UPDATE dictionaries SET created = created - interval '61 minutes'"))
    await compacted(outgrown)
    await load(loader, item("second"))
    assert ("things", "second") in await stored(outgrown)


async def test_beside_writers_that_never_stop(outgrown: Database) -> None:
    """The last thing that each of them wrote is there, whoever came first to each row."""
    expected = {name: document["properties"] for (_, name), document in (await stored(outgrown)).items()}
    ended = False

    async def write(number: int) -> None:
        turn = 0
        while not ended:
            turn += 1
            numbers = [n for n in range(number, 600, 7 * (turn % 3 + 1)) if n % 3 == number]
            documents = [item(f"later {n}", properties={"turn": turn, "by": number}) for n in numbers]
            report, _ = await loaded(outgrown, documents, "upsert")
            assert report.refused == 0
            expected.update({document["id"]: document["properties"] for document in documents})

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(write, number)
            for _ in range(3):
                await compacted(outgrown)
                await outgrown.execute(sql("UPDATE dictionaries SET created = created - interval '61 minutes'"))
            ended = True
    found = {name: document["properties"] for (_, name), document in (await stored(outgrown)).items()}
    assert found == expected


async def test_what_is_served_has_the_same_tag(outgrown: Database) -> None:
    query = sql("SELECT content, dictionary FROM items ORDER BY id")
    before = await outgrown.decoded(await outgrown.fetch(query))
    await compacted(outgrown)
    assert await outgrown.decoded(await outgrown.fetch(query)) == before
    assert orjson.loads(before[0])["type"] == "Feature"
