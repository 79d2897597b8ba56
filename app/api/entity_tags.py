"""Entity tags as clients name them, in If-Match and If-None-Match (RFC 9110, 8.8.3 and 13.1)."""

import re
from collections.abc import Iterable, Sequence

from app.api.middleware import without_encoding

_TAG = re.compile(r'(?:W/)?"[^"]*"')
ANY = ("*",)


def entity_tags(lines: Sequence[str]) -> Sequence[str] | None:
    """As they are written, of all lines of a header; `ANY` for `*`, which stands alone, None where there is no line.

    A comma may be in a tag.
    """
    if not lines:
        return None
    return ANY if [line.strip() for line in lines] == ["*"] else _TAG.findall(",".join(lines))


def states_of(tags: Iterable[str]) -> frozenset[str] | None:
    """The states of a document that tags name, whatever it was sent in; None for every state."""
    known = [without_encoding(tag.removeprefix("W/")) for tag in tags]
    return None if known == [*ANY] else frozenset(tag[1:-1] for tag in known)
