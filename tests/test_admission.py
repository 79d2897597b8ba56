"""`upesi token` and `upesi visibility`, as an operator runs them."""

import re

import pytest
from typer.testing import CliRunner, Result

from app.access import keys
from app.cli import app
from app.errors import SetupError
from tests.database.fresh import run

runner = CliRunner(env={"COLUMNS": "200"})


@pytest.fixture(autouse=True)
def emptied(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    run(database_url, "TRUNCATE collections, api_keys CASCADE")
    run(database_url, "INSERT INTO collections (id, content, extent, document) VALUES ('a [b]', '{}', '{}', '{}')")
    monkeypatch.setenv("UPESI_DATABASE_URL", database_url)


def upesi(*arguments: str) -> Result:
    return runner.invoke(app, list(arguments), catch_exceptions=False)


def test_a_key_is_made_listed_and_revoked() -> None:
    made = upesi("token", "create", "[bold]ingest", "--allow", "read", "--allow", "write", "--collection", "a [b]")
    assert made.exit_code == 0
    text = made.stdout.strip()
    assert re.fullmatch(r"upesi_[0-9a-f]{8}_[0-9a-f]{64}", text)
    assert text not in made.stderr
    assert "read, write; a [b]" in made.stderr
    key = text.split("_")[1]
    (line,) = [line for line in upesi("token", "list").stdout.splitlines() if key in line]
    assert line.split()[1] == "[bold]ingest"
    assert line.rstrip().endswith("valid")
    assert text not in upesi("token", "list").output
    assert upesi("token", "revoke", key).exit_code == 0
    assert upesi("token", "revoke", key).exit_code == 0
    (line,) = [line for line in upesi("token", "list").stdout.splitlines() if key in line]
    assert line.rstrip().endswith("revoked")
    with pytest.raises(SetupError, match="there is no key 'x'"):
        upesi("token", "revoke", "x")


def test_a_key_reads_all_collections_where_nothing_else_is_said() -> None:
    made = upesi("token", "create", "x", "--days", "3")
    assert "read; all collections" in made.stderr
    listed = upesi("token", "list").stdout
    assert re.search(r"read +all collections +\d{4}-\d\d-\d\d +\d{4}-\d\d-\d\d +valid", listed)


@pytest.mark.parametrize("given", [["--allow", "admin"], ["--days", "0"], ["--days", "many"]])
def test_a_key_that_cannot_be(given: list[str]) -> None:
    assert upesi("token", "create", "x", *given).exit_code == 2
    assert "There is no key" in upesi("token", "list").stdout


def test_visibility_is_set_and_shown() -> None:
    assert upesi("visibility").stdout == ""
    assert "is not private" in upesi("visibility", "a [b]").stdout
    told = upesi("visibility", "a [b]", "private").stdout
    assert told == "a [b] is private; a running service knows within 5 seconds.\n"
    assert keys.SECONDS == 5
    assert upesi("visibility").stdout == "a [b]\n"
    assert "is private" in upesi("visibility", "a [b]").stdout
    assert upesi("visibility", "a [b]", "public").exit_code == 0
    assert upesi("visibility").stdout == ""
    assert upesi("visibility", "a [b]", "hidden").exit_code == 2


@pytest.mark.parametrize("to", [[], ["private"]])
def test_visibility_of_nothing(to: list[str]) -> None:
    with pytest.raises(SetupError, match="there is no collection 'x'"):
        upesi("visibility", "x", *to)


def test_help_lists_the_commands() -> None:
    assert [name for name in ("token", "visibility") if name not in upesi("--help").stdout] == []
