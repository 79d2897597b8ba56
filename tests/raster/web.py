"""Web servers for files, of the kinds that GDAL meets."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer, SimpleHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def web(handler: Callable[..., BaseHTTPRequestHandler]) -> Iterator[int]:
    """Its port on this machine."""
    server: HTTPServer = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


class Files(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class Slow(BaseHTTPRequestHandler):
    """Lets whoever comes wait until `go_on` is set; `asked` is set when somebody does."""

    asked = threading.Event()
    go_on = threading.Event()

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.asked.set()
        self.go_on.wait(60)
        self.send_error(404)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def slow_web() -> Iterator[int]:
    Slow.asked.clear()
    Slow.go_on.clear()
    with web(Slow) as port:
        try:
            yield port
        finally:
            Slow.go_on.set()


class Guarded(Files):
    """Hands files out to whoever has the token."""

    token = "t0ken-for-tests"

    def do_HEAD(self) -> None:
        self._answer(super().do_HEAD)

    def do_GET(self) -> None:
        self._answer(super().do_GET)

    def _answer(self, allowed: Callable[[], None]) -> None:
        if self.headers.get("Authorization") == f"Bearer {self.token}":
            allowed()
        else:
            self.send_error(401)
