"""Documents out of files: one at a time, whatever the size of the file.

NDJSON is read by line; a JSON document (an Item, a Collection, an ItemCollection, a list of either) by a streaming
parser. A document that cannot be read is an entry with a fault, and reading goes on behind it where the format allows.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, BinaryIO

import ijson
from ijson.common import ObjectBuilder

from app.errors import InvalidDocument
from app.stac import document as documents

# A first line longer than this is taken for a JSON document on one line.
_LINE_AT_MOST = 1 << 24
_LISTS = ("features.item", "collections.item", "item")


@dataclass(frozen=True, slots=True)
class Entry:
    """A document and the place it was found at; or, with `fault`, why there is none."""

    place: str
    document: Any = None
    fault: str | None = None


def entries(stream: BinaryIO) -> Iterator[Entry]:
    """The documents of a file or a pipe. NDJSON is told from a JSON document by its first line."""
    number, line = _first_line(stream)
    try:
        first = documents.parse(line)
    except InvalidDocument:
        yield from _from_json(_Rejoined(line, stream))
        return
    yield from _expanded(f"line {number}", first)
    yield from _from_lines(stream, number)


def entries_of_lines(stream: BinaryIO) -> Iterator[Entry]:
    """The documents of a file that is known to be NDJSON, so that a broken first line is just that."""
    return _from_lines(stream, 0)


def _first_line(stream: BinaryIO) -> tuple[int, bytes]:
    number, line = 1, stream.readline(_LINE_AT_MOST).removeprefix(b"\xef\xbb\xbf")
    while line and not line.strip():
        number, line = number + 1, stream.readline(_LINE_AT_MOST)
    return number, line


def _from_lines(lines: Iterable[bytes], read: int) -> Iterator[Entry]:
    for number, line in enumerate(lines, start=read + 1):
        if not line.strip():
            continue
        place = f"line {number}"
        try:
            document = documents.parse(line)
        except InvalidDocument as error:
            yield Entry(place, fault=str(error))
        else:
            yield from _expanded(place, document)


def _expanded(place: str, document: Any) -> Iterator[Entry]:
    """A line may hold a list of documents too: that is what a JSON document on one line is."""
    match document:
        case {"type": "FeatureCollection", "features": list() as listed} | {"collections": list() as listed}:
            pass
        case list() as listed:
            pass
        case _:
            yield Entry(place, document)
            return
    for number, member in enumerate(listed, start=1):
        yield Entry(f"{place}, document {number}", member)


def _from_json(stream: "_Rejoined") -> Iterator[Entry]:
    """The members of a list as they come by; what is around them is kept, and is the document if there is no list."""
    root, member, members = ObjectBuilder(), None, 0
    try:
        for prefix, event, value in ijson.parse(stream):
            if member is None and prefix in _LISTS and event == "start_map":
                member, members = ObjectBuilder(), members + 1
            (root if member is None else member).event(event, _number(value))
            if member is not None and prefix in _LISTS and event == "end_map":
                yield Entry(f"document {members}", member.value)
                member = None
    except (ijson.JSONError, InvalidDocument, UnicodeDecodeError) as error:
        yield Entry(f"document {members + 1}", fault=f"is not JSON: {str(error).strip().splitlines()[0]}")
        return
    if not members:
        yield from _expanded("document 1", getattr(root, "value", None))


def _number(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    number = float(value)
    if not math.isfinite(number):
        raise InvalidDocument(f"{value} is beyond a 64-bit float")
    return number


class _Rejoined:
    """A stream whose first line was read, with that line in front again."""

    def __init__(self, head: bytes, rest: BinaryIO) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if self._head:
            end = len(self._head) if size < 0 else size
            part, self._head = self._head[:end], self._head[end:]
            return part
        return self._rest.read(size)
