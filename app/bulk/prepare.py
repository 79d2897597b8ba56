"""What needs no database: from entries to checked and compressed items, in processes beside the one that stores them.

Parsing and checking an item costs several times what storing it does. Chunks of entries go out to the processes and
come back in the order of the source, a bounded number at a time, so that memory does not follow the source.
"""

import asyncio
import gc
import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from types import TracebackType
from typing import NamedTuple, Self

from app.bulk.readers import Entry
from app.errors import InvalidDocument, SetupError
from app.stac import document as documents
from app.stac.collection import CheckedCollection, check_collection
from app.stac.item import CheckedItem, check_item
from app.stac.validation import CORE, Rules
from app.writer import PackedItem, Packer

_CHUNK_ENTRIES = 100
_CHUNK_BYTES = 2 << 20
# A process takes a second to start, in which one alone does as much as these.
_ALONE_CHUNKS = 20
# In each process: one is worked on, one waits.
_AHEAD = 2
_NEITHER = "is neither an Item (type Feature) nor a Collection"


class Outcome(NamedTuple):
    """What became of a document: a fault, or what is to be stored."""

    place: str
    found: CheckedItem | PackedItem | CheckedCollection | None
    fault: str | None = None


# The outcomes of each entry of a chunk.
Prepared = list[list[Outcome]]
Packers = Mapping[str, Packer]


def prepare(chunk: Iterable[Entry], packers: Packers, rules: Rules) -> Prepared:
    """Items of collections without a packer are not compressed."""
    return [[_outcome(document, packers, rules) for document in entry.parsed()] for entry in chunk]


def _outcome(entry: Entry, packers: Packers, rules: Rules) -> Outcome:
    if entry.fault is not None:
        return Outcome(entry.place, None, entry.fault)
    try:
        match entry.document:
            case {"type": "Feature"}:
                item = check_item(entry.document, rules)
                packer = packers.get(item.collection)
                return Outcome(entry.place, item if packer is None else packer.pack(item))
            case {"type": "Collection"}:
                return Outcome(entry.place, check_collection(entry.document, rules))
    except InvalidDocument as error:
        return Outcome(entry.place, None, str(error))
    return Outcome(entry.place, None, _NEITHER)


class Preparation:
    """Prepares entries in this process, or in others where there is enough to do.

    A context manager: the processes end with it. They end with this process too, however that ends.
    """

    def __init__(self, rules: Rules = CORE, processes: int = 1) -> None:
        self._rules = rules
        self._processes = processes
        self._pool: ProcessPoolExecutor | None = None
        self._alone = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    async def prepared(self, entries: Iterable[Entry], packers: Callable[[], Packers]) -> AsyncGenerator[Prepared]:
        """In the order of the entries; `packers` are those known when a chunk sets out.

        Raises SetupError where a process was killed.
        """
        waiting: deque[asyncio.Future[Prepared]] = deque()
        loop = asyncio.get_running_loop()
        try:
            for chunk in _chunks(entries):
                if self._processes == 1 or self._alone < _ALONE_CHUNKS:
                    self._alone += 1
                    # Compressed by who stores them, who knows the newest dictionary best.
                    yield prepare(chunk, {}, self._rules)
                    continue
                waiting.append(
                    loop.run_in_executor(self._started(), _prepare, list(map(_portable, chunk)), dict(packers()))
                )
                if len(waiting) > self._processes * _AHEAD:
                    yield await waiting.popleft()
            while waiting:
                yield await waiting.popleft()
        except BrokenProcessPool:
            raise SetupError(
                "a worker process was killed, perhaps for want of memory: load with fewer of them (--workers)"
            ) from None
        finally:
            for future in waiting:
                future.cancel()

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._processes, context, _begin, (self._rules,))
        return self._pool


def _chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    size = 0
    for entry in entries:
        chunk.append(entry)
        size += 0 if entry.text is None else len(entry.text)
        if len(chunk) >= _CHUNK_ENTRIES or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    if chunk:
        yield chunk


def _portable(entry: Entry) -> Entry:
    """With a text in place of a document, which is many times quicker to send."""
    if entry.text is not None or entry.fault is not None:
        return entry
    try:
        match entry.document:
            case {"type": "Feature" | "Collection"}:
                return Entry(entry.place, text=documents.dump(entry.document))
    except InvalidDocument as error:
        return Entry(entry.place, fault=str(error))
    return Entry(entry.place, fault=_NEITHER)


_rules = CORE


def _begin(rules: Rules) -> None:
    """In a process of its own, which leaves it to the first one to answer Ctrl-C, and ends when that one does."""
    global _rules
    _rules = rules
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # What was imported stays: there is no need to look through it for garbage.
    gc.freeze()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _prepare(chunk: list[Entry], packers: dict[str, Packer]) -> Prepared:
    return prepare(chunk, packers, _rules)
