"""The state of the schema: bring it up to date, and say how far it is."""

import asyncio
import logging
from collections.abc import Sequence
from importlib.resources import files
from time import monotonic

import asyncpg

from app.database.connections import LOST, connect
from app.errors import SetupError

_ASK_SECONDS = 0.5
_log = logging.getLogger("upesi")


class Unreachable(SetupError):
    """No server answers there, or it lets nobody in yet: that can be otherwise in a moment."""


def migrate(url: str) -> None:
    """Bring the database at `url` up to the newest revision. Safe to repeat, and to run from several places at once.

    Raises SetupError where it cannot be reached, where a newer version made its schema, and where others use its tables
    for long: then nothing is changed.
    """
    _check_not_newer(asyncio.run(revision(url)))
    # Alembic and SQLAlchemy take most of a second to import, and a service that starts needs them once in its life.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy.exc import DBAPIError

    config = Config(attributes={"url": url})
    # `%` is special in Alembic's configuration.
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    try:
        command.upgrade(config, "head")
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != asyncpg.LockNotAvailableError.sqlstate:
            raise
        raise SetupError(
            "the tables are in use by something that takes long, such as a load: run `upesi migrate` again later"
        ) from None


def newest_revision() -> str:
    """The files of the migrations begin with their revisions, which are numbered."""
    names = (path.name for path in files("migrations").joinpath("versions").iterdir())
    return max(name.partition("_")[0] for name in names if name.endswith(".py"))


async def revision(url: str) -> str | None:
    """The revision the database is at; None where it has no schema of ours. Raises SetupError."""
    try:
        connection = await connect(url, statement_cache_size=0)
    except (ValueError, asyncpg.InterfaceError):
        # What is wrong may be told with the part of the URL it is in, which may be the password.
        raise SetupError("the database cannot be reached: its URL cannot be read") from None
    except LOST as error:
        raise Unreachable(f"the database cannot be reached: {error}") from None
    except asyncpg.PostgresError as error:
        raise SetupError(f"the database cannot be reached: {error}") from None
    try:
        async with connection.transaction():  # for a pooler, which else might part the steps of the statement
            found: str | None = await connection.fetchval("SELECT version_num FROM upesi_version")
    except asyncpg.UndefinedTableError:
        return None
    except LOST as error:
        raise Unreachable(f"the database cannot be reached: {error}") from None
    finally:
        await connection.close()
    return found


async def await_known(urls: Sequence[str], seconds: float) -> None:
    """Until one of the servers of a database answers, with the schema of this version: a service starts with the first
    that does, and a database may start after it.

    Raises SetupError where none of them has in `seconds`, and at once for what does not pass by itself.
    """
    until, has_said = monotonic() + seconds, False
    while True:
        try:
            check(await _first_revision(urls))
            return
        except Unreachable as error:
            if monotonic() >= until:
                raise
            if not has_said:
                _log.warning("%s: waiting for it, %g s at most", error, seconds)
                has_said = True
        await asyncio.sleep(_ASK_SECONDS)


async def _first_revision(urls: Sequence[str]) -> str | None:
    for url in urls[:-1]:
        try:
            return await revision(url)
        except Unreachable:
            continue
    return await revision(urls[-1])


def check(found: str | None) -> None:
    """Raises SetupError for a revision that this version does not know, with what to run."""
    wanted = newest_revision()
    if found is None:
        raise SetupError("the database has no schema: run `upesi migrate`")
    if found < wanted:
        raise SetupError(f"the database is at revision {found}, and this version wants {wanted}: run `upesi migrate`")
    _check_not_newer(found)


def _check_not_newer(found: str | None) -> None:
    if found is not None and found > newest_revision():
        raise SetupError(f"the database is at revision {found}, newer than this version knows: update Upesi")
