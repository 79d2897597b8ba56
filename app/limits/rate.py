"""How often a client may ask: a token bucket for each, as one number (GCRA). Without HTTP."""

import re
from dataclasses import dataclass
from math import ceil
from time import monotonic
from typing import Protocol

_SECONDS = {"second": 1, "minute": 60, "hour": 3600}
PATTERN = rf"^[1-9]\d{{0,8}}/({'|'.join(_SECONDS)})$"
_CLIENTS_AT_MOST = 100_000


@dataclass(frozen=True, slots=True)
class Policy:
    """`quota` requests each `window` seconds. All of them may come at once."""

    quota: int
    window: int

    @classmethod
    def of(cls, text: str) -> "Policy":
        """Of `100/minute`, which PATTERN has matched."""
        found = re.fullmatch(PATTERN, text)
        assert found
        return cls(int(text.partition("/")[0]), _SECONDS[found[1]])

    @property
    def interval(self) -> float:
        """Seconds in which one request more is earned."""
        return self.window / self.quota

    def verdict(self, ahead: float) -> "Verdict":
        """`ahead` is how far, in seconds, a client is ahead of an even pace, with this request."""
        left = self.window - ahead
        # Sums of doubles: what is a hair too much is not.
        allowed = left > -1e-6
        used = ahead if allowed else ahead - self.interval
        return Verdict(
            allowed=allowed,
            remaining=max(0, int((self.window - used) / self.interval + 1e-6)),
            reset=ceil(used),
            retry_after=0 if allowed else max(1, ceil(-left)),
        )


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reset` is the seconds until the whole quota is there again, `retry_after` those until one request is."""

    allowed: bool
    remaining: int
    reset: int
    retry_after: int


class Buckets(Protocol):
    """Where it is kept how far each client is."""

    policy: Policy

    async def take(self, client: str) -> Verdict: ...

    async def close(self) -> None: ...


class OwnBuckets:
    """In this process: with n workers a client may ask n times as often, where it comes to all of them."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        # When a client is at an even pace again. The first is the one that was there longest ago.
        self._even: dict[str, float] = {}

    async def take(self, client: str) -> Verdict:
        now = monotonic()
        # Behind all others again, so that the first is the oldest.
        even = max(self._even.pop(client, now), now) + self.policy.interval
        verdict = self.policy.verdict(even - now)
        self._even[client] = even if verdict.allowed else even - self.policy.interval
        if len(self._even) > _CLIENTS_AT_MOST:
            del self._even[next(iter(self._even))]
        return verdict

    async def close(self) -> None:
        self._even.clear()
