"""What a load is given, a file, a folder, a URL, a database or standard input: the format is found from the content."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Any, BinaryIO, Literal
from urllib.parse import urlsplit

from app.bulk.readers import api, pgstac, static
from app.bulk.readers.entry import Entry
from app.bulk.readers.json import entries, entries_of_lines, has_link, outline, whole
from app.bulk.readers.web import DOCUMENT_BYTES, Asked, Web, is_url
from app.errors import InvalidDocument, SetupError

Format = Literal["ndjson", "json", "geoparquet", "static", "api", "pgstac"]
# Opens a file of a source, and may show how far it is read.
Opener = Callable[[Path], AbstractContextManager[BinaryIO]]

_LINES = {".ndjson", ".jsonl", ".geojsonl", ".ndgeojson"}
_PARQUET = b"PAR1"
_KINDS = ("Catalog", "Collection")
_ROOTS = ("catalog.json", "collection.json")


@dataclass(frozen=True, slots=True)
class Source:
    """Where documents come from: a path, a URL, or `-`; `format` says in which form, None looks for it."""

    location: str
    format: Format | None = None

    @property
    def name(self) -> str:
        """For people to read: a database without its password."""
        return pgstac.name(self.location) if pgstac.is_database(self.location) else self.location

    def check(self) -> None:
        """Raises SetupError where there is nothing of that name."""
        try:
            urlsplit(self.location)
        except ValueError as error:
            raise SetupError(f"{self.location!r} is no URL: {error}") from None
        if pgstac.is_database(self.location) != (self.format == "pgstac") and self.format is not None:
            raise SetupError(f"{self.format} cannot be read from {self.name!r}: postgresql://… is pgstac, and it alone")
        if self.location == "-" or is_url(self.location) or pgstac.is_database(self.location):
            return
        path = Path(self.location)
        if not path.exists():
            raise SetupError(f"there is no file {self.location!r}")
        if path.is_dir() and _root(path) is None and not _parts(path):
            raise SetupError(
                f"there is no file to load in {self.location!r}: no catalog.json, collection.json or .parquet file"
            )

    def is_stable(self) -> bool:
        """Whether it gives the same documents in the same order each time, as long as it is not changed."""
        path = Path(self.location)
        if self.location == "-" or is_url(self.location) or not path.is_file():
            return False
        return (self.format or _format_of(path)) in ("ndjson", "json", "geoparquet")

    def entries(self, web: Web, opened: Opener) -> Iterator[Entry]:
        """Its documents, one at a time. What cannot be read is an entry with a fault."""
        if self.location == "-":
            return _of_stream(sys.stdin.buffer, self.format)
        if pgstac.is_database(self.location):
            return pgstac.entries(self.location)
        if is_url(self.location):
            return _of_url(self.location, self.format, web, opened)
        path = Path(self.location)
        return _of_folder(path, self.format, web, opened) if path.is_dir() else _of_file(path, self.format, web, opened)


def _of_stream(stream: BinaryIO, form: Format | None) -> Iterator[Entry]:
    if form not in (None, "ndjson", "json"):
        raise SetupError(f"{form} cannot be read from standard input: name a file or a URL")
    return entries_of_lines(stream) if form == "ndjson" else entries(stream)


def _of_folder(folder: Path, form: Format | None, web: Web, opened: Opener) -> Iterator[Entry]:
    root = _root(folder)
    if form in (None, "static") and root is not None:
        return static.crawl(str(root), web)
    if form in (None, "geoparquet") and (parts := _parts(folder)):
        return (
            replace(entry, place=f"{part}, {entry.place}")
            for part in parts
            for entry in _of_file(part, "geoparquet", web, opened)
        )
    raise SetupError(f"there is nothing of the format {form} in {str(folder)!r}")


def _root(folder: Path) -> Path | None:
    return next((folder / name for name in _ROOTS if (folder / name).is_file()), None)


def _parts(folder: Path) -> list[Path]:
    return sorted(folder.glob("**/*.parquet"))


def _of_file(path: Path, form: Format | None, web: Web, opened: Opener) -> Iterator[Entry]:
    if not path.is_file():  # A named pipe is read once, so its content cannot be looked at first.
        return _of_json(path, form, lambda path: path.open("rb"))
    form = form or _format_of(path)
    if form == "geoparquet":
        return _of_geoparquet(path)
    if form == "static":
        return static.crawl(str(path), web)
    if form == "api":
        raise SetupError(f"an API is at a URL, and {str(path)!r} is a file")
    return _of_json(path, form, opened)


def _of_json(path: Path, form: Format | None, opened: Opener) -> Iterator[Entry]:
    with opened(path) as stream:
        yield from entries_of_lines(stream) if form == "ndjson" else entries(stream)


def _format_of(path: Path) -> Format:
    with path.open("rb") as file:
        if file.read(len(_PARQUET)) == _PARQUET:
            return "geoparquet"
        if path.suffix in _LINES:
            return "ndjson"
        kind = outline(file)
        # One that is too large for a crawl is refused there: as a document alone it would lose what it links to.
        if kind in _KINDS and has_link(file, "item", "child"):
            return "static"
        if kind == "Catalog" and _whole(file, kind) is not None:
            return "static"
    return "json"


def _whole(file: IO[bytes], kind: str | None) -> Any:
    """The document of a file that is a catalogue or a collection and nothing else."""
    if kind not in _KINDS:
        return None
    file.seek(0)
    text = file.read(DOCUMENT_BYTES + 1)
    try:
        return whole(text) if len(text) <= DOCUMENT_BYTES else None
    except InvalidDocument:
        return None


def _of_url(url: str, form: Format | None, web: Web, opened: Opener) -> Iterator[Entry]:
    """What is there is kept in a file meanwhile, so that it may be of any size."""
    if form == "static":
        yield from static.crawl(url, web)
        return
    with NamedTemporaryFile(prefix="upesi-") as file:
        try:
            found_at = web.download(url, file.file)
            listed = _of_api(file.file, found_at, web) if form in (None, "api") else None
            if listed is None and form == "api":
                raise InvalidDocument("is neither a landing page, a collection nor a page of items of an API")
            path = Path(file.name)
            if listed is None and form is None and _format_of(path) == "static":
                listed = static.crawl(found_at, web)
            yield from _of_file(path, form, web, opened) if listed is None else listed
        except InvalidDocument as error:
            yield Entry(url, fault=str(error))


def _of_api(file: IO[bytes], url: str, web: Web) -> Iterator[Entry] | None:
    kind = outline(file)
    document = _whole(file, kind)
    if kind == "Catalog" and api.is_api(document):
        return api.landing(document, url, web)
    if kind == "Collection" and api.is_api(document):
        return api.collection(document, url, web)
    if kind == "Collections":
        return api.collections(Asked(url), web)
    if kind == "FeatureCollection" and has_link(file, "next"):
        return api.items(Asked(url), web)
    return None


def _of_geoparquet(path: Path) -> Iterator[Entry]:
    try:
        from app.bulk.readers import geoparquet
    except ImportError:
        raise SetupError("GeoParquet needs pyarrow: pip install 'upesi[geoparquet]'") from None
    return geoparquet.entries(path)
