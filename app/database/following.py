"""What a process knows of the database, and reads again every few seconds."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from app.errors import UpesiError


@asynccontextmanager
async def followed(refresh: Callable[[], Awaitable[None]], seconds: float) -> AsyncIterator[None]:
    """Known now, and kept up to date meanwhile."""
    await refresh()
    task = asyncio.create_task(_follow(refresh, seconds))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _follow(refresh: Callable[[], Awaitable[None]], seconds: float) -> None:
    """The database may be away for a while."""
    while True:
        await asyncio.sleep(seconds)
        with suppress(UpesiError):
            await refresh()
