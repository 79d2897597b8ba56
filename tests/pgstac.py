"""Databases of pgstac beside the tests' own, made by its own tools."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

_PYPGSTAC = Path(sys.executable).with_name("pypgstac")


async def execute(url: str, *statements: tuple[str, *tuple[str, ...]]) -> None:
    """Each with its values."""
    connection = await asyncpg.connect(url, server_settings={"search_path": "pgstac, public"})
    try:
        for statement, *values in statements:
            await connection.execute(statement, *values)
    finally:
        await connection.close()


def beside(url: str, name: str) -> str:
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def pypgstac(url: str, *arguments: str | Path) -> None:
    done = subprocess.run([_PYPGSTAC, *arguments, "--dsn", url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@contextmanager
def place_for_pgstac(database_url: str) -> Iterator[Callable[[str], str]]:
    """Makes a database of a version of pgstac on the same server, in place of the one before, and tells its URL."""
    name = f"upesi_pgstac_{os.getpid()}"
    drop = (f"DROP DATABASE IF EXISTS {name} WITH (FORCE)",)

    def made(version: str) -> str:
        asyncio.run(execute(database_url, drop, (f"CREATE DATABASE {name}",)))
        url = beside(database_url, name)
        pypgstac(url, "migrate", "--toversion", version)
        return url

    yield made
    asyncio.run(execute(database_url, drop))
