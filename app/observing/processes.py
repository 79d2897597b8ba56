"""The processes of a service, as one of them sees the others."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@contextmanager
def folder_of_metrics(setting: str, workers: int) -> Iterator[None]:
    """Where several workers keep their metrics, so that any of them can tell those of all."""
    if setting == "off" or workers == 1 or "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        yield
        return
    with TemporaryDirectory(prefix="upesi-metrics-") as folder:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = folder
        yield
