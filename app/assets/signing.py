"""Who may read an asset, and how that is said: at three boundaries, and only to the hosts the operator names.

- a request: headers for a search of another API, or for a download (`headers`)
- an href: a URL that whoever has it may read for a while (`href`)
- GDAL: the options it reads a file with (`environment`)

`app.assets.configuration` makes these from settings, and says what each kind does.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import SplitResult, urlsplit

import httpx
from pydantic import SecretStr

from app.assets.objects import object_at
from app.assets.tokens import Tokens
from app.errors import SetupError

Headers = Mapping[str, str]
Environment = Mapping[str, str]

# What a URL can name a host by; others are read as different hosts by different programs.
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?|\[[0-9a-f:]{2,45}\](:\d{1,5})?")
_HOST_LENGTH = 260
_BUCKET_SCHEMES = ("s3", "gs")
# What a signature adds to a query: Signature Version 4, and shared access signatures of Azure.
_OF_SIGV4 = re.compile("x-amz-.*")
_OF_SAS = re.compile("s[a-z]{1,4}|rsc[cdelt]")
_AZURE = ".blob.core.windows.net"


@dataclass(frozen=True, slots=True)
class Signed:
    """`expires` is None for an href that is as it was, or is good for ever."""

    href: str
    expires: datetime | None = None


@dataclass(frozen=True, slots=True)
class Readable:
    """What GDAL needs to read an href: the name it has then, and options for this one read. Either may hold secrets."""

    href: str = field(repr=False)
    options: Environment = field(default_factory=dict, repr=False)


class Signer(Protocol):
    """What does nothing at a boundary returns the href as it is, or nothing to add."""

    async def href(self, href: str) -> Signed: ...

    async def headers(self, url: str) -> Headers: ...

    async def environment(self, href: str) -> Environment: ...

    def place(self, href: str) -> str:
        """Where a signed href leads, without its signature: nobody is asked for that."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """Where a signer is used: at these hosts, and of these collections where any are named.

    A host is `data.example.com`, with its port where it has one, `*.example.com`, or a bucket, `s3://bucket`.
    `served` is whether hrefs are signed for whoever asks the service, and not for the operator's own commands alone.
    """

    signer: Signer
    hosts: frozenset[str]
    collections: frozenset[str] = frozenset()
    served: bool = False
    plain_http: bool = False

    def holds(self, href: str, collection: str | None) -> bool:
        if self.collections and collection not in self.collections:
            return False
        name = host_of(href, self.plain_http)
        return name is not None and any(_matches(pattern, name) for pattern in self.hosts)


@dataclass(frozen=True, slots=True)
class Signers:
    """The first rule that holds for an href decides."""

    rules: Sequence[Rule] = ()

    async def href(self, href: str, collection: str | None = None) -> Signed:
        """Raises Unavailable where a token is needed and cannot be had."""
        found = self._signer(href, collection)
        return Signed(href) if found is None else await found.href(href)

    async def headers(self, url: str, collection: str | None = None) -> Headers:
        """Raises Unavailable."""
        found = self._signer(url, collection)
        return {} if found is None else await found.headers(url)

    async def environment(self, href: str, collection: str | None = None) -> Environment:
        """GDAL's configuration for this href alone: it has credentials in it. Raises Unavailable."""
        found = self._signer(href, collection)
        return {} if found is None else await found.environment(href)

    async def readable(self, href: str, collection: str | None = None) -> Readable:
        """As an href that ends where the signer makes such, so that no keys are given away; else by options.

        Raises Unavailable.
        """
        found = self._signer(href, collection)
        if found is None:
            return Readable(href)
        signed = (await found.href(href)).href
        return Readable(signed) if signed != href else Readable(href, await found.environment(href))

    def place(self, href: str, collection: str | None = None) -> str:
        """Where a signed href leads, without its signature: nobody is asked for that."""
        found = self._signer(href, collection)
        return href if found is None else found.place(href)

    async def item(self, item: dict[str, Any], collection: str | None) -> dict[str, Any]:
        """The item with the hrefs of its assets and their alternates signed; other hrefs are as they were.

        `collection` is the one it is of, which an item of few fields does not say itself.
        """
        assets = item.get("assets")
        if not isinstance(assets, dict) or not self.rules:
            return item
        signed = await asyncio.gather(*(self._asset(asset, collection) for asset in assets.values()))
        return item | {"assets": dict(zip(assets, signed, strict=True))}

    def unsigned(self, item: Any, collection: str | None, before: Mapping[str, Any]) -> Any:
        """What `item` has signed, as it was: as the item before it has it, or else as the place that a rule signs.

        What is no item is left to whoever checks it.
        """
        if not self.rules or not isinstance(item, dict) or not isinstance(item.get("assets"), dict):
            return item
        return item | {"assets": self._unsigned_assets(item["assets"], before.get("assets"), collection)}

    def served(self) -> "Signers":
        """What the service signs for others: a rule that is not served still keeps its hrefs from those behind it."""
        if not any(rule.served for rule in self.rules):
            return Signers()
        return Signers([rule if rule.served else replace(rule, signer=Anonymous()) for rule in self.rules])

    def _signer(self, href: str, collection: str | None) -> Signer | None:
        rule = self._rule(href, collection)
        return None if rule is None else rule.signer

    def _rule(self, href: str, collection: str | None) -> Rule | None:
        return next((rule for rule in self.rules if rule.holds(href, collection)), None)

    def _unsigned_assets(self, assets: dict[str, Any], before: Any, collection: str | None) -> dict[str, Any]:
        """Or alternates of an asset, which have the same form."""
        known = before if isinstance(before, dict) else {}
        return {name: self._unsigned_asset(asset, known.get(name), collection) for name, asset in assets.items()}

    def _unsigned_asset(self, asset: Any, before: Any, collection: str | None) -> Any:
        if not isinstance(asset, dict):
            return asset
        known = before if isinstance(before, dict) else {}
        changed = dict(asset)
        if isinstance(asset.get("href"), str):
            changed["href"] = self._unsigned_href(asset["href"], known.get("href"), collection)
        if isinstance(asset.get("alternate"), dict):
            changed["alternate"] = self._unsigned_assets(asset["alternate"], known.get("alternate"), collection)
        return changed

    def _unsigned_href(self, href: str, before: Any, collection: str | None) -> str:
        place = without_signature(href)
        if place == href or href == before:
            return href
        if isinstance(before, str) and self.place(before, collection) == place:
            return before
        found = object_at(place)
        for name in (place,) if found is None else (place, found.uri):
            rule = self._rule(name, collection)
            if rule is not None and rule.served:
                return name
        return href

    async def _asset(self, asset: Any, collection: Any) -> Any:
        if not isinstance(asset, dict):
            return asset
        changed = dict(asset)
        if isinstance(asset.get("href"), str):
            changed["href"] = (await self.href(asset["href"], collection)).href
        alternates = asset.get("alternate")
        if isinstance(alternates, dict):
            changed["alternate"] = {name: await self._asset(told, collection) for name, told in alternates.items()}
        return changed


def without_signature(href: str) -> str:
    """A URL as it was before it was signed; any other as it is."""
    place, _, query = href.partition("?")
    parts = [(part, part.partition("=")[0].lower()) for part in query.split("&")]
    names = {name for _, name in parts}
    if "x-amz-signature" in names:
        of_signature = _OF_SIGV4
    elif "sig" in names and (host_of(place) or "").endswith(_AZURE):
        of_signature = _OF_SAS
    else:
        return href
    kept = "&".join(part for part, name in parts if not of_signature.fullmatch(name))
    return f"{place}?{kept}" if kept else place


def host_of(href: str, plain_http: bool = False) -> str | None:
    """The host of an https URL with its port, or the bucket as `s3://bucket`; None for what is never signed."""
    try:
        parts = urlsplit(href)
        plain = parts.username is None and parts.password is None
    except ValueError:
        return None
    if parts.scheme in _BUCKET_SCHEMES:
        return f"{parts.scheme}://{href.partition('://')[2].partition('/')[0]}"
    if not plain or not (parts.scheme == "https" or (plain_http and parts.scheme == "http")):
        return None
    host = _without_default_port(parts)
    return host if len(host) <= _HOST_LENGTH and _HOST.fullmatch(host) else None


def _without_default_port(parts: SplitResult) -> str:
    return parts.netloc.lower().removesuffix({"https": ":443", "http": ":80"}[parts.scheme])


def _matches(pattern: str, name: str) -> bool:
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


@dataclass(frozen=True, slots=True)
class Anonymous:
    """Reads without credentials, also where the machine has some."""

    async def href(self, href: str) -> Signed:
        return Signed(href)

    def place(self, href: str) -> str:
        return href

    async def headers(self, _: str) -> Headers:
        return {}

    async def environment(self, _: str) -> Environment:
        return {"AWS_NO_SIGN_REQUEST": "YES", "GS_NO_SIGN_REQUEST": "YES", "AZURE_NO_SIGN_REQUEST": "YES"}


@dataclass(frozen=True, slots=True)
class Bearer:
    """A token in the Authorization header: RFC 6750."""

    token: SecretStr

    async def href(self, href: str) -> Signed:
        return Signed(href)

    def place(self, href: str) -> str:
        return href

    async def headers(self, _: str) -> Headers:
        return _bearer(self.token.get_secret_value())

    async def environment(self, _: str) -> Environment:
        return _gdal_bearer(self.token.get_secret_value())


@dataclass(frozen=True, slots=True)
class PasswordFile:
    """User name and password of a host, from a .netrc: that of urs.earthdata.nasa.gov, where Earthdata redirects to."""

    path: Path

    async def href(self, href: str) -> Signed:
        return Signed(href)

    def place(self, href: str) -> str:
        return href

    async def headers(self, url: str) -> Headers:
        try:
            # Not its default, which is for any host.
            found = netrc(self.path).hosts.get(urlsplit(url).hostname or "")
        except (OSError, NetrcParseError, UnicodeDecodeError):
            # What is wrong is told with what is there, which may be the password.
            raise SetupError(f"{self.path}: cannot be read as a .netrc") from None
        if found is None:
            return {}
        basic = httpx.BasicAuth(found[0], found[2] or "")
        request = next(basic.auth_flow(httpx.Request("GET", url)))
        return {"Authorization": request.headers["Authorization"]}

    async def environment(self, _: str) -> Environment:
        # The login is a walk over redirects that sets cookies.
        return {"GDAL_HTTP_NETRC": "YES", "GDAL_HTTP_NETRC_FILE": str(self.path), "GDAL_HTTP_COOKIEFILE": ""}


@dataclass(frozen=True, slots=True)
class PasswordGrant:
    """A bearer token for a user name and a password (RFC 6749, 4.3), as the Copernicus Data Space hands them out."""

    url: str
    username: str
    password: SecretStr
    client_id: str
    tokens: Tokens[None] = field(default_factory=Tokens)

    async def href(self, href: str) -> Signed:
        return Signed(href)

    def place(self, href: str) -> str:
        return href

    async def headers(self, _: str) -> Headers:
        return _bearer(await self._token())

    async def environment(self, _: str) -> Environment:
        return _gdal_bearer(await self._token())

    async def _token(self) -> str:
        form = {
            "grant_type": "password",
            "client_id": self.client_id,
            "username": self.username,
            "password": self.password.get_secret_value(),
        }
        return (await self.tokens.get(None, lambda client: client.post(self.url, data=form))).text


def _bearer(token: str) -> Headers:
    return {"Authorization": f"Bearer {token}"}


def _gdal_bearer(token: str) -> Environment:
    # Not GDAL_HTTP_HEADERS, which are sent on to wherever a redirect leads.
    return {"GDAL_HTTP_AUTH": "BEARER", "GDAL_HTTP_BEARER": token}
