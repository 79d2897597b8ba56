"""GDAL's configuration for the files that need one of their own."""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import rasterio
from rasterio.session import Session


def configured(options: Mapping[str, str]) -> AbstractContextManager[Any]:
    """In this thread, for as long as it is entered."""
    return rasterio.Env(_Given(options)) if options else nullcontext()


class _Given(Session):  # type: ignore[misc]
    """Rasterio takes the keys of AWS from a session alone, and this way every option goes as it came."""

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = dict(options)

    def get_credential_options(self) -> dict[str, str]:
        return self._options
