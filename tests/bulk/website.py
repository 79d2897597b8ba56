"""A website in a thread, whose answers can fail a few times first."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

Failure = str | int


@dataclass
class Website:
    """`pages` maps a path with its query, or a method and a path, to a document, bytes, what makes one of a body,
    or a text: the path it has moved to.

    `failures` lists for a path what happens to the first requests: a status, or "drop" for a connection that breaks
    in the middle of the answer.
    """

    url: str = ""
    pages: dict[str, Any] = field(default_factory=dict)
    failures: dict[str, list[Failure]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0


@contextmanager
def website() -> Iterator[Website]:
    site = Website()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(site))
    server.daemon_threads = True
    site.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(site: Website) -> type[BaseHTTPRequestHandler]:
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            with lock:
                site.at_once += 1
                site.most_at_once = max(site.most_at_once, site.at_once)
            try:
                self._answer(self.path, None)
            finally:
                with lock:
                    site.at_once -= 1

        def do_POST(self) -> None:
            text = self.rfile.read(int(self.headers["Content-Length"]))
            is_form = "form" in self.headers.get("Content-Type", "")
            body = parse_qs(text.decode()) if is_form else json.loads(text)
            self._answer(f"POST {self.path}", body)

        def _answer(self, key: str, body: Any) -> None:
            with lock:
                site.asked.append(key)
                site.headers.append({name.lower(): value for name, value in self.headers.items()})
                failures = site.failures.get(key, [])
                failure = failures.pop(0) if failures else None
            page = site.pages.get(key)
            if isinstance(failure, int) or page is None:
                self._send(failure if isinstance(failure, int) else 404, b"{}", 2)
                return
            if isinstance(page, str):
                self._send(302, b"", 0, Location=page)
                return
            data = _content(page, body)
            if failure == "drop":
                self._send(200, data[: len(data) // 2], len(data))
                self.close_connection = True
            else:
                self._send(200, data, len(data))

        def _send(self, status: int, data: bytes, length: int, **headers: str) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(length), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    return Handler


def _content(page: Any, body: Any) -> bytes:
    if callable(page):
        page = page(body)
    return page if isinstance(page, bytes) else json.dumps(page).encode()
