"""Exports into files. A file has its name only when it is whole."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from app.catalog import Catalog
from app.errors import SetupError
from app.exports import ndjson, static
from app.settings import Settings
from app.stac.search import Search

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
            await _write_file(_stream(catalog, search, form), Path(to))
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


async def _write_file(parts: AsyncIterator[bytes], path: Path) -> None:
    unfinished = path.with_name(path.name + ".part")
    try:
        _append(unfinished, b"")
        async for part in parts:
            _append(unfinished, part)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _append(path: Path, part: bytes) -> None:
    with path.open("ab") as file:
        file.write(part)


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
