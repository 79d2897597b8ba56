"""What a process knows of the database, and reads again every few seconds."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from app.errors import UpesiError

_log = logging.getLogger("upesi")


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
    """The database may be away for a while, and what fails as nobody foresaw is tried again too."""
    has_said = False
    while True:
        await asyncio.sleep(seconds)
        try:
            await refresh()
            has_said = False
        except UpesiError:
            continue
        except Exception as error:
            if not has_said:
                _log.error("what is known of the database cannot be read again: %r", error)
                has_said = True
