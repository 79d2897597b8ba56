"""How many requests a worker answers at a time. Without HTTP."""

import asyncio
from collections import deque
from contextlib import suppress
from math import ceil
from time import monotonic

from app.errors import Busy

# How much of the pace the last departure is: a hiccup is not to send a whole line away.
_SHARE = 0.03


class Gate:
    """`room` requests are inside at most. Others stand in line, `line` at most, each for `patience` seconds at most.

    A worker that takes in whatever comes answers all of it too late. So whoever would stand in line for longer than
    `patience` at the pace of the last departures is refused at once, which costs next to nothing, and those inside are
    answered as fast as ever. Quick requests make a long line, slow ones a short one.
    """

    def __init__(self, room: int, line: int, patience: float) -> None:
        self._room = room
        self._line_at_most = line
        self._patience = patience
        self._line: deque[asyncio.Future[None]] = deque()
        # Seconds between two departures while there is a line.
        self._pace = 0.0
        self._last_departure = 0.0
        self.inside = 0

    @property
    def waiting(self) -> int:
        return len(self._line)

    def try_enter(self) -> bool:
        """False where one has to wait."""
        if self.inside < self._room:
            self.inside += 1
            return True
        return False

    async def enter(self) -> None:
        """Stand in line. Raises Busy."""
        expected = self._pace * (len(self._line) + 1)
        if expected > self._patience or len(self._line) >= self._line_at_most:
            raise self._busy(expected)
        if not self._line:
            self._last_departure = monotonic()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            async with asyncio.timeout(self._patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.leave()  # The turn came, and nobody was there to take it.
            else:
                with suppress(ValueError):  # Whoever left may have passed it over already.
                    self._line.remove(turn)
            if isinstance(error, TimeoutError):
                # Nobody left for so long: who comes now is not to wait as long to be told so.
                self._pace = max(self._pace, self._patience / (len(self._line) + 1))
                raise self._busy(self._patience) from None
            raise

    def leave(self) -> None:
        """The place goes to who stands first in line."""
        while self._line:
            turn = self._line.popleft()
            if not turn.done():
                now = monotonic()
                self._pace += _SHARE * (now - self._last_departure - self._pace)
                self._last_departure = now
                turn.set_result(None)
                return
        self.inside -= 1
        self._pace *= 1 - _SHARE

    def _busy(self, expected: float) -> Busy:
        return Busy("the service has more to do than it can in time: ask again later", max(1, ceil(expected)))
