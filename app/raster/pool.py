"""Processes for pixel work: so many, each with so much memory, and so much time for a job.

The service never imports GDAL. A process that takes too long or dies takes its job with it, and nothing else.
"""

import asyncio
import logging
import math
import re
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from anyio import BrokenWorkerProcess, CapacityLimiter, fail_after
from anyio.to_process import run_sync

from app.assets.signing import Signers
from app.errors import TimedOut, Unavailable, Unreadable
from app.raster.access import Access
from app.raster.confinement import Confinement
from app.raster.sources import Sources
from app.raster.worker import Failure, Strange, confined, ended
from app.settings import Settings

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

# Returns when the client has left.
Left = Callable[[], Awaitable[None]]

# Seconds that a job goes on for nobody: a map that is moved leaves many tiles, and a new process costs more than one.
_GRACE = 2.0
# Jobs that wait for a process, for each there is.
_WAITING = 50
# Of a URL that is signed.
_QUERY = re.compile(r"\?[^\s'\"]*=[^\s'\"]*")
_log = logging.getLogger("upesi")


async def _never() -> None:
    await asyncio.Event().wait()


class Pool:
    def __init__(self, settings: Settings, signers: Signers) -> None:
        sources = Sources(frozenset(settings.asset_hosts), settings.static_dir, settings.asset_dir, settings.href_rules)
        self.access = Access(sources, signers)
        self._confinement = Confinement(sources, settings.raster_memory)
        self._limiter = CapacityLimiter(settings.raster_workers)
        # That above counts them.
        self._processes = CapacityLimiter(math.inf)
        self._seconds = settings.raster_timeout

    async def run(self, job: Callable[[Asked], Answer], asked: Asked, left: Left = _never) -> Answer:
        """Do a job in another process; it is a function of `app.raster.jobs`.

        `left` returns when nobody waits for the answer any more: the job is not begun then, or soon ended.

        Raises what the job raises of UpesiError, TimedOut, TooLarge for one that takes too much memory, and Unavailable
        where too many wait, or nobody.
        """
        if self._limiter.statistics().tasks_waiting >= _WAITING * self._limiter.total_tokens:
            raise Unavailable("too many pictures and cubes are being made: ask again in a moment")
        begun = asyncio.Event()
        try:
            done = await _while_wanted(self._work(job, asked, begun), begun, left)
        except TimeoutError:
            raise TimedOut(f"the pixels took longer than {self._seconds:g} s: ask for fewer of them") from None
        except BrokenWorkerProcess:
            _log.warning("a process for pixels died at %s", type(asked).__name__)
            raise Unreadable("the pixels could not be read: what reads them broke") from None
        if isinstance(done, Failure):
            if done.kind == Unreadable.__name__:
                # What went wrong has the paths of this machine in it.
                _log.warning("%s", _QUERY.sub("?…", done.description))
                raise Unreadable("a file of these items cannot be read, or is of no format that this service reads")
            raise done.error()
        answer: Answer = done
        return answer

    async def _work(self, job: Callable[[Asked], Answer], asked: Asked, begun: asyncio.Event) -> Answer | Failure:
        """Cancelled, it ends the process. Raises TimeoutError, BrokenWorkerProcess."""
        with fail_after(self._seconds):
            async with self._limiter:
                begun.set()
                while isinstance(done := await self._sent(partial(confined, self._confinement, job, asked)), Strange):
                    # It is the first of those that are idle, unless another job has taken it meanwhile.
                    with suppress(BrokenWorkerProcess):
                        await self._sent(partial(ended, self._confinement))
                return done

    async def _sent(self, task: Callable[[], Answer]) -> Answer:
        """Done in a process of this event loop."""
        return await run_sync(task, cancellable=True, limiter=self._processes)


async def _while_wanted(work: Coroutine[Any, Any, Answer], begun: asyncio.Event, left: Left) -> Answer:
    """Raises Unavailable where `left` returns before the work is done."""
    working, leaving = asyncio.create_task(work), asyncio.ensure_future(left())
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done() and begun.is_set():
            await asyncio.wait({working}, timeout=_GRACE)
        if not working.done():
            raise Unavailable("nobody waits for these pixels any more")
        return working.result()
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)
