"""The service over the demo catalogue, whose files it serves itself."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pytest

from app import demo as catalogue
from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from tests.factories import load
from tests.processes import running


@dataclass(frozen=True)
class Demo:
    url: str
    database_url: str


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("static")
    catalogue.write_files(folder)
    return folder


@pytest.fixture(scope="module")
def demo(database_url: str, files: Path) -> Iterator[Demo]:
    asyncio.run(_fill(database_url))
    # A busy machine shall not leave a count out that a guide shows.
    with running(database_url, UPESI_STATIC_DIR=str(files), UPESI_COUNT_WAIT="20") as url:
        yield Demo(url, database_url)


async def _fill(url: str) -> None:
    def fail(place: str, reason: str) -> None:
        raise AssertionError(f"{place}: {reason}")

    async with Database.opened(url, size=1, query_timeout=60) as database:
        await database.execute(sql("TRUNCATE collections CASCADE"))
        await load(Loader(database, "insert", "stop", fail), *chain(catalogue.collections(), catalogue.items()))
