"""Keys of the API: made and revoked by an operator, and told apart by their digests.

A key is 256 random bits, so that its SHA-256 tells nobody what it was: there is nothing to guess it from. Slow hashes
are for passwords, which people choose.
"""

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Literal

from asyncpg import Record
from pydantic import SecretStr

from app.database.pool import Database
from app.errors import SetupError, Unauthorized
from app.sql import keys
from app.stac.access import Grant

State = Literal["valid", "expired", "revoked"]

# What every key begins with: for those who look for secrets where they should not be, and to tell it from a JWT.
PREFIX = "upesi_"
_ID_BYTES = 4
_SECRET_BYTES = 32
# Until a running service refuses a key that was revoked.
SECONDS = 5.0
_REMEMBERED = 1_000


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What is known of a key; the key itself nobody knows but who has it."""

    id: str
    name: str
    grant: Grant
    created: datetime
    expires: datetime | None
    revoked: datetime | None

    @property
    def state(self) -> State:
        if self.revoked is not None:
            return "revoked"
        return "valid" if self.expires is None or datetime.now(UTC) < self.expires else "expired"


@dataclass(frozen=True, slots=True)
class _Known:
    grant: Grant
    expires: datetime | None
    until: float


@dataclass(slots=True)
class Keys:
    """The keys that were used last. Those that are none are asked for each time, so that a new one holds at once."""

    _known: OrderedDict[bytes, _Known] = field(default_factory=OrderedDict, repr=False)

    async def grant(self, database: Database, text: str) -> Grant:
        """What the key allows. Raises Unauthorized."""
        digest = digest_of(text)
        known = self._known.get(digest)
        if known is None or monotonic() >= known.until:
            known = await self._found(database, digest)
        if known.expires is not None and datetime.now(UTC) >= known.expires:
            raise Unauthorized("the API key has expired", invalid=True)
        return known.grant

    async def _found(self, database: Database, digest: bytes) -> _Known:
        asked = monotonic()
        self._known.pop(digest, None)
        row = await database.newest(keys.found(digest))
        if row is None:
            raise Unauthorized("there is no such API key, or it was revoked", invalid=True)
        known = _Known(_grant(row), row["expires"], asked + SECONDS)
        self._known[digest] = known
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known


def digest_of(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def create(database: Database, name: str, grant: Grant, expires: datetime | None) -> tuple[ApiKey, SecretStr]:
    """A new key, and its text, which is told this once."""
    key = secrets.token_hex(_ID_BYTES)
    text = f"{PREFIX}{key}_{secrets.token_hex(_SECRET_BYTES)}"
    row = await database.fetch_one(keys.insert(key, name, digest_of(text), grant, expires))
    assert row is not None
    return _key(row), SecretStr(text)


async def listed(database: Database) -> list[ApiKey]:
    """The oldest first, with those that hold no more."""
    return [_key(row) for row in await database.fetch(keys.listed())]


async def revoke(database: Database, key: str) -> None:
    """Raises SetupError where there is no such key."""
    if await database.fetch_one(keys.revoke(key)) is None:
        raise SetupError(f"there is no key {key!r}: `upesi token list` shows those there are")


def _key(row: Record) -> ApiKey:
    return ApiKey(row["id"], row["name"], _grant(row), row["created"], row["expires"], row["revoked"])


def _grant(row: Record | dict[str, Any]) -> Grant:
    return Grant.of_names(row["actions"], row["collections"])
