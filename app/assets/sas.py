"""Shared access signatures of Azure, as https://planetarycomputer.microsoft.com/docs/concepts/sas/ hands them out."""

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

import httpx
from pydantic import SecretStr

from app.assets.signing import Environment, Headers, Signed
from app.assets.tokens import Token, Tokens

_HOST = re.compile(r"([a-z0-9]{3,24})\.blob\.core\.windows\.net")
_CONTAINER = re.compile(r"[a-z0-9$](?:[a-z0-9-]{1,61}[a-z0-9])")


@dataclass(frozen=True, slots=True)
class PlanetaryComputer:
    """A token for each container, from `{url}/{account}/{container}`, in the query of the href.

    A container it has no token for is left as it is: many are public.
    """

    url: str
    subscription_key: SecretStr | None = None
    tokens: Tokens[tuple[str, str]] = field(default_factory=Tokens)

    async def href(self, href: str) -> Signed:
        place = _place(href)
        if place is None:
            return Signed(href)
        token = await self._token(place)
        if token.secret is None:
            return Signed(href)
        separator = "&" if urlsplit(href).query else "?"
        return Signed(f"{href.rstrip('?')}{separator}{token.text}", token.expires)

    def place(self, href: str) -> str:
        return href

    async def headers(self, _: str) -> Headers:
        return {}

    async def environment(self, href: str) -> Environment:
        """For `/vsiaz/container/blob`; an href that is signed needs none."""
        place = _place(href)
        token = None if place is None else await self._token(place)
        if place is None or token is None or token.secret is None:
            return {}
        return {"AZURE_STORAGE_ACCOUNT": place[0], "AZURE_STORAGE_SAS_TOKEN": token.text}

    async def _token(self, place: tuple[str, str]) -> Token:
        account, container = place
        headers = {}
        if self.subscription_key is not None:
            headers["Ocp-Apim-Subscription-Key"] = self.subscription_key.get_secret_value()
        request = f"{self.url.rstrip('/')}/{account}/{container}"

        async def ask(client: httpx.AsyncClient) -> httpx.Response:
            return await client.get(request, headers=headers)

        return await self.tokens.get(place, ask)


def _place(href: str) -> tuple[str, str] | None:
    """Account and container of a blob that is not signed yet."""
    parts = urlsplit(href)
    host = _HOST.fullmatch((parts.hostname or "").lower())
    container = parts.path.removeprefix("/").partition("/")[0]
    signed = any(name.lower() == "sig" for name, _ in parse_qsl(parts.query))
    if host is None or signed or parts.fragment or not _CONTAINER.fullmatch(container):
        return None
    return host[1], container
