"""`upesi serve` as processes, over a server of tests/faults/cluster.py."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from benchmarks.services import free_port
from tests.faults.cluster import Node

UPESI = Path(sys.executable).with_name("upesi")


@dataclass(frozen=True, slots=True)
class Service:
    url: str
    process: subprocess.Popen[bytes]

    def workers(self) -> list[int]:
        return workers(self.process.pid)


def workers(pid: int) -> list[int]:
    """Those of `upesi serve` that answer requests; Python's resource tracker is a child too."""
    found = subprocess.run(["pgrep", "-P", str(pid)], capture_output=True, text=True, check=False)
    children = [int(child) for child in found.stdout.split()]
    return [child for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@contextmanager
def serving(node: Node, workers: int = 2, **settings: str) -> Iterator[Service]:
    port = free_port()
    environment = {**os.environ, "UPESI_DATABASE_URL": node.url, "UPESI_WRITES": "open", **settings}
    command = [str(UPESI), "serve", "--port", str(port), "--workers", str(workers)]
    log = subprocess.DEVNULL
    process = subprocess.Popen(command, env=environment, start_new_session=True, stdout=log, stderr=log)
    service = Service(f"http://127.0.0.1:{port}", process)
    try:
        _wait(service)
        yield service
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(service: Service) -> None:
    for _ in range(300):
        assert service.process.poll() is None, "the service stopped by itself"
        try:
            if httpx.get(f"{service.url}/conformance").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the service does not answer")
