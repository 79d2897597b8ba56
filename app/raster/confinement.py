"""What a worker process may do before it opens files that others have named: formats, network, memory."""

import ctypes
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from io import TextIOWrapper
from typing import Any

from app.raster import certificates, gate
from app.raster.imports import without
from app.raster.sources import Sources

# Formats whose files are whole in themselves. VRT, WMS, STACTA and many more are texts that name other files.
FORMATS = ("GTiff", "JP2OpenJPEG", "JPEG", "PNG", "WEBP")
# What GDAL and rasterio make for themselves, VRT among it.
_NEEDED = ("COG", "MEM", "VRT")
_OPTIONS = {
    "GDAL_CACHEMAX": "128",
    # No file beside the one that is opened: neither listings nor .aux.xml, .ovr or .msk.
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
    "GDAL_PAM_ENABLED": "NO",
    "GDAL_HTTP_CONNECTTIMEOUT": "5",
    "GDAL_HTTP_MULTIPLEX": "NO",
    "GDAL_HTTP_NETRC": "NO",
    "GDAL_INGESTED_BYTES_AT_OPEN": "32768",
    "VSI_CACHE": "TRUE",
    "VSI_CACHE_SIZE": "5000000",
    "AWS_NO_SIGN_REQUEST": "YES",
    "AWS_EC2_METADATA_DISABLED": "true",
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
_PROXIES = ("all_proxy", "http_proxy", "https_proxy", "no_proxy")


@dataclass(frozen=True, slots=True)
class Confinement:
    """`memory` is the megabytes of data a worker may have."""

    sources: Sources
    memory: int


# Seconds that GDAL may take a file for what it was.
_FRESH = 60.0

_entered: Confinement | None = None
_forgotten = 0.0


def enter(confinement: Confinement) -> bool:
    """Confine this process for as long as it lives; False where it is another way already, which cannot be undone.

    It has to be before anything imports rasterio.
    """
    global _entered
    if _entered is not None:
        return _entered == confinement
    _silence()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the service's to answer.
    certificates.trust()
    for name in os.environ.keys() - {certificates.VARIABLE}:
        if name.lower() in _PROXIES or name.startswith(("GDAL_", "CPL_", "VSI", "AWS_", "GS_", "AZURE_")):
            del os.environ[name]
    os.environ.update(_OPTIONS)
    os.environ["GDAL_HTTP_PROXY"] = gate.opened(confinement.sources)
    _leave_formats()
    size = confinement.memory << 20
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    _entered = confinement
    return True


def _silence() -> None:
    """What a library of C prints goes nowhere.

    Its standard output would be taken for an answer of this process, and its errors fill a pipe that nobody reads.
    """
    answers = sys.__stdout__
    assert isinstance(answers, TextIOWrapper)
    # anyio has this object for its answers, so it is the object that goes elsewhere.
    answers.__init__(os.fdopen(os.dup(1), "wb", buffering=0))  # type: ignore[misc]
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for descriptor in (1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)


def forget() -> None:
    """Now and then, what GDAL keeps of files behind URLs: it never asks whether they have changed."""
    global _forgotten
    now = time.monotonic()
    if now - _forgotten < _FRESH:
        return
    from rasterio import _env

    # Rasterio has no function for it. A library finds what it is linked with.
    ctypes.CDLL(_env.__file__).VSICurlClearCache()
    _forgotten = now


def _leave_formats() -> None:
    """GDAL leaves formats out by name where it registers them, which it does once more to know the names."""
    # It would look for keys of this machine, and takes as long as all else that rasterio imports.
    with without("boto3"):
        import rasterio
    from rasterio import _env

    with rasterio.Env() as environment:
        os.environ["GDAL_SKIP"] = ",".join(set(environment.drivers()) - {*FORMATS, *_NEEDED})
    ctypes.CDLL(_env.__file__).GDALAllRegister()
    with rasterio.Env() as environment:
        if left := set(environment.drivers()) - {*FORMATS, *_NEEDED}:
            raise RuntimeError(f"GDAL keeps the formats {', '.join(sorted(left))}")

    class Reader(rasterio.DatasetReader):  # type: ignore[misc]
        """Of these formats alone, whatever GDAL needs for itself."""

        def __init__(self, path: Any, **options: Any) -> None:
            super().__init__(path, **options | {"driver": list(FORMATS)})

    rasterio.DatasetReader = Reader
