"""A server of files with ranges, that can break off, change its mind and redirect."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class File:
    """`failures` are what happens to the first requests: a status, `drop` behind half of what is sent, or `swap` for
    another file in its place. `most` is the bytes of a part at most."""

    content: bytes
    etag: str | None = '"one"'
    ranges: bool = True
    most: int | None = None
    failures: list[int | str] = field(default_factory=list)
    redirect: str | None = None
    swapped: bytes = b""


@dataclass
class Server:
    url: str = ""
    files: dict[str, File] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    sent: int = 0
    at_once: int = 0
    most_at_once: int = 0


@contextmanager
def file_server() -> Iterator[Server]:
    found = Server()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(found))
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    return type("Handler", (_Handler,), {"files": server, "lock": threading.Lock()})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    files: Server
    lock: threading.Lock

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.lock:
            self.files.asked.append((self.path, headers))
            self.files.at_once += 1
            self.files.most_at_once = max(self.files.most_at_once, self.files.at_once)
            file = self.files.files.get(self.path.partition("?")[0])
            failure = file.failures.pop(0) if file is not None and file.failures else None
        try:
            self._answer(file, failure, headers)
        finally:
            with self.lock:
                self.files.at_once -= 1

    def _answer(self, file: File | None, failure: int | str | None, headers: dict[str, str]) -> None:
        if file is None or isinstance(failure, int):
            self._send(failure if isinstance(failure, int) else 404, b"", {})
        elif file.redirect is not None:
            self._send(302, b"", {"Location": file.redirect})
        else:
            if failure == "swap":
                file.content, file.etag = file.swapped, '"two"'
            self._file(file, failure == "drop", headers)

    def _file(self, file: File, drop: bool, headers: dict[str, str]) -> None:
        more = {"ETag": file.etag} if file.etag else {}
        asked = re.fullmatch(r"bytes=(\d+)-", headers.get("range", ""))
        if not file.ranges or asked is None or headers.get("if-range", file.etag) != file.etag:
            self._send(200, file.content, more, drop)
            return
        start, size = int(asked[1]), len(file.content)
        if start >= size:
            self._send(416, b"", {"Content-Range": f"bytes */{size}"})
            return
        end = size if file.most is None else min(start + file.most, size)
        more |= {"Content-Range": f"bytes {start}-{end - 1}/{size}"}
        self._send(206, file.content[start:end], more, drop)

    def _send(self, status: int, data: bytes, headers: dict[str, str], drop: bool = False) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(data))}).items():
            self.send_header(name, value)
        self.end_headers()
        part = data[: len(data) // 2] if drop else data
        self.wfile.write(part)
        self.files.sent += len(part)
        self.close_connection = self.close_connection or drop

    def log_message(self, *_: object) -> None:
        pass
