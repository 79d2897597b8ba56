"""Of a request: whose it is, and what they may do."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from app.access.issuer import Issuer
from app.access.keys import PREFIX, Keys
from app.database.pool import Database
from app.settings import Settings
from app.stac.access import CHANGES, Action, Rights, of_scopes


@dataclass(frozen=True, slots=True)
class Callers:
    """`anonymous` are the rights of who sends no credential; None where they are not let in to read."""

    database: Database
    shared: frozenset[Action]
    reads_openly: bool
    issuer: Issuer | None
    claims: tuple[str, ...]
    meanings: Mapping[str, str]
    keys: Keys = field(default_factory=Keys)

    @classmethod
    def of(cls, settings: Settings, database: Database) -> "Callers":
        shared: tuple[Action, ...] = ("read", *(CHANGES if settings.writes == "open" else ()))
        issuer = None
        if settings.oidc_issuer is not None:
            issuer = Issuer(settings.oidc_issuer, settings.oidc_audience, settings.oidc_jwks_url)
        return cls(
            database,
            frozenset(shared),
            settings.reads == "open",
            issuer,
            settings.oidc_scope_claims,
            settings.oidc_scopes,
        )

    @property
    def anonymous(self) -> Rights:
        return Rights((), self.shared)

    async def rights(self, credential: str) -> Rights | None:
        """What the owner of an API key or of a token may do; None for a credential that is for somebody else, such as
        the proxy in front, where no issuer is named.

        Raises Unauthorized, Unavailable.
        """
        if credential.startswith(PREFIX):
            return Rights((await self.keys.grant(self.database, credential),), self.shared)
        if self.issuer is None:
            return None
        claims = await self.issuer.claims(credential)
        return Rights(of_scopes(self._scopes(claims)), self.shared)

    def _scopes(self, claims: Mapping[str, Any]) -> Iterator[str]:
        """A claim is a list, or a text with spaces (RFC 8693, 4.2). What the operator gave a meaning has that one."""
        for name in self.claims:
            value = _claim(claims, name)
            texts = value.split() if isinstance(value, str) else value if isinstance(value, list) else []
            for text in texts:
                if isinstance(text, str):
                    yield from self.meanings.get(text, text).split()


def _claim(claims: Mapping[str, Any], name: str) -> Any:
    """By its name, or by the steps to it: `realm_access.roles`."""
    if name in claims:
        return claims[name]
    value: Any = claims
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value
