"""Runs the migrations against the database of the settings, one process at a time."""

import asyncio

from alembic import context
from sqlalchemy import Column, Connection, Index, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from app.database.connections import SERVER_SETTINGS, connect
from app.database.tables import metadata
from app.settings import Settings

# Any number will do, as long as all processes that migrate take the same one.
_LOCK = 7_566_073
_PATIENCE = 5


def _include(thing: object, name: str | None, kind: str, reflected: bool, _: object) -> bool:
    """Tables of PostGIS and of others in the same database are none of our business. Indexes on expressions are
    compared by tests/test_migrations.py, as PostgreSQL does not keep the text they were made by."""
    if isinstance(thing, Index) and not all(isinstance(part, Column) for part in thing.expressions):
        return False
    return not (kind == "table" and reflected and name not in metadata.tables)


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        include_object=_include,
        version_table="upesi_version",
    )
    with context.begin_transaction():
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        # Whoever waits for a table makes all who come behind wait too: readers are not to feel a migration for long.
        connection.execute(text(f"SET LOCAL lock_timeout = '{_PATIENCE}s'"))
        context.run_migrations()
        _set_defaults(connection)


def _set_defaults(connection: Connection) -> None:
    """What the service asks each connection for, for this role in this database: a pooler takes no settings."""
    for name, value in SERVER_SETTINGS.items():
        statement = "SELECT format('ALTER ROLE CURRENT_USER IN DATABASE %I SET %I = %L', current_database(), {})"
        given = text(statement.format("CAST(:name AS text), CAST(:value AS text)"))
        connection.execute(text(connection.scalar(given, {"name": name, "value": value}) or ""))


async def _run() -> None:
    url = context.config.attributes.get("url") or Settings().database_url
    if url is None:
        raise SystemExit("set UPESI_DATABASE_URL, or run `upesi migrate` for the embedded cluster")
    # asyncpg reads the URL itself: of what it may say SQLAlchemy knows a part.
    engine = create_async_engine(
        "postgresql+asyncpg://", async_creator=lambda *_, **__: connect(url), poolclass=NullPool
    )
    try:
        async with engine.begin() as connection:
            await connection.run_sync(_migrate)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("migrations need the database they change: run them without --sql")
asyncio.run(_run())
