"""What needs no database: from entries to checked and compressed items, in processes beside the one that stores them.

Parsing and checking an item costs several times what storing it does. Chunks of entries go out to the processes and
come back in the order of the source, a bounded number at a time, so that memory does not follow the source.
"""

import asyncio
import gc
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from functools import partial
from types import TracebackType
from typing import NamedTuple, Self

from app.bulk.readers import Entry
from app.bulk.workers import Killed, Workers
from app.errors import InvalidDocument, SetupError
from app.stac import document as documents
from app.stac.collection import CheckedCollection, check_collection
from app.stac.item import CheckedItem, check_item
from app.stac.validation import CORE, Rules
from app.writer import PackedItem, Packer

_CHUNK_ENTRIES = 100
_CHUNK_BYTES = 1 << 20
# Processes take a second to start, and one alone is done with this before.
_ALONE_BYTES = 16 << 20
_ALONE_ENTRIES = 2000
# For each process: while a batch is stored, none of them shall run out of work.
_AHEAD = 8
_NEITHER = "is neither an Item (type Feature) nor a Collection"


class Outcome(NamedTuple):
    """What became of a document: a fault, or what is to be stored."""

    place: str
    found: CheckedItem | PackedItem | CheckedCollection | None
    fault: str | None = None


# The outcomes of each entry of a chunk.
Prepared = list[list[Outcome]]
Packers = Mapping[str, Packer]
_Task = tuple[list[Entry], dict[str, Packer]]


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
        self._workers: Workers[_Task, Prepared] | None = None
        self._seen_entries = 0
        self._seen_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._workers is not None:
            self._workers.end()

    async def prepared(self, entries: Iterable[Entry], packers: Callable[[], Packers]) -> AsyncGenerator[Prepared]:
        """In the order of the entries; `packers` are those known when a chunk sets out.

        Raises SetupError where a process was killed.
        """
        waiting: deque[asyncio.Future[Prepared]] = deque()
        try:
            for chunk in _chunks(entries):
                if self._processes == 1 or not self._is_much(chunk):
                    # Compressed by who stores them, who knows the newest dictionary best.
                    yield prepare(chunk, {}, self._rules)
                    await asyncio.sleep(0)  # The batch before goes on being stored.
                    continue
                task = (list(map(_portable, chunk)), dict(packers()))
                waiting.append(asyncio.wrap_future(self._started().submit(task)))
                if len(waiting) > self._processes * _AHEAD:
                    yield await waiting.popleft()
            while waiting:
                yield await waiting.popleft()
        except Killed:
            raise SetupError(
                "a worker process was killed, perhaps for want of memory: load with fewer of them (--workers)"
            ) from None
        finally:
            for future in waiting:
                future.cancel()

    def _is_much(self, chunk: list[Entry]) -> bool:
        """Whether so much has come by now that it is worth to start processes."""
        self._seen_entries += len(chunk)
        self._seen_bytes += sum(len(entry.text) for entry in chunk if entry.text is not None)
        return self._seen_entries > _ALONE_ENTRIES or self._seen_bytes > _ALONE_BYTES

    def _started(self) -> Workers[_Task, Prepared]:
        if self._workers is None:
            self._workers = Workers(self._processes, partial(_begin, self._rules))
        return self._workers


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


def calm_collector() -> None:
    """What was imported stays, and documents have no cycles: looking for garbage in them costs a tenth of the time."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def _begin(rules: Rules) -> Callable[[_Task], Prepared]:
    """In the process that all of them come from: what was imported is theirs together."""
    calm_collector()
    return lambda task: prepare(*task, rules)
