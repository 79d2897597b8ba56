"""CQL2-Text to nodes: the `cql2` package reads it into CQL2-JSON, behind bounds that keep it alive.

The package crashes the process on deep nesting and long chains, and takes time exponential in the depth of
parentheses, because it reads `(a)` as an expression, and once more as an array if that fails. So each such pair is
given to it as a call of a function, which it reads once. docs/decisions/0004-cql2.md has the measurements.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import cql2

from app.stac.cql2.bounds import MAX_DEPTH, MAX_TEXT
from app.stac.cql2.json import from_json
from app.stac.cql2.nodes import Node

# Operators that one expression may chain, through all parentheses around it: a quarter of what 8 MiB of stack take.
_MAX_CHAIN = 500
_FAR = 1e9
# The characters of a filter that is kept as it was read. Its nodes never change.
_KEPT = 1_000
_GROUP = "upesi_group"
_TOKEN = re.compile(
    r"""(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")"""
    r"|(?P<number>(?:\d[\d.]*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>(?:[^\W\d]|:)[\w.:\u0300-\u036f\u200c\u200d\u203f\u2040]*)"
    r"|(?P<operator>[-+*/%^=<>!|]+)"
    r"""|(?P<mark>[(),'"])"""
)
_NAME = re.compile(r"[^\W\d_][\w.:]*")
# The package needs no space between them: `a notin(1)`.
_LINKS = re.compile(r"(and|or|not|in|like|between|is|null|div)+", re.IGNORECASE)
_WKT = re.compile(r"(MULTI)?(POINT|LINESTRING|POLYGON)(ZM?|M)?", re.IGNORECASE)
_DIMENSIONS = frozenset({"z", "m", "zm"})
_PLACE = re.compile(r"--> (\d+):(\d+)")
_ARRAYS = frozenset({"a_containedby", "a_contains", "a_equals", "a_overlaps"})


def from_text(text: str) -> Node:
    """A condition. Raises ValueError that says what is wrong, and at which character."""
    if len(text) > MAX_TEXT:
        raise ValueError(f"has more than {MAX_TEXT} characters")
    return _read_again(text) if len(text) <= _KEPT else _read(text)


def _read(text: str) -> Node:
    if "\0" in text:
        raise ValueError("has a NUL character")
    try:
        return from_json(_parsed(text))
    except _Unreadable as error:
        # The standard has two ways to write a quote in a text, '' and \'. The package knows the first, with which a
        # text may end in a backslash; so the second counts only where the first gives no sense.
        if "\\'" not in text:
            raise ValueError(str(error)) from None
    return from_json(_parsed(text.replace("\\'", "''")))


# The pages of a search, and the tiles of a map, come with one filter.
_read_again = lru_cache(maxsize=500)(_read)


class _Unreadable(ValueError):
    pass


def _parsed(text: str) -> Any:
    scan = _Scan(text)
    scan.run()
    try:
        tree = cql2.parse_text("".join(scan.out)).to_json()
    except Exception as error:  # The package raises some of its faults as bare Exception.
        raise _Unreadable(scan.explained(str(error))) from None
    return _without_groups(tree, 0)


@dataclass(slots=True)
class _Frame:
    """What is inside a pair of parentheses."""

    coordinates: bool
    links: int = 0


class _Scan:
    """One pass over the tokens: refuses what the package could not bear, and writes what it is given."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.out: list[str] = []
        self.frames = [_Frame(coordinates=False)]
        self.chain = 0
        # The name that a parenthesis would call.
        self.callee = ""
        self.additions: list[tuple[int, int]] = []
        self.length = 0

    def run(self) -> None:
        end = 0
        for token in _TOKEN.finditer(self.text):
            self._pass(self.text[end : token.start()])
            self._take(str(token.lastgroup), token.group(), token.start())
            end = token.end()
        self._pass(self.text[end:])
        if len(self.frames) > 1:
            raise _Unreadable(f"{len(self.frames) - 1} parentheses are not closed")

    def _pass(self, between: str) -> None:
        """What is between tokens. The standard knows more kinds of space than the package."""
        if between.isspace():
            between = " " * len(between)
        elif between:
            self.callee = ""
        self._put(between)

    def _take(self, kind: str, token: str, place: int) -> None:
        if kind == "mark":
            self._mark(token, place)
            return
        if self.frames[-1].coordinates and kind in ("name", "quoted"):
            raise _Unreadable(_at(self.text, place, "coordinates are numbers"))
        if kind == "operator" or _LINKS.fullmatch(token):
            self._link(len(token) if kind == "operator" else 1)
            self.callee = ""
        elif not (token.lower() in _DIMENSIONS and _WKT.fullmatch(self.callee)):
            self.callee = token if kind == "name" or token.startswith('"') else ""
        # The standard has names and numbers that the package does not.
        if kind == "name" and _NAME.fullmatch(token) is None:
            self._put('"', added=True)
            self._put(token)
            self._put('"', added=True)
        elif kind == "number":
            self._number(token, place)
        else:
            self._put(token)

    def _number(self, token: str, place: int) -> None:
        written = token
        if token.count(".") > 1:
            raise _Unreadable(_at(self.text, place, "a number has more than one point"))
        if self.frames[-1].coordinates and "e" in token.lower():
            if not abs(float(token)) < _FAR:
                raise _Unreadable(_at(self.text, place, "a coordinate is beyond the globe"))
            written = f"{float(token):.15f}".rstrip("0")
        elif token.startswith("."):
            written = f"0{token}"
        self._put(written)
        if written != token:
            self.additions.append((self.length, len(written) - len(token)))

    def _mark(self, mark: str, place: int) -> None:
        if mark in "'\"":
            raise _Unreadable(_at(self.text, place, "a quote is not closed"))
        if mark == "(":
            self._open()
        elif len(self.frames) == 1 and mark == ")":
            raise _Unreadable(_at(self.text, place, "a parenthesis is closed that is not open"))
        else:
            self.chain -= self.frames[-1].links
            self.frames[-1].links = 0
            if mark == ")":
                self.frames.pop()
        self.callee = ""
        self._put(mark)

    def _open(self) -> None:
        inside = self.frames[-1].coordinates
        if not inside and not self.callee:
            self._put(f" {_GROUP}", added=True)
        self.frames.append(_Frame(coordinates=inside or _WKT.fullmatch(self.callee) is not None))
        if len(self.frames) > MAX_DEPTH or (inside and sum(frame.coordinates for frame in self.frames) > 4):
            raise ValueError(f"is nested deeper than {4 if inside else MAX_DEPTH} parentheses")

    def _link(self, links: int) -> None:
        self.frames[-1].links += links
        self.chain += links
        if self.chain > _MAX_CHAIN:
            raise ValueError(f"chains more than {_MAX_CHAIN} operators: use IN, or CQL2-JSON")

    def _put(self, text: str, added: bool = False) -> None:
        self.out.append(text)
        self.length += len(text)
        if added:
            self.additions.append((self.length, len(text)))

    def explained(self, message: str) -> str:
        """The package's message without its drawing of the text, and with the place in the text as it was sent."""
        found = _PLACE.search(message)
        if found is None:
            return message
        lines = "".join(self.out).split("\n")
        place = sum(len(line) + 1 for line in lines[: int(found[1]) - 1]) + int(found[2]) - 1
        place -= sum(length for end, length in self.additions if end <= place)
        return _at(self.text, place, "cannot be read")


def _without_groups(tree: Any, depth: int) -> Any:
    if depth > 4 * MAX_DEPTH:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(tree, list):
        return [_without_groups(value, depth + 1) for value in tree]
    if not isinstance(tree, dict) or "type" in tree:
        return tree
    if _is_group(tree):
        values = _without_groups(tree["args"], depth + 1)
        return values[0] if len(values) == 1 else values
    name = str(tree.get("op", "")).lower()
    if name in _ARRAYS:
        tree = {"op": name, "args": [value["args"] if _is_group(value) else value for value in tree["args"]]}
    elif name == "in":
        # `IN (1, 2)` comes as an array of one group.
        value, options = tree["args"]
        tree = {"op": name, "args": [value, options[0]["args"] if options and _is_group(options[0]) else options]}
    return {member: _without_groups(value, depth + 1) for member, value in tree.items()}


def _is_group(tree: Any) -> bool:
    return isinstance(tree, dict) and tree.get("op") == _GROUP


def _at(text: str, place: int, reason: str) -> str:
    return (
        f"{reason} at character {place + 1}: {text[place : place + 20]!r}" if text[place:] else f"{reason} at the end"
    )
