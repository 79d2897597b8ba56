"""Documents out of JSON files.

NDJSON is read by line; a JSON document (an Item, a Collection, an ItemCollection, a list of either) by a streaming
parser. A document that cannot be read is an entry with a fault, and reading goes on behind it where the format allows.
"""

import io
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import IO, Any, BinaryIO

import ijson
from ijson.common import ObjectBuilder

from app.bulk.readers.entry import Entry, expanded
from app.errors import InvalidDocument
from app.stac import document as documents

# A first line longer than this is taken for a JSON document on one line.
_LINE_AT_MOST = 1 << 24
# Python converts whole numbers of up to 4,300 digits.
_ENDLESS_NUMBER = re.compile(rb"\d{2000}")
# Half of a UTF-16 pair: a first half with something else behind it, or a second one with no first before it.
_HALF_A_PAIR = re.compile(
    rb"(?<!\\)(?:\\\\)*\\u[dD][89abAB][0-9a-fA-F]{2}(?:[^\\]|\\[^u]|\\u[^dD]|\\u[dD][^c-fC-F])"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})(?<!\\)(?:\\\\)*\\u[dD][c-fC-F]"
)
_PAIR_BYTES = 12
# A load goes on from the block it was interrupted in, so another size would lead it astray.
_BLOCK_BYTES = 1 << 20
# Longer paths are looked at; no document that is read has so many members inside of each other.
_PATH_LONG, _DEPTH_AT_MOST = 5000, 1000
# All paths of a part are there at once.
_PART_BYTES = 1 << 12
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# What other files than JSON begin with, and what makes JSON of them.
_FOREIGN = {
    b"\x1f\x8b": "is compressed by gzip: zcat FILE | upesi load -",
    b"BZh": "is compressed by bzip2: bzcat FILE | upesi load -",
    b"\xfd7zXZ\x00": "is compressed by xz: xzcat FILE | upesi load -",
    b"\x28\xb5\x2f\xfd": "is compressed by zstd: zstdcat FILE | upesi load -",
    b"PK\x03\x04": "is a ZIP archive: unzip -p FILE | upesi load -",
    b"\x1e": "is a JSON text sequence: tr -d '\\036' < FILE | upesi load -",
}
_LISTS = {("features", "start_array"): "FeatureCollection", ("collections", "start_array"): "Collections"}


def entries(stream: BinaryIO) -> Iterator[Entry]:
    """Of a file or a pipe, lines not yet parsed. NDJSON is told from a JSON document by its first line."""
    number, line = _first_line(stream)
    if not line:  # NDJSON without a document
        return
    if (fault := _foreign(line)) is not None:
        yield Entry("line 1", fault=fault)
        return
    try:
        if len(line) == _LINE_AT_MOST:
            raise InvalidDocument("is too long for a line")
        documents.parse(line)
    except InvalidDocument:
        yield from _from_json(_Rejoined(line, stream))
        return
    yield from _from_lines(stream, number, line)


def entries_of_lines(stream: BinaryIO) -> Iterator[Entry]:
    """The documents of a file that is known to be NDJSON, so that a broken first line is just that."""
    number, line = _first_line(stream)
    fault = _foreign(line)
    return _from_lines(stream, number, line) if fault is None else iter([Entry("line 1", fault=fault)])


def whole(text: bytes) -> Any:
    """The one document that a file or an answer is. Raises InvalidDocument."""
    return documents.parse(text.removeprefix(_BYTE_ORDER_MARK))


def outline(stream: IO[bytes]) -> str | None:
    """The `type` of the document a file begins with; None where it has none, or is no JSON object.

    An ItemCollection is told by its features, and a list of collections is called `Collections`.
    """
    try:
        for prefix, event, value in _events(_from_start(stream)):
            if prefix == "type" and event == "string":
                return str(value)
            if (prefix, event) in _LISTS:
                return _LISTS[prefix, event]
            if prefix == "" and event in ("start_array", "end_map"):
                return None
    except (ijson.JSONError, InvalidDocument, UnicodeDecodeError):
        return None
    return None


def has_link(stream: IO[bytes], *rels: str) -> bool:
    """Whether a JSON document, and nothing behind it, has a link of one of these relations."""
    try:
        links = ijson.items(_events(_from_start(stream)), "links.item")
        return sum(isinstance(link, dict) and link.get("rel") in rels for link in links) > 0
    except (ijson.JSONError, InvalidDocument, UnicodeDecodeError):
        return False


def _events(stream: "_Rejoined") -> Iterator[tuple[str, str, Any]]:
    """Of the parser, which writes the path of each anew: of 100,000 nested brackets that takes minutes."""
    for found in ijson.parse(stream, buf_size=_PART_BYTES):
        if len(found[0]) > _PATH_LONG and found[0].count(".") > _DEPTH_AT_MOST:
            raise InvalidDocument("is nested too deep")
        yield found


def _from_start(stream: IO[bytes]) -> "_Rejoined":
    stream.seek(0)
    return _Rejoined(stream.read(len(_BYTE_ORDER_MARK)).removeprefix(_BYTE_ORDER_MARK), stream)


def _first_line(stream: BinaryIO) -> tuple[int, bytes]:
    number, line = 1, stream.readline(_LINE_AT_MOST).removeprefix(_BYTE_ORDER_MARK)
    while line and not line.strip():
        number, line = number + 1, stream.readline(_LINE_AT_MOST)
    return number, line


def _foreign(line: bytes) -> str | None:
    return next((fault for magic, fault in _FOREIGN.items() if line.startswith(magic)), None)


def _from_lines(stream: BinaryIO, number: int, first: bytes) -> Iterator[Entry]:
    """In blocks, whose lines nobody looks at here. `first` is what was read of the first line, or all of it."""
    text = first + stream.read(_BLOCK_BYTES)
    while text:
        if not text.endswith(b"\n"):
            text += stream.readline()
        yield Entry("line", text=text, number=number)
        number += sum(1 for _ in io.BytesIO(text))  # `count` looks at each byte, at five times the cost.
        text = stream.read(_BLOCK_BYTES)


def _from_json(stream: "_Rejoined") -> Iterator[Entry]:
    """The members of a list as they come by; what is around them is kept, and is the document if there is no list."""
    listing = _Listing()
    members = 0
    try:
        for prefix, event, value in _events(stream):
            member = listing.take(prefix, event, _number(value))
            if member is not None:
                members += 1
                yield Entry(f"document {members}", *member)
    except (ijson.JSONError, InvalidDocument, UnicodeDecodeError) as error:
        yield Entry(f"document {members + 1}", fault=f"is not JSON: {_first_line_of(error)}")
        return
    if not listing.found:
        yield from expanded("document 1", listing.root)


class _Listing:
    """Builds the members of a list out of a parser's events, or the whole document where it is none.

    A list is the document itself, or `features` of an ItemCollection, or `collections`. An Item may have members of
    these names too: what has another type is no list of documents.
    """

    def __init__(self) -> None:
        self.found = False
        self._root = ObjectBuilder()
        self._member: ObjectBuilder | None = None
        self._type: str | None = None
        self._is_array = False

    @property
    def root(self) -> Any:
        return getattr(self._root, "value", None)

    def take(self, prefix: str, event: str, value: Any) -> tuple[Any] | None:
        """The member that this event completes."""
        if prefix == "" and event == "start_array":
            self._is_array = True
        if prefix == "type" and event == "string" and self._member is None:
            self._type = value
        if not self._is_member(prefix):
            (self._root if self._member is None else self._member).event(event, value)
            return None
        self.found = True
        if event in ("start_map", "start_array"):
            self._member = ObjectBuilder()
        if self._member is None:
            return (value,)  # A member that is no object: whoever checks it says so.
        self._member.event(event, value)
        if event in ("end_map", "end_array"):
            member, self._member = self._member.value, None
            return (member,)
        return None

    def _is_member(self, prefix: str) -> bool:
        if self._is_array:
            return prefix == "item"
        if prefix == "features.item":
            return self._type in (None, "FeatureCollection")
        return prefix == "collections.item" and self._type is None


def _first_line_of(error: Exception) -> str:
    said = error.args[0] if error.args else ""
    text = said.decode(errors="replace") if isinstance(said, bytes) else str(error)
    return " ".join(text.split("\n")[0].split())


def _number(value: Any) -> Any:
    if not isinstance(value, Decimal):
        return value
    number = float(value)
    if not math.isfinite(number):
        raise InvalidDocument(f"{value} is beyond a 64-bit float")
    return number


class _Rejoined:
    """A stream whose first line was read, with that line in front again."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head = io.BytesIO(head)
        self._rest = rest
        self._before = b""

    def read(self, size: int = -1) -> bytes:
        part = self._head.read(size) or self._rest.read(size)
        # The parser crashes on whole numbers that Python does not convert. Half of such a number is in one part.
        if _ENDLESS_NUMBER.search(part):
            raise InvalidDocument("has a number of thousands of digits")
        # It reads half of a UTF-16 pair as a question mark. A pair may be cut by the end of a part.
        seen = self._before + part
        if (b"\\ud" in seen or b"\\uD" in seen) and _HALF_A_PAIR.search(seen):
            raise InvalidDocument("has half of a UTF-16 pair in a text")
        self._before = seen[-_PAIR_BYTES:]
        return part
