"""The service as a process of its own."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from benchmarks.services import free_port

ROOT = Path(__file__).parents[1]
_SECONDS_TO_START = 60.0


@contextmanager
def running(database_url: str, **settings: str) -> Iterator[str]:
    """Its URL, once it answers."""
    port = str(free_port())
    command = [sys.executable, "-m", "uvicorn", "--factory", "app.main:create_app", "--port", port]
    environment = {**os.environ, "UPESI_DATABASE_URL": database_url, **settings}
    process = subprocess.Popen(
        [*command, "--log-level", "warning"], env=environment, cwd=ROOT, stdout=subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{port}"
        _wait(url, process)
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(url + "/conformance").status_code == httpx.codes.OK:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the server at {url} did not answer (exit status {process.poll()})")
