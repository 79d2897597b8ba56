"""Processes for pixel work: so many, each with so much memory, and so much time for a job.

The service never imports GDAL. A process that takes too long or dies takes its job with it, and nothing else.
"""

import logging
import re
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from anyio import BrokenWorkerProcess, CapacityLimiter, fail_after
from anyio.to_process import run_sync

from app import errors
from app.assets.signing import Signers
from app.errors import TimedOut, TooLarge, Unavailable, Unreadable, UpesiError
from app.raster.access import Access
from app.raster.confinement import Confinement, enter
from app.raster.sources import Sources
from app.settings import Settings

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

# Jobs that wait for a process, for each there is.
_WAITING = 50
# Of a URL that is signed.
_QUERY = re.compile(r"\?[^\s'\"]*=[^\s'\"]*")
_log = logging.getLogger("upesi")


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


class Pool:
    def __init__(self, settings: Settings, signers: Signers) -> None:
        sources = Sources(frozenset(settings.asset_hosts), settings.static_dir, settings.asset_dir, settings.href_rules)
        self.access = Access(sources, signers)
        self._confinement = Confinement(sources, settings.raster_memory)
        self._limiter = CapacityLimiter(settings.raster_workers)
        self._seconds = settings.raster_timeout

    async def run(self, job: Callable[[Asked], Answer], asked: Asked) -> Answer:
        """Do a job in another process; it is a function of `app.raster.jobs`.

        Raises what the job raises of UpesiError, TimedOut, TooLarge for one that takes too much memory, and Unavailable
        where too many wait.
        """
        if self._limiter.statistics().tasks_waiting >= _WAITING * self._limiter.total_tokens:
            raise Unavailable("too many pictures and cubes are being made: ask again in a moment")
        try:
            with fail_after(self._seconds):
                done = await run_sync(_confined, job, asked, self._confinement, cancellable=True, limiter=self._limiter)
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


def _confined(job: Callable[[Any], Any], asked: Any, confinement: Confinement) -> Any:
    """In the other process."""
    enter(confinement)
    try:
        return job(asked)
    except UpesiError as error:
        return _Failure(type(error).__name__, error.description, error.parameter)
    except MemoryError:
        return _Failure(TooLarge.__name__, f"the pixels take more than {confinement.memory} MB: ask for fewer of them")
    except Exception:
        # The libraries fail in more ways than they name, at files and metadata that others have written.
        return _Failure(Unreadable.__name__, traceback.format_exc())
