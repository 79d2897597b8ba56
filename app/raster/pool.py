"""Processes for pixel work: so many, each with so much memory, and so much time for a job.

The service never imports GDAL. A process that takes too long or dies takes its job with it, and nothing else.
"""

import asyncio
import logging
import math
import os
import re
import traceback
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from anyio import BrokenWorkerProcess, CapacityLimiter, fail_after
from anyio.to_process import run_sync

from app import errors
from app.assets.signing import Signers
from app.errors import TimedOut, TooLarge, Unavailable, Unreadable, UpesiError
from app.raster.access import Access
from app.raster.confinement import Confinement, enter, forget
from app.raster.sources import Sources
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


@dataclass(frozen=True, slots=True)
class _Failure:
    """An error on its way from another process. Exceptions do not all survive that."""

    kind: str
    description: str
    parameter: str | None = None

    def error(self) -> UpesiError:
        kind: type[UpesiError] = getattr(errors, self.kind)
        error = kind.__new__(kind, self.description)
        UpesiError.__init__(error, self.description, self.parameter)
        return error


@dataclass(frozen=True, slots=True)
class _Strange:
    """The answer of a process that another service in this event loop has confined in another way."""


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
        if isinstance(done, _Failure):
            if done.kind == Unreadable.__name__:
                # What went wrong has the paths of this machine in it.
                _log.warning("%s", _QUERY.sub("?…", done.description))
                raise Unreadable("a file of these items cannot be read, or is of no format that this service reads")
            raise done.error()
        answer: Answer = done
        return answer

    async def _work(self, job: Callable[[Asked], Answer], asked: Asked, begun: asyncio.Event) -> Answer | _Failure:
        """Cancelled, it ends the process. Raises TimeoutError, BrokenWorkerProcess."""
        with fail_after(self._seconds):
            async with self._limiter:
                begun.set()
                while isinstance(done := await self._sent(partial(_confined, self._confinement, job, asked)), _Strange):
                    # It is the first of those that are idle, unless another job has taken it meanwhile.
                    with suppress(BrokenWorkerProcess):
                        await self._sent(partial(_ended, self._confinement))
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


def _confined(confinement: Confinement, job: Callable[[Asked], Answer], asked: Asked) -> Answer | _Failure | _Strange:
    """In the other process."""
    if not enter(confinement):
        return _Strange()
    forget()
    try:
        return job(asked)
    except UpesiError as error:
        return _Failure(type(error).__name__, error.description, error.parameter)
    except MemoryError:
        return _Failure(TooLarge.__name__, f"the pixels take more than {confinement.memory} MB: ask for fewer of them")
    except Exception:
        # The libraries fail in more ways than they name, at files and metadata that others have written.
        return _Failure(Unreadable.__name__, traceback.format_exc())


def _ended(confinement: Confinement) -> None:
    """In the other process, which is left to those it is for."""
    if not enter(confinement):
        os._exit(0)
