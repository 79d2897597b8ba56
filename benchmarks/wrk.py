"""The load generator: wrk (Debian package wrk), one thread. It asks for tens of thousands of small pages a second."""

import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.requests import Post, Scenario
from benchmarks.services import Service, settle

_TIMEOUT = 60  # seconds a request may take before it counts as failed

_ASK = """
local asked, turn = {}, 0
function init()
  for number, request in ipairs(requests) do
    asked[number] = wrk.format(request[2] and "POST" or "GET", request[1], headers, request[2])
  end
end
function request()
  turn = turn % #asked + 1
  return asked[turn]
end
"""
# An id that nobody posted before goes between the pieces of a body.
_WRITE = """
local posted, turn = 0, 0
prefix = prefix .. os.time() .. "-"
function request()
  turn = turn % #bodies + 1
  local body = {}
  for number, piece in ipairs(bodies[turn]) do
    body[#body + 1] = piece
    if number < #bodies[turn] then
      posted = posted + 1
      body[#body + 1] = prefix .. posted
    end
  end
  return wrk.format("POST", path, headers, table.concat(body))
end
"""


@dataclass(frozen=True)
class Measured:
    """Answers a second without the failed ones, the 99th percentile in milliseconds, how many failed, how many not."""

    rate: float
    p99: float
    failed: int
    answered: int


def check() -> str:
    """The version. Raises SystemExit where wrk is missing."""
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing: apt-get install wrk")
    said = subprocess.run(["wrk", "--version"], capture_output=True, text=True, check=False).stdout
    return " ".join(said.split()[:2])


@contextmanager
def script(scenario: Scenario) -> Iterator[Path]:
    """Goes through the requests of a scenario in turn."""
    pairs = (f"{{{_quoted(r.path)}, {'nil' if r.body is None else _quoted(r.text())}}}" for r in scenario.requests)
    headers = {"Content-Type": "application/json", **scenario.headers}
    with _file(f"local requests = {{{', '.join(pairs)}}}\n{_headers(headers)}{_ASK}") as path:
        yield path


@contextmanager
def writing(post: Post, prefix: str) -> Iterator[Path]:
    bodies = ", ".join(f"{{{', '.join(_quoted(piece) for piece in body)}}}" for body in post.bodies)
    head = f"local path, prefix = {_quoted(post.path)}, {_quoted(prefix)}\nlocal bodies = {{{bodies}}}\n"
    with _file(f"{head}{_headers({'Content-Type': 'application/json'})}{_WRITE}") as path:
        yield path


def run(service: Service, path: Path, clients: int, seconds: int) -> Measured:
    """For the seconds, or as much longer as the first answer needs; and until nothing is left of it."""
    while True:
        found = _run(service, path, clients, seconds)
        settle(service)
        if found.rate or found.failed or seconds > _TIMEOUT:
            return found
        seconds *= 4


def _run(service: Service, path: Path, clients: int, seconds: int) -> Measured:
    command = ["wrk", "-t1", f"-c{clients}", f"-d{seconds}s", f"--timeout={_TIMEOUT}s", "--latency"]
    said = subprocess.run([*command, "-s", str(path), service.base], capture_output=True, text=True, check=True).stdout
    total, took = re.search(r"(\d+) requests in ([\d.]+)(ms|s|m)", said), re.search(r"99%\s+([\d.]+)(us|ms|s|m)", said)
    broken = re.search(r"connect (\d+), read (\d+), write (\d+), timeout (\d+)", said)
    refused = re.search(r"Non-2xx or 3xx responses: (\d+)", said)
    if total is None or took is None:
        raise SystemExit(f"wrk said of {service.name}:\n{said}")
    answered = int(total[1]) - int(refused[1] if refused else 0)
    failed = int(refused[1] if refused else 0) + sum(int(number) for number in (broken.groups() if broken else ()))
    rate, p99 = answered / _milliseconds(total[2], total[3]) * 1000, _milliseconds(took[1], took[2])
    return Measured(rate, p99, failed, answered)


def _milliseconds(number: str, unit: str) -> float:
    return float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}[unit]


def _quoted(text: str) -> str:
    """As Lua reads it: JSON escapes what is not ASCII, and Lua has no such escapes, so there must be none."""
    return json.dumps(text)


def _headers(headers: dict[str, str]) -> str:
    listed = ", ".join(f"[{_quoted(name)}] = {_quoted(value)}" for name, value in headers.items())
    return f"local headers = {{{listed}}}\n"


@contextmanager
def _file(text: str) -> Iterator[Path]:
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as file:
        file.write(text)
        file.flush()
        yield Path(file.name)
