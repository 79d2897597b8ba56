"""Pictures of items and of mosaics, by rio-tiler: previews and web map tiles."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rasterio.errors import RasterioError
from rio_tiler.colormap import cmap
from rio_tiler.errors import EmptyMosaicError, InvalidColorMapName, RioTilerError, TileOutsideBounds
from rio_tiler.io import Reader
from rio_tiler.models import ImageData
from rio_tiler.mosaic import mosaic_reader
from rio_tiler.reader import Options

from app.errors import InvalidRequest, Unreadable
from app.raster.reading import configured
from app.raster.sources import File
from app.raster.style import PictureForm, Style
from app.raster.tiles import SIZE, Tile
from app.raster.values import holds

# One item's, an asset each.
Files = Sequence[File]


def preview(files: Files, style: Style, size: int, form: PictureForm) -> bytes:
    """One item, its longer side of `size` pixels at most.

    Without a range, it is from the 2nd to the 98th percentile of the values.

    Raises InvalidRequest, Unreadable.
    """
    image = _combined(files, style, lambda reader, bands: reader.preview(indexes=bands, max_size=size))
    return _rendered(image, style, form, stretch=True)


def tile(scenes: Sequence[Files], style: Style, place: Tile, form: PictureForm) -> bytes:
    """A tile of the items, the first on top, as far as its pixels are not full before. See-through where nothing is.

    Raises InvalidRequest, Unreadable.
    """

    def one(files: Files) -> ImageData:
        return _combined(
            files,
            style,
            lambda reader, bands: reader.tile(
                place.x, place.y, place.z, tilesize=SIZE, indexes=bands, resampling_method=style.resampling
            ),
        )

    if not scenes:
        return empty(form)
    try:
        # One after the other, so that those below are not read for a tile that is full.
        image, _ = mosaic_reader(list(scenes), one, threads=0, chunk_size=1)
    except (EmptyMosaicError, TileOutsideBounds):
        return empty(form)
    return _rendered(image, style, form, stretch=False)


def empty(form: PictureForm) -> bytes:
    pixels = np.ma.MaskedArray(np.zeros((1, SIZE, SIZE), dtype="uint8"), mask=True)
    return bytes(ImageData(pixels).render(img_format=form.upper()))


def _combined(files: Files, style: Style, read: Callable[[Reader, tuple[int, ...]], ImageData]) -> ImageData:
    """The bands of a picture, one or three, on one grid."""
    try:
        images = [_read(file, style, read, single=len(files) == 1) for file in files]
        return images[0] if len(images) == 1 else ImageData.create_from_list(images)
    except TileOutsideBounds:
        raise
    except (RasterioError, RioTilerError) as error:
        raise Unreadable(f"a file of the picture cannot be read: {error}") from None


def _read(file: File, style: Style, read: Callable[[Reader, tuple[int, ...]], ImageData], single: bool) -> ImageData:
    options: Options = {} if style.nodata is None else {"nodata": style.nodata}
    with configured(file.options), Reader(file.name, options=options) as reader:
        if style.nodata is not None and not holds(reader.dataset.dtypes[0], style.nodata):
            raise InvalidRequest(f"nodata: {style.nodata:g} is no value of {reader.dataset.dtypes[0]}", "nodata")
        if reader.dataset.dtypes[0].startswith("complex"):
            raise InvalidRequest("assets: the pixels are complex numbers, which have no colours", "assets")
        bands = (1, 2, 3) if single and reader.dataset.count >= 3 else (1,)
        return read(reader, bands)


def _rendered(image: ImageData, style: Style, form: PictureForm, stretch: bool) -> bytes:
    ranges = list(style.rescale)
    if not ranges and image.array.dtype != np.uint8:
        if not stretch:
            raise InvalidRequest(
                f"rescale: is needed, as the values are {image.array.dtype}: rescale=0,3000", "rescale"
            )
        ranges = [_spread(band) for band in image.array]
    if ranges:
        image = image.rescale(in_range=ranges)
    if style.colormap_name is None:
        return bytes(image.render(img_format=form.upper()))
    if image.count != 1:
        raise InvalidRequest("colormap_name: is for a single band, and the file has more", "colormap_name")
    try:
        return bytes(image.render(img_format=form.upper(), colormap=cmap.get(style.colormap_name)))
    except InvalidColorMapName:
        raise InvalidRequest(f"colormap_name: there is no {style.colormap_name[:60]!r}", "colormap_name") from None


def _spread(band: "np.ma.MaskedArray[Any, np.dtype[Any]]") -> tuple[float, float]:
    values = band.compressed()
    if not values.size:
        return 0.0, 1.0
    low, high = (float(value) for value in np.nanpercentile(values, (2, 98)))
    return (low, high) if low < high else (low, low + 1)
