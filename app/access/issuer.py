"""The issuer of JSON Web Tokens: its keys, and what a token of it says.

Tokens are read by PyJWT. A key is for the algorithms of its own kind alone, none of which is symmetric: whoever knows a
public key cannot sign with it, and a token without a signature is none.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import httpx
import jwt

from app.errors import Unauthorized, Unavailable

# The algorithms of a key by its type and curve (RFC 7518, 3.1; RFC 8037; no secp256k1).
_ALGORITHMS: Mapping[tuple[str, str | None], frozenset[str]] = {
    ("RSA", None): frozenset({"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}),
    ("EC", "P-256"): frozenset({"ES256"}),
    ("EC", "P-384"): frozenset({"ES384"}),
    ("EC", "P-521"): frozenset({"ES512"}),
    ("OKP", "Ed25519"): frozenset({"EdDSA"}),
}
ALGORITHMS = frozenset().union(*_ALGORITHMS.values())
_DISCOVERY = "/.well-known/openid-configuration"

# Keys are asked for again, beside the requests, when they are so old; one that is not known, not sooner than that.
_FRESH = 300.0
_ASKED_AGAIN = 30.0
# An issuer that cannot be reached is asked again soon, but not by each request.
_FAILED = 5.0
_SECONDS = 5.0
_BYTES = 1_000_000
_TOKEN_AT_MOST = 16_384
# Seconds that clocks may differ.
_LEEWAY = 10

_REASONS: tuple[tuple[type[jwt.PyJWTError], str], ...] = (
    (jwt.ExpiredSignatureError, "the token has expired"),
    (jwt.ImmatureSignatureError, "the token does not hold yet"),
    (jwt.InvalidIssuerError, "the token is of another issuer"),
    (jwt.InvalidAudienceError, "the token is for another audience"),
    (jwt.MissingRequiredClaimError, "the token lacks one of exp, iss and aud"),
    (jwt.InvalidSignatureError, "the token is not signed by its issuer"),
)


@dataclass(frozen=True, slots=True)
class _Keys:
    """By their `kid`; "" is the only one of a set that names none. To read one takes longer than to use it."""

    by_id: Mapping[str, Mapping[str, Any]]
    asked: float
    _read: dict[tuple[str, str], jwt.PyJWK] = field(default_factory=dict, repr=False)

    def key(self, name: str, algorithm: str) -> jwt.PyJWK:
        """Raises PyJWTError for what is no key, Unauthorized for one that is not for the algorithm."""
        known = self._read.get((name, algorithm))
        if known is None:
            document = self.by_id[name]
            if document.get("alg", algorithm) != algorithm or algorithm not in _algorithms(document):
                raise _invalid("the token is signed by an algorithm that its key is not for")
            known = self._read[name, algorithm] = jwt.PyJWK(dict(document), algorithm)
        return known


@dataclass(slots=True)
class Issuer:
    """Its keys are asked for when the first token comes, and by one request at a time."""

    url: str
    audience: tuple[str, ...]
    jwks_url: str | None = None
    _keys: _Keys | None = None
    _failed: float | None = None
    _asking: "asyncio.Task[_Keys] | None" = field(default=None, repr=False)

    async def claims(self, token: str) -> dict[str, Any]:
        """What a token says that is signed, for this audience, and holds now. Raises Unauthorized, Unavailable."""
        header = _header(token)
        algorithm, kid = header["alg"], header.get("kid")
        name = kid if isinstance(kid, str) else ""
        keys = await self._with_key(name)
        try:
            return jwt.decode(
                token,
                keys.key(name, algorithm),
                algorithms=[algorithm],
                audience=self.audience,
                issuer=self.url,
                leeway=_LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as error:
            reason = next((reason for kind, reason in _REASONS if isinstance(error, kind)), "the token is not valid")
            raise _invalid(reason) from None

    async def _with_key(self, name: str) -> _Keys:
        keys = self._keys
        if keys is None:
            keys = await self._asked()
        with suppress(Unavailable):
            if name not in keys.by_id and monotonic() > keys.asked + _ASKED_AGAIN:
                keys = await self._asked()
            elif monotonic() > keys.asked + _FRESH:
                self._ask()
        if name not in keys.by_id:
            raise _invalid("the token is signed with a key that its issuer does not name")
        return keys

    async def _asked(self) -> _Keys:
        # A client that goes away takes the answer from nobody else.
        return await asyncio.shield(self._ask())

    def _ask(self) -> "asyncio.Task[_Keys]":
        """The question that is under way, or a new one. Raises Unavailable, shortly after one that failed."""
        if self._asking is None:
            if self._failed is not None and monotonic() < self._failed + _FAILED:
                raise _unreachable()
            self._asking = asyncio.create_task(self._fetch())
            self._asking.add_done_callback(self._done)
        return self._asking

    def _done(self, task: "asyncio.Task[_Keys]") -> None:
        self._asking = None
        if task.cancelled() or task.exception() is not None:
            self._failed = monotonic()
        else:
            self._keys, self._failed = task.result(), None

    async def _fetch(self) -> _Keys:
        asked = monotonic()
        try:
            async with asyncio.timeout(_SECONDS), httpx.AsyncClient(headers={"User-Agent": "upesi"}) as client:
                url = self.jwks_url or await self._discovered(client)
                document = await _json(client, url)
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError, ValueError):
            raise _unreachable() from None
        found = document.get("keys")
        keys = [key for key in found if isinstance(key, dict) and _algorithms(key)] if isinstance(found, list) else []
        by_id = {key["kid"]: key for key in keys if isinstance(key.get("kid"), str)}
        return _Keys(by_id if len(keys) != 1 else by_id | {"": keys[0]}, asked)

    async def _discovered(self, client: httpx.AsyncClient) -> str:
        """OpenID Connect Discovery 1.0, 4. Raises ValueError for a document of another issuer."""
        document = await _json(client, self.url.rstrip("/") + _DISCOVERY)
        url = document.get("jwks_uri")
        if document.get("issuer") != self.url or not isinstance(url, str):
            raise ValueError("is not the document of this issuer")
        if self.url.startswith("https://") and not url.startswith("https://"):
            raise ValueError("has its keys where anyone can change them on the way")
        return url


def _header(token: str) -> dict[str, Any]:
    """Raises Unauthorized for what is no signed token, before anything of it is believed."""
    try:
        header = jwt.get_unverified_header(token) if len(token) <= _TOKEN_AT_MOST else {}
    except jwt.PyJWTError:
        header = {}
    if header.get("alg") not in ALGORITHMS:
        raise _invalid("the token is no JSON Web Token with an asymmetric signature")
    return header


def _algorithms(key: Mapping[str, Any]) -> frozenset[str]:
    """What a key may have signed; nothing for one that encrypts, or that is secret."""
    kind = str(key.get("kty")), None if key.get("crv") is None else str(key["crv"])
    return _ALGORITHMS.get(kind, frozenset()) if key.get("use", "sig") == "sig" else frozenset()


async def _json(client: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """Raises ValueError, httpx.HTTPError."""
    async with client.stream("GET", url) as answer:
        answer.raise_for_status()
        body = bytearray()
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _BYTES:
                raise ValueError("is too large")
    document = httpx.Response(200, content=bytes(body)).json()
    if not isinstance(document, Mapping):
        raise ValueError("is not a JSON object")
    return document


def _invalid(reason: str) -> Unauthorized:
    return Unauthorized(reason, invalid=True)


def _unreachable() -> Unavailable:
    return Unavailable("the issuer of tokens cannot be reached, and its keys are not known yet")
