"""One request and its answer, as they are seen from around the routes."""

import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from random import getrandbits
from time import perf_counter
from typing import Any, Protocol

from app.stopwatch import Stopwatch

# The id of the request that is being answered, for what is logged meanwhile.
request_id: ContextVar[str] = ContextVar("request_id", default="")

# What a client or a proxy may choose: it is sent back, and written into logs.
_ID = re.compile(r"[A-Za-z0-9._:/+=@-]{1,128}")


class Stay(Protocol):
    """A request as long as it is at work."""

    def let_be(self) -> None: ...

    def step_aside(self) -> None: ...


class Exchange:
    """`status` is 0 where nothing was answered: the client had left. `route` is the template of the path, `refusal`
    why the routes were not asked or not waited for. `headers` are added to the answer."""

    __slots__ = ("began", "headers", "id", "refusal", "route", "status", "stay", "watch")

    def __init__(self, given_id: bytes) -> None:
        text = given_id.decode("latin-1")
        self.id = text if text and _ID.fullmatch(text) else f"{getrandbits(64):016x}"
        self.began = perf_counter()
        self.watch = Stopwatch()
        self.status = 0
        self.route: str | None = None
        self.refusal: str | None = None
        self.headers: list[tuple[bytes, bytes]] = []
        self.stay: Stay | None = None

    def let_be(self) -> None:
        """From here on neither a clock nor a client that leaves ends the request: it changes what is stored, or it
        sends what it reads."""
        if self.stay is not None:
            self.stay.let_be()

    def step_aside(self) -> None:
        """From here on the request takes nobody's place either: it waits for a pool of processes, with bounds of its
        own."""
        if self.stay is not None:
            self.stay.step_aside()


class Observer(Protocol):
    """What is told of every request."""

    def begin(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None: ...

    def end(self, scope: MutableMapping[str, Any], exchange: Exchange) -> None: ...
