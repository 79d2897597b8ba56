"""Processes that work on what they are sent, one at a time each.

The standard library's ProcessPoolExecutor waits for ever when one of its processes is killed while much is on the way
to them. Here each process has a pipe, and a thread that waits at it: what ends one ends the other.
"""

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

Task = TypeVar("Task")
Answer = TypeVar("Answer")


class Killed(Exception):
    """A process ended without an answer."""


class Workers(Generic[Task, Answer]):
    """`begin` is called in each process and gives what answers tasks there. Everything sent has to pickle."""

    def __init__(self, amount: int, begin: Callable[[], Callable[[Task], Answer]]) -> None:
        self._threads = ThreadPoolExecutor(amount, thread_name_prefix="worker")
        self._idle: SimpleQueue[Connection] = SimpleQueue()
        self._processes = [self._start(begin) for _ in range(amount)]

    def submit(self, task: Task) -> "Future[Answer]":
        """Tasks are begun in their order. The future raises Killed, or what was raised by the work."""
        return self._threads.submit(self._ask, task)

    def end(self) -> None:
        """Work that is under way is given up."""
        for process in self._processes:
            process.kill()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for process in self._processes:
            process.join()

    def _start(self, begin: Callable[[], Callable[[Task], Answer]]) -> SpawnProcess:
        here, there = multiprocessing.Pipe()
        process = multiprocessing.get_context("spawn").Process(target=_work, args=(there, begin), daemon=True)
        with _deaf_to_ctrl_c():
            process.start()
        # The last one to hold this end is the process, so that its end is seen here.
        there.close()
        self._idle.put(here)
        return process

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


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """It reaches the whole process group, and the first process answers it. Who is started here is born deaf."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _work(connection: Connection, begin: Callable[[], Callable[[Any], Any]]) -> None:
    """Until the other end is closed, which is also what happens when the process there is killed."""
    with suppress(EOFError, OSError):
        answer = begin()
        while True:
            task = connection.recv()
            try:
                answered = (answer(task), None)
            except Exception as error:
                connection.send((None, error))
            else:
                connection.send(answered)
