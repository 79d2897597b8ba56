"""Tokens of a real issuer: which are taken, and how often it is asked."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from time import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.access import issuer as issuers
from app.access.issuer import Issuer
from app.errors import Unauthorized, Unavailable
from tests.access.issuing import AUDIENCE, DISCOVERY, EC, ED, JWKS, OTHER, PRIVATE, RSA, Site, issuing, public

pytestmark = pytest.mark.anyio


@pytest.fixture
def site() -> Iterator[Site]:
    with issuing() as found:
        yield found


@pytest.fixture
def issuer(site: Site) -> Issuer:
    return Issuer(site.url, (AUDIENCE, "other"))


def unsigned(header: dict[str, Any], claims: dict[str, Any], signature: bytes = b"") -> str:
    parts = [json.dumps(header).encode(), json.dumps(claims).encode(), signature]
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts)


@pytest.mark.parametrize(
    ("key", "algorithm", "kid"),
    [(RSA, "RS256", "rsa"), (RSA, "PS384", "rsa"), (EC, "ES256", "ec"), (ED, "EdDSA", "ed")],
)
async def test_a_token_of_the_issuer_is_taken(site: Site, issuer: Issuer, key: Any, algorithm: str, kid: str) -> None:
    claims = await issuer.claims(site.token(key, algorithm, kid, scope="stac:read"))
    assert (claims["sub"], claims["scope"]) == ("me", "stac:read")
    assert (await issuer.claims(site.token(key, algorithm, kid, aud=["a", "other"])))["sub"] == "me"
    assert site.asked == [DISCOVERY, JWKS]


def refused(site: Site) -> dict[str, str]:
    """Tokens that are not to be taken, by what is said of them."""
    claims = {"iss": site.url, "aud": AUDIENCE, "exp": time() + 600}
    pem = RSA.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    head, _, signature = site.token().split(".")
    body = base64.urlsafe_b64encode(json.dumps(claims | {"sub": "you"}).encode()).rstrip(b"=").decode()
    confused = unsigned({"alg": "HS256", "kid": "rsa"}, claims)[:-1]
    return {
        "has expired": site.token(exp=time() - 60),
        "does not hold yet": site.token(nbf=time() + 60),
        "another issuer": site.token(iss="https://evil.example"),
        "another audience": site.token(aud="https://elsewhere.example"),
        "lacks one of exp": site.token(exp=None),
        "lacks one of exp, iss": site.token(iss=None),
        "lacks one of exp, iss and aud": site.token(aud=None),
        "not signed by its issuer": site.token(OTHER),
        "is not signed by its issuer": f"{head}.{body}.{signature}",
        "key that its issuer does not name": site.token(kid="unknown"),
        "its issuer does not name": site.token(kid=None),
        "algorithm that its key is not for": site.token(EC, "ES256", "rsa"),
        "asymmetric signature": unsigned({"alg": "none", "kid": "rsa"}, claims),
        "with an asymmetric signature": unsigned({"alg": "None", "kid": "rsa"}, claims),
        "no JSON Web Token with": confused + "." + hmac.new(pem, confused.encode(), hashlib.sha256).hexdigest(),
        "no JSON Web Token": "nonsense",
        "is no JSON Web Token": "a.b.c",
        "the token is no JSON Web Token": "e30." * 10_000,
    }


async def test_tokens_that_are_refused(site: Site, issuer: Issuer) -> None:
    for says, token in refused(site).items():
        with pytest.raises(Unauthorized) as failure:
            await issuer.claims(token)
        assert says in failure.value.description
        assert failure.value.invalid
        assert not any(part in failure.value.description for part in token.split(".") if len(part) > 3)


async def test_keys_that_are_no_signing_keys_are_passed_over(site: Site, issuer: Issuer) -> None:
    """A symmetric key in the set would let a token be signed by whoever reads the set."""
    secret = base64.urlsafe_b64encode(b"s" * 32).decode()
    site.keys = [{"kty": "oct", "kid": "oct", "k": secret}, public("rsa") | {"kid": "enc", "use": "enc"}, {"kid": 7}, 5]  # type: ignore[list-item]
    for token in (site.token(b"s" * 32, "HS256", "oct"), site.token(kid="enc"), site.token(kid="oct")):
        with pytest.raises(Unauthorized):
            await issuer.claims(token)


async def test_an_algorithm_that_the_key_names_is_the_only_one(site: Site, issuer: Issuer) -> None:
    site.keys = [public("rsa") | {"alg": "RS256"}]
    assert await issuer.claims(site.token())
    with pytest.raises(Unauthorized, match="algorithm"):
        await issuer.claims(site.token(algorithm="RS512"))


async def test_the_only_key_needs_no_name(site: Site, issuer: Issuer) -> None:
    site.keys = [public("rsa")]
    assert await issuer.claims(site.token(kid=None))


async def test_many_tokens_at_once_ask_once(site: Site, issuer: Issuer) -> None:
    site.delay = 0.1
    found = await asyncio.gather(*(issuer.claims(site.token(sub=str(n))) for n in range(20)))
    assert [claims["sub"] for claims in found] == [str(n) for n in range(20)]
    assert site.asked == [DISCOVERY, JWKS]


async def test_a_new_key_is_found_and_unknown_ones_do_not_drive_the_issuer(
    site: Site, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.keys = [public("rsa")]
    await issuer.claims(site.token())
    site.keys = [public(kid) for kid in PRIVATE]
    for _ in range(20):
        with pytest.raises(Unauthorized):
            await issuer.claims(site.token(EC, "ES256", "ec"))
    assert len(site.asked) == 2
    monkeypatch.setattr(issuers, "_ASKED_AGAIN", 0.0)
    assert await issuer.claims(site.token(EC, "ES256", "ec"))
    assert len(site.asked) == 4


async def test_known_keys_outlive_the_issuer(site: Site, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    await issuer.claims(site.token())
    site.status = 500
    for name in ("_FRESH", "_ASKED_AGAIN"):
        monkeypatch.setattr(issuers, name, 0.0)
    for _ in range(5):
        assert await issuer.claims(site.token())
        await asyncio.sleep(0.02)
    assert len(site.asked) == 3
    with pytest.raises(Unauthorized):
        await issuer.claims(site.token(kid="unknown"))


@pytest.mark.parametrize(
    "broken",
    [
        {"status": 500},
        {"discovery": {"issuer": "https://evil.example"}},
        {"discovery": {"jwks_uri": None}},
        {"discovery": {"jwks_uri": "http://127.0.0.1:1/keys"}},
        {"discovery": {"jwks_uri": "not a url"}},
        {"keys": [{"kid": "x" * 2_000_000}]},
    ],
    ids=str,
)
async def test_an_issuer_that_cannot_be_asked(
    site: Site, issuer: Issuer, broken: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in broken.items():
        setattr(site, name, value)
    for _ in range(10):
        with pytest.raises(Unavailable, match="issuer of tokens cannot be reached") as failure:
            await issuer.claims(site.token())
        assert site.url not in failure.value.description
    assert len(site.asked) <= 2
    monkeypatch.setattr(issuers, "_FAILED", 0.0)
    site.status, site.discovery, site.keys = 200, {}, [public("rsa")]
    assert await issuer.claims(site.token())


async def test_an_issuer_that_hangs_is_left(site: Site, issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuers, "_SECONDS", 0.1)
    site.delay = 0.5
    with pytest.raises(Unavailable):
        await issuer.claims(site.token())


async def test_the_keys_can_be_named_by_the_operator(site: Site) -> None:
    issuer = Issuer(site.url, (AUDIENCE,), site.url + JWKS)
    assert await issuer.claims(site.token())
    assert site.asked == [JWKS]


async def test_keys_of_a_safe_issuer_are_not_fetched_unsafely(site: Site) -> None:
    issuer = Issuer("https://issuer.example", (AUDIENCE,))

    class Client:
        pass

    async def document(_: object, __: str) -> dict[str, str]:
        return {"issuer": "https://issuer.example", "jwks_uri": site.url + JWKS}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(issuers, "_json", document)
        with pytest.raises(ValueError, match="on the way"):
            await issuer._discovered(Client())  # type: ignore[arg-type]
