"""Processes that work on what they are sent, one at a time each.

The standard library's ProcessPoolExecutor waits for ever when one of its processes is killed while much is on the way
to them. Here each process has a pipe, and a thread that waits at it: what ends one ends the other. What is sent lies in
memory that both have, and the pipe says when: a megabyte costs three times as much through a pipe. To import what the
work needs takes a second, so one process does that and forks into all of them.
"""

import os
import pickle
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from itertools import chain
from mmap import mmap
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

# With the path of this process, and without its main module, which has the whole command line to import.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from app.bulk.workers import fork; fork({ends!r})"
# Of each process. What is larger goes through the pipe.
_SHARED_BYTES = 4 << 20

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Killed(Exception):
    """A process ended without an answer."""


def _shared_file() -> int:
    """In memory, or on the disk with all its bytes: one that fills up later shall not end who writes into it."""
    if sys.platform == "linux":
        shared = os.memfd_create("upesi")
        os.ftruncate(shared, _SHARED_BYTES)
    else:
        with tempfile.TemporaryFile(buffering=0) as file:
            file.write(bytes(_SHARED_BYTES))
            shared = os.dup(file.fileno())
    return shared


class _Channel:
    """One end of the way between two processes, of whom one speaks at a time."""

    def __init__(self, connection: Connection, shared: int) -> None:
        """Takes over the descriptor of a file that both have."""
        self._connection = connection
        self._memory = mmap(shared, _SHARED_BYTES)
        os.close(shared)

    def send(self, message: object) -> None:
        self._memory.seek(0)
        try:
            pickle.dump(message, self._memory, pickle.HIGHEST_PROTOCOL)
        except ValueError:  # It is larger.
            self._connection.send((message,))
        else:
            self._connection.send(None)

    def receive(self) -> Any:
        """Raises EOFError, OSError where the other process has ended."""
        sent = self._connection.recv()
        if sent is not None:
            return sent[0]
        return pickle.loads(self._memory)


class Workers(Generic[Task, Answer]):
    """`begin` is called once, and gives what answers tasks in each process. Everything sent has to pickle."""

    def __init__(self, amount: int, begin: Callable[[], Callable[[Task], Answer]]) -> None:
        self._threads = ThreadPoolExecutor(amount, thread_name_prefix="worker")
        self._idle: SimpleQueue[_Channel] = SimpleQueue()
        pipes = [(*Pipe(), _shared_file()) for _ in range(amount)]
        ends = [(there.fileno(), shared) for _, there, shared in pipes]
        # A session of its own: Ctrl-C is for the first process alone, and these are ended together. None of them works
        # with matrices, and a process without threads is safe to fork.
        self._first = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(path=sys.path, ends=ends)],
            stdin=subprocess.PIPE,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            pass_fds=[*chain.from_iterable(ends)],
            start_new_session=True,
        )
        for here, there, shared in pipes:
            self._idle.put(_Channel(here, shared))
            # The last one to hold this end is the process, so that its end is seen here.
            there.close()
        assert self._first.stdin is not None
        with suppress(BrokenPipeError), self._first.stdin as stdin:
            pickle.dump(begin, stdin)

    def submit(self, task: Task) -> "Future[Answer]":
        """Tasks are begun in their order. The future raises Killed, or what was raised by the work."""
        return self._threads.submit(self._ask, task)

    def end(self) -> None:
        """Work that is under way is given up."""
        with suppress(ProcessLookupError):
            os.killpg(self._first.pid, signal.SIGTERM)
        self._threads.shutdown(wait=True, cancel_futures=True)
        self._first.wait()

    def _ask(self, task: Task) -> Answer:
        channel = self._idle.get()
        try:
            channel.send(task)
            answer, error = channel.receive()
        except (EOFError, OSError):
            raise Killed from None
        finally:
            self._idle.put(channel)
        if error is not None:
            raise error
        result: Answer = answer
        return result


def fork(ends: Sequence[tuple[int, int]]) -> None:
    """A process for each end of a pipe, with the file it shares, in the process that all of them come from, which ends
    behind them."""
    answer = pickle.load(sys.stdin.buffer)()
    for end in ends:
        if os.fork() == 0:
            for other in ends:
                if other != end:
                    _close(other)
            _work(_Channel(Connection(end[0]), end[1]), answer)
            os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for end in ends:
        _close(end)
    for _ in ends:
        os.wait()


def _close(end: tuple[int, int]) -> None:
    for descriptor in end:
        os.close(descriptor)


def _work(channel: _Channel, answer: Callable[[Any], Any]) -> None:
    """Until the other end is closed, which is also what happens when the process there is killed."""
    with suppress(EOFError, OSError):
        while True:
            task = channel.receive()
            try:
                answered = (answer(task), None)
            except Exception as error:
                channel.send((None, error))
            else:
                channel.send(answered)
