"""What a load says of itself: counts, and the refusals, told apart from each other by their places."""

from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Literal

import orjson

# Of each refusal a report holds the place and the reason, and all are printed; a report does not grow without end.
_REFUSALS = 1000

Outcome = Literal["complete", "stopped", "interrupted", "failed"]


def printable(text: str) -> str:
    """With a mark for each byte of a file name that is no UTF-8: neither JSON nor PostgreSQL holds such."""
    return text.encode(errors="replace").decode()


@dataclass(slots=True)
class Report:
    """What became of the documents."""

    collections: int = 0
    items: int = 0
    replaced: int = 0
    unchanged: int = 0
    refused: int = 0

    @property
    def stored(self) -> int:
        """Items that are there now, whether this load brought them or not."""
        return self.items + self.replaced + self.unchanged

    def take(self, counts: dict[str, int]) -> None:
        for name, number in counts.items():
            setattr(self, name, number)


@dataclass(slots=True)
class Told:
    """The whole of what a program is told of a load."""

    report: Report
    outcome: Outcome = "failed"
    error: str | None = None
    refusals: list[dict[str, str]] = field(default_factory=list)
    # Of this run, and not of those that it went on from.
    started: float = field(default_factory=monotonic)
    before: int = 0

    def refuse(self, place: str, reason: str) -> None:
        if len(self.refusals) < _REFUSALS:
            self.refusals.append({"place": printable(place), "reason": printable(reason)})

    def rate(self) -> float:
        """Items a second."""
        return (self.report.stored - self.before) / max(monotonic() - self.started, 1e-3)

    def json(self) -> bytes:
        document = {
            "outcome": self.outcome,
            "error": None if self.error is None else printable(self.error),
            **asdict(self.report),
            "seconds": round(monotonic() - self.started, 3),
            "items_per_second": round(self.rate(), 1),
            "refusals": self.refusals,
            "refusals_left_out": max(0, self.report.refused - len(self.refusals)),
        }
        return orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
