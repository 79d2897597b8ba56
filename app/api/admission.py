"""Who is let in, and for how long: the rate limit, the gate, the deadline, and a client that leaves."""

import asyncio
import logging
from time import monotonic

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.api.errors import answer_to, unforeseen
from app.errors import Busy, TimedOut, TooManyRequests, TooSlow, UpesiError
from app.limits.client import Network, client
from app.limits.gate import Gate
from app.limits.rate import Buckets, Verdict
from app.observing.exchange import Exchange

# Almost every request ends before its client can have lost patience: only those that do not are watched.
_UNWATCHED = 0.2
# Whatever their clients send, no route reads a body.
_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})
_OF_BODIES = frozenset({b"content-length", b"transfer-encoding"})
# These answer when all else is refused: whoever asks them decides whether this worker lives.
_ALWAYS_OPEN = frozenset({"/_mgmt/ping", "/_mgmt/health", "/metrics"})
_log = logging.getLogger("upesi")


class Admission:
    """`buckets` is None where clients may ask as often as they like. A request ends after `timeout` seconds, unless
    its answer has begun; a client that leaves ends it too, with its statement in the database."""

    def __init__(
        self, app: ASGIApp, gate: Gate, buckets: Buckets | None, trusted: tuple[Network, ...], timeout: float
    ) -> None:
        self._app = app
        self._gate = gate
        self._buckets = buckets
        self._trusted = trusted
        self._watchman = _Watchman(timeout)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in _ALWAYS_OPEN:
            await self._app(scope, receive, send)
            return
        exchange: Exchange = scope["upesi.exchange"]
        if self._buckets is not None and (refusal := await self._rated(self._buckets, scope, exchange)):
            exchange.refusal = "rate"
            await answer_to(refusal)(scope, receive, send)
            return
        await _Stay(self._gate, self._watchman, scope, receive, send).run(self._app)

    async def _rated(self, buckets: Buckets, scope: Scope, exchange: Exchange) -> TooManyRequests | None:
        peer = scope.get("client")
        asking = client(peer[0] if peer else None, scope["headers"], self._trusted)
        verdict = await buckets.take(asking)
        exchange.headers += _told(buckets, verdict)
        if verdict.allowed:
            return None
        policy = buckets.policy
        return TooManyRequests(
            f"{policy.quota} requests in {policy.window} seconds are the most this service answers one client",
            verdict.retry_after,
        )


def _has_body(scope: Scope) -> bool:
    return any(name in _OF_BODIES and value != b"0" for name, value in scope["headers"])


def _told(buckets: Buckets, verdict: Verdict) -> list[tuple[bytes, bytes]]:
    """https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/."""
    return [
        (b"ratelimit-policy", b'"default";q=%d;w=%d' % (buckets.policy.quota, buckets.policy.window)),
        (b"ratelimit", b'"default";r=%d;t=%d' % (verdict.remaining, verdict.reset)),
    ]


class _Watchman:
    """Looks after all who stay for long, on one timer: one for each request would cost more than the gate does."""

    def __init__(self, timeout: float) -> None:
        self.timeout = timeout
        self._stays: set[_Stay] = set()
        self._is_awake = False

    def watch(self, stay: "_Stay") -> None:
        self._stays.add(stay)
        if not self._is_awake:
            self._is_awake = True
            asyncio.get_running_loop().call_later(_UNWATCHED, self._look)

    def leave(self, stay: "_Stay") -> None:
        self._stays.discard(stay)

    def _look(self) -> None:
        now = monotonic()
        for stay in list(self._stays):
            if now - stay.began >= _UNWATCHED:
                stay.look(now)
        self._is_awake = bool(self._stays)
        if self._is_awake:
            asyncio.get_running_loop().call_later(_UNWATCHED, self._look)


class _Stay:
    """One request from its arrival to the begin of its answer. How fast its client takes the rest concerns nobody else.

    It takes no place while its body comes: clients that send slowly would keep others out.
    """

    __slots__ = (
        *("_entered", "_exchange", "_gate", "_has_body", "_outcome", "_receive", "_scope", "_send", "_started"),
        *("_seconds", "_task", "_watcher", "_watchman", "began"),
    )

    def __init__(self, gate: Gate, watchman: _Watchman, scope: Scope, receive: Receive, send: Send) -> None:
        self.began = monotonic()
        self._seconds = watchman.timeout
        self._gate = gate
        self._watchman = watchman
        self._scope = scope
        self._receive = receive
        self._send = send
        self._exchange: Exchange = scope["upesi.exchange"]
        self._has_body = scope["method"] not in _BODILESS and _has_body(scope)
        self._entered = self._started = False
        self._outcome: str | None = None
        self._task = asyncio.current_task()
        self._watcher: asyncio.Task[None] | None = None

    async def run(self, app: ASGIApp) -> None:
        self._watchman.watch(self)
        self._exchange.stay = self
        try:
            await self._enter()
            await app(self._scope, self._read if self._has_body else self._receive, self._answer)
        except asyncio.CancelledError:
            if self._outcome is None or self._task is None:
                raise
            self._task.uncancel()
            await self._ended(self._outcome)
        except Busy as error:
            await self._respond(answer_to(error))
        except ClientDisconnect:
            self._exchange.refusal = "left"
        except Exception as error:
            if self._started:
                raise  # The connection is broken off, so that no client takes a part for the whole.
            _log.exception("the service failed in a way it did not foresee")
            await self._respond(await unforeseen(Request(self._scope, self._receive), error))
        finally:
            self.step_aside()
            self._exchange.stay = None

    async def _read(self) -> Message:
        if not self._has_body:
            return await self._receive()
        # What has come already is received before the loop turns, and the place is kept.
        leaving = asyncio.get_running_loop().call_soon(self._make_room)
        try:
            message = await self._receive()
        finally:
            leaving.cancel()
        if message["type"] == "http.request" and not message.get("more_body"):
            self._has_body = False
            if not self._entered:
                await self._enter()
        return message

    async def _enter(self) -> None:
        """Raises Busy."""
        try:
            if not self._gate.try_enter():
                await self._gate.enter()
        except Busy:
            self._exchange.refusal = "busy"
            raise
        self._entered = True

    async def _answer(self, message: Message) -> None:
        if not self._started:
            self._started = True
            self.step_aside()
        await self._send(message)

    def let_be(self) -> None:
        self._watchman.leave(self)
        if self._watcher is not None:
            self._watcher.cancel()
            self._watcher = None

    def step_aside(self) -> None:
        self.let_be()
        self._make_room()

    def _make_room(self) -> None:
        if self._entered:
            self._entered = False
            self._gate.leave()

    def look(self, now: float) -> None:
        """While the routes read a body, they learn themselves that its client has left."""
        left = self._seconds - (now - self.began)
        if self._has_body:
            if left <= 0:
                self._end("late")
        elif self._watcher is None:
            self._watcher = asyncio.get_running_loop().create_task(self._watch(left))

    async def _watch(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            self._end("late")
        else:
            self._end("left")

    def _end(self, outcome: str) -> None:
        self._watchman.leave(self)
        self._outcome = outcome
        if self._task is not None:
            self._task.cancel()

    async def _ended(self, outcome: str) -> None:
        if outcome == "left":
            self._exchange.refusal = "left"
        elif self._has_body:
            await self._refuse("late", TooSlow("the body did not come in the time this service waits for one", "body"))
        else:
            await self._refuse("late", TimedOut("the request took longer than this service allows: narrow it down"))

    async def _refuse(self, reason: str, error: UpesiError) -> None:
        self._exchange.refusal = reason
        await self._respond(answer_to(error))

    async def _respond(self, response: Response) -> None:
        await response(self._scope, self._receive, self._send)
