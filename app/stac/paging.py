"""The page token: the sort values of the row a page starts behind, never a row number."""

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_MALFORMED = "is not a token of this service"


@dataclass(frozen=True, slots=True)
class Position:
    """A row's place in the order of a search: newest first, then `tie`, the collection's key and `id`.

    `keys` are the values, as texts, of the fields that the search is sorted by before that.
    """

    datetime: datetime
    tie: int
    id: str
    collection: int
    keys: tuple[str | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Seek:
    """Which page: the one behind `position` in the order of the search, or the one before it."""

    position: Position
    backward: bool


def encode(seek: Seek, digest: str) -> str:
    """A URL-safe token, bound to the query whose digest it carries."""
    at = seek.position
    instant = (at.datetime - _EPOCH) // _MICROSECOND
    return _pack([digest, seek.backward, instant, at.tie, at.id, at.collection, *at.keys])


def decode(token: str, digest: str) -> Seek:
    """Raises ValueError for a token that is malformed or belongs to another query.

    Tokens are not signed: their values become parameters of the query, and a made-up one is a place in the
    caller's own results.
    """
    match _unpack(token):
        case [str(owner), bool(backward), int(microseconds), int(tie), str(item_id), int(collection), *rest]:
            keys = tuple(key for key in rest if key is None or isinstance(key, str))
        case _:
            raise ValueError(_MALFORMED)
    if owner != digest:
        raise ValueError("belongs to another search: send it with the parameters of the page it came from")
    if not (0 <= tie < 1 << 28 and 0 <= collection < 1 << 31) or len(keys) < len(rest):
        raise ValueError(_MALFORMED)
    if any("\0" in text for text in (item_id, *filter(None, keys))):
        raise ValueError(_MALFORMED)
    try:
        at = _EPOCH + timedelta(microseconds=microseconds)
    except OverflowError:
        raise ValueError(_MALFORMED) from None
    return Seek(Position(at, tie, item_id, collection, keys), backward)


def _pack(values: list[object]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(values)).rstrip(b"=").decode()


def _unpack(token: str) -> object:
    try:
        return orjson.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        raise ValueError(_MALFORMED) from None
