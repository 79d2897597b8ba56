"""The side of a pool that is in the other process. It imports little, as each process waits for it."""

import os
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from app import errors
from app.errors import TooLarge, Unreadable, UpesiError
from app.raster.confinement import Confinement, enter, forget

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Failure:
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
class Strange:
    """The answer of a process that another service in this event loop has confined in another way."""


def confined(confinement: Confinement, job: Callable[[Asked], Answer], asked: Asked) -> Answer | Failure | Strange:
    if not enter(confinement):
        return Strange()
    forget()
    try:
        return job(asked)
    except UpesiError as error:
        return Failure(type(error).__name__, error.description, error.parameter)
    except MemoryError:
        return Failure(TooLarge.__name__, f"the pixels take more than {confinement.memory} MB: ask for fewer of them")
    except Exception:
        # The libraries fail in more ways than they name, at files and metadata that others have written.
        return Failure(Unreadable.__name__, traceback.format_exc())


def ended(confinement: Confinement) -> None:
    """The process is left to those it is for."""
    if not enter(confinement):
        os._exit(0)
