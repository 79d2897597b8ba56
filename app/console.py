"""What is shown in a terminal."""

import sys
from contextlib import AbstractContextManager
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import BinaryIO, Literal, cast

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from app.bulk.compact import Compaction
from app.bulk.readers.sources import Opener
from app.bulk.report import Report, Told

# Of a help: with boxes and colours in a terminal, and as plain text in a pipe.
MARKUP: Literal["markdown"] | None = "markdown" if sys.stdout.isatty() else None

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

# The bar is told of this many bytes at a time: of each line, it would cost as much as reading it.
_SHOWN_BYTES = 1 << 20


def examples(*commands: str) -> str:
    """For the end of a help: each in a line of its own, as it is typed."""
    return "\n\n".join((f"Example{'s' * (len(commands) > 1)}:", *(f"`upesi {command}`" for command in commands)))


def print_refusal(place: str, reason: str) -> None:
    err.print(Text(f"refused: {place}: {reason}"), soft_wrap=True)


class Watch:
    """A bar for each source with the items stored, their rate and the time that remains."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def opened(self, location: str) -> Opener:
        """Opens the files of a source; how far one is read is shown, or that something comes in."""
        name = "standard input" if location == "-" else location
        waiting = self._progress.add_task(escape(name), total=None)

        def opened(path: Path) -> AbstractContextManager[BinaryIO]:
            raw = self._progress.open(path, "rb", task_id=waiting)
            return BufferedReader(cast(RawIOBase, raw), _SHOWN_BYTES)

        return opened

    def refused(self, place: str, reason: str) -> None:
        print_refusal(place, reason)

    def said(self, text: str) -> None:
        err.print(text, soft_wrap=True)


def progress(told: Told) -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        _Stored(told),
        TimeRemainingColumn(elapsed_when_finished=True),
        console=err,
    )


class _Stored(ProgressColumn):
    """What the load has stored so far, and how much of that a second since it began or went on."""

    def __init__(self, told: Told) -> None:
        super().__init__()
        self._told = told

    def render(self, _: Task) -> Text:
        return Text(f"{self._told.report.stored:,} items, {self._told.rate():,.0f}/s")


def tell_compaction(done: Compaction) -> None:
    if done.gain is None:
        decided = "too few items for a dictionary"
    elif done.trained:
        decided = f"a new dictionary, which saves {done.gain:.0%} of a sample"
    else:
        decided = f"the dictionary stays, a new one would save {max(done.gain, 0):.1%} of a sample"
    rewritten = f"; {done.rewritten:,} items rewritten, from {done.before:,} to {done.after:,} bytes"
    dropped = f"; {done.dropped} old dictionaries dropped" if done.dropped else ""
    out.print(Text(f"{done.collection}: {decided}{rewritten if done.rewritten else ''}{dropped}"), soft_wrap=True)


def counted(report: Report) -> str:
    return f"{report.items:,} items new, {report.replaced:,} replaced, {report.unchanged:,} as they were"


def summarise(told: Told, console: Console) -> None:
    report = told.report
    console.print(f"{counted(report)}, {report.collections:,} collections, {report.refused:,} documents refused.")
    if told.outcome == "stopped":
        console.print(
            "Stopped at the refusal: nothing of its batch is stored, all batches before it are."
            " Mend the document and load again with --mode upsert, or leave it out: --resume --on-error skip goes on"
            " with a file.",
            soft_wrap=True,
        )
