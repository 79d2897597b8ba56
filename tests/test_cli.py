"""The commands as an operator runs them: processes of their own, with what they print and how they exit."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
import pytest
from typer.testing import CliRunner

from app.cli import app
from app.database import schema
from tests.database.fresh import fresh_database, run
from tests.factories import Document, collection, item

Done = subprocess.CompletedProcess[str]
Upesi = Callable[..., Done]
COMMAND = Path(sys.executable).with_name("upesi")
NOTHING_LISTENS = "postgresql://upesi@127.0.0.1:1/x"


def start(arguments: tuple[str, ...], text: str | None, variables: dict[str, str]) -> Done:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("UPESI_")}
    environment = kept | {"COLUMNS": "100"} | variables
    return subprocess.run(
        [COMMAND, *arguments], input=text or "", env=environment, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def upesi(database_url: str) -> Upesi:
    """On the database of the tests, emptied."""
    run(database_url, "TRUNCATE collections CASCADE")

    def call(*arguments: str, text: str | None = None, **variables: str) -> Done:
        return start(arguments, text, {"UPESI_DATABASE_URL": database_url} | variables)

    return call


@pytest.fixture
def empty_url(database_url: str) -> Iterator[str]:
    with fresh_database(database_url) as url:
        yield url


def written(folder: Path, name: str, *documents: Any) -> str:
    path = folder / name
    path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
    return str(path)


def one_line(done: Done, *words: str) -> None:
    """The whole of what is said of a failure."""
    told = done.stderr.splitlines()
    assert (done.returncode, done.stdout, len(told)) == (1, "", 1), told[-1:]
    assert told[0].startswith("error: ")
    assert [word for word in words if word not in done.stderr] == []


@pytest.mark.parametrize("name", ["serve", "load", "compact", "migrate", "doctor", "demo"])
def test_help(upesi: Upesi, name: str) -> None:
    done = upesi(name, "--help", UPESI_DATABASE_URL="nonsense")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"upesi {name}" in done.stdout


def test_help_lists_the_commands(upesi: Upesi) -> None:
    done = upesi("--help")
    assert [name for name in ("serve", "load", "compact", "migrate", "doctor", "demo") if name not in done.stdout] == []


def test_version(upesi: Upesi) -> None:
    done = upesi("--version", UPESI_POOL_SIZE="nonsense")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"upesi {version('upesi')}\n"


def test_an_interrupt_while_it_starts_is_no_traceback() -> None:
    """In the midst of what the command imports."""
    interrupted = """
import sys
from app.__main__ import main

class Interrupt:
    def find_spec(self, name, *_):
        if name == "uvicorn":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
main()
"""
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


@pytest.mark.parametrize("arguments", [("nothing",), ("load",), ("load", "-", "--mode", "x"), ("serve", "--port", "x")])
def test_what_is_misspelt_is_a_usage_error(upesi: Upesi, arguments: tuple[str, ...]) -> None:
    done = upesi(*arguments)
    assert done.returncode == 2
    assert "Usage: upesi" in done.stderr
    assert "Traceback" not in done.stderr


def test_load(upesi: Upesi, tmp_path: Path) -> None:
    first = written(tmp_path, "collections.ndjson", collection())
    second = written(tmp_path, "items.json", {"type": "FeatureCollection", "features": [item("a"), item("b")]})
    done = upesi("load", first, second)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "2 items new, 0 replaced, 0 as they were, 1 collections, 0 documents refused.\n"


@pytest.mark.parametrize(
    ("changed", "summary"),
    [
        ({}, "0 items new, 0 replaced, 1 as they were, 0 collections, 0 documents refused.\n"),
        (
            {"assets": {"b": {"href": "b.tif"}}},
            "0 items new, 1 replaced, 0 as they were, 0 collections, 0 documents refused.\n",
        ),
    ],
    ids=["same", "changed"],
)
def test_load_again_with_upsert(upesi: Upesi, tmp_path: Path, changed: Document, summary: str) -> None:
    upesi("load", written(tmp_path, "first.ndjson", collection(), item()))
    done = upesi("load", "--mode", "upsert", written(tmp_path, "again.ndjson", collection(), item() | changed))
    assert (done.returncode, done.stdout) == (0, summary)


def test_the_demo_tells_what_it_replaced(
    upesi: Upesi, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upesi("load", written(tmp_path, "first.ndjson", collection(), item("a"), item("b")))
    for name, value in {"DATABASE_URL": database_url, "DATA_DIR": str(tmp_path), "STATIC_DIR": ""}.items():
        monkeypatch.setenv(f"UPESI_{name}", value)
    monkeypatch.setattr("app.demo.write_files", lambda _: None)
    monkeypatch.setattr("app.demo.items", lambda: [item("a", properties={"title": "new"}), item("b"), item("c")])
    monkeypatch.setattr("app.cli._serve", lambda *_: None)
    done = CliRunner().invoke(app, ["demo"], catch_exceptions=False)
    assert "The demo catalogue is there: 1 items new, 1 replaced, 1 as they were." in done.output


def test_load_of_standard_input(upesi: Upesi) -> None:
    text = b"\n".join(map(orjson.dumps, [collection(), item("a"), item("b")])).decode()
    done = upesi("load", "-", text=text)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2 items new")


def test_load_stops_at_a_refusal(upesi: Upesi, tmp_path: Path) -> None:
    name = written(tmp_path, "items.ndjson", collection(), item("a"), item("b") | {"id": ""}, item("c"))
    done = upesi("load", name)
    assert done.returncode == 1
    assert "refused: line 3: id: String should have at least 1 character" in done.stderr.splitlines()
    summary, advice = done.stdout.splitlines()[0], " ".join(done.stdout.splitlines()[1:])
    assert summary == "0 items new, 0 replaced, 0 as they were, 1 collections, 1 documents refused."
    assert advice.startswith("Stopped at the refusal: nothing of its batch is stored, all batches before it are.")


def test_load_skips_refusals(upesi: Upesi, tmp_path: Path) -> None:
    good, bad = item("good [bold]"), item("good [bold]")
    name = written(tmp_path, "items.ndjson", collection(), good, bad, "text", {"type": "[/red]"})
    done = upesi("load", "--on-error", "skip", name)
    assert done.returncode == 1
    refusals = [line for line in done.stderr.splitlines() if line.startswith("refused: ")]
    assert [line.split(": ")[1] for line in refusals] == ["line 3", "line 4", "line 5"]
    assert "item 'good [bold]' exists already" in refusals[0]
    assert done.stdout == "1 items new, 0 replaced, 0 as they were, 1 collections, 3 documents refused.\n"


def test_load_tells_the_file_of_a_refusal(upesi: Upesi, tmp_path: Path) -> None:
    """Of two files with a line 1 each."""
    files = [written(tmp_path, name, {"type": "Catalog"}) for name in ("first.ndjson", "second.ndjson")]
    done = upesi("load", "--on-error", "skip", *files)
    refusals = [line for line in done.stderr.splitlines() if line.startswith("refused: ")]
    assert "first.ndjson" in refusals[0]
    assert "second.ndjson" in refusals[1]


def test_compact(upesi: Upesi, tmp_path: Path) -> None:
    upesi("load", written(tmp_path, "first.ndjson", collection(), collection("empty"), *map(item, map(str, range(50)))))
    upesi("load", written(tmp_path, "second.ndjson", *map(item, map(str, range(50, 200)))))
    done = upesi("compact", "--collection", "empty", "--collection", "things")
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "empty: too few items for a dictionary"
    assert second.startswith("things: ")
    assert "items rewritten, from " in second
    one_line(upesi("compact", "--collection", "missing"), "there is no collection 'missing'")


def test_broken_first_line_of_ndjson_is_just_that(upesi: Upesi, tmp_path: Path) -> None:
    path = tmp_path / "items.ndjson"
    path.write_bytes(b"broken\n" + orjson.dumps(collection()) + b"\n" + orjson.dumps(item()))
    done = upesi("load", "--on-error", "skip", str(path))
    assert "refused: line 1: is not JSON" in done.stderr
    assert done.stdout.startswith("1 items new")


@pytest.mark.parametrize("name", ["missing.json", "[/missing].json", "[red]missing.json", "."])
def test_load_of_no_file(upesi: Upesi, tmp_path: Path, name: str) -> None:
    existing = written(tmp_path, "existing.ndjson", collection())
    one_line(upesi("load", existing, str(tmp_path / name)), "there is no file", str(tmp_path / name))
    assert upesi("load", existing).stdout.endswith("1 collections, 0 documents refused.\n")


def test_load_with_a_folder_for_a_report(upesi: Upesi, tmp_path: Path) -> None:
    source = written(tmp_path, "a.ndjson", collection(), item())
    one_line(upesi("load", source, "--report", str(tmp_path)), str(tmp_path), "is a folder")
    assert upesi("load", source).stdout.startswith("1 items new")


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_address_that_nobody_can_listen_at(upesi: Upesi, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        one_line(upesi(command, "--port", port), f"cannot listen at 127.0.0.1, port {port}: Address already in use")
    one_line(upesi(command, "--host", "300.1.1.1"), "cannot listen at 300.1.1.1, port 8080: ")


def test_load_of_a_broken_url(upesi: Upesi) -> None:
    one_line(upesi("load", "http://[::1"), "'http://[::1' is no URL: Invalid IPv6 URL")


@pytest.mark.parametrize("name", ["[bold].ndjson", "[/b].ndjson"])
def test_load_of_a_file_with_brackets_in_its_path(upesi: Upesi, tmp_path: Path, name: str) -> None:
    path = tmp_path / "a" / name
    path.parent.mkdir(parents=True)
    path.write_bytes(orjson.dumps(collection()))
    done = upesi("load", str(path))
    assert done.returncode == 0, done.stderr


def test_load_into_a_database_without_a_schema(upesi: Upesi, empty_url: str, tmp_path: Path) -> None:
    done = upesi("load", written(tmp_path, "a.ndjson", collection()), UPESI_DATABASE_URL=empty_url)
    one_line(done, "the database has no schema: run `upesi migrate`")


def test_migrate(upesi: Upesi, empty_url: str) -> None:
    for _ in range(2):
        done = upesi("migrate", UPESI_DATABASE_URL=empty_url)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"The database is at revision {schema.newest_revision()}.\n"
    assert upesi("doctor", UPESI_DATABASE_URL=empty_url).returncode == 0


def test_doctor_of_a_healthy_database(upesi: Upesi) -> None:
    done = upesi("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert all(line.startswith("ok ") for line in done.stdout.splitlines())
    assert f"schema: revision {schema.newest_revision()}, the newest" in done.stdout


def test_doctor_of_a_problem_says_what_to_do(upesi: Upesi, empty_url: str) -> None:
    done = upesi("doctor", UPESI_DATABASE_URL=empty_url)
    assert (done.returncode, done.stderr) == (1, "")
    lines = done.stdout.splitlines()
    assert "fail schema: none yet" in lines
    assert lines[lines.index("fail schema: none yet") + 1].strip() == "→ run `upesi migrate`"


def test_doctor_without_a_database(upesi: Upesi) -> None:
    done = upesi("doctor", UPESI_DATABASE_URL=NOTHING_LISTENS)
    assert (done.returncode, done.stderr) == (1, "")
    assert "fail database: cannot be reached" in done.stdout


@pytest.mark.parametrize("command", ["migrate", "load"])
@pytest.mark.parametrize(
    "url",
    [NOTHING_LISTENS, "postgresql://upesi@/x?host=/nowhere", "postgresql://upesi@localhost:port/x", "postgresql://[x"],
)
def test_unreachable_database_is_one_line(upesi: Upesi, tmp_path: Path, command: str, url: str) -> None:
    arguments = [written(tmp_path, "a.ndjson", collection())] if command == "load" else []
    one_line(upesi(command, *arguments, UPESI_DATABASE_URL=url), "the database cannot be reached")


@pytest.mark.parametrize("command", ["migrate", "load"])
def test_database_that_is_not_there_is_one_line(upesi: Upesi, tmp_path: Path, database_url: str, command: str) -> None:
    arguments = [written(tmp_path, "a.ndjson", collection())] if command == "load" else []
    url = urlsplit(database_url)._replace(path="/nowhere").geturl()
    one_line(upesi(command, *arguments, UPESI_DATABASE_URL=url), 'database "nowhere" does not exist')


@pytest.mark.parametrize(
    ("command", "name", "value"),
    [
        ("serve", "UPESI_POOL_SIZE", "0"),
        ("migrate", "UPESI_DATABASE_URL", "mysql://x"),
        ("doctor", "UPESI_ROOT_PATH", "/a/"),
        ("demo", "UPESI_PUBLIC_URL", "x"),
        ("migrate", "UPESI_HREF_RULES", "x"),
        ("migrate", "UPESI_OIDC_SCOPES", "x"),
    ],
)
def test_bad_setting_is_one_line_with_its_name(upesi: Upesi, command: str, name: str, value: str) -> None:
    done = upesi(command, **{name: value})
    one_line(done, name)
    assert "Value error" not in done.stderr


@pytest.mark.parametrize("name", ["UPESI_STATIC_DIR", "UPESI_ASSET_DIR", "UPESI_BROWSER_DIR"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_folder_that_is_not_there_is_one_line(upesi: Upesi, name: str, workers: str) -> None:
    one_line(upesi("serve", "--workers", workers, **{name: "/nowhere"}), f"{name}: there is no folder '/nowhere'")


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize(
    ("package", "extra", "asked"),
    [
        ("redis", "redis", {"UPESI_RATE_LIMIT_REDIS": "redis://localhost"}),
        ("opentelemetry", "otel", {"UPESI_TRACES": "otlp"}),
    ],
)
def test_extra_that_is_not_installed_is_one_line(
    upesi: Upesi, tmp_path: Path, package: str, extra: str, asked: dict[str, str], workers: str
) -> None:
    (tmp_path / package).mkdir()
    (tmp_path / package / "__init__.py").write_text("raise ImportError")
    done = upesi("serve", "--workers", workers, PYTHONPATH=str(tmp_path), **asked)
    one_line(done, f"{next(iter(asked))} needs the extra: pip install 'upesi[{extra}]'")


@pytest.mark.parametrize("command", ["serve", "demo"])
@pytest.mark.parametrize("workers", ["1", "2"])
def test_signers_that_are_wrong_are_one_line(upesi: Upesi, command: str, workers: str) -> None:
    one_line(upesi(command, "--workers", workers, UPESI_SIGNERS="["), "UPESI_SIGNERS: is not JSON")


def test_each_bad_setting_is_told(upesi: Upesi) -> None:
    done = upesi("doctor", UPESI_POOL_SIZE="0", UPESI_MAX_LIMIT="many")
    assert done.returncode == 1
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == ["UPESI_POOL_SIZE", "UPESI_MAX_LIMIT"]


def test_index_add_list_and_drop(upesi: Upesi, tmp_path: Path) -> None:
    upesi("load", written(tmp_path, "a.ndjson", collection(), item(properties={"eo:cloud_cover": 5})))
    assert "No property has an index" in upesi("index", "list").stdout
    done = upesi("index", "add", "eo:cloud_cover")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("The index on eo:cloud_cover is there: 0.0 MB, ")
    assert upesi("index", "add", "eo:cloud_cover").stdout == "The index on eo:cloud_cover is there already.\n"
    assert upesi("index", "list").stdout.splitlines()[1].split()[:2] == ["eo:cloud_cover", "valid"]
    assert "ok   index on eo:cloud_cover: valid" in upesi("doctor").stdout
    done = upesi("index", "drop", "eo:cloud_cover")
    assert (done.returncode, done.stdout) == (0, "The index on eo:cloud_cover is dropped.\n")
    one_line(upesi("index", "drop", "eo:cloud_cover"), "there is no index on 'eo:cloud_cover'")
    one_line(upesi("index", "add", "eo:snow_cover"), "no item has a number or a text in 'eo:snow_cover'")
