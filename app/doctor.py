"""What `upesi doctor` finds: programs, versions, the state of the database, and what to do about each problem."""

import asyncio
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version

from app import indexing
from app.database import embedded, examination, schema
from app.database.pool import Database
from app.errors import SetupError
from app.indexing import PropertyIndex
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """`remedy` says what to do; without one all is well."""

    name: str
    state: str
    remedy: str | None = None


def findings(settings: Settings) -> Iterator[Finding]:
    yield Finding("Upesi", f"{version('upesi')} on Python {platform.python_version()}")
    if settings.database_url is not None:
        yield from _database(settings.database_url)
        return
    try:
        programs = embedded.find_programs()
    except SetupError as error:
        yield Finding("PostgreSQL programs", "not found", str(error))
        return
    yield Finding("PostgreSQL programs", str(programs))
    yield from _embedded(settings)


def _embedded(settings: Settings) -> Iterator[Finding]:
    if not embedded.state(settings.data_dir).has_cluster:
        yield Finding("embedded cluster", f"none in {settings.data_dir} yet; `upesi serve` makes it")
        return
    running = embedded.state(settings.data_dir).is_running
    yield Finding("embedded cluster", f"in {settings.data_dir}, {'running' if running else 'stopped'}")
    try:
        with embedded.running(settings.data_dir) as url:
            yield from _database(url)
    except SetupError as error:
        yield Finding("embedded cluster", "does not start", str(error))


def _database(url: str) -> Iterator[Finding]:
    try:
        found = asyncio.run(examination.examine(url))
    except SetupError as error:
        yield Finding("database", "cannot be reached", f"{error}: check UPESI_DATABASE_URL and that it runs")
        return
    yield _at_least("PostgreSQL", found.postgresql, examination.POSTGRESQL_FLOOR)
    yield _at_least("PostGIS", found.postgis, examination.POSTGIS_FLOOR)
    yield _schema(found.revision)
    if found.revision is not None:
        yield _indexes(found)
        if found.revision == schema.newest_revision():
            yield from map(_of_property, asyncio.run(_property_indexes(url)))
        yield Finding("catalogue", f"{found.collections:,} collections, about {found.items:,} items")


def _at_least(name: str, found: tuple[int, ...] | None, floor: tuple[int, ...]) -> Finding:
    if found is None:
        return Finding(name, "the extension is not in this database", "run `upesi migrate` as a user who may create it")
    state = ".".join(map(str, found))
    wanted = ".".join(map(str, floor))
    return Finding(name, state, None if found >= floor else f"Upesi needs {wanted} or newer")


def _schema(revision: str | None) -> Finding:
    newest = schema.newest_revision()
    if revision == newest:
        return Finding("schema", f"revision {revision}, the newest")
    if revision is not None and revision > newest:
        return Finding("schema", f"revision {revision}, newer than this Upesi knows", "update Upesi")
    return Finding("schema", "none yet" if revision is None else f"revision {revision}", "run `upesi migrate`")


def _indexes(found: examination.Examination) -> Finding:
    states, remedies = [], []
    if found.missing:
        states.append(f"missing: {', '.join(found.missing)}")
        remedies.append("make the missing ones again as the migrations do")
    if found.invalid:
        states.append(f"invalid: {', '.join(found.invalid)}")
        remedies.append("run in psql: " + "; ".join(f"REINDEX INDEX CONCURRENTLY {name}" for name in found.invalid))
    if not states:
        return Finding("indexes", "all there and valid")
    return Finding("indexes", "; ".join(states), "; ".join(remedies))


async def _property_indexes(url: str) -> list[PropertyIndex]:
    async with Database.opened(url, size=1, query_timeout=60) as database:
        return await indexing.listed(database)


def _of_property(index: PropertyIndex) -> Finding:
    name = f"index on {index.property}"
    if index.state in ("valid", "building"):
        return Finding(name, f"{index.state}, {index.bytes / 1e6:,.1f} MB")
    return Finding(name, index.state, f"run `upesi index add {index.property}`, or `upesi index drop` it")
