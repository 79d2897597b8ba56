"""A database of its own, next to the one of the tests, for what would be in the way there."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg


@contextmanager
def fresh_database(url: str) -> Iterator[str]:
    """The URL of an empty database, which is dropped behind the test."""
    name = f"fresh_{uuid4().hex}"
    run(url, f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        yield urlsplit(url)._replace(path=f"/{name}").geturl()
    finally:
        run(url, f"DROP DATABASE {name} WITH (FORCE)")


def run(url: str, *statements: str) -> None:
    """Each in a transaction of its own, on a connection of its own."""
    asyncio.run(_run(url, statements))


async def _run(url: str, statements: tuple[str, ...]) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


def asked(url: str, question: str) -> Any:
    """The one value that a query returns."""

    async def ask() -> Any:
        connection = await asyncpg.connect(url)
        try:
            return await connection.fetchval(question)
        finally:
            await connection.close()

    return asyncio.run(ask())
