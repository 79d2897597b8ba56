"""A private PostGIS for the session, and a catalogue in it that each test fills as it needs."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import hypothesis
import pytest
from fastapi import FastAPI

from app.bulk.load import Loader
from app.catalog import Catalog
from app.database import embedded, schema
from app.database.fragment import sql
from app.database.pool import Database
from app.main import create_app
from app.settings import Settings

# No test looks at a clock: an example may take as long as the machine needs.
hypothesis.settings.register_profile("upesi", deadline=None)
hypothesis.settings.load_profile("upesi")

SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A private cluster, or a database of another PostgreSQL that UPESI_TEST_DATABASE_URL names; it is emptied."""
    if given := os.environ.get("UPESI_TEST_DATABASE_URL"):
        schema.migrate(given)
        yield given
        return
    # Not below pytest's own folder, which PostgreSQL's user cannot enter when the tests run as root.
    folder = Path(tempfile.mkdtemp(prefix="upesi-test-"))
    folder.chmod(0o755)
    with embedded.running(folder / "data") as url:
        schema.migrate(url)
        yield url
    log = (folder / "data" / "postgresql.log").read_text(errors="replace").splitlines()
    shutil.rmtree(folder)
    assert [line for line in log if "was terminated by signal" in line] == []


@pytest.fixture
def settings(database_url: str) -> Settings:
    """With a count in each first page, however busy the machine is."""
    return Settings(database_url=database_url, count_wait=20.0)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """Without a collection in it."""
    async with Database.opened(database_url, size=4, query_timeout=60) as opened:
        await opened.execute(sql("TRUNCATE collections, api_keys CASCADE"))
        yield opened


@pytest.fixture
def catalog(database: Database) -> Catalog:
    return Catalog(database, default_limit=10, max_limit=1000)


@pytest.fixture
def loader(database: Database) -> Loader:
    def fail(place: str, reason: str) -> None:
        raise AssertionError(f"{place}: {reason}")

    return Loader(database, "upsert", "stop", fail)


@pytest.fixture
async def service(settings: Settings, database: Database) -> AsyncIterator[FastAPI]:
    """The service on a catalogue that is empty before the test."""
    assert not await database.fetch(sql("SELECT 1 FROM collections"))
    service = create_app(settings)
    async with service.router.lifespan_context(service):
        yield service


@pytest.fixture
async def client(service: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://stac.test") as client:
        yield client


@pytest.fixture(scope="session")
def shared_data() -> Path:
    if not SHARED_DATA.is_dir():
        pytest.skip("the real items are not beside this checkout")
    return SHARED_DATA
