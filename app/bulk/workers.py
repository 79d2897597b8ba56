"""Processes that work on what they are sent, one at a time each.

The standard library's ProcessPoolExecutor waits for ever when one of its processes is killed while much is on the way
to them. Here each process has a pipe, and a thread that waits at it: what ends one ends the other. To import what the
work needs takes a second, so one process does that and forks into all of them.
"""

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

# With the path of this process, and without its main module, which has the whole command line to import.
_PROGRAM = "import sys; sys.path[:] = {path!r}; from app.bulk.workers import fork; fork({ends!r})"

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Killed(Exception):
    """A process ended without an answer."""


class Workers(Generic[Task, Answer]):
    """`begin` is called once, and gives what answers tasks in each process. Everything sent has to pickle."""

    def __init__(self, amount: int, begin: Callable[[], Callable[[Task], Answer]]) -> None:
        self._threads = ThreadPoolExecutor(amount, thread_name_prefix="worker")
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        pipes = [Pipe() for _ in range(amount)]
        ends = [there.fileno() for _, there in pipes]
        # A session of its own: Ctrl-C is for the first process alone, and these are ended together. None of them works
        # with matrices, and a process without threads is safe to fork.
        self._first = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM.format(path=sys.path, ends=ends)],
            stdin=subprocess.PIPE,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},
            pass_fds=ends,
            start_new_session=True,
        )
        for here, there in pipes:
            # The last one to hold this end is the process, so that its end is seen here.
            there.close()
            self._idle.put(here)
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
        connection = self._idle.get()
        try:
            connection.send(task)
            answer, error = connection.recv()
        except (EOFError, OSError):
            raise Killed from None
        finally:
            self._idle.put(connection)
        if error is not None:
            raise error
        result: Answer = answer
        return result


def fork(ends: Sequence[int]) -> None:
    """A process for each end of a pipe, in the process that all of them come from, which ends behind them."""
    answer = pickle.load(sys.stdin.buffer)()
    for end in ends:
        if os.fork() == 0:
            for other in ends:
                if other != end:
                    os.close(other)
            _work(Connection(end), answer)
            os._exit(0)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for end in ends:
        os.close(end)
    for _ in ends:
        os.wait()


def _work(connection: Connection, answer: Callable[[Any], Any]) -> None:
    """Until the other end is closed, which is also what happens when the process there is killed."""
    with suppress(EOFError, OSError):
        while True:
            task = connection.recv()
            try:
                answered = (answer(task), None)
            except Exception as error:
                connection.send((None, error))
            else:
                connection.send(answered)
