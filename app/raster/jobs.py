"""What the pool does: each job is a function of one value. The libraries are imported where the work is done."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.raster.imports import without
from app.raster.shape import CubeShape, Form
from app.raster.sources import File
from app.raster.style import PictureForm, Style
from app.raster.tiles import Tile

# Rio-tiler has them for files that are no pictures: they take longer to import than all that pictures need.
_UNUSED = ("boto3", "xarray")


@dataclass(frozen=True, slots=True)
class PreviewJob:
    files: tuple[File, ...]
    style: Style
    size: int
    form: PictureForm


@dataclass(frozen=True, slots=True)
class TileJob:
    """`scenes` are the files of each item, the first on top."""

    scenes: tuple[tuple[File, ...], ...]
    style: Style
    place: Tile
    form: PictureForm


@dataclass(frozen=True, slots=True)
class CubeJob:
    """The cube is written to `path`; NetCDF packed, where that is said, as the other forms always are."""

    items: list[dict[str, Any]]
    files: list[dict[str, File]]
    collections: Mapping[str, Mapping[str, Any]]
    left_out: int
    shape: CubeShape
    pixels: int
    form: Form
    path: Path
    compress: bool


def preview(job: PreviewJob) -> bytes:
    with without(*_UNUSED):
        from app.raster import pictures

    return pictures.preview(job.files, job.style, job.size, job.form)


def tile(job: TileJob) -> bytes:
    with without(*_UNUSED):
        from app.raster import pictures

    return pictures.tile(job.scenes, job.style, job.place, job.form)


def cube(job: CubeJob) -> None:
    from app.raster import files
    from app.raster.cubes import Cube

    found = Cube(job.items, job.shape, job.collections, job.files, job.left_out).loaded(job.pixels)
    files.write(found, job.form, job.path, job.compress)
