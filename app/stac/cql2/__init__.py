"""CQL2 (OGC 21-065r2): both encodings become one tree of `nodes`, and what is wrong with a filter is said here."""

from app.stac.cql2.json import from_json
from app.stac.cql2.text import from_text

__all__ = ["from_json", "from_text"]
