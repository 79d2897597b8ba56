"""What a load stores, refuses and reports, and the extents it leaves behind."""

import tracemalloc
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import asyncpg
import orjson
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.bulk.load import Loader, OnError, Stopped
from app.bulk.prepare import Preparation
from app.bulk.readers import Entry
from app.bulk.report import Report
from app.catalog import Catalog
from app.database.fragment import Parameter, sql
from app.database.pool import Database
from app.sql.loading import Mode
from app.stac.search import Search
from app.stac.validation import Rules
from app.stopwatch import Stopwatch
from tests.factories import Document, as_entries, box, collection, item, point

pytestmark = pytest.mark.anyio

Refused = list[tuple[str, str]]
ISO = "2024-01-{:02}T00:00:00Z"


async def loaded(
    database: Database, documents: Iterable[Document], mode: Mode = "insert", on_error: OnError = "skip"
) -> tuple[Report, Refused]:
    refused: Refused = []
    loader = Loader(database, mode, on_error, lambda place, reason: refused.append((place, reason)))
    try:
        await loader.load(as_entries(documents))
    except Stopped:
        assert on_error == "stop"
    return loader.report, refused


async def stored(database: Database) -> dict[tuple[str, str], Document]:
    """All items as they are served, with the links the server owns left out."""
    query = sql("SELECT i.*, c.id AS collection_id FROM items i JOIN collections c ON c.key = i.collection")
    rows = await database.fetch(query)
    contents = await database.decoded(rows)
    return {(row["collection_id"], row["id"]): orjson.loads(text) for row, text in zip(rows, contents, strict=True)}


async def count(database: Database, table: str) -> int:
    (row,) = await database.fetch(sql("SELECT count(*) FROM ", table))
    number: int = row["count"]
    return number


def items(numbers: Iterable[int], owner: str = "things", **properties: Any) -> list[Document]:
    return [item(f"item {number}", owner, properties=properties) for number in numbers]


@pytest.mark.parametrize("amount", [0, 1, 63, 64, 999, 1000, 1001, 2500])
async def test_everything_is_stored_as_it_was(database: Database, amount: int) -> None:
    documents = items(range(amount))
    report, refused = await loaded(database, [collection(), *documents])
    assert (report, refused) == (Report(collections=1, items=amount), [])
    assert await stored(database) == {("things", document["id"]): document for document in documents}
    assert await count(database, "dictionaries") == (amount >= 64)


@pytest.mark.parametrize("amount", [10, 100, 1500])
async def test_the_same_file_again(database: Database, amount: int) -> None:
    documents = [collection(), *items(range(amount))]
    await loaded(database, documents)
    before = await database.fetch(sql("SELECT id, xmin::text, updated FROM items ORDER BY id"))
    report, refused = await loaded(database, documents)
    assert (report.items, report.replaced, report.unchanged, report.collections) == (0, 0, 0, 0)
    assert report.refused == len(refused) == amount + 1
    assert "collection 'things' exists already (--mode upsert replaces it)" in refused[0][1]
    replacing = "load --mode upsert or ingest --replace replaces it"
    assert all(f"exists already in collection 'things' ({replacing})" in reason for _, reason in refused[1:])
    report, refused = await loaded(database, documents, "upsert")
    assert (report, refused) == (Report(unchanged=amount), [])
    assert await database.fetch(sql("SELECT id, xmin::text, updated FROM items ORDER BY id")) == before


async def test_the_same_file_again_where_the_dictionary_came_late(database: Database) -> None:
    """The first items were stored before there was one, and are the same all the same."""
    documents = [collection(), *items(range(10)), collection("other"), *items(range(10, 110))]
    await loaded(database, documents)
    report, _ = await loaded(database, documents, "upsert")
    assert (report.replaced, report.unchanged) == (0, 110)


async def test_upsert_replaces_what_changed(database: Database) -> None:
    await loaded(database, [collection(), *items(range(100))])
    report, _ = await loaded(
        database, [collection(title="new"), *items(range(95)), *items(range(95, 105), note=1)], "upsert"
    )
    assert report == Report(collections=1, items=5, replaced=5, unchanged=95)
    found = await stored(database)
    assert [number for number in range(105) if "note" in found["things", f"item {number}"]["properties"]] == [
        *range(95, 105)
    ]


async def test_duplicates_within_a_file(database: Database) -> None:
    documents = [collection(), *items([1, 2]), *items([1], note="later"), *items([3])]
    report, refused = await loaded(database, documents)
    assert report == Report(collections=1, items=3, refused=1)
    replacing = "load --mode upsert or ingest --replace replaces it"
    assert refused == [("document 4", f"item 'item 1' exists already in collection 'things' ({replacing})")]
    assert "note" not in (await stored(database))["things", "item 1"]["properties"]


async def test_duplicates_within_a_file_when_upserting(database: Database) -> None:
    report, _ = await loaded(database, [collection(), *items([1, 2]), *items([1], note="later")], "upsert")
    assert (report.items, report.refused) == (2, 0)
    assert (await stored(database))["things", "item 1"]["properties"]["note"] == "later"


async def test_collection_that_the_load_brought_is_not_brought_again(database: Database) -> None:
    """Each part of a catalogue in several files has it; another one of its id is refused."""
    report, refused = await loaded(database, [collection(), *items([1]), collection(), *items([2])])
    assert (report, refused) == (Report(collections=1, items=2), [])
    report, refused = await loaded(
        database, [collection("b"), collection("b", title="other"), collection(), *items([3])]
    )
    assert (report.collections, report.items) == (1, 1)
    assert [place for place, _ in refused] == ["document 2", "document 3"]


async def test_same_id_in_two_collections(database: Database) -> None:
    report, _ = await loaded(database, [collection("a"), collection("b"), *items([1], "a"), *items([1], "b")])
    assert report.items == 2
    assert sorted(await stored(database)) == [("a", "item 1"), ("b", "item 1")]


@pytest.mark.parametrize("mode", ["insert", "upsert"])
async def test_unknown_collection(database: Database, mode: Mode) -> None:
    documents = [*items([1], "unknown"), collection(), *items([2, 3]), *items([4], "unknown")]
    report, refused = await loaded(database, documents, mode)
    assert report == Report(collections=1, items=2, refused=2)
    reason = "collection 'unknown' does not exist: load it first"
    assert refused == [("document 1", reason), ("document 5", reason)]


async def test_item_in_front_of_its_collection(database: Database) -> None:
    report, refused = await loaded(database, [*items([1]), collection(), *items([2])])
    assert report == Report(collections=1, items=1, refused=1)
    assert refused == [("document 1", "collection 'things' does not exist: load it first")]


INVALID = item("invalid") | {"type": "feature"}


@pytest.mark.parametrize(
    ("documents", "kept", "place"),
    [
        ([collection(), *items(range(5)), INVALID, *items(range(5, 9))], 0, "document 7"),
        ([collection(), *items(range(1500)), INVALID, *items(range(2000, 2005))], 1000, "document 1502"),
        ([collection(), *items(range(1005)), *items([1003])], 1000, "document 1007"),
        ([collection(), *items(range(1005)), *items([3])], 1000, "document 1007"),
        ([collection(), *items(range(1005)), *items([1], "unknown")], 1000, "document 1007"),
        ([collection(), *items(range(5)), collection(title="other"), *items([7])], 5, "document 7"),
        ([{"type": "Catalog"}, collection()], 0, "document 1"),
    ],
    ids=["invalid", "invalid in a later batch", "twice", "stored before", "unknown", "collection", "neither"],
)
async def test_stop_leaves_the_batches_before(
    database: Database, documents: list[Document], kept: int, place: str
) -> None:
    report, refused = await loaded(database, documents, on_error="stop")
    assert [where for where, _ in refused] == [place]
    assert (report.items, report.refused) == (kept, 1)
    assert await count(database, "items") == kept


async def test_skip_stores_the_rest(database: Database) -> None:
    documents = [collection(), *items(range(1500)), INVALID, *items([5]), *items([6], "unknown"), *items([2000])]
    report, refused = await loaded(database, documents)
    assert report == Report(collections=1, items=1501, refused=3)
    assert sorted(place for place, _ in refused) == ["document 1502", "document 1503", "document 1504"]
    assert await count(database, "items") == 1501


async def test_refusals_are_told_in_the_order_of_the_source(database: Database) -> None:
    """A document is refused while the batch in front of it is stored, which has one that is there already."""
    await loaded(database, [collection(), item("item 5")])
    documents = [*items(range(1000)), {"type": "Catalog"}, *items(range(1000, 1010))]
    report, refused = await loaded(database, documents)
    assert [place for place, _ in refused] == ["document 6", "document 1001"]
    assert (report.items, report.refused) == (1009, 2)


async def test_the_next_batch_is_prepared_while_one_is_stored(database: Database) -> None:
    await loaded(database, [collection()])
    loader = Loader(database, "insert", "stop", lambda *_: None)
    read_meanwhile = 0

    def read() -> Iterable[Document]:
        nonlocal read_meanwhile
        for document in items(range(1500)):
            read_meanwhile += loader._storing is not None
            yield document

    await loader.load(as_entries(read()))
    assert read_meanwhile >= 400
    assert (loader.report.items, loader._storing) == (1500, None)


async def test_entry_with_a_fault_is_refused_with_its_place(database: Database) -> None:
    refused: Refused = []
    loader = Loader(database, "insert", "skip", lambda *entry: refused.append(entry))
    await loader.load([Entry("line 7", fault="is not JSON"), Entry("line 8", 5), Entry("line 9", None)])
    neither = "is neither an Item (type Feature) nor a Collection"
    assert refused == [("line 7", "is not JSON"), ("line 8", neither), ("line 9", neither)]


async def test_statement_that_fails_leaves_a_loader_that_works(database: Database) -> None:
    refused: Refused = []
    loader = Loader(database, "insert", "skip", lambda *entry: refused.append(entry))
    await database.execute(sql("ALTER TABLE items ADD CONSTRAINT no_99 CHECK (id <> 'item 99')"))
    try:
        with pytest.raises(asyncpg.CheckViolationError):
            await loader.load(as_entries([collection(), *items(range(100))]))
    finally:
        await database.execute(sql("ALTER TABLE items DROP CONSTRAINT no_99"))
    assert (await count(database, "items"), await count(database, "dictionaries")) == (0, 0)
    await loader.load(as_entries(items(range(200))))
    assert loader.report == Report(collections=1, items=200)
    assert len(await stored(database)) == 200
    assert await count(database, "dictionaries") == 1


@pytest.mark.parametrize("size", [2_000, 2_700, 10_000])
async def test_long_id_is_stored_or_refused(database: Database, size: int) -> None:
    """A row of an index holds 2,704 bytes; ids like these are not compressed in it."""
    long = "".join(chr(0x4E00 + number * 7919 % 20_000) for number in range(size // 3))
    report, refused = await loaded(database, [collection(), item(long), item("short")])
    assert report.items + report.refused == 2
    assert len(refused) == report.refused
    assert ("things", "short") in await stored(database)


async def test_dictionary_is_trained_by_the_first_batch_that_is_large_enough(database: Database) -> None:
    for numbers, dictionaries in ((range(63), 0), (range(63, 70), 0), (range(70, 200), 1), (range(200, 400), 1)):
        await loaded(database, [*([collection()] if numbers[0] == 0 else []), *items(numbers)])
        assert await count(database, "dictionaries") == dictionaries
    assert len(await stored(database)) == 400


SPREAD = [
    item("a", geometry=point(10.125, -5.5), properties={"datetime": ISO.format(5)}),
    item("b", geometry=box(-20.0, 1.0, 3.0, 44.75), properties={"datetime": ISO.format(9)}),
    item("c", geometry=None, properties={"datetime": ISO.format(20)}),
    item(
        "d",
        properties={
            "datetime": ISO.format(10),
            "start_datetime": ISO.format(2),
            "end_datetime": "2024-02-01T00:00:00Z",
        },
    ),
]


async def extents(database: Database) -> tuple[Any, ...]:
    (row,) = await database.fetch(
        sql(
            "SELECT ST_XMin(envelope), ST_YMin(envelope), ST_XMax(envelope), ST_YMax(envelope),",
            " first_datetime, last_datetime, first_start, last_end, lead, lag FROM collections",
        )
    )
    return tuple(row)


def day(number: int) -> datetime:
    return datetime(2024, 1, 1, tzinfo=UTC) + timedelta(days=number - 1)


@pytest.mark.parametrize("order", [1, -1], ids=["forward", "backward"])
@pytest.mark.parametrize("at_once", [True, False], ids=["one batch", "one by one"])
async def test_extents(database: Database, order: int, at_once: bool) -> None:
    await loaded(database, [collection()])
    for batch in [SPREAD] if at_once else [[document] for document in SPREAD[::order]]:
        await loaded(database, batch)
    times = (day(5), day(20), day(2), day(32), timedelta(days=8), timedelta(days=22))
    assert await extents(database) == (-20.0, -5.5, 10.125, 50.0, *times)


async def test_extents_without_items_or_geometries(database: Database) -> None:
    await loaded(database, [collection()])
    assert await extents(database) == (*[None] * 8, timedelta(), timedelta())
    await loaded(database, [SPREAD[2]])
    assert await extents(database) == (*[None] * 4, *[day(20)] * 4, timedelta(), timedelta())


async def test_extents_of_one_point_and_of_a_line(database: Database) -> None:
    await loaded(database, [collection(), item("a", geometry=point(1.0, 2.0))])
    assert (await extents(database))[:4] == (1.0, 2.0, 1.0, 2.0)
    await loaded(database, [item("b", geometry=point(1.0, 7.0))])
    assert (await extents(database))[:4] == (1.0, 2.0, 1.0, 7.0)


async def test_refused_items_do_not_widen(database: Database) -> None:
    await loaded(database, [collection(), item("a", geometry=point(0.0, 0.0)), *items([1])])
    before = await extents(database)
    far = item("a", geometry=point(170.0, 80.0), properties={"datetime": "1990-01-01T00:00:00Z"})
    for on_error in ("skip", "stop"):
        report, _ = await loaded(database, [far], on_error=on_error)
        assert report.refused == 1
    await loaded(database, [far | {"id": "new"}, INVALID], on_error="stop")
    assert await extents(database) == before


async def test_collection_loaded_again_keeps_its_extents(database: Database) -> None:
    await loaded(database, [collection(), *SPREAD])
    before = await extents(database)
    await loaded(database, [collection(title="new")], "upsert")
    assert await extents(database) == before


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2024-01-01T00:00:00.000001Z", "2024-01-01T00:00:00.000003Z"),
        ("1600-01-01T00:00:00.123457Z", "2024-01-01T00:00:00.999999Z"),
        ("0001-01-01T00:00:00.000001Z", "9999-12-31T23:59:59.999998Z"),
    ],
)
@pytest.mark.parametrize("sorted_by", ["start_datetime", "end_datetime"])
async def test_long_items_are_found_at_their_ends(
    catalog: Catalog, database: Database, start: str, end: str, sorted_by: str
) -> None:
    """The distances from `datetime` are exact to the microsecond, or the index would be read too short."""
    properties = {"start_datetime": start, "end_datetime": end}
    long = item("long", properties=properties | {"datetime": properties[sorted_by]})
    await loaded(database, [collection(), long])
    for instant in (start, end):
        for body in ({}, {"collections": ["things"]}, {"bbox": [-180, -90, 180, 90]}):
            search = Search.from_body(orjson.dumps({"datetime": instant, **body}))
            assert len((await catalog.search(search, Stopwatch())).items) == 1, (instant, body)


@pytest.mark.parametrize("mode", ["insert", "upsert"])
async def test_two_loaders_at_once(database: Database, mode: Mode) -> None:
    """The same ids in the opposite order, over the same two collections: no deadlock, and each is there once."""
    await loaded(database, [collection("a"), collection("b")])
    documents = [item(f"item {n}", owner, properties={"n": n}) for n in range(1200) for owner in ("a", "b")]
    reports: list[Report] = []

    async def run(order: int) -> None:
        report, _ = await loaded(database, documents[::order], mode)
        reports.append(report)

    with anyio.fail_after(60):
        async with anyio.create_task_group() as tasks:
            for order in (1, -1, 1, -1):
                tasks.start_soon(run, order)
    assert sum(report.items for report in reports) == 2400
    assert await count(database, "items") == len(await stored(database)) == 2400
    rows = await database.fetch(sql("SELECT id, first_datetime, last_datetime FROM collections ORDER BY id"))
    noon = datetime(2024, 7, 16, 12, tzinfo=UTC)
    assert [tuple(row) for row in rows] == [("a", noon, noon), ("b", noon, noon)]


@pytest.mark.parametrize("body", [{}, {"collections": ["plain"]}, {"bbox": [-180, -90, 180, 90]}], ids=str)
@pytest.mark.parametrize("interval", ["2024-07-16T12:00:00Z", "2024-01-01T00:00:00Z/..", "../0001-01-02T00:00:00Z"])
async def test_item_without_an_end_leaves_searches_by_time_working(
    catalog: Catalog, database: Database, interval: str, body: Document
) -> None:
    """The year 9999 is a common way to say that there is none, and 8,000 years before 2024 there is no timestamp."""
    properties = {"datetime": None, "start_datetime": "2015-06-23T00:00:00Z", "end_datetime": "9999-12-31T23:59:59Z"}
    await loaded(
        database, [collection(), item("endless", properties=properties), collection("plain"), item("a", "plain")]
    )
    search = Search.from_body(orjson.dumps({"datetime": interval, **body}))
    found = {item.id for item in (await catalog.search(search, Stopwatch())).items}
    wanted = {"a"} if "collections" in body else {"a", "endless"}
    assert found == (set() if interval.startswith("..") else wanted)


names = st.sampled_from(["a", "b"])
changes = st.one_of(
    st.builds(collection, names, title=st.sampled_from(["one", "two"])),
    st.builds(
        lambda number, owner, note: item(f"item {number}", owner, properties={"note": note}),
        st.integers(0, 5),
        st.sampled_from(["a", "b", "unknown"]),
        st.integers(0, 2),
    ),
)
loads = st.lists(st.tuples(st.sampled_from(["insert", "upsert"]), st.lists(changes, max_size=12)), max_size=5)


@given(loads=loads)
@hypothesis_settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_loads_are_a_dict(database: Database, loads: list[tuple[Mode, list[Document]]]) -> None:
    await database.execute(sql("TRUNCATE collections CASCADE"))
    model: dict[str, dict[str, Document]] = {}
    for mode, documents in loads:
        brought: dict[str, Document] = {}
        refusals = sum(not put(model, brought, mode, document) for document in documents)
        report, _ = await loaded(database, documents, mode)
        assert report.refused == refusals
    expected = {(owner, name): document for owner, held in model.items() for name, document in held.items()}
    assert await stored(database) == expected


def put(model: dict[str, dict[str, Document]], brought: dict[str, Document], mode: Mode, document: Document) -> bool:
    """Whether it is taken. `brought` are the collections of this load."""
    if document["type"] == "Collection":
        if mode == "upsert" or document["id"] not in model:
            model.setdefault(document["id"], {})
            brought[document["id"]] = document
        return brought.get(document["id"]) == document
    held = model.get(document["collection"])
    if held is None or (mode == "insert" and document["id"] in held):
        return False
    held[document["id"]] = document
    return True


async def test_memory_does_not_follow_the_load(database: Database) -> None:
    """A batch is stored at 32 MiB, so that 200 MB take no more than 70 MB do."""
    await loaded(database, [collection()])
    peaks = []
    tracemalloc.start()
    try:
        for numbers in (range(700), range(1000, 3000)):
            tracemalloc.reset_peak()
            report, _ = await loaded(database, (wide for n in numbers for wide in items([n], text="x" * 100_000)))
            assert report.items == len(numbers)
            peaks.append(tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    assert peaks[1] < peaks[0] * 1.2


async def test_a_load_is_as_strict_as_the_operator_sets(database: Database) -> None:
    bad = item("a") | {"bbox": [50.0, 10.0, 50.0, 10.0], "stac_version": "0.9.0"}
    _, refused = await loaded(database, [collection(), bad])
    ((_, reason),) = refused
    assert "stac_version: '0.9.0' is not STAC 1" in reason
    assert "bbox: has its south at 10" in reason
    loader = Loader(database, "insert", "stop", print, Preparation(Rules(core=False)))
    await loader.load(as_entries([bad]))
    assert loader.report.items == 1


@pytest.mark.parametrize("name", ["synchronous_commit", "fsync"])
async def test_what_is_stored_is_as_durable_as_the_server_makes_it(database: Database, name: str) -> None:
    (row,) = await database.fetch(sql("SELECT source FROM pg_settings WHERE name = ", Parameter(name, "text")))
    assert row["source"] not in ("client", "session")
