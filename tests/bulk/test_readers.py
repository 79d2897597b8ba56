import bz2
import gzip
import io
import json
import lzma
import subprocess
import sys
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, BinaryIO, cast

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from app.bulk.readers import Entry, entries, entries_of_lines
from tests.factories import Document, collection, item

BOM = b"\xef\xbb\xbf"
A, B, C = collection("a"), item("b"), item("c")


def read(data: bytes) -> list[Entry]:
    return parsed(entries(io.BytesIO(data)))


def parsed(found: Iterable[Entry]) -> list[Entry]:
    return [document for entry in found for document in entry.parsed()]


def documents(data: bytes) -> list[Any]:
    found = read(data)
    assert [entry.fault for entry in found] == [None] * len(found)
    return [entry.document for entry in found]


def lines(*parts: Document, end: bytes = b"\n") -> bytes:
    return b"".join(orjson.dumps(part) + end for part in parts)


def pretty(document: Any) -> bytes:
    return json.dumps(document, indent=2).encode()


@pytest.mark.parametrize(
    "data",
    [
        lines(A, B, C),
        lines(A, B, C).rstrip(),
        lines(A, B, C, end=b"\r\n"),
        b"\n\n" + lines(A) + b" \t\n\r\n" + lines(B, C) + b"\n\n",
        BOM + lines(A, B, C),
        BOM + b"\n" + lines(A, B, C),
        orjson.dumps([A, B, C]),
        pretty([A, B, C]),
        BOM + pretty([A, B, C]),
        b"\n \n" + pretty([A, B, C]),
        pretty([A, B, C]).replace(b"\n", b"\r\n"),
        lines(A) + orjson.dumps([B, C]),
    ],
    ids=[
        *("lines", "last line open", "CRLF", "blank lines", "BOM", "BOM alone on a line", "list", "pretty list"),
        *("pretty list with BOM", "blank lines and list", "list with CRLF", "line and list"),
    ],
)
def test_each_form(data: bytes) -> None:
    assert documents(data) == [A, B, C]


@pytest.mark.parametrize("write", [orjson.dumps, pretty])
@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"type": "FeatureCollection", "features": [B, C]}, [B, C]),
        ({"type": "FeatureCollection", "features": [B], "links": [{"rel": "next"}], "numberMatched": 5}, [B]),
        ({"links": [{"rel": "self"}], "features": [B, C], "type": "FeatureCollection"}, [B, C]),
        ({"collections": [A, A], "links": []}, [A, A]),
        ({"type": "FeatureCollection", "features": []}, []),
        ([], []),
        (B, [B]),
        (A, [A]),
        (item("deep", properties={"nested": {"item": [{"item": {"features": [1]}}]}}), None),
        (item("named") | {"item": {"id": "not a document"}}, None),
        (collection("named") | {"features": [{"id": "not a document"}]}, None),
        (item("named") | {"collections": [{"id": "not a document"}]}, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_json_document_on_one_line_or_pretty(write: Any, document: Any, found: list[Any] | None) -> None:
    assert documents(write(document)) == ([document] if found is None else found)


@pytest.mark.parametrize("write", [orjson.dumps, pretty])
def test_each_member_of_a_list_is_told_of(write: Any) -> None:
    """What is no object is refused later, with its place."""
    found = read(write([1, B, None, "text", [C]]))
    assert len(found) == 5
    assert [entry.place.rpartition("document ")[2] for entry in found] == ["1", "2", "3", "4", "5"]


def test_places() -> None:
    assert [entry.place for entry in read(b"\n" + lines(A) + b"\n" + lines(B, C))] == ["line 2", "line 4", "line 5"]
    assert [entry.place for entry in read(orjson.dumps([A, B]))] == ["line 1, document 1", "line 1, document 2"]
    assert [entry.place for entry in read(pretty([A, B]))] == ["document 1", "document 2"]


@given(st.lists(st.sampled_from([b"\n", b"\n", b"\r\n", b"5", b" ", b"{", b"\x0b", b"\x0c"])).map(b"".join))
def test_lines_are_what_is_between_their_ends(text: bytes) -> None:
    told = [number for number, line in enumerate(text.split(b"\n"), start=7) if line and not line.isspace()]
    assert [entry.place for entry in Entry("line", text=text, number=7).parsed()] == [
        f"line {number}" for number in told
    ]


def test_lines_are_counted_across_blocks() -> None:
    """With blank ones, and one longer than a block."""
    long = item("long", properties={"pad": "x" * (3 << 20)})
    documents = [*(item(f"item {n}", properties={"pad": "x" * 5000}) for n in range(500)), long, A, B]
    text = b"\n\r\n".join(map(orjson.dumps, documents))
    assert [entry.place for entry in read(text)] == [f"line {2 * n + 1}" for n in range(len(documents))]


@pytest.mark.parametrize(
    ("data", "good", "fault"),
    [
        (lines(A) + b'{"type": \n' + lines(B), [A, B], "line 2"),
        (lines(A) + b"garbage\n" + lines(B), [A, B], "line 2"),
        (lines(A) + b'{"a": "\xff"}\n' + lines(B), [A, B], "line 2"),
        (lines(A) + b'{"a": NaN}\n' + lines(B), [A, B], "line 2"),
        (lines(A, B)[:-20], [A], "line 2"),
        (lines(A) + b"[" * 300 + b"]" * 300 + b"\n" + lines(B), [A, B], "line 2"),
        (b"[\n" + orjson.dumps(A) + b"," + b"[" * 1500 + b"]" * 1500 + b"]", [A], "document 2"),
        (b'{"a":\n' + b"[" * 100_000, [], "document 1"),
        (pretty([A, B])[:-40], [A], "document 2"),
        (orjson.dumps([A, B])[:-40], [A], "document 2"),
        (pretty([A, B]) + b"garbage", [A, B], "document 3"),
        (pretty(A) + pretty(B), [], "document 1"),
        (orjson.dumps(A) + orjson.dumps(B), [], "document 1"),
        (b"garbage", [], "document 1"),
        (orjson.dumps(A).decode().encode("utf-16"), [], "document 1"),
        (b'[\n{"a": "\xff"}]', [], "document 1"),
        (b'[\n{"a": 1E400}]', [], "document 1"),
    ],
    ids=lambda value: repr(value[-20:]) if isinstance(value, bytes) else "",
)
def test_faults(data: bytes, good: list[Document], fault: str) -> None:
    found = read(data)
    assert [entry.document for entry in found if entry.fault is None] == good
    (refused,) = [entry for entry in found if entry.fault is not None]
    assert refused.place == fault
    assert refused.fault is not None
    assert refused.fault.startswith(("is not JSON: ", "is nested too deep"))
    assert "b'" not in refused.fault
    assert "\n" not in refused.fault


def zipped(data: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("x.ndjson", data)
    return packed.getvalue()


@pytest.mark.parametrize(
    ("write", "fault"),
    [
        (gzip.compress, "is compressed by gzip: zcat FILE | upesi load -"),
        (bz2.compress, "is compressed by bzip2: bzcat FILE | upesi load -"),
        (lzma.compress, "is compressed by xz: xzcat FILE | upesi load -"),
        (zstandard.compress, "is compressed by zstd: zstdcat FILE | upesi load -"),
        (zipped, "is a ZIP archive: unzip -p FILE | upesi load -"),
        (lambda data: b"\x1e" + data, "is a JSON text sequence: tr -d '\\036' < FILE | upesi load -"),
    ],
    ids=["gzip", "bzip2", "xz", "zstd", "ZIP", "sequence"],
)
def test_what_is_no_json_yet_is_told_with_what_makes_it_json(write: Callable[[bytes], bytes], fault: str) -> None:
    data = write(lines(A, B, C))
    (refused,) = read(data)
    assert refused.fault == fault
    assert parsed(entries_of_lines(io.BytesIO(data))) == [refused]


@pytest.mark.parametrize("data", [b"", b"\n\n", BOM])
def test_nothing_is_no_document_and_no_fault(data: bytes) -> None:
    assert read(data) == parsed(entries_of_lines(io.BytesIO(data))) == []


def test_broken_first_line_of_what_is_known_to_be_lines() -> None:
    found = parsed(entries_of_lines(io.BytesIO(b'{"type": \n' + lines(A, B))))
    assert [(entry.place, entry.fault is None) for entry in found] == [
        ("line 1", False),
        ("line 2", True),
        ("line 3", True),
    ]


def test_byte_order_mark_of_what_is_known_to_be_lines() -> None:
    found = parsed(entries_of_lines(io.BytesIO(BOM + lines(A, B))))
    assert [entry.document for entry in found] == [A, B]


@pytest.mark.parametrize("write", [orjson.dumps, pretty], ids=["compact", "pretty"])
@pytest.mark.parametrize("number", [0.1, 1e22, -5e-324, 1.0, 2**53 + 1, 2**63 - 1], ids=str)
def test_numbers_are_the_same_in_each_form(write: Any, number: float) -> None:
    (found,) = documents(write([{"number": number}]))
    assert repr(found["number"]) == repr(number)


@pytest.mark.parametrize("head", [b"[", b"[\n"], ids=["compact", "pretty"])
@pytest.mark.parametrize("number", ["18446744073709551616", "-" + "9" * 60])
def test_whole_numbers_of_any_size_are_kept(head: bytes, number: str) -> None:
    assert documents(head + b'{"n": ' + number.encode() + b"}]") == [{"n": int(number)}]


@pytest.mark.parametrize("head", [b"", b"[\n", b'{"a": 1}\n'], ids=["alone", "pretty list", "second line"])
def test_number_that_is_endless_is_a_fault(head: bytes) -> None:
    """In a process of its own: yajl takes the interpreter down with it."""
    program = (
        "import sys, io; from app.bulk.readers import entries;"
        "print([d.place for e in entries(io.BytesIO(sys.stdin.buffer.read())) for d in e.parsed() if d.fault])"
    )
    data = head + b'{"n": ' + b"9" * 5000 + b"}" + (b"]" if head.startswith(b"[") else b"")
    done = subprocess.run([sys.executable, "-c", program], input=data, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr[-300:]
    assert done.stdout.strip() in (b"['document 1']", b"['line 2']")


def test_lone_surrogate_is_a_fault_and_not_another_character() -> None:
    assert [entry.fault is not None for entry in read(lines(A) + b'{"id": "a\\ud800"}')] == [False, True]
    for text in (b"a\\ud800", b"\\ud800\\u0041", b"\\udc00", b"\\ud83d\\ud83d\\ude00", b"\\ud800\\n"):
        for padding in range(0, 40, 3):
            data = b"[" + b" " * (65536 - 20 + padding) + b'{"id": "' + text + b'"}]'
            assert [entry.fault is not None for entry in read(data)] == [True], (text, padding)


@pytest.mark.parametrize("text", [b"\\ud83d\\ude00", b"\\\\ud800", b"\\u0041\\ud83d\\ude00x", b"\\\\\\ud83d\\ude00"])
def test_pairs_and_what_only_looks_like_half_of_one(text: bytes) -> None:
    expected = orjson.loads(b'"' + text + b'"')
    for padding in range(0, 40, 3):
        data = b"[" + b" " * (65536 - 20 + padding) + b'{"id": "' + text + b'"}]'
        assert [entry.document for entry in read(data)] == [{"id": expected}]


@given(st.lists(st.sampled_from([A, B, C]), min_size=1, max_size=5), st.data())
def test_truncated_or_spoilt_file_never_raises(members: list[Document], data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([lines(*members), pretty(members), orjson.dumps(members)]))
    at = data.draw(st.integers(0, len(text)))
    spoilt = text[:at] + data.draw(st.binary(max_size=3)) + text[at + data.draw(st.integers(0, 5)) :]
    for read_all in (entries, entries_of_lines):
        assert all(isinstance(entry.place, str) for entry in parsed(read_all(io.BytesIO(spoilt))))


class Generated(io.RawIOBase):
    """A file that is made as it is read."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if not self._rest:
            self._rest = next(self._chunks, b"")
        part, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(part)] = part
        return len(part)


def chunks(head: bytes, member: bytes, separator: bytes, count: int, tail: bytes) -> Iterator[bytes]:
    yield head + member
    for _ in range(count - 1):
        yield separator + member
    yield tail


PADDED = orjson.dumps(item("big", properties={"text": "x" * 100_000}))


@pytest.mark.parametrize(
    ("head", "separator", "tail"),
    [(b'{"type":"FeatureCollection","features":[', b",", b"]}"), (b"[", b",", b"]"), (b"", b"\n", b"")],
    ids=["ItemCollection", "list", "lines"],
)
def test_memory_does_not_follow_the_file(head: bytes, separator: bytes, tail: bytes) -> None:
    """200 MB, on one line but for the last case; the first 16 MiB of a line are read to see what it is."""
    stream = cast(BinaryIO, io.BufferedReader(Generated(chunks(head, PADDED, separator, 2000, tail))))
    found = (document for entry in entries(stream) for document in entry.parsed())
    tracemalloc.start()
    try:
        assert next(found).fault is None
        tracemalloc.reset_peak()
        assert count(found) == 1999
        assert tracemalloc.get_traced_memory()[1] < 100_000_000
    finally:
        tracemalloc.stop()


def count(found: Iterable[Entry]) -> int:
    return sum(entry.fault is None for entry in found)
