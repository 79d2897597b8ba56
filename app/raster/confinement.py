"""What a worker process may do before it opens files that others have named: formats, network, memory."""

import ctypes
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Any

from app.raster import gate
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
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the service's to answer.
    for name in list(os.environ):
        if name.lower() in _PROXIES or name.startswith(("GDAL_", "CPL_", "VSI", "AWS_", "GS_", "AZURE_")):
            del os.environ[name]
    os.environ.update(_OPTIONS)
    os.environ["GDAL_HTTP_PROXY"] = gate.opened(confinement.sources)
    _leave_formats()
    size = confinement.memory << 20
    resource.setrlimit(resource.RLIMIT_DATA, (size, size))
    _entered = confinement
    return True


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
    """GDAL leaves formats out when it starts, and by name: another process has to tell the names."""
    listing = "import rasterio\nwith rasterio.Env() as environment: print(*environment.drivers(), sep='\\n')"
    told = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True, timeout=60)
    os.environ["GDAL_SKIP"] = ",".join(set(told.stdout.splitlines()) - {*FORMATS, *_NEEDED})

    import rasterio

    with rasterio.Env() as environment:
        if left := set(environment.drivers()) - {*FORMATS, *_NEEDED}:
            raise RuntimeError(f"GDAL keeps the formats {', '.join(sorted(left))}")

    class Reader(rasterio.DatasetReader):  # type: ignore[misc]
        """Of these formats alone, whatever GDAL needs for itself."""

        def __init__(self, path: Any, **options: Any) -> None:
            super().__init__(path, **options | {"driver": list(FORMATS)})

    rasterio.DatasetReader = Reader
