"""What can be said of a database from the outside, for `upesi doctor`."""

from dataclasses import dataclass

import asyncpg

from app.database import schema
from app.database.connections import connect
from app.database.tables import metadata

POSTGRESQL_FLOOR = (15,)
POSTGIS_FLOOR = (3, 3)


@dataclass(frozen=True, slots=True)
class Examination:
    """`items` is the planner's estimate. `postgis` is None where the extension is not there."""

    postgresql: tuple[int, ...]
    postgis: tuple[int, ...] | None
    revision: str | None
    missing: list[str]
    invalid: list[str]
    collections: int
    items: int


async def examine(url: str) -> Examination:
    """Raises SetupError where the database cannot be reached."""
    revision = await schema.revision(url)
    connection = await connect(url)
    try:
        return await _examine(connection, revision)
    finally:
        await connection.close()


async def _examine(connection: asyncpg.Connection, revision: str | None) -> Examination:
    version = connection.get_server_version()
    postgis = await connection.fetchval("SELECT extversion FROM pg_extension WHERE extname = 'postgis'")
    valid: dict[str, bool] = {row["relname"]: row["indisvalid"] for row in await connection.fetch(_INDEXES)}
    wanted = sorted(str(index.name) for table in metadata.tables.values() for index in table.indexes)
    return Examination(
        postgresql=(version.major, version.micro),  # since version 10 there is no minor one
        postgis=None if postgis is None else tuple(int(part) for part in postgis.split(".")[:2]),
        revision=revision,
        missing=[name for name in wanted if name not in valid] if revision else [],
        invalid=[name for name in sorted(valid) if not valid[name]],
        collections=await connection.fetchval("SELECT count(*) FROM collections") if revision else 0,
        items=await connection.fetchval(_ESTIMATE) if revision else 0,
    )


_INDEXES = """SELECT c.relname, x.indisvalid FROM pg_index x JOIN pg_class c ON c.oid = x.indexrelid
    WHERE x.indrelid IN (to_regclass('items'), to_regclass('collections'), to_regclass('dictionaries'),
        to_regclass('queryables'))
    AND c.relname NOT LIKE 'items\\_property\\_%'"""
_ESTIMATE = "SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'items'::regclass"
