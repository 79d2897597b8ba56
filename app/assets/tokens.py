"""Tokens that end: kept until shortly before, and asked for by one request at a time."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from app.errors import Unavailable
from app.stac.interval import parse_instant

Key = TypeVar("Key")
Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]

# A reader has this long to begin with what it was given.
_MARGIN = timedelta(minutes=5)
# A key the endpoint refuses is not asked for again at once.
_REFUSED = timedelta(minutes=5)
_UNSAID = timedelta(minutes=45)
_AT_MOST = 1_000
_SECONDS = 10.0
_BYTES = 65_536


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Token:
    """Asked for again from `renew` on; `secret` is None where the endpoint refused one."""

    secret: SecretStr | None
    expires: datetime
    renew: datetime

    @classmethod
    def until(cls, secret: SecretStr | None, expires: datetime) -> "Token":
        """One that lives for less than twice the margin is used for half of its life."""
        start = now()
        return cls(secret, expires, expires - min(_MARGIN, max(expires - start, timedelta()) / 2))

    @property
    def text(self) -> str:
        if self.secret is None:
            raise Unavailable("the token endpoint refuses a token: look at the credentials of the signer")
        return self.secret.get_secret_value()


@dataclass(slots=True)
class Tokens(Generic[Key]):
    """By key. Whoever needs a token that is just asked for waits for the same answer, also for its failure."""

    _known: OrderedDict[Key, Token] = field(default_factory=OrderedDict, repr=False)
    _asked: dict[Key, "asyncio.Task[Token]"] = field(default_factory=dict, repr=False)

    async def get(self, key: Key, ask: Ask) -> Token:
        """A token that is good for some minutes, or the old one as long as it is good if there is no new one.

        Raises Unavailable.
        """
        known = self._known.get(key)
        if known is not None and now() < known.renew:
            self._known.move_to_end(key)
            return known
        try:
            return await self._renewed(key, ask)
        except Unavailable:
            if known is not None and known.secret is not None and now() < known.expires:
                return known
            raise

    async def _renewed(self, key: Key, ask: Ask) -> Token:
        task = self._asked.get(key)
        if task is None:
            task = asyncio.create_task(_fetched(ask))
            self._asked[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        # A client that goes away takes the answer from nobody else.
        return await asyncio.shield(task)

    def _done(self, key: Key, task: "asyncio.Task[Token]") -> None:
        self._asked.pop(key, None)
        if not task.cancelled() and task.exception() is None:
            self._known[key] = task.result()
            self._known.move_to_end(key)
            while len(self._known) > _AT_MOST:
                self._known.popitem(last=False)


async def _fetched(ask: Ask) -> Token:
    """Raises Unavailable, which names the endpoint and nothing that was sent or answered."""
    try:
        async with httpx.AsyncClient(timeout=_SECONDS, headers={"User-Agent": "upesi"}) as client:
            answer = await asyncio.wait_for(ask(client), _SECONDS)
    except (httpx.HTTPError, TimeoutError):
        raise Unavailable("the token endpoint of a signer cannot be reached") from None
    host = urlsplit(str(answer.request.url)).netloc.rpartition("@")[2]
    if 400 <= answer.status_code < 500 and answer.status_code not in (408, 425, 429):
        return Token.until(None, now() + _REFUSED)
    try:
        document = answer.json() if answer.is_success and len(answer.content) <= _BYTES else None
        if isinstance(document, Mapping) and (found := _token(document)):
            return found
    except (ValueError, OverflowError):
        pass
    raise Unavailable(f"the token endpoint at {host} answers {answer.status_code} and no token")


def _token(document: Mapping[str, Any]) -> Token | None:
    """The answer of OAuth 2 (RFC 6749, 5.1), or of the Planetary Computer."""
    text = document.get("access_token", document.get("token"))
    if not isinstance(text, str) or not text.isascii() or not text.isprintable() or " " in text or not text:
        return None
    seconds, instant = document.get("expires_in"), document.get("msft:expiry")
    if isinstance(instant, str):
        return Token.until(SecretStr(text), parse_instant(instant))
    if isinstance(seconds, int | float) and seconds > 0:
        return Token.until(SecretStr(text), now() + timedelta(seconds=seconds))
    return Token.until(SecretStr(text), now() + _UNSAID)
