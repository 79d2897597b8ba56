"""JSON in and out of documents: nothing lost, and the links the server owns kept apart from the others."""

import json
import re
from collections.abc import Set
from hashlib import blake2b
from typing import Any

import msgspec
import orjson
from pydantic import ValidationError

from app.errors import Fault, InvalidDocument
from app.stac.interval import is_leap_second

_PICTURE = re.compile(r"/collections/[^/]+/items/[^/]+/(preview\.png|tilejson\.json)\?assets=")
# No double has more digits. Of so many in a row every 30th byte is one, ten times at least: a hint, at a twelfth of the
# cost, that long texts give without a long number too.
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_LONG_NUMBER, _HINT, _STEP = b"0" * 300, b"0" * 10, 30
# orjson writes no deeper documents than 254, and this many brackets are not too deep however they are nested.
_BRACKETS = 250
_NO_DATETIME = "datetime_from_date_parsing"
# Of one such item pystac refuses the whole page.
_LEAP_SECOND = "has a leap second, which pystac and Python cannot read: write :59, or the start of the next minute"


def parse(text: bytes) -> Any:
    """With whole numbers of any size kept, unlike orjson. Raises InvalidDocument where the text is not JSON."""
    try:
        document = msgspec.json.decode(text)
        if _HINT in text[::_STEP].translate(_DIGITS) and _LONG_NUMBER in text.translate(_DIGITS):
            orjson.loads(text)  # Which refuses what is beyond doubles.
    except RecursionError:
        raise InvalidDocument("is nested too deep") from None
    except (msgspec.DecodeError, ValueError) as error:
        raise InvalidDocument(f"is not JSON: {_explained(text, error)}") from None
    _check_depth(text, document)
    return document


def _explained(text: bytes, error: Exception) -> Exception:
    """orjson names the line and the column."""
    try:
        orjson.loads(text)
    except ValueError as explained:
        return explained
    return error


def _check_depth(text: bytes, document: Any) -> None:
    if text.count(b"[") + text.count(b"{") <= _BRACKETS:
        return
    try:
        try:
            orjson.dumps(document)
        except TypeError:  # a whole number beyond 64 bits, perhaps, which orjson reads as a double
            orjson.dumps(orjson.loads(text))
    except (TypeError, ValueError):
        raise InvalidDocument("is nested too deep") from None


def dump(document: Any) -> bytes:
    """Compact UTF-8 JSON. Raises InvalidDocument for a document that `parse` would not read."""
    try:
        return orjson.dumps(document)
    except TypeError as error:
        if "Recursion" in str(error):
            raise InvalidDocument("is nested too deep") from None
        return _dump_long_numbers(document)


def _dump_long_numbers(document: Any) -> bytes:
    """Whole numbers beyond 64 bits too."""
    try:
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    except RecursionError:
        raise InvalidDocument("is nested too deep") from None
    _check_depth(text, document)
    return text


def dump_for_page(member: Any, depth: int = 2) -> bytes:
    """The same, of what is read with so many brackets around it: a page has its documents in the list of an object."""
    for _ in range(depth):
        member = [member]
    return dump(member)[depth:-depth]


def dump_with_links_last(document: dict[str, Any], owned: Set[str], apart: str | None = None) -> bytes:
    """The text that is stored: `"links":[…]}` closes it, so that the server's own links can be spliced in.

    `owned` names the relations the server writes itself; `apart` a member that is stored elsewhere.
    """
    document = without_links(document, owned)
    links = document["links"]
    kept = {name: value for name, value in document.items() if name not in ("links", apart)}
    return dump_for_page(kept | {"links": links})


def without_links(document: dict[str, Any], owned: Set[str]) -> dict[str, Any]:
    """The document with the links of the other relations alone. What is no list is left, to be refused."""
    links = document.get("links", [])
    return document | {
        "links": [link for link in links if not _is_of(link, owned)] if isinstance(links, list) else links
    }


def _is_of(link: Any, relations: Set[str]) -> bool:
    """Of these relations, or what the API it came from made of the same document: the page that is written `f=html`,
    and pictures."""
    if not isinstance(link, dict) or not isinstance(link.get("rel"), str):
        return False
    rel, href = link["rel"], str(link.get("href"))
    return (
        rel in relations
        or (rel == "alternate" and link.get("type") == "text/html" and href.endswith("?f=html"))
        or (rel in ("preview", "tilejson") and _PICTURE.search(href) is not None)
    )


def splice(text: bytes, links: bytes, more: bytes = b"") -> bytes:
    """`text` as `dump_with_links_last` made it, with `links` (JSON objects joined by commas) and more members added."""
    return b"".join(spliced(text, links, more))


def spliced(text: bytes, links: bytes, more: bytes = b"") -> tuple[memoryview, bytes]:
    """The same in parts: a page of a hundred items is joined once."""
    return memoryview(text)[:-2], (b"" if text[-3:-2] == b"[" else b",") + links + b"]" + more + b"}"


def faults(error: ValidationError) -> list[Fault]:
    """Where in the document, and what. Of the branches of a union the first one alone says what is wrong."""
    found = []
    branches: dict[tuple[int | str, ...], int | str] = {}
    for fault in error.errors(include_url=False):
        steps = fault["loc"]
        depth = next((number for number, step in enumerate(steps) if _is_type(step)), None)
        if depth is not None and branches.setdefault(steps[:depth], steps[depth]) != steps[depth]:
            continue
        path = ".".join(str(step) for step in steps if not _is_type(step))
        message = fault["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        leap = fault["type"] == _NO_DATETIME and is_leap_second(str(fault["input"]))
        found.append(Fault(path, _LEAP_SECOND if leap else message))
    return found


def tag(content: bytes) -> str:
    """What tells one state of a document from another: the ETag it is served with, without quotes."""
    return blake2b(content, digest_size=12).hexdigest()


def _is_type(step: object) -> bool:
    """Steps that name a branch of a union (a GeoJSON type, a tuple) and not a member of the document."""
    return isinstance(step, str) and (step[:1].isupper() or "[" in step)
