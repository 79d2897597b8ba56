"""The migrations, each time in a database of their own."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import asyncpg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from shapely import geometry as geojson
from sqlalchemy import Column, Connection, Index, inspect, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.bulk.load import Loader
from app.database import schema
from app.database.pool import Database
from app.database.tables import metadata
from app.errors import SetupError
from tests.database.fresh import fresh_database, run
from tests.factories import Document, box, collection, item, load, point

State = dict[str, Any]


@pytest.fixture
def fresh_url(database_url: str) -> Iterator[str]:
    with fresh_database(database_url) as url:
        yield url


def asked(url: str, question: Any) -> Any:
    """What `question` answers about the database, asked in SQLAlchemy's synchronous way."""

    async def ask() -> Any:
        engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"), poolclass=NullPool)
        async with engine.connect() as connection:
            answer = await connection.run_sync(question)
        await engine.dispose()
        return answer

    return asyncio.run(ask())


def differences(connection: Connection) -> list[Any]:
    def include(thing: object, name: str | None, kind: str, reflected: bool, _: object) -> bool:
        # PostgreSQL does not keep the text of an expression, which is what Alembic compares.
        if isinstance(thing, Index) and not all(isinstance(part, Column) for part in thing.expressions):
            return False
        return not (kind == "table" and reflected and name not in metadata.tables)

    options = {"compare_type": True, "compare_server_default": True, "include_object": include}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names()) & set(metadata.tables)


def state(connection: Connection) -> State:
    """What the tables are made of, in PostgreSQL's own words."""
    return {name: [tuple(row) for row in connection.execute(text(query))] for name, query in _STATE.items()}


_STATE = {
    "columns": """SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attstorage::text,
        a.attidentity::text, a.attgenerated::text, a.attcollation::regcollation::text,
        pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relname IN ('collections', 'dictionaries', 'items', 'queryables') AND a.attnum > 0
        ORDER BY c.relname, a.attnum""",
    "indexes": """SELECT indexdef FROM pg_indexes
        WHERE tablename IN ('collections', 'dictionaries', 'items', 'queryables') ORDER BY 1""",
    "constraints": """SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid::regclass::text IN ('collections', 'dictionaries', 'items', 'queryables') ORDER BY 1""",
}


def config(url: str = "") -> Config:
    made = Config(attributes={"url": url})
    made.set_main_option("script_location", str(files("migrations")))
    return made


def test_newest_revision_is_the_one_that_alembic_goes_to() -> None:
    assert schema.newest_revision() == ScriptDirectory.from_config(config()).get_current_head()


def create_from_metadata(connection: Connection) -> None:
    for extension in ("postgis", "btree_gist"):
        connection.execute(text(f"CREATE EXTENSION {extension}"))
    metadata.create_all(connection)
    for table, column in (("items", "content"), ("collections", "document")):
        connection.execute(text(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE EXTERNAL"))
    connection.commit()


def test_alembic_finds_no_difference(fresh_url: str) -> None:
    schema.migrate(fresh_url)
    assert asked(fresh_url, differences) == []


def test_migrations_make_what_the_metadata_says(fresh_url: str, database_url: str) -> None:
    """Alembic does not compare collations, generated columns and index methods; the catalogue of PostgreSQL does."""
    schema.migrate(fresh_url)
    with fresh_database(database_url) as other:
        asked(other, create_from_metadata)
        assert asked(fresh_url, state) == asked(other, state)


def test_ids_sort_by_code_point_and_ties_fit_into_28_bits(fresh_url: str) -> None:
    schema.migrate(fresh_url)
    columns = {(row[0], row[1]): row for row in asked(fresh_url, state)["columns"]}
    assert columns["items", "id"][7] == columns["collections", "id"][7] == '"C"'
    assert "bit(28)" in columns["items", "tie"][8]
    assert columns["items", "content"][4] == "e"


def test_down_and_up_again(fresh_url: str) -> None:
    schema.migrate(fresh_url)
    before = asked(fresh_url, state)
    command.downgrade(config(fresh_url), "base")
    assert asked(fresh_url, tables) == set()
    assert asyncio.run(schema.revision(fresh_url)) is None
    schema.migrate(fresh_url)
    assert asked(fresh_url, state) == before


def test_queryables_of_items_that_are_there_already(fresh_url: str) -> None:
    """The migration finds what a load finds, but for the texts."""
    schema.migrate(fresh_url)
    asyncio.run(_load(fresh_url, _described_items()))
    loaded = asked(fresh_url, _queryables)
    assert {"p", "many"} < {row[1] for row in loaded}
    before = ScriptDirectory.from_config(config(fresh_url)).get_revision("0004").down_revision
    command.downgrade(config(fresh_url), str(before))
    assert "queryables" not in asked(fresh_url, tables)
    schema.migrate(fresh_url)
    assert asked(fresh_url, _queryables) == loaded


def test_cells_of_items_that_are_there_already(fresh_url: str) -> None:
    """PostgreSQL finds what the writer finds."""
    schema.migrate(fresh_url)
    dice = random.Random(5)
    corners = [(dice.uniform(-180, 160), dice.uniform(-90, 70), dice.uniform(0, 20)) for _ in range(300)]
    places: list[Document | None] = [box(west, south, west + size, south + size) for west, south, size in corners]
    places += [
        None,
        point(-180, -90),
        point(180, 90),
        point(-0.0, 5e-324),
        box(-20, -20, -16, -16),
    ]
    found = [item(f"i{number}", geometry=place) for number, place in enumerate(places)]
    asyncio.run(_load(fresh_url, found))
    loaded = asked(fresh_url, _cells)
    assert len(loaded) == len(places)
    assert len({cell for _, cell in loaded}) > 100
    command.downgrade(config(fresh_url), "0009")
    schema.migrate(fresh_url)
    assert asked(fresh_url, _cells) == loaded
    with pytest.raises(asyncpg.NotNullViolationError):
        run(fresh_url, "UPDATE items SET cell = NULL")


def _cells(connection: Connection) -> list[tuple[str, int]]:
    return [(row[0], row[1]) for row in connection.execute(text("SELECT id, cell FROM items ORDER BY id"))]


def test_footprints_that_are_there_already_are_found_on_both_sides(fresh_url: str) -> None:
    """As they are when they are written now; what was within ±180 is not touched."""
    schema.migrate(fresh_url)
    dice = random.Random(8)
    corners = [(dice.uniform(-360, 358), dice.uniform(-90, 80), dice.uniform(0.1, 9)) for _ in range(300)]
    places = [box(west, south, min(west + size, 360), south + size) for west, south, size in corners]
    places += [point(181, 5), point(-180, 5), box(-200, -5, 200, 5), box(180, 0, 190, 5), point(0, 0)]
    asyncio.run(_load(fresh_url, [item(f"i{number:03}", geometry=place) for number, place in enumerate(places)]))
    loaded = asked(fresh_url, _places)
    command.downgrade(config(fresh_url), "0010")
    earlier = {f"i{number:03}": geojson.shape(place) for number, place in enumerate(places)}
    beyond = {name: shape for name, shape in earlier.items() if shape.bounds[0] < -180 or shape.bounds[2] > 180}
    run(fresh_url, *(_LAID % (shape.wkt, name) for name, shape in beyond.items()))
    run(fresh_url, "UPDATE collections SET envelope = ST_MakeEnvelope(-360, -90, 360, 89, 4326)")
    untouched = "SELECT id, xmin FROM items WHERE ST_XMin(geometry) >= -180 AND ST_XMax(geometry) <= 180 ORDER BY id"
    before = asked(fresh_url, lambda connection: connection.execute(text(untouched)).all())
    assert len(before) == len(places) - len(beyond) > 100
    schema.migrate(fresh_url)
    assert asked(fresh_url, _places) == loaded
    after = asked(fresh_url, lambda connection: connection.execute(text(untouched)).all())
    assert set(before) < set(after)


# As they were until 0011.
_LAID = "UPDATE items SET geometry = ST_GeomFromText('%s', 4326), cell = 1 WHERE id = '%s'"


def _places(connection: Connection) -> list[tuple[str, str, int]]:
    query = "SELECT id, ST_AsText(ST_Normalize(geometry)), cell FROM items ORDER BY id"
    return [(row[0], row[1], row[2]) for row in connection.execute(text(query))]


_BOXES = {
    "POLYGON((170 0,190 0,190 5,170 5,170 0))": [(170, 0, 180, 5), (-180, 0, -170, 5)],
    "POLYGON((-190 0,-170 0,-170 5,-190 5,-190 0))": [(170, 0, 180, 5), (-180, 0, -170, 5)],
    "POLYGON((190 0,200 0,200 5,190 5,190 0))": [(-170, 0, -160, 5)],
    "LINESTRING(170 0,190 0)": [(170, 0, 180, 0), (-180, 0, -170, 0)],
    "POINT(190 1)": [(-170, 1, -170, 1)],
    "POLYGON((-10 0,350 0,350 5,-10 5,-10 0))": [(-180, 0, 180, 5)],
    "POLYGON((170 0,5000 0,5000 5,170 5,170 0))": [(-180, 0, 5000, 5)],
    "POLYGON((170 0,180 0,180 5,170 5,170 0))": [(170, 0, 180, 5)],
}
_ENCLOSED = "INSERT INTO collections (id, content, extent, document, envelope) VALUES ('%s', '', '', '{}', '%s')"


def test_boxes_around_items_that_are_there_already(fresh_url: str) -> None:
    """In two parts across the antimeridian, of which the one that ends at 180 is the first."""
    command.upgrade(config(fresh_url), "0010")
    run(fresh_url, *(_ENCLOSED % (shape, f"SRID=4326;{shape}") for shape in _BOXES))
    schema.migrate(fresh_url)
    query = """SELECT id, ST_XMin(p.geom), ST_YMin(p.geom), ST_XMax(p.geom), ST_YMax(p.geom)
        FROM collections CROSS JOIN ST_Dump(area) AS p ORDER BY key, p.path"""
    found: dict[str, list[tuple[float, ...]]] = {}
    for shape, *part in asked(fresh_url, lambda connection: connection.execute(text(query)).all()):
        found.setdefault(shape, []).append(tuple(part))
    assert found == _BOXES


def test_no_words_are_made_to_be_counted(fresh_url: str) -> None:
    """ANALYZE would make those of 30,000 items, behind each load, and plans do not depend on them."""
    schema.migrate(fresh_url)
    asyncio.run(_load(fresh_url, _described_items()))
    run(fresh_url, "CREATE INDEX items_ids ON items (upper(id))", "ANALYZE items")
    assert asked(fresh_url, _described) == ["items", "items_ids"]


def _described(connection: Connection) -> list[str]:
    """What has statistics: the table, and indexes on expressions."""
    query = "SELECT DISTINCT tablename FROM pg_stats WHERE tablename LIKE 'items%' ORDER BY 1"
    return [row[0] for row in connection.execute(text(query))]


async def _load(url: str, items: list[Document]) -> None:
    def fail(place: str, reason: str) -> None:
        raise AssertionError(f"{place}: {reason}")

    async with Database.opened(url, size=1, query_timeout=60) as database:
        await load(Loader(database, "insert", "stop", fail), collection(), *items)


def _described_items() -> list[Document]:
    days = [
        f"20{year:02}-{month:02}-{day:02}T23:59:60Z" for year in (23, 24) for month in range(14) for day in range(33)
    ]
    values: list[Any] = [
        1,
        2.5,
        -3,
        True,
        None,
        "a",
        "2024-01-01",
        {},
        [],
        [1, None, "x"],
        [[2.5], {}],
        "0000-01-01T00:00:00Z",
    ]
    properties = [{"p": value, f"only {number}": value} for number, value in enumerate(values)]
    properties += [{"many": day, day: day} for day in days]
    properties += [{"time": f"2024-07-16T12:00:00.5{zone}", zone: zone} for zone in ("z", "+15:59", "-01:00")]
    return [item(f"{number}", properties=each) for number, each in enumerate(properties)]


def _queryables(connection: Connection) -> list[Any]:
    query = "SELECT collection, name, types, members, minimum, maximum FROM queryables ORDER BY 1, 2"
    return [tuple(row) for row in connection.execute(text(query))]


def test_collections_that_are_there_already_are_found_as_new_ones_are(fresh_url: str) -> None:
    command.upgrade(config(fresh_url), "0001")
    run(fresh_url, *(_EARLIER % (name, content.hex(), declared.hex()) for name, content, declared in _THERE))
    schema.migrate(fresh_url)
    rows = asked(fresh_url, lambda connection: connection.execute(text(_FILLED)).all())
    assert [tuple(row) for row in rows] == [
        ("bare", {}, None, None, "'bare':1"),
        (
            "full",
            {"id": "full", "title": "A B", "x:note": "\ufffd", "keywords": ["c-d"]},
            "MULTIPOLYGON(((170 0,170 5,180 5,180 0,170 0)),((-180 0,-180 5,-170 5,-170 0,-180 0)))",
            True,
            "'a':2 'b':3 'c':4 'd':5 'full':1",
        ),
    ]


_THERE = [
    (
        "full",
        b'{"id":"full","title":"A B","x:note":"\\u0000","keywords":["c-d"],"links":[]}',
        b'{"spatial":{"bbox":[[170,0,-170,5]]},"temporal":{"interval":[["2000-01-01T00:00:00Z",null]]}}',
    ),
    ("bare", b'{"links":[]}', b'{"spatial":{"bbox":[]}}'),
]
_EARLIER = r"INSERT INTO collections (id, content, extent) VALUES ('%s', '\x%s', '\x%s')"
_FILLED = """SELECT id, document, ST_AsText(ST_Normalize(area)), times = '{[2000-01-01Z,)}', words::text
    FROM collections ORDER BY id"""


def test_repeated(fresh_url: str) -> None:
    for _ in range(3):
        schema.migrate(fresh_url)
        assert asyncio.run(schema.revision(fresh_url)) == schema.newest_revision()


def test_tables_of_others_are_left_alone(fresh_url: str) -> None:
    run(fresh_url, "CREATE TABLE theirs (id int)", "CREATE TABLE alembic_version (version_num text)")
    schema.migrate(fresh_url)
    assert asked(fresh_url, differences) == []
    command.downgrade(config(fresh_url), "base")
    run(fresh_url, "SELECT * FROM theirs, alembic_version")


def test_migration_that_fails_leaves_nothing(fresh_url: str) -> None:
    run(fresh_url, "CREATE TABLE items (theirs int)")
    with pytest.raises(Exception, match="already exists"):
        schema.migrate(fresh_url)
    assert asked(fresh_url, tables) == {"items"}


@pytest.mark.parametrize("processes", [2, 4])
def test_at_once_from_several_processes(fresh_url: str, processes: int) -> None:
    program = "import sys; from app.database import schema; schema.migrate(sys.argv[1])"
    running = [
        subprocess.Popen([sys.executable, "-c", program, fresh_url], stderr=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    outcomes = [(process.communicate(timeout=60)[1], process.returncode) for process in running]
    assert outcomes == [("", 0)] * processes
    assert asked(fresh_url, differences) == []


@pytest.mark.parametrize("parameter", ["sslmode=disable", "application_name=upesi", "options=-c%20jit%3Doff"])
def test_parameters_of_a_url_that_the_pool_takes(fresh_url: str, parameter: str) -> None:
    """SQLAlchemy hands each of them to the driver as a keyword, which knows them in a URL only."""
    schema.migrate(f"{fresh_url}{'&' if '?' in fresh_url else '?'}{parameter}")


def test_a_table_in_use_is_not_waited_for_without_end(fresh_url: str) -> None:
    """Who waits for a table makes all wait who come behind. Here somebody writes into it, for long."""
    schema.migrate(fresh_url)
    command.downgrade(config(fresh_url), "0002")

    async def while_written() -> None:
        writer = await asyncpg.connect(fresh_url)
        async with writer.transaction():
            await writer.execute("LOCK TABLE items IN ROW EXCLUSIVE MODE")
            with pytest.raises(SetupError, match="run `upesi migrate` again"):
                await asyncio.to_thread(schema.migrate, fresh_url)
        await writer.close()

    asyncio.run(while_written())
    assert asyncio.run(schema.revision(fresh_url)) == "0002"
    schema.migrate(fresh_url)
    schema.migrate(fresh_url)
    assert asyncio.run(schema.revision(fresh_url)) == schema.newest_revision()
