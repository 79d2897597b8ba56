"""Tasks and answers of any size come to processes and back, and a process that ends is told of."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import Pipe
from pathlib import Path

import pytest

from app.bulk.workers import _SHARED_BYTES, Killed, Workers, _Channel, _shared_file

# What a message is beside its bytes.
_AROUND = 200
SIZES = [
    *(0, 1, 1 << 16, 1 << 20),
    *(_SHARED_BYTES - _AROUND, _SHARED_BYTES - 10, _SHARED_BYTES, _SHARED_BYTES + 1, 5 * _SHARED_BYTES),
]


class Reversed:
    """Answers what it is sent, backwards and so many times."""

    def __init__(self, times: int) -> None:
        self._times = times

    def __call__(self, task: bytes | str) -> bytes:
        if isinstance(task, str):
            raise ValueError(task)
        return task[::-1] * self._times


def own_process(_: object) -> int:
    return os.getpid()


@pytest.fixture(scope="module", params=[1, 3])
def reversing(request: pytest.FixtureRequest) -> Iterator[tuple[int, Workers[bytes | str, bytes]]]:
    workers: Workers[bytes | str, bytes] = Workers(2, partial(Reversed, request.param))
    yield request.param, workers
    workers.end()


@pytest.mark.parametrize("size", SIZES)
def test_messages_of_any_size(reversing: tuple[int, Workers[bytes | str, bytes]], size: int) -> None:
    times, workers = reversing
    sent = os.urandom(size)
    assert workers.submit(sent).result(60) == sent[::-1] * times


def test_messages_are_not_mixed_up(reversing: tuple[int, Workers[bytes | str, bytes]]) -> None:
    """A short one behind a long one in the same memory, in both processes at once."""
    times, workers = reversing
    sent = [bytes([number]) * (SIZES[number % len(SIZES)] // 2 + number) for number in range(100)]
    answers = [workers.submit(each) for each in sent]
    assert [each.result(60) for each in answers] == [each * times for each in sent]


@pytest.mark.parametrize("size", [5, 1 << 20, _SHARED_BYTES + 1])
def test_what_the_work_raises_is_raised_here(reversing: tuple[int, Workers[bytes | str, bytes]], size: int) -> None:
    times, workers = reversing
    with pytest.raises(ValueError, match=r"^x+$") as raised:
        workers.submit("x" * size).result(60)
    assert str(raised.value) == "x" * size
    assert workers.submit(b"ab").result(60) == b"ba" * times


@pytest.mark.parametrize("size", [5, 1 << 20, _SHARED_BYTES + 1])
def test_a_process_that_is_killed_is_told_of(size: int) -> None:
    workers: Workers[bytes, int] = Workers(1, _owning)
    try:
        os.kill(workers.submit(b"").result(60), signal.SIGKILL)
        with pytest.raises(Killed):
            workers.submit(b"x" * size).result(60)
    finally:
        workers.end()


def _owning() -> Callable[[bytes], int]:
    return own_process


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_memory_is_there_on_each_system(platform: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "platform", platform)
        shared = _shared_file()
    assert os.fstat(shared).st_size == _SHARED_BYTES
    here, there = (_Channel(end, os.dup(shared)) for end in Pipe())
    os.close(shared)
    for sent in (b"x" * (_SHARED_BYTES // 3), b"y" * _AROUND):
        here.send(sent)
        assert there.receive() == sent
        there.send(sent * 2)
        assert here.receive() == sent * 2


@pytest.mark.skipif(sys.platform != "linux", reason="/proc says which files are open")
def test_nothing_stays_open() -> None:
    before = set(os.listdir("/proc/self/fd"))
    workers: Workers[bytes, int] = Workers(2, _owning)
    pids = {workers.submit(b"").result(60) for _ in range(20)}
    workers.end()
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
    del workers
    assert set(os.listdir("/proc/self/fd")) <= before
