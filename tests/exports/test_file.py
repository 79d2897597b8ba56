"""Exports into files, by the command: what one writes another loads."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import orjson
import pystac
import pytest

from app.bulk.load import Loader
from app.bulk.readers import Entry
from app.bulk.readers.sources import Source
from app.bulk.readers.web import Web
from app.catalog import Catalog, CollectionPage, ItemPage
from app.exports import ndjson, static
from app.exports.file import _opened
from app.exports.static import name_of
from app.stac.collection_search import CollectionSearch
from app.stac.search import Search
from app.stopwatch import Stopwatch
from tests.database.fresh import run
from tests.factories import Document, collection, item, load, point

Done = subprocess.CompletedProcess[bytes]
Upesi = Callable[..., Done]
COMMAND = Path(sys.executable).with_name("upesi")
ODD = ["a/b", "...", "é", "links", "collection.json", "x" * 300, "A b"]
DOCUMENTS: list[Document] = [
    collection("a/b", links=[{"rel": "license", "href": "https://example.com/license"}]),
    collection("catalog.json"),
    collection("empty"),
    *(item(name, "a/b", links=[{"rel": "via", "href": "https://example.com"}], note=None) for name in ODD),
    item("nowhere", "catalog.json", geometry=None, properties={"number": 1}),
    item("high", "catalog.json", geometry=point(1.0, 2.0) | {"coordinates": [1.0, 2.0, 3.0]}, bbox=[1, 2, 3, 1, 2, 3]),
]


@pytest.fixture
def upesi(database_url: str) -> Upesi:
    """On a catalogue with odd names in it."""
    run(database_url, "TRUNCATE collections CASCADE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UPESI_")}

    def call(*arguments: str, text: bytes = b"") -> Done:
        environment = kept | {"UPESI_DATABASE_URL": database_url, "COLUMNS": "100"}
        return subprocess.run([COMMAND, *arguments], input=text, env=environment, capture_output=True, timeout=120)

    done = call("load", "-", text=b"\n".join(map(orjson.dumps, DOCUMENTS)))
    assert done.returncode == 0, done.stderr
    return call


@pytest.fixture
def web() -> Iterator[Web]:
    with Web() as web:
        yield web


def read(path: Path, web: Web) -> list[Entry]:
    found = Source(str(path)).entries(web, lambda path: path.open("rb"))
    return [document for entry in found for document in entry.parsed()]


def plain(found: list[Entry]) -> dict[tuple[str, str], Document]:
    """By collection and id; without the links that lead about a static catalogue, and extents, which follow items."""
    assert [entry for entry in found if entry.fault] == []
    documents = {}
    for document in (entry.document for entry in found):
        links = [link for link in document["links"] if link["rel"] in ("via", "license")]
        kept = {name: value for name, value in document.items() if name not in ("links", "extent")}
        documents[str(document.get("collection")), document["id"]] = kept | {"links": links}
    return documents


@pytest.mark.parametrize(("form", "name"), [("ndjson", "x.ndjson"), ("geoparquet", "x.parquet"), ("static", "x")])
def test_what_is_exported_is_what_was_loaded(upesi: Upesi, tmp_path: Path, web: Web, form: str, name: str) -> None:
    done = upesi("export", "--to", str(tmp_path / name), "--format", form)
    assert (done.returncode, done.stderr) == (0, b"")
    expected = plain([Entry("", document) for document in DOCUMENTS])
    if form == "geoparquet":  # It has the collections of its items.
        del expected["None", "empty"]
    assert plain(read(tmp_path / name, web)) == expected
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert upesi("load", "--mode", "upsert", str(tmp_path / name)).returncode == 0


@pytest.mark.parametrize("name", ["x.parquet", "x.ndjson"])
def test_parts_are_loaded_together(upesi: Upesi, database_url: str, tmp_path: Path, name: str) -> None:
    """Each has the collection of its items."""
    form = "geoparquet" if name.endswith("parquet") else "ndjson"
    for part, which in (("1", "id = 'é'"), ("2", "id <> 'é'")):
        chosen = ("--collection", "a/b", "--filter", which)
        assert upesi("export", "--to", str(tmp_path / f"{part}{name}"), "--format", form, *chosen).returncode == 0
    run(database_url, "TRUNCATE collections CASCADE")
    paths = [tmp_path] if form == "geoparquet" else sorted(tmp_path.iterdir())
    assert upesi("load", *map(str, paths)).returncode == 0
    found = plain([Entry("", orjson.loads(line)) for line in upesi("export", "--to", "-").stdout.splitlines()])
    assert found == plain([Entry("", one) for one in DOCUMENTS if "a/b" in (one["id"], one.get("collection"))])


def test_static_catalogue_is_read_by_pystac(upesi: Upesi, tmp_path: Path) -> None:
    assert upesi("export", "--to", str(tmp_path / "x"), "--format", "static").returncode == 0
    catalog = pystac.Catalog.from_file(str(tmp_path / "x" / "catalog.json"))
    assert sorted(child.id for child in catalog.get_children()) == ["a/b", "catalog.json", "empty"]
    found = list(catalog.get_items(recursive=True))
    assert sorted(one.id for one in found) == sorted([*ODD, "nowhere", "high"])
    for one in found:
        owner = one.get_collection()
        assert owner is not None
        assert owner.id == one.collection_id
        assert owner.extent.temporal.intervals != []
    written = [orjson.loads(path.read_bytes()) for path in (tmp_path / "x").rglob("*.json")]
    hrefs = [link["href"] for document in written for link in document["links"]]
    assert all(href.startswith((".", "https://example.com")) for href in hrefs)


def growing(catalog: Catalog, loader: Loader) -> Catalog:
    """One that has another collection as soon as its collections are read."""

    class Growing(Catalog):
        async def collections(self, search: CollectionSearch, watch: Stopwatch) -> CollectionPage:
            page = await super().collections(search, watch)
            await load(loader, collection("late"), item("two", "late"))
            return page

    return Growing(catalog.database, 10, 1000)


@pytest.mark.anyio
async def test_static_catalogue_is_without_collections_made_meanwhile(
    catalog: Catalog, loader: Loader, tmp_path: Path, web: Web
) -> None:
    await load(loader, collection("a"), item("one", "a"))
    await static.write(growing(catalog, loader), Search(), tmp_path / "x", {"id": "root"})
    assert sorted(plain(read(tmp_path / "x", web))) == [("None", "a"), ("a", "one")]


@pytest.mark.anyio
async def test_static_catalogue_has_an_item_once_that_is_moved_meanwhile(
    catalog: Catalog, loader: Loader, tmp_path: Path, web: Web
) -> None:
    moved = item("one", "a", properties={"datetime": "2001-01-01T00:00:00Z"})

    class Moving(Catalog):
        async def search(self, search: Search, watch: Stopwatch, within: str | None = None) -> ItemPage:
            page = await super().search(replace(search, limit=1), watch, within)
            await load(loader, moved)
            return page

    await load(
        loader, collection("a"), item("one", "a"), item("two", "a", properties={"datetime": "2002-01-01T00:00:00Z"})
    )
    await static.write(Moving(catalog.database, 10, 1000), Search(), tmp_path / "x", {"id": "root"})
    found = [entry.document for entry in read(tmp_path / "x", web)]
    assert [one["id"] for one in found] == ["a", "one", "two"]
    assert found[1]["properties"] == moved["properties"]


@pytest.mark.anyio
async def test_ndjson_is_without_collections_made_meanwhile(catalog: Catalog, loader: Loader) -> None:
    await load(loader, collection("a"), item("one", "a"))
    parts = [part async for part in ndjson.stream(growing(catalog, loader), Search())]
    assert [orjson.loads(line)["id"] for line in b"".join(parts).splitlines()] == ["a", "one"]


def test_selection(upesi: Upesi) -> None:
    def ids(*arguments: str) -> list[str]:
        done = upesi("export", "--to", "-", *arguments)
        assert done.returncode == 0, done.stderr
        return [orjson.loads(line)["id"] for line in done.stdout.splitlines()]

    assert ids("--collection", "catalog.json", "--filter", "number = 1") == ["catalog.json", "nowhere"]
    assert ids("--collection", "catalog.json", "--collection", "empty", "--bbox", "0,0,5,5") == [
        *("catalog.json", "empty", "high")
    ]
    assert ids("--collection", "empty", "--datetime", "2020-01-01T00:00:00Z/..", "--limit", "1") == ["empty"]
    assert len(ids("--collection", "a/b", "--limit", "2")) == 3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--to", "-", "--bbox", "1"), b"bbox"),
        (("--to", "-", "--filter", "a ="), b"filter"),
        (("--to", "-", "--collection", "nothing"), b"there is no collection 'nothing'"),
        (("--to", "/proc/nothing/x"), b"cannot be written"),
        (("--to", ""), b"cannot be written: Is a directory"),
        (("--to", "/"), b"cannot be written: Is a directory"),
        (("--to", "-", "--format", "static"), b"is written to a folder"),
    ],
)
def test_what_cannot_be(upesi: Upesi, arguments: tuple[str, ...], told: bytes) -> None:
    done = upesi("export", *arguments)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, b"", 1)
    assert told in done.stderr


def test_folder_with_something_in_it_is_left_alone(upesi: Upesi, tmp_path: Path) -> None:
    (tmp_path / "mine").touch()
    assert upesi("export", "--to", str(tmp_path), "--format", "static").returncode == 1
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_export_that_fails_leaves_the_old_file(upesi: Upesi, database_url: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old")
    run(database_url, "UPDATE items SET content = 'broken' WHERE id = 'high'")
    assert upesi("export", "--to", str(tmp_path / "x")).returncode == 1
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "old")]


def test_what_a_killed_export_left_is_not_in_the_next(upesi: Upesi, tmp_path: Path) -> None:
    (tmp_path / "x.part").write_text("left")
    assert upesi("export", "--to", str(tmp_path / "x")).returncode == 0
    assert (tmp_path / "x").read_bytes() == upesi("export", "--to", "-").stdout


def test_killed_export_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from app.exports.file import _opened\n"
        "with _opened(Path(sys.argv[1])) as file: file.write(b'x' * 100_000); file.flush(); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program, tmp_path / "x"])
    assert (done.returncode, list(tmp_path.iterdir())) == (-9, [])


@pytest.mark.parametrize("nameless", [True, False])
def test_file_is_as_any_other(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, nameless: bool) -> None:
    if not nameless:  # As on a file system that has no such files.
        monkeypatch.setattr("os.O_TMPFILE", os.O_DIRECTORY)
    with _opened(tmp_path / "x") as file:
        file.write(b"whole")
        assert (list(tmp_path.iterdir()) == []) == nameless
    (tmp_path / "other").write_bytes(b"")
    assert (tmp_path / "x").read_bytes() == b"whole"
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "other").stat().st_mode
    assert {path.name for path in tmp_path.iterdir()} == {"x", "other"}


def test_exports_to_one_name_do_not_mix(tmp_path: Path) -> None:
    with _opened(tmp_path / "x") as one, _opened(tmp_path / "x") as other:
        one.write(b"one")
        other.write(b"other")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("x", "one")]


def test_pipe_is_written_into(upesi: Upesi, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with subprocess.Popen(["cat", tmp_path / "x"], stdout=subprocess.PIPE) as reader:
        assert upesi("export", "--to", str(tmp_path / "x")).returncode == 0
        assert reader.communicate(timeout=60)[0] == upesi("export", "--to", "-").stdout
    assert (tmp_path / "x").is_fifo()


def test_target_of_a_symlink_is_replaced(upesi: Upesi, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("x")
    assert upesi("export", "--to", str(tmp_path / "link")).returncode == 0
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "x").read_bytes() == upesi("export", "--to", "-").stdout


@pytest.mark.parametrize("identity", [*ODD, "..", "a.", "catalog.json", "."])
def test_names_of_files(identity: str) -> None:
    name = name_of(identity)
    assert name.strip(".") == name != ""
    assert len(name) < 200
    assert "/" not in name
    assert name == identity or "-" in name


def test_memory_does_not_follow_the_catalogue(upesi: Upesi, database_url: str, tmp_path: Path) -> None:
    """20,000 items, 70 MB of JSON: some 700 MB, were they all in memory as objects."""
    parts = [{"text": "x" * 50} for _ in range(50)]
    head, tail = orjson.dumps(item("ID", "a/b", properties={"parts": parts})).split(b"ID")
    program = (
        "from app.cli import app\n"
        "try: app()\n"
        "finally: print('peak', *[line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line])"
    )

    def peak(form: str) -> int:
        """In MiB."""
        arguments = ["export", "--to", str(tmp_path / form), "--format", form]
        environment = {**os.environ, "UPESI_DATABASE_URL": database_url}
        done = subprocess.run([sys.executable, "-c", program, *arguments], env=environment, capture_output=True)
        assert (tmp_path / form).exists(), done.stderr
        return int(done.stdout.split()[-1]) // 1024

    few = {form: peak(form) for form in ("ndjson", "geoparquet")}
    with (tmp_path / "items.ndjson").open("wb") as file:
        file.writelines(b"%b%d%b\n" % (head, number, tail) for number in range(20_000))
    assert upesi("load", str(tmp_path / "items.ndjson")).returncode == 0
    grown = {form: peak(form) - few[form] for form in few}
    assert (tmp_path / "ndjson").stat().st_size > 60_000_000
    assert grown["ndjson"] < 60
    assert grown["geoparquet"] < 300
