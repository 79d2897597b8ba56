"""The stages of a request and their times, for the `Server-Timing` header."""

from time import perf_counter


class Stopwatch:
    """Each `lap` gives the time since the one before it a name."""

    __slots__ = ("_laps", "_last")

    def __init__(self) -> None:
        self._laps: dict[str, float] = {}
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        now = perf_counter()
        self._laps[name] = self._laps.get(name, 0.0) + now - self._last
        self._last = now

    def header(self) -> str:
        """The laps in milliseconds: https://www.w3.org/TR/server-timing/."""
        return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in self._laps.items())
