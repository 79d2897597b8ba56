"""Jobs of the tests, for a process that has not imported what the tests themselves import."""

import sys

from app.errors import Unreadable
from app.raster.jobs import PreviewJob, preview


def mean_of(name: str) -> float:
    import rasterio
    from rasterio.errors import RasterioError
    from rasterio.vrt import WarpedVRT

    try:
        with rasterio.open(name) as file, WarpedVRT(file) as warped:
            return float(warped.read(1).mean())
    except RasterioError as error:
        raise Unreadable(str(error)) from None


def imported_after(job: PreviewJob) -> set[str]:
    preview(job)
    return set(sys.modules)
