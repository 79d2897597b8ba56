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
