"""Items out of any source `upesi load` reads, each with where it was read from."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from app.bulk.readers.sources import Source
from app.bulk.readers.web import Web, is_url
from app.errors import SetupError


@dataclass(frozen=True, slots=True)
class Placed:
    """An item, and the URL or path that its relative hrefs are below; None for standard input."""

    item: dict[str, Any]
    source: str | None


def read(location: str, web: Web) -> Iterator[Placed]:
    """The items of a file, a folder, a URL or `-`. Raises SetupError for what cannot be read, with its place."""
    source = Source(location)
    source.check()
    entries = source.entries(web, lambda path: path.open("rb"))
    for entry in chain.from_iterable(entry.parsed() for entry in entries):
        if entry.fault is not None:
            place = entry.place if entry.place.startswith(location) else f"{location}: {entry.place}"
            raise SetupError(f"{place}: {entry.fault}")
        if isinstance(entry.document, dict) and entry.document.get("type") == "Feature":
            yield Placed(entry.document, _source(location, entry.place))


def one(location: str, web: Web) -> Placed:
    """The only item of a source. Raises SetupError."""
    found = read(location, web)
    first = next(found, None)
    if first is None:
        raise SetupError(f"{location}: there is no item")
    if next(found, None) is not None:
        raise SetupError(f"{location}: there is more than one item")
    return first


def text_at(location: str, web: Web) -> bytes:
    """One document, as it is. Raises InvalidDocument, OSError."""
    return web.read(location)[1] if is_url(location) else Path(location).read_bytes()


def _source(location: str, place: str) -> str | None:
    """A reader of several files says the file, and one of a single file the line."""
    if is_url(place) and not place.startswith(f"{location}, "):
        return place.partition(", document ")[0]
    if location != "-" and not is_url(location) and Path(place).is_file():
        return place
    return None if location == "-" else location
