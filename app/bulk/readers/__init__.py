"""Documents out of files, catalogues and services: one at a time, whatever the size of the source."""

from app.bulk.readers.entry import Entry
from app.bulk.readers.json import entries, entries_of_lines

__all__ = ["Entry", "entries", "entries_of_lines"]
