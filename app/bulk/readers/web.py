"""Documents over HTTP: asked again where that may help, and never larger than a bound."""

import random
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import IO, Any
from urllib.parse import urlsplit

import httpx
import orjson

from app.errors import InvalidDocument

# A catalogue, an item, or a page of items.
DOCUMENT_BYTES = 64 << 20
# Of the answer to a request that failed, and of what it says.
_REASON_BYTES, _REASON = 1 << 16, 300
_ATTEMPTS = 5
_LONGEST_PAUSE = 60.0
_ASK_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_SCHEMES = {"http", "https"}


def is_url(location: str) -> bool:
    return urlsplit(location).scheme in _SCHEMES


@dataclass(frozen=True, slots=True)
class Asked:
    """A request for a page."""

    url: str
    method: str = "GET"
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()


class Web:
    """A client whose answers are whole or an InvalidDocument. Threads may share it.

    What fails for a reason that may pass (no connection, a connection that breaks, 429, 5xx) is asked again, five
    times in all, after `pause` seconds and twice as many each time, or when the server says.
    """

    def __init__(self, pause: float = 0.5, authorize: Callable[[str], Mapping[str, str]] | None = None) -> None:
        """`authorize` gives the headers that a URL is asked with; a redirect to another host goes without them."""
        self._pause = pause
        self._authorize = authorize or (lambda _: {})
        self._ended = threading.Event()
        self._client = httpx.Client(timeout=30, follow_redirects=True, headers={"User-Agent": "upesi"})

    def __enter__(self) -> "Web":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Threads that wait to ask again do so no longer."""
        self._ended.set()
        self._client.close()

    def read(self, url: str) -> tuple[str, bytes]:
        """The document at a URL, and the URL it was found at. Raises InvalidDocument."""
        return self.ask(Asked(url, headers=(("Accept", "application/json, application/geo+json;q=0.9, */*;q=0.1"),)))

    def ask(self, asked: Asked) -> tuple[str, bytes]:
        """Raises InvalidDocument."""
        for attempt in range(1, _ATTEMPTS + 1):
            body = bytearray()
            with self._answer(asked, attempt) as answer:
                if answer is None:
                    continue
                for part in answer.iter_bytes():
                    body += part
                    if len(body) > DOCUMENT_BYTES:
                        raise InvalidDocument(f"is larger than {DOCUMENT_BYTES >> 20} MiB")
                return str(answer.url), bytes(body)
        raise AssertionError("the last attempt raises")

    def download(self, url: str, file: IO[bytes]) -> str:
        """What is at a URL into a file, whatever its size; returns the URL it was found at. Raises InvalidDocument."""
        for attempt in range(1, _ATTEMPTS + 1):
            file.seek(0)
            file.truncate()
            with self._answer(Asked(url), attempt) as answer:
                if answer is None:
                    continue
                for part in answer.iter_bytes():
                    file.write(part)
                file.flush()
                return str(answer.url)
        raise AssertionError("the last attempt raises")

    @contextmanager
    def _answer(self, asked: Asked, attempt: int) -> Iterator[httpx.Response | None]:
        """An answer with status 2xx, or None where it is to be asked again, which a break while reading ends in too."""
        last = attempt == _ATTEMPTS
        headers = {**dict(asked.headers), **self._authorize(asked.url)}
        try:
            request = self._client.build_request(asked.method, asked.url, json=asked.body, headers=headers or None)
            answer = self._client.send(request, stream=True)
        except httpx.TransportError as error:
            if last:
                raise InvalidDocument(_unreachable(error)) from None
            self._wait(attempt, {})
            yield None
            return
        except (httpx.InvalidURL, httpx.HTTPError, UnicodeError, ValueError) as error:
            raise InvalidDocument(f"cannot be asked for: {error}") from None
        try:
            if answer.status_code in _ASK_AGAIN and not last:
                answer.close()
                self._wait(attempt, answer.headers)
                yield None
            elif answer.is_success:
                yield answer
            else:
                status = f"{answer.status_code} {answer.reason_phrase}".rstrip()
                raise InvalidDocument(f"is answered with {status}{_reason(answer)}")
        except httpx.HTTPError as error:
            if last:
                raise InvalidDocument(_unreachable(error)) from None
            self._wait(attempt, {})
        finally:
            answer.close()

    def _wait(self, attempt: int, headers: Mapping[str, str]) -> None:
        seconds = headers.get("Retry-After", "")
        pause = float(seconds) if seconds.isdecimal() else self._pause * 2 ** (attempt - 1) * random.uniform(0.75, 1.25)
        if self._ended.wait(min(pause, _LONGEST_PAUSE)):
            raise InvalidDocument("is not asked for again: who asked has ended")


def _unreachable(error: httpx.HTTPError) -> str:
    return f"cannot be read, after {_ATTEMPTS} attempts: {error or type(error).__name__}"


def _reason(answer: httpx.Response) -> str:
    """What the JSON of a failure says of it, by the member that OGC API, FastAPI or others have for that."""
    if "json" not in answer.headers.get("content-type", ""):
        return ""
    text = next(answer.iter_bytes(_REASON_BYTES), b"")
    try:
        said = orjson.loads(text)
    except ValueError:
        return ""
    named = (said.get(name) for name in ("description", "detail", "message")) if isinstance(said, dict) else ()
    told = next((one for one in named if isinstance(one, str) and one), "")
    # It is for a terminal.
    plain = "".join(letter if letter.isprintable() else " " for letter in told[:_REASON])
    return f": {plain}" if plain else ""
