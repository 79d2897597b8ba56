"""The database that the settings name, for as long as a command runs."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from app.database import embedded, schema
from app.settings import Settings


@contextmanager
def database(settings: Settings) -> Iterator[str]:
    """The URL of the database the settings name, or of the embedded cluster, which runs meanwhile."""
    if settings.database_url is not None:
        yield settings.database_url
        return
    with embedded.running(settings.data_dir) as url:
        yield url


@contextmanager
def served(settings: Settings) -> Iterator[str]:
    """As `migrated`, of a service: it waits for its database, and starts with a replica alone."""
    if settings.database_url is None:
        with migrated(settings) as url:
            yield url
        return
    asyncio.run(schema.await_known(settings.servers(settings.database_url), settings.database_wait))
    yield settings.database_url


@contextmanager
def migrated(settings: Settings) -> Iterator[str]:
    """A database with the schema of this version: the embedded one is brought there, another is only checked."""
    with database(settings) as url:
        found = asyncio.run(schema.revision(url))
        if settings.database_url is None and (found is None or found < schema.newest_revision()):
            schema.migrate(url)
        else:
            schema.check(found)
        yield url
