"""The state of the schema: bring it up to date, and say how far it is."""

from importlib.resources import files

import asyncpg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from app.errors import SetupError


def _config(url: str | None = None) -> Config:
    config = Config(attributes={"url": url})
    # `%` is special in Alembic's configuration.
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    return config


def migrate(url: str) -> None:
    """Bring the database at `url` up to the newest revision. Safe to repeat, and to run from several places at once."""
    command.upgrade(_config(url), "head")


def newest_revision() -> str:
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


async def revision(url: str) -> str | None:
    """The revision the database is at; None where it has no schema of ours. Raises SetupError."""
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise SetupError(f"the database cannot be reached: {error}") from None
    try:
        found: str | None = await connection.fetchval("SELECT version_num FROM upesi_version")
    except asyncpg.UndefinedTableError:
        return None
    finally:
        await connection.close()
    return found


async def check(url: str) -> None:
    """Raises SetupError for a schema that this version does not know, with what to run."""
    found, wanted = await revision(url), newest_revision()
    if found == wanted:
        return
    if found is None or found < wanted:
        state = "has no schema" if found is None else f"is at revision {found}, and this version wants {wanted}"
        raise SetupError(f"the database {state}: run `upesi migrate`")
    raise SetupError(f"the database is at revision {found}, which is newer than this version of Upesi: update Upesi")
