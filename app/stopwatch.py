"""The stages of a request and their times, for the `Server-Timing` header."""

from time import perf_counter


class Stopwatch:
    """Each `lap` gives the time since the one before it a name. `way` is the one a search took, where there was one."""

    __slots__ = ("_last", "laps", "way")

    def __init__(self) -> None:
        # Seconds, by name.
        self.laps: dict[str, float] = {}
        self.way: str | None = None
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        now = perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now

    def header(self) -> str:
        """The laps in milliseconds: https://www.w3.org/TR/server-timing/."""
        return ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in self.laps.items())
