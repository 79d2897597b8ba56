"""What every reader gives."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Entry:
    """A document and the place it was found at; or, with `fault`, why there is none."""

    place: str
    document: Any = None
    fault: str | None = None
