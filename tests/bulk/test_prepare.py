"""Processes prepare what one alone would, and a load says the same of it."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.bulk import load, prepare, workers
from app.bulk.load import Loader, OnError, Stopped
from app.bulk.prepare import Preparation
from app.bulk.readers import entries_of_lines, json
from app.bulk.report import Report
from app.database import content
from app.database.fragment import sql
from app.database.pool import Database
from app.sql.loading import Mode
from app.stac.schemas import Schemas
from app.stac.validation import Rules
from tests.bulk.test_load import Refused, stored
from tests.factories import Document, as_entries, collection, item

pytestmark = pytest.mark.anyio

SCHEMA = {"$id": "https://example.com/small/schema.json", "properties": {"properties": {"required": ["small"]}}}


@pytest.fixture(scope="module")
def two() -> Iterator[Preparation]:
    """Two processes, for however little there is to do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "_ALONE_ENTRIES", 0)
        with Preparation(processes=2) as preparation:
            yield preparation


def of_all_kinds() -> list[Any]:
    """More than a chunk, with two collections, the same id twice, and what is refused."""
    items = [item(f"item {n}", "ab"[n % 2], properties={"n": n}) for n in range(700)]
    wrong = [item("wrong", "a") | {"geometry": {"type": "Point"}}, {"type": "Catalog"}, 5, [item("in", "a")]]
    return [
        *(collection("a"), collection("b"), *items[:300], *wrong, *items[300:], item("nowhere", "missing")),
        *(item(f"item {n}", "a", properties={"again": n}) for n in range(0, 50, 2)),
        *(collection("a", title="again"), item("wide", "a", properties={"wide": 2**70}), *items[100:110]),
    ]


async def loaded_by(
    preparation: Preparation, database: Database, found: Any, mode: Mode, on_error: OnError
) -> tuple[Report, Refused, dict[tuple[str, str], Document]]:
    await database.execute(sql("TRUNCATE collections CASCADE"))
    refused: Refused = []
    loader = Loader(database, mode, on_error, lambda *told: refused.append(told), preparation)
    try:
        await loader.load(found)
    except Stopped:
        assert on_error == "stop"
    return loader.report, refused, await stored(database)


@pytest.mark.parametrize("mode", ["insert", "upsert"])
@pytest.mark.parametrize("on_error", ["stop", "skip"])
async def test_documents(two: Preparation, database: Database, mode: Mode, on_error: OnError) -> None:
    alone = await loaded_by(Preparation(), database, as_entries(of_all_kinds()), mode, on_error)
    assert await loaded_by(two, database, as_entries(of_all_kinds()), mode, on_error) == alone
    assert alone[1]


@pytest.mark.parametrize("mode", ["insert", "upsert"])
@pytest.mark.parametrize("on_error", ["stop", "skip"])
async def test_lines(two: Preparation, database: Database, mode: Mode, on_error: OnError) -> None:
    text = b"\n\r\n".join([*map(_dumped, of_all_kinds()), b"{broken", b'{"a": NaN}', b"[" * 300])
    alone = await loaded_by(Preparation(), database, entries_of_lines(io.BytesIO(text)), mode, on_error)
    assert await loaded_by(two, database, entries_of_lines(io.BytesIO(text)), mode, on_error) == alone
    assert alone[1][0][0] == "line 605"


def _dumped(document: Any) -> bytes:
    return orjson.dumps(document) if "wide" not in str(document) else str(document).replace("'", '"').encode()


async def test_document_that_cannot_be_sent_is_refused(two: Preparation, database: Database) -> None:
    deep: Any = []
    for _ in range(5000):
        deep = [deep]
    documents = [collection(), item("deep", properties={"deep": deep}), deep, item("good")]
    _, refused, found = await loaded_by(two, database, as_entries(documents), "insert", "skip")
    assert [place for place, _ in refused] == ["document 2", "document 3"]
    assert list(found) == [("things", "good")]


async def test_rules_of_extensions_hold_in_processes(
    database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "small.json").write_bytes(orjson.dumps(SCHEMA))
    monkeypatch.setattr(prepare, "_ALONE_ENTRIES", 0)
    extended = {"stac_extensions": [SCHEMA["$id"]]}
    documents = [collection(), item("without") | extended, item("with", properties={"small": 1}) | extended]
    with Preparation(Rules(schemas=Schemas(tmp_path)), 2) as preparation:
        _, refused, found = await loaded_by(preparation, database, as_entries(documents), "insert", "skip")
    assert refused == [("document 2", 'properties: "small" is a required property')]
    assert list(found) == [("things", "with")]


def test_only_so_much_is_on_its_way() -> None:
    """Memory follows the number of chunks and not the source."""
    assert prepare._AHEAD * prepare._CHUNK_BYTES <= 8 << 20


def test_a_chunk_finds_room_in_the_memory_that_is_shared() -> None:
    """One that is nearly full and takes a block of lines, with the dictionaries that go out with it."""
    dictionaries = load._SENT * content._DICTIONARY_BYTES
    assert prepare._CHUNK_BYTES + json._BLOCK_BYTES + dictionaries < workers._SHARED_BYTES - (1 << 19)
