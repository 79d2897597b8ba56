"""Exports into files. A file has its name only when it is whole."""

import os
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex
from typing import IO, Literal

from app.catalog import Catalog
from app.errors import SetupError
from app.exports import ndjson, static
from app.settings import Settings
from app.stac.search import Search

# What is open in this process, by number.
_DESCRIPTORS = "/proc/self/fd"

ExportFormat = Literal["ndjson", "geoparquet", "static"]


async def write(catalog: Catalog, search: Search, to: str, form: ExportFormat, settings: Settings) -> None:
    """Raises SetupError where `to` cannot be written to, and NotFound for a collection that does not exist."""
    try:
        if form == "static":
            await _write_static(catalog, search, to, settings)
        elif to == "-":
            async for part in _stream(catalog, search, form):
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
        else:
            with _opened(Path(to)) as file:
                async for part in _stream(catalog, search, form):
                    file.write(part)
    except OSError as error:
        raise SetupError(f"{to!r} cannot be written: {error.strerror or error}") from None


def _stream(catalog: Catalog, search: Search, form: ExportFormat) -> AsyncIterator[bytes]:
    if form == "ndjson":
        return ndjson.stream(catalog, search)
    try:
        from app.exports import geoparquet
    except ImportError:
        raise SetupError("GeoParquet needs pyarrow: pip install 'upesi[geoparquet]'") from None
    return geoparquet.stream(catalog, search)


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    """Each export has a file of its own, whatever else is on its way to the name or was left beside it.

    The file has no name until it is whole, where the file system has such: so an export that is killed leaves nothing.
    A symlink stays, and what it leads to is replaced. Into a pipe or a device is written as it comes.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as file:
            yield file
        return
    path = Path(os.path.realpath(path))
    unfinished = path.with_name(f"{path.name}.{token_hex(4)}.part")
    nameless = _nameless(path.parent)
    try:
        with nameless or unfinished.open("xb") as file:
            yield file
            if nameless is not None:
                # A name that is taken cannot be linked to, and `link` follows no symlink unless it is told of a folder.
                os.link(f"{_DESCRIPTORS}/{file.fileno()}", unfinished, src_dir_fd=file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _nameless(folder: Path) -> IO[bytes] | None:
    """A file on the folder's file system that is gone with its process; None where there is no such thing."""
    if sys.platform != "linux" or not Path(_DESCRIPTORS).is_dir():
        return None
    try:
        return open(os.open(folder, os.O_TMPFILE | os.O_WRONLY, 0o666), "wb")
    except OSError:
        return None


async def _write_static(catalog: Catalog, search: Search, to: str, settings: Settings) -> None:
    if to == "-" or not _is_free(Path(to)):
        raise SetupError(f"a static catalogue is written to a folder that is empty or not there, and {to!r} is not")
    root = {
        "id": settings.catalog_id,
        "title": settings.catalog_title,
        "description": settings.catalog_description,
    }
    await static.write(catalog, search, Path(to), root)


def _is_free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))
