"""A job that tells what its process has imported; the tests themselves import more."""

import sys

from app.raster.jobs import PreviewJob, preview


def after(job: PreviewJob) -> set[str]:
    preview(job)
    return set(sys.modules)
