"""Static catalogues: files that link to each other by `child` and `item`, in a folder or on the web."""

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from app.bulk.readers.entry import Entry
from app.bulk.readers.json import whole
from app.bulk.readers.web import DOCUMENT_BYTES, Web, is_url
from app.errors import InvalidDocument

# Documents that are fetched at a time.
_AHEAD = 8


@dataclass(frozen=True, slots=True)
class _Found:
    """Where a document is, and which one links to it; `late` is an item whose collection may be further on."""

    location: str
    linked_from: str | None = None
    late: bool = False


def crawl(start: str, web: Web) -> Iterator[Entry]:
    """The collections and items below a catalogue or a collection, each document once, a collection before its items.

    Hrefs of assets and links that are relative become absolute: they mean nothing away from the catalogue. A
    catalogue of files links to files alone, and one on the web to the web alone. A document that cannot be read is an
    entry with a fault, and what lies beside it is read on.
    """
    visited = {_digest(start)}
    waiting = [_Found(start)]
    late: list[_Found] = []
    ahead: deque[tuple[_Found, Future[tuple[str, bytes]]]] = deque()
    threads = ThreadPoolExecutor(_AHEAD, thread_name_prefix="crawl")
    try:
        while waiting or ahead or late:
            if not waiting and not ahead:
                waiting, late = late[::-1], []
            while waiting and len(ahead) < _AHEAD:
                found = waiting.pop()
                ahead.append((found, threads.submit(_read, found.location, web)))
            found, reading = ahead.popleft()
            try:
                location, text = reading.result()
                document = whole(text)
                links = list(_links(document, location))
            except InvalidDocument as error:
                yield Entry(found.location, fault=f"{error}{_origin(found)}")
                continue
            digest = _digest(location)
            if digest in visited and digest != _digest(found.location):
                continue  # It has moved to where another link leads.
            visited.add(digest)
            for link in links:
                if isinstance(link, Entry):
                    yield link
            if not (isinstance(document, dict) and document.get("type") == "Catalog"):
                yield Entry(found.location, _with_absolute_hrefs(document, location))
            new = list(_unvisited(links, visited))
            late += (link for link in new if link.late)
            waiting += (link for link in reversed(new) if not link.late)
    finally:
        # Who is interrupted does not wait for servers that do not answer.
        threads.shutdown(wait=False, cancel_futures=True)


def _unvisited(links: Iterable[_Found | Entry], visited: set[bytes]) -> Iterator[_Found]:
    for link in links:
        if isinstance(link, _Found) and (digest := _digest(link.location)) not in visited:
            visited.add(digest)
            yield link


def _digest(location: str) -> bytes:
    """A catalogue has as many locations as items: they are kept as 12 bytes each, a file's by its absolute path."""
    named = location if is_url(location) else os.path.abspath(location)
    return blake2b(named.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def _read(location: str, web: Web) -> tuple[str, bytes]:
    if is_url(location):
        return web.read(location)
    try:
        path = Path(location)
        if path.stat().st_size > DOCUMENT_BYTES:
            raise InvalidDocument(f"is larger than {DOCUMENT_BYTES >> 20} MiB")
        return location, path.read_bytes()
    except (OSError, ValueError) as error:
        raise InvalidDocument(f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _links(document: Any, location: str) -> Iterator[_Found | Entry]:
    """What a document leads to; a link that leads nowhere is an entry with a fault. Items lead to nothing.

    Raises InvalidDocument for a catalogue without links.
    """
    match document:
        case {"type": "Catalog" | "Collection" as kind, "links": list() as links}:
            pass
        case {"type": "Catalog"}:
            raise InvalidDocument("is a catalogue without a list of links")
        case _:
            return
    leads = any(isinstance(link, dict) and link.get("rel") in ("item", "child") for link in links)
    for link in links:
        match link:
            case {"rel": "item" | "child" as rel, "href": str(href)}:
                try:
                    target = resolved(href.partition("#")[0], location)
                    yield _Found(target, location, late=kind == "Catalog" and rel == "item")
                except InvalidDocument as error:
                    yield Entry(href, fault=f"{error}, linked from {location}")
            case {"rel": "item" | "child"}:
                yield Entry(location, fault="has a link to an item or a child without an href")
            case {"rel": "items", "href": str()} if not leads:
                listed = _absolute(link, location)["href"]
                yield Entry(location, fault=f"has its items in a list, which a crawl leaves out: load {listed} as well")


def resolved(href: str, location: str) -> str:
    """Where an href leads from a document. Raises InvalidDocument where it leads from files to the web, or back."""
    try:
        scheme = urlsplit(href).scheme
        if is_url(location):
            target = urljoin(location, href)
            if not is_url(target):
                raise InvalidDocument(f"is reached by {scheme}: from a catalogue on the web")
            return target
    except ValueError as error:
        raise InvalidDocument(f"is not a URL: {error}") from None
    if scheme not in ("", "file"):
        raise InvalidDocument(f"is reached by {scheme}: from a catalogue of files")
    if scheme == "file":
        return unquote(urlsplit(href).path)
    named, decoded = (os.path.normpath(os.path.join(os.path.dirname(location), name)) for name in (href, unquote(href)))
    return named if os.path.exists(named) else decoded


def _with_absolute_hrefs(document: Any, location: str) -> Any:
    match document:
        case {"links": list() as links, "assets": dict() as assets}:
            placed = {name: _absolute(asset, location) for name, asset in assets.items()}
            return document | {"links": [_absolute(link, location) for link in links], "assets": placed}
        case {"links": list() as links}:
            return document | {"links": [_absolute(link, location) for link in links]}
    return document


def _absolute(part: Any, location: str) -> Any:
    match part:
        case {"href": str(href)} if not _has_scheme(href):
            return part | {"href": urljoin(location, href) if is_url(location) else _placed(href, location)}
    return part


def _placed(href: str, location: str) -> str:
    """As it is where it is no relative path: below `/vsicurl/` is a URL."""
    if href.startswith(("/", "#")):
        return href
    path = os.path.abspath(os.path.join(os.path.dirname(location), href))
    return os.path.join(path, "") if href.endswith("/") else path


def _has_scheme(href: str) -> bool:
    try:
        return urlsplit(href).scheme != ""
    except ValueError:
        return True


def _origin(found: _Found) -> str:
    return f", linked from {found.linked_from}" if found.linked_from else ""
