"""Where a load goes on from, when it does not, and what is told of it."""

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.bulk.readers.sources import Opener, Source
from app.bulk.report import Report, Told
from app.bulk.resume import Place
from app.bulk.run import Job, run
from app.database.fragment import sql
from app.database.pool import Database
from app.errors import SetupError
from tests.bulk.test_load import count, stored
from tests.database.fresh import run as empty
from tests.factories import Document, collection, item
from tests.test_cli import COMMAND

pytestmark = pytest.mark.anyio

OTHERWISE = (
    "has changed since its load was interrupted, or is read in another --format:"
    " go on with that, or load it with --mode upsert"
)


class Quiet:
    def __init__(self) -> None:
        self.told: list[str] = []

    def opened(self, _: str) -> Opener:
        return lambda path: path.open("rb")

    def refused(self, place: str, reason: str) -> None:
        self.told.append(f"{place}: {reason}")

    def said(self, text: str) -> None:
        self.told.append(text)


@pytest.fixture(autouse=True)
def _nothing_there(database_url: str) -> None:
    empty(database_url, "TRUNCATE collections, loads CASCADE")


def written(path: Path, *documents: Any) -> Path:
    path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
    return path


def items(start: int, stop: int) -> list[Document]:
    return [item(f"item {n}", properties={"n": n}) for n in range(start, stop)]


async def ran(database: Database, *paths: Path, **options: Any) -> tuple[Told, list[str]]:
    told, quiet = Told(Report()), Quiet()
    await run(database, Job([Source(str(path)) for path in paths], **options), told, quiet)
    return told, quiet.told


async def test_goes_on_behind_what_is_stored(database: Database, tmp_path: Path) -> None:
    file = written(tmp_path / "x.ndjson", collection(), *items(0, 2500), {"type": "Catalog"}, *items(2500, 3000))
    told, _ = await ran(database, file)
    assert (told.outcome, told.report.items, await count(database, "loads")) == ("stopped", 2000, 1)
    told, said = await ran(database, file, resume=True, on_error="skip")
    assert said[0] == "Going on behind 2,000 items that are stored."
    assert (told.outcome, told.report.items, told.report.collections, told.report.refused) == ("complete", 3000, 1, 1)
    assert (len(await stored(database)), await count(database, "loads")) == (3000, 0)


@pytest.mark.parametrize("form", ["one line", "pretty"])
async def test_goes_on_inside_a_list(database: Database, tmp_path: Path, form: str) -> None:
    documents = [collection(), *items(0, 1700), {"type": "Catalog"}, *items(1700, 1800)]
    file = tmp_path / "x.json"
    file.write_bytes(orjson.dumps(documents, option=orjson.OPT_INDENT_2 if form == "pretty" else 0))
    assert (await ran(database, file))[0].report.items == 1000
    told, _ = await ran(database, file, resume=True, on_error="skip")
    assert (told.report.items, told.report.refused) == (1800, 1)
    assert len(await stored(database)) == 1800


async def test_load_that_stored_nothing_goes_on_too(database: Database, tmp_path: Path) -> None:
    file = written(tmp_path / "x.ndjson", {"type": "Catalog"}, collection(), *items(0, 10))
    assert (await ran(database, file))[0].report == Report(refused=1)
    told, _ = await ran(database, file, resume=True, on_error="skip")
    assert (told.outcome, told.report) == ("complete", Report(collections=1, items=10, refused=1))


async def test_several_files(database: Database, tmp_path: Path) -> None:
    """The first is done, the second is not, and the third was never begun."""
    first = written(tmp_path / "1.ndjson", collection(), *items(0, 10))
    second = written(tmp_path / "2.ndjson", *items(10, 1500), {"type": "Catalog"}, *items(1500, 1600))
    third = written(tmp_path / "3.ndjson", *items(1600, 1700))
    assert (await ran(database, first, second, third))[0].report.items == 1010
    told, said = await ran(database, first, second, third, resume=True, on_error="skip")
    assert (told.report.items, told.report.refused) == (1700, 1)
    assert [line.partition(": ")[0] for line in said[1:]] == [f"{second}, line 1491"]
    assert (len(await stored(database)), await count(database, "loads")) == (1700, 0)


async def test_several_files_with_the_same_collection(database: Database, tmp_path: Path) -> None:
    """The collection came before the load was interrupted."""
    first = written(tmp_path / "1.ndjson", collection(), *items(0, 10), {"type": "Catalog"})
    second = written(tmp_path / "2.ndjson", collection(), *items(10, 20))
    await ran(database, first, second)
    told, said = await ran(database, first, second, resume=True, on_error="skip")
    assert [line.partition(": ")[0] for line in said[1:]] == [f"{first}, line 12"]
    assert (told.report.items, told.report.collections) == (20, 1)


async def test_place_is_kept_with_the_batch_or_not_at_all(database: Database, tmp_path: Path) -> None:
    file = written(tmp_path / "x.ndjson", collection(), *items(0, 1500))
    await database.execute(sql("ALTER TABLE items ADD CONSTRAINT no_1200 CHECK (id <> 'item 1200')"))
    try:
        with pytest.raises(Exception, match="no_1200"):
            await ran(database, file)
    finally:
        await database.execute(sql("ALTER TABLE items DROP CONSTRAINT no_1200"))
    assert await count(database, "items") == 1000
    told, _ = await ran(database, file, resume=True)
    assert (told.report.items, len(await stored(database))) == (1500, 1500)


async def test_collection_that_was_stored_is_not_stored_again(database: Database, tmp_path: Path) -> None:
    """Inserting it again would be refused, and the load would stop there for ever."""
    file = written(tmp_path / "x.ndjson", collection(), item("a"), collection("b"), {"type": "Catalog"}, item("c", "b"))
    told, _ = await ran(database, file)
    assert (told.outcome, told.report.items, told.report.collections) == ("stopped", 1, 2)
    told, _ = await ran(database, file, resume=True, on_error="skip")
    assert (told.report.items, told.report.collections, told.report.refused) == (2, 2, 1)


async def test_load_without_resume_begins_anew(database: Database, tmp_path: Path) -> None:
    file = written(tmp_path / "x.ndjson", collection(), *items(0, 1500), {"type": "Catalog"})
    await ran(database, file)
    told, _ = await ran(database, file, mode="upsert", on_error="skip")
    assert (told.report.items, told.report.unchanged) == (500, 1000)
    assert await count(database, "loads") == 0


async def interrupted(database: Database, file: Path) -> None:
    written(file, collection(), *items(0, 1500), {"type": "Catalog"})
    assert (await ran(database, file))[0].outcome == "stopped"


async def test_file_that_changed(database: Database, tmp_path: Path) -> None:
    file = tmp_path / "x.ndjson"
    await interrupted(database, file)
    os.utime(file, ns=(1, 1))
    with pytest.raises(SetupError, match=OTHERWISE):
        await ran(database, file, resume=True)


async def test_another_format(database: Database, tmp_path: Path) -> None:
    """A list of documents is one entry of JSON, and lines are many: places of the one lead past those of the other."""
    file = tmp_path / "x.ndjson"
    file.write_bytes(orjson.dumps([collection(), *items(0, 1200), {"type": "Catalog"}, *items(1200, 1300)]))
    job = Job([Source(str(file), "json")])
    await run(database, job, Told(Report()), Quiet())
    with pytest.raises(SetupError, match=OTHERWISE):
        await ran(database, file, resume=True)
    told = Told(Report())
    await run(database, replace(job, resume=True, on_error="skip"), told, Quiet())
    assert (told.outcome, len(await stored(database))) == ("complete", 1300)


@pytest.mark.parametrize("is_folder", [False, True])
def test_names_that_are_no_utf_8(database_url: str, tmp_path: Path, is_folder: bool) -> None:
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    file = odd
    if is_folder:
        odd.mkdir()
        file = odd / "collection.json"
    file.write_bytes(orjson.dumps(collection()) + (b"" if is_folder else b'\n{"type":"Catalog"}'))
    other = written(tmp_path / "x.ndjson", item("a"))
    environment = os.environ | {"UPESI_DATABASE_URL": database_url}
    command = [str(COMMAND), "load", str(odd), str(other), "--on-error", "skip", "--report", str(tmp_path / "report")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    report = orjson.loads((tmp_path / "report").read_bytes())
    assert (report["outcome"], report["collections"], report["items"]) == ("complete", 1, 1)
    assert ["?" in one["place"] for one in report["refusals"]] == [True] * (not is_folder)


async def test_another_mode(database: Database, tmp_path: Path) -> None:
    await interrupted(database, tmp_path / "x.ndjson")
    with pytest.raises(SetupError, match="was begun with --mode insert"):
        await ran(database, tmp_path / "x.ndjson", resume=True, mode="upsert")


async def test_nothing_to_go_on_with(database: Database, tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="there is no interrupted load of this"):
        await ran(database, written(tmp_path / "x.ndjson", collection()), resume=True)


@pytest.mark.parametrize("source", ["-", "https://example.com/items.ndjson", "folder"])
async def test_sources_without_places(database: Database, tmp_path: Path, source: str) -> None:
    location = str(tmp_path) if source == "folder" else source
    assert Place.at_the_start(Source(location), "insert").digest is None
    with pytest.raises(SetupError, match="only files can, because other sources may give other documents"):
        await run(database, Job([Source(location)], resume=True), Told(Report()), Quiet())


def test_report_does_not_grow_without_end() -> None:
    told = Told(Report(refused=5000))
    for number in range(5000):
        told.refuse(f"line {number}", "is wrong")
    document = orjson.loads(told.json())
    assert (len(document["refusals"]), document["refusals_left_out"]) == (1000, 4000)
    assert document["refusals"][7] == {"place": "line 7", "reason": "is wrong"}


@pytest.mark.parametrize("to", ["-", "report.json"])
def test_report_of_a_command(database_url: str, tmp_path: Path, to: str) -> None:
    file = written(tmp_path / "x.ndjson", collection(), item("a"), 5, item("b"))
    environment = os.environ | {"UPESI_DATABASE_URL": database_url}
    command = [str(COMMAND), "load", str(file), "--on-error", "skip", "--report", to]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    said = done.stdout if to == "-" else (tmp_path / to).read_text()
    document = orjson.loads(said)
    assert document.pop("seconds") > 0
    assert document.pop("items_per_second") > 0
    assert document == {
        "outcome": "complete",
        "error": None,
        "refusals_left_out": 0,
        "collections": 1,
        "items": 2,
        "replaced": 0,
        "unchanged": 0,
        "refused": 1,
        "refusals": [{"place": "line 3", "reason": "is neither an Item (type Feature) nor a Collection"}],
    }
