"""One file over HTTP: whole, resumed where a connection broke, and asked for with the credentials of each host."""

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx

Authorize = Callable[[str], Awaitable[Mapping[str, str]]]
Advance = Callable[[int], None]

# Attempts in a row that bring nothing.
_ATTEMPTS = 5
_LONGEST_PAUSE = 60.0
_ASK_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_HOPS = 10
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_WHOLE = re.compile(r"bytes \*/(\d+)")


class TransferFailed(Exception):
    """The text says why, and no URL with a signature in it."""


def _without_query(record: logging.LogRecord) -> bool:
    """httpx writes each URL to its log: a signature in one is a credential."""
    if isinstance(record.args, tuple):
        record.args = tuple(part.copy_with(query=None) if isinstance(part, httpx.URL) else part for part in record.args)
    return True


logging.getLogger("httpx").addFilter(_without_query)


@dataclass(frozen=True, slots=True)
class Transfer:
    """`pause` is in seconds, and doubles."""

    client: httpx.AsyncClient
    advance: Advance
    pause: float = 0.5

    async def fetch(self, url: str, path: Path, authorize: Authorize) -> None:
        """What is at a URL into a file, which is there when it is whole.

        Meanwhile it is in `path` with `.part` behind it, and beside it what tells whether the rest is of the same
        file. `authorize` gives the headers for each URL that is asked, also for those a redirect leads to.

        Raises TransferFailed.
        """
        part = path.with_name(path.name + ".part")
        failures = 0
        while True:
            before = _size(part)
            try:
                await self._attempt(url, part, authorize)
                break
            except (_Passing, httpx.TransportError) as error:
                failures = 1 if _size(part) > before else failures + 1
                if failures >= _ATTEMPTS:
                    reason = str(error) if isinstance(error, _Passing) else f"the connection broke: {_named(error)}"
                    raise TransferFailed(f"{reason}, after {_ATTEMPTS} attempts") from None
                await self._wait(failures, error)
            except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, ValueError) as error:
                raise TransferFailed(f"cannot be asked for: {_named(error)}") from None
        _discard(_tag(part))
        part.replace(path)

    async def _attempt(self, url: str, part: Path, authorize: Authorize) -> None:
        have, tag = _size(part), _read(_tag(part))
        resumed = {"Range": f"bytes={have}-", "If-Range": tag} if have and tag else {}
        async with self._asked(url, resumed, authorize) as answer:
            if answer.status_code == 416 and _is_whole(answer, have):
                return
            if answer.status_code == 206 and resumed and _start(answer) == have:
                mode = "ab"
            elif answer.status_code in (206, 416):
                # The rest of another file, or of none: it is begun again.
                _discard(part)
                raise _Passing("the server sends another part than the one asked for")
            else:
                mode = "wb"
            await self._write(answer, part, mode)
            if mode == "ab" and not _is_end(answer, _size(part)):
                # Which a server may do: RFC 9110, 14.2.
                raise _Passing("the server sends less than the part it was asked for")

    async def _write(self, answer: httpx.Response, part: Path, mode: str) -> None:
        encoded = answer.headers.get("Content-Encoding", "identity") != "identity"
        # Of what is unpacked here no byte is where the server has it.
        _tag(part).write_text("" if encoded else _validator(answer))
        # As they come: of larger pieces a connection that breaks would take the last one with it.
        chunks = answer.aiter_bytes() if encoded else answer.aiter_raw()
        with part.open(mode) as file:
            async for chunk in chunks:
                file.write(chunk)
                self.advance(len(chunk))

    @asynccontextmanager
    async def _asked(self, url: str, headers: Mapping[str, str], authorize: Authorize) -> AsyncIterator[httpx.Response]:
        """The answer behind all redirects. Credentials are those of each host, and never sent on to the next."""
        for _ in range(_HOPS):
            if urlsplit(url).scheme not in ("http", "https"):
                raise TransferFailed(f"leads to {urlsplit(url).scheme}:, which is not read")
            own = dict(await authorize(url))
            sent = {"Accept-Encoding": "identity", **headers, **own}
            async with self.client.stream("GET", url, headers=sent, follow_redirects=False) as answer:
                if answer.has_redirect_location:
                    url = urljoin(url, answer.headers["Location"])
                    continue
                if answer.status_code in _ASK_AGAIN:
                    raise _Passing(_status(answer), answer.headers.get("Retry-After", ""))
                if not answer.is_success and answer.status_code != 416:
                    raise TransferFailed(_status(answer))
                yield answer
                return
        raise TransferFailed(f"is redirected more than {_HOPS} times")

    async def _wait(self, failures: int, error: Exception) -> None:
        said = error.retry_after if isinstance(error, _Passing) else ""
        pause = float(said) if said.isdecimal() else self.pause * 2 ** (failures - 1) * random.uniform(0.75, 1.25)
        await asyncio.sleep(min(pause, _LONGEST_PAUSE))


class _Passing(Exception):
    """What may be different in a moment."""

    def __init__(self, reason: str, retry_after: str = "") -> None:
        super().__init__(reason)
        self.retry_after = retry_after


def _status(answer: httpx.Response) -> str:
    return f"is answered with {answer.status_code} {answer.reason_phrase}".rstrip()


def _named(error: Exception) -> str:
    # Its text may have the URL in it.
    return type(error).__name__


def _validator(answer: httpx.Response) -> str:
    """What If-Range takes: a strong ETag, or the date (RFC 9110, 13.1.5)."""
    etag = answer.headers.get("ETag", "")
    found = etag if etag.startswith('"') else answer.headers.get("Last-Modified", "")
    return str(found)


def _start(answer: httpx.Response) -> int | None:
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _is_end(answer: httpx.Response, have: int) -> bool:
    """Whether nothing is behind the part that came, as far as the answer says."""
    found = _RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    return found is None or found[2] in ("*", str(have))


def _is_whole(answer: httpx.Response, have: int) -> bool:
    found = _WHOLE.fullmatch(answer.headers.get("Content-Range", ""))
    return found is not None and int(found[1]) == have and have > 0


def _tag(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _discard(path: Path) -> None:
    path.unlink(missing_ok=True)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _read(path: Path) -> str:
    return path.read_text() if path.exists() else ""
