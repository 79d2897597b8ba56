"""A Dask cluster that does the work of lazy cubes."""

from collections.abc import Iterator
from contextlib import contextmanager

from app.errors import SetupError


@contextmanager
def used(scheduler: str | None) -> Iterator[None]:
    """What is computed inside is computed there; with None by threads of this process. Raises SetupError."""
    if scheduler is None:
        yield
        return
    try:
        from distributed import Client
    except ImportError:
        raise SetupError("a Dask cluster needs distributed: pip install 'upesi[cluster]'") from None
    try:
        # Not the default: one that finds no cluster would stay it, and all that is computed later wait for it.
        client = Client(scheduler, timeout=10, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, TimeoutError, ValueError) as error:
        raise SetupError(f"there is no Dask cluster at {scheduler}: {error}") from None
    with client, client.as_current():
        yield
