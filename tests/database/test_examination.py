import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import doctor
from app.database import schema
from app.database.examination import Examination, examine
from app.errors import SetupError
from app.settings import Settings
from tests.database.fresh import fresh_database, run

UNREACHABLE = "postgresql://upesi@127.0.0.1:1/x"
ITEM_INDEXES = ["items_collection_time", "items_space_time", "items_time"]
COLLECTIONS = "INSERT INTO collections (id, content, extent, document) VALUES ('a', '', '', '{}'), ('b', '', '', '{}')"


@pytest.fixture
def empty_url(database_url: str) -> Iterator[str]:
    with fresh_database(database_url) as url:
        yield url


@pytest.fixture
def own_url(empty_url: str) -> str:
    schema.migrate(empty_url)
    return empty_url


def examined(url: str) -> Examination:
    return asyncio.run(examine(url))


def findings(url: str) -> dict[str, doctor.Finding]:
    return {finding.name: finding for finding in doctor.findings(Settings(database_url=url))}


def test_healthy(own_url: str) -> None:
    run(own_url, COLLECTIONS)
    found = examined(own_url)
    assert found.postgresql >= (15,)
    assert (found.postgis or ()) >= (3, 3)
    assert found.revision == schema.newest_revision()
    assert (found.missing, found.invalid, found.collections, found.items) == ([], [], 2, 0)
    assert [finding.name for finding in findings(own_url).values() if finding.remedy] == []


def test_items_are_the_estimate_of_the_planner(own_url: str) -> None:
    run(
        own_url,
        COLLECTIONS,
        "INSERT INTO items (id, collection, datetime, start_datetime, end_datetime, properties, content, cell)"
        " SELECT n::text, key, now(), now(), now(), '{}', '', -1 FROM collections, generate_series(1, 25) AS t (n)",
        "ANALYZE items",
    )
    assert examined(own_url).items == 50
    assert findings(own_url)["catalogue"].state == "2 collections, about 50 items"


def test_nothing_in_the_database(empty_url: str) -> None:
    assert examined(empty_url).revision is None
    assert examined(empty_url).postgis is None
    found = findings(empty_url)
    assert found["schema"] == doctor.Finding("schema", "none yet", "run `upesi migrate`")
    assert "upesi migrate" in (found["PostGIS"].remedy or "")
    assert "catalogue" not in found


@pytest.mark.parametrize("name", [*ITEM_INDEXES, "dictionaries_collection"])
def test_missing_index(own_url: str, name: str) -> None:
    run(own_url, f"DROP INDEX {name}")
    assert examined(own_url).missing == [name]
    assert name in findings(own_url)["indexes"].state
    assert findings(own_url)["indexes"].remedy


def test_invalid_index_of_a_build_that_failed(own_url: str) -> None:
    run(
        own_url,
        COLLECTIONS,
        "CREATE FUNCTION refuse(bytea) RETURNS bytea IMMUTABLE LANGUAGE sql AS 'SELECT $1'",
    )
    with pytest.raises(Exception, match="could not create unique index"):
        run(own_url, "CREATE UNIQUE INDEX CONCURRENTLY broken ON collections (refuse(content))")
    assert examined(own_url).invalid == ["broken"]
    finding = findings(own_url)["indexes"]
    assert finding.state == "invalid: broken"
    assert "REINDEX INDEX CONCURRENTLY broken" in (finding.remedy or "")


def test_both_problems_of_the_indexes_are_told(own_url: str) -> None:
    run(own_url, COLLECTIONS, "DROP INDEX items_time")
    with pytest.raises(Exception, match="could not create unique index"):
        run(own_url, "CREATE UNIQUE INDEX CONCURRENTLY broken ON collections (content)")
    told = " ".join(finding.state for finding in findings(own_url).values())
    assert "items_time" in told
    assert "broken" in told


@pytest.mark.parametrize(
    ("change", "state", "remedy"),
    [
        ("UPDATE upesi_version SET version_num = '0000'", "revision 0000", "run `upesi migrate`"),
        ("UPDATE upesi_version SET version_num = '9999'", "revision 9999, newer than", "update Upesi"),
        ("DELETE FROM upesi_version", "none yet", "run `upesi migrate`"),
    ],
)
def test_other_revision(own_url: str, change: str, state: str, remedy: str) -> None:
    run(own_url, change)
    finding = findings(own_url)["schema"]
    assert finding.state.startswith(state)
    assert finding.remedy == remedy


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        (UNREACHABLE, "Connect call failed"),
        ("postgresql://upesi@/x?host=/nowhere", "No such file or directory"),
        ("postgresql://upesi@localhost:port/x", "its URL cannot be read"),
        ("postgresql://[upesi/x", ""),
    ],
)
def test_unreachable(url: str, reason: str) -> None:
    with pytest.raises(SetupError, match=f"^the database cannot be reached: .*{reason}"):
        examined(url)
    finding = findings(url)["database"]
    assert finding.state == "cannot be reached"
    assert "UPESI_DATABASE_URL" in (finding.remedy or "")


def test_data_directory_without_a_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UPESI_DATABASE_URL", raising=False)
    found = {finding.name: finding for finding in doctor.findings(Settings(data_dir=tmp_path))}
    assert found["embedded cluster"].state.startswith(f"none in {tmp_path} yet")
    assert all(finding.remedy is None for finding in found.values())


@pytest.mark.parametrize(
    ("revision", "reason"),
    [
        (None, "has no schema: run `upesi migrate`"),
        ("0000", "is at revision 0000, and this version wants .*: run `upesi migrate`"),
        ("9999", "is at revision 9999, newer than this version knows: update Upesi"),
    ],
)
def test_check_says_what_to_run(revision: str | None, reason: str) -> None:
    with pytest.raises(SetupError, match=f"^the database {reason}$"):
        schema.check(revision)


def test_a_newer_schema_is_not_migrated(own_url: str) -> None:
    run(own_url, "UPDATE upesi_version SET version_num = '9999'")
    with pytest.raises(SetupError, match=r"revision 9999, newer than this version knows: update Upesi$"):
        schema.migrate(own_url)


def test_revision_of_this_version_passes(own_url: str) -> None:
    found = asyncio.run(schema.revision(own_url))
    assert found == schema.newest_revision()
    schema.check(found)


def test_no_revision_where_nothing_was_migrated(empty_url: str) -> None:
    assert asyncio.run(schema.revision(empty_url)) is None
