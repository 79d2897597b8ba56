"""JSON in and out of documents: nothing lost, and the links the server owns kept apart from the others."""

import json
import re
from collections.abc import Set
from hashlib import blake2b
from typing import Any

import orjson
from pydantic import ValidationError

from app.errors import Fault, InvalidDocument

_PICTURE = re.compile(r"/collections/[^/]+/items/[^/]+/(preview\.png|tilejson\.json)\?assets=")
# orjson writes a float of 1e16 and more with an exponent, and reads whole numbers beyond 64 bits as such floats.
_WIDE_NUMBER = re.compile(rb"\d[eE]\+?\d")
# These have 19 digits at least, which are quickest found where every digit is the same one, and so are brackets.
_ALIKE = bytes.maketrans(b"123456789{", b"000000000[")
_LONG_NUMBER = b"0" * 19
# orjson reads deeper documents than it writes, and this many brackets are not too deep however they are nested.
_BRACKETS = 200


def parse(text: bytes) -> Any:
    """Raises InvalidDocument where the text is not JSON."""
    try:
        return exact(text, orjson.loads(text))
    except ValueError as error:
        raise InvalidDocument(f"is not JSON: {error}") from None


def exact(text: bytes, document: Any) -> Any:
    """The document again, with whole numbers of any size kept where the fast parser rounds them."""
    alike = text.translate(_ALIKE)
    if _LONG_NUMBER not in alike and alike.count(b"[") <= _BRACKETS:
        return document
    try:
        return json.loads(text) if _WIDE_NUMBER.search(orjson.dumps(document)) else document
    except (TypeError, RecursionError):
        raise InvalidDocument("is nested too deep") from None


def dump(document: Any) -> bytes:
    """Compact UTF-8 JSON. Raises InvalidDocument for a document that `parse` would not read."""
    try:
        return orjson.dumps(document)
    except TypeError as error:
        if "Recursion" in str(error):
            raise InvalidDocument("is nested too deep") from None
        # a whole number beyond 64 bits
        return json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def dump_with_links_last(document: dict[str, Any], owned: Set[str], apart: str | None = None) -> bytes:
    """The text that is stored: `"links":[…]}` closes it, so that the server's own links can be spliced in.

    `owned` names the relations the server writes itself; `apart` a member that is stored elsewhere.
    """
    document = without_links(document, owned)
    links = document["links"]
    return dump({name: value for name, value in document.items() if name not in ("links", apart)} | {"links": links})


def without_links(document: dict[str, Any], owned: Set[str]) -> dict[str, Any]:
    """The document with the links of the other relations alone."""
    links = document.get("links")
    kept = [link for link in links if not _is_of(link, owned)] if isinstance(links, list) else []
    return document | {"links": kept}


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
    for fault in error.errors(include_url=False, include_input=False):
        steps = fault["loc"]
        depth = next((number for number, step in enumerate(steps) if _is_type(step)), None)
        if depth is not None and branches.setdefault(steps[:depth], steps[depth]) != steps[depth]:
            continue
        path = ".".join(str(step) for step in steps if not _is_type(step))
        found.append(Fault(path, fault["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")))
    return found


def tag(content: bytes) -> str:
    """What tells one state of a document from another: the ETag it is served with, without quotes."""
    return blake2b(content, digest_size=12).hexdigest()


def _is_type(step: object) -> bool:
    """Steps that name a branch of a union (a GeoJSON type, a tuple) and not a member of the document."""
    return isinstance(step, str) and (step[:1].isupper() or "[" in step)
