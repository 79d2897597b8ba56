"""A search as an array: one asset as a stack in time, several with an axis for them, on one grid.

odc-stac loads the pixels. Here STAC items as they are served become what it takes, and what it cannot do is said in
the words of the one who asked.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
import odc.stac
import xarray as xr
from odc.geo import CRS, CRSError, resxy_, xy_
from odc.geo.geobox import GeoBox
from odc.geo.geom import point as point_geometry
from odc.loader import RasterSource, RioDriver, RioReader
from pystac import Item, STACError
from rasterio import Affine
from rasterio.errors import RasterioError

from app.errors import InvalidMetadata, InvalidRequest, TooLarge, Unreadable
from app.raster.grids import Grid, covered, grid
from app.raster.reading import configured
from app.raster.shape import CubeShape
from app.raster.sources import File, Sources
from app.raster.values import holds
from app.stac.asset import LEFT_OUT, asset_of

Document = Mapping[str, Any]
Chunks = dict[str, int | Literal["auto"]]
Value = TypeVar("Value")

_PROJECTION = "https://stac-extensions.github.io/projection/v2.0.0/schema.json"
# What numpy calls otherwise, each with room for all values.
_COMPLEX = {"cint16": "complex64", "cint32": "complex128", "cfloat32": "complex64", "cfloat64": "complex128"}
# Side of a chunk of a lazy cube: two megabytes of uint16.
_CHUNK = 1024


@dataclass(frozen=True, slots=True)
class Cube:
    """Items that are to be an array. `collections` fill in what the items leave to their `item_assets`.

    `files` are what is opened for each of the items, by the keys of assets (`app.raster.access`); None is what their
    hrefs name, as for one's own files. `left_out` items, which lack an asset, are told in the attributes of the array.
    """

    items: Sequence[Document]
    shape: CubeShape
    collections: Mapping[str, Document] | None = None
    files: Sequence[Mapping[str, File]] | None = None
    left_out: int = 0

    def lazy(self, chunks: Chunks | None = None) -> xr.DataArray:
        """With dask: nothing is read, and no file opened, before it is asked for. (time, y, x) or (time, band, y, x).

        Raises InvalidRequest, NotFound, InvalidMetadata and Forbidden for items that make no cube.
        """
        with self._faults():
            grids = self._grids()
            return self._loaded(grids, self._opened(grids), self._place(grids), chunks or {"x": _CHUNK, "y": _CHUNK})

    def loaded(self, pixels: int | None = None) -> xr.DataArray:
        """With its pixels. Raises TooLarge where these are more than `pixels`, Unreadable, and what `lazy` does."""
        with self._faults():
            grids = self._grids()
            items, place = self._opened(grids), self._place(grids)
            if pixels is not None and not _is_within(pixels, grids, place):
                place = {"geobox": self._sized(items, place, pixels, self._described(grids))}
            planned = self._loaded(grids, items, place, {"x": _CHUNK, "y": _CHUNK})
        if pixels is not None and planned.size > pixels:
            raise _too_large(planned.sizes, pixels)
        try:
            return planned.compute()
        except RasterioError as error:
            raise Unreadable(f"a file of the cube cannot be read: {error}") from None

    def _sized(self, items: Sequence[Item], place: dict[str, Any], pixels: int, described: dict[str, Any]) -> GeoBox:
        """The grid, before anything is made that is as large as a side of it. Raises TooLarge."""
        parsed = list(odc.stac.parse_items(items, cfg=described))
        found = odc.stac.output_geobox(parsed, bands=list(self.shape.assets), **place)
        if found is None:
            raise ValueError("their grid cannot be told")
        if found.shape.x * found.shape.y * len(self.shape.assets) > pixels:
            raise _too_large({"band": len(self.shape.assets), "y": found.shape.y, "x": found.shape.x}, pixels)
        return found

    def _grids(self) -> list[Grid]:
        """Those of the first item, in the order of the assets, and those of the next."""
        return [self._grid(item, asset) for item in self.items for asset in self.shape.assets]

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Those of odc-stac are of what was asked."""
        if not self.items:
            raise InvalidRequest("the search finds no item: there is nothing to make a cube of")
        try:
            yield
        except (ValueError, CRSError, STACError) as error:
            raise InvalidRequest(f"the items make no cube: {error}; crs, resolution and bbox may help", "crs") from None

    def _loaded(
        self, grids: Sequence[Grid], items: Sequence[Item], place: Mapping[str, Any], chunks: Chunks
    ) -> xr.DataArray:
        options = {file.name: file.options for files in self.files or () for file in files.values() if file.options}
        found = odc.stac.load(
            items,
            bands=list(self.shape.assets),
            groupby=self.shape.groupby,
            resampling=self.shape.resampling,
            chunks=chunks,
            stac_cfg=self._described(grids),
            driver=_Driver(options) if options else None,
            **place,
        )
        joined = self._joined(found)
        if self.left_out:
            joined.attrs[LEFT_OUT] = self.left_out
        return joined

    def _grid(self, item: Document, asset: str) -> Grid:
        return grid(item, asset, (self.collections or {}).get(str(item.get("collection"))))

    def _located(self) -> Sequence[Mapping[str, File]]:
        if self.files is not None:
            return self.files
        own = Sources.anything()
        return [{key: File(own.locate(item, key)) for key in self.shape.assets} for item in self.items]

    def _opened(self, grids: Sequence[Grid]) -> list[Item]:
        """For odc-stac: with the assets that are read, what GDAL opens, and the grids as it looks for them."""
        opened = []
        known = iter(grids)
        for item, files in zip(self.items, self._located(), strict=True):
            assets = {key: _opened_asset(asset_of(item, key), files[key], next(known)) for key in self.shape.assets}
            properties = {name: value for name, value in item["properties"].items() if not name.startswith("proj:")}
            copied = {**item, "stac_extensions": [_PROJECTION], "properties": properties, "links": [], "assets": assets}
            # What it takes from here is not used again, so it need not copy all of it.
            opened.append(Item.from_dict(copied, preserve_dict=False))
        return opened

    def _described(self, grids: Sequence[Grid]) -> dict[str, Any]:
        """What the pixels of each asset are, the same for all items: odc-stac takes the first one's for all of them."""
        count = len(self.shape.assets)
        described = {asset: _description(grids[number::count]) for number, asset in enumerate(self.shape.assets)}
        assets = {asset: found for asset, found in described.items() if found}
        return {"*": {"assets": assets, "warnings": "ignore"}}

    def _place(self, grids: Sequence[Grid]) -> dict[str, Any]:
        """The grid of the cube, as odc-stac is told."""
        shape = self.shape
        crs = shape.crs or _most(grid.crs for grid in grids)
        there = [grid for grid in grids if grid.crs == crs]
        size = (shape.resolution, shape.resolution) if shape.resolution else self._resolution(grids, crs)
        # Where the pixels of the items are: without it odc-stac has a line through 0, and theirs in parts of two.
        phase = _most(_phase(grid) for grid in there if grid.resolution == size) or (0.0, 0.0)
        if shape.point is not None:
            if size is None:
                raise InvalidRequest("resolution: is needed, as the items do not say theirs in one CRS", "resolution")
            return {"geobox": _around(shape.point, shape.edge_size, crs or "utm", size, phase)}
        if shape.bbox and shape.bbox[2] > 180 and crs and _is_of_degrees(crs):
            # Longitudes go on there, and those of the items do not: one side would be empty.
            raise InvalidRequest(f"crs: {crs} has its edge in this box: name another, such as utm", "crs")
        place: dict[str, Any] = {"crs": crs, "bbox": shape.bbox}
        if size is not None:
            place |= {"resolution": resxy_(size[0], -size[1]), "anchor": xy_(phase)}
        return {name: value for name, value in place.items() if value is not None}

    def _resolution(self, grids: Sequence[Grid], crs: str | None) -> tuple[float, float] | None:
        """That of the assets, the one `align` says. None where they are of other CRSs, whose units may differ."""
        count = len(self.shape.assets)
        chosen = grids
        if self.shape.align in self.shape.assets:
            chosen = grids[self.shape.assets.index(self.shape.align) :: count]
        known = [grid.resolution for grid in chosen if grid.resolution and grid.crs == crs]
        return (max if self.shape.align == "coarsest" else min)(known, default=None)

    def _joined(self, found: xr.Dataset) -> xr.DataArray:
        if len(self.shape.assets) == 1:
            return found[self.shape.assets[0]]
        joined = found.to_dataarray("band").transpose("time", "band", ...)
        nodata = {array.attrs.get("nodata") for array in found.data_vars.values()}
        if len(nodata) == 1 and None not in nodata:
            joined.attrs["nodata"] = nodata.pop()
        return joined.rename("data")


def _opened_asset(asset: Document, file: File, found: Grid) -> dict[str, Any]:
    """What odc-stac reads of an asset. It would look for its bands in other places than `grid` does."""
    told = {name: asset[name] for name in ("type", "roles") if name in asset}
    crs = {"proj:code": found.code, "proj:wkt2": found.wkt2, "proj:projjson": found.projjson}
    place = {"proj:transform": found.transform, "proj:shape": found.shape}
    return {**told, "href": file.name, **{name: value for name, value in (crs | place).items() if value is not None}}


def _description(grids: Sequence[Grid]) -> dict[str, Any]:
    """A type that holds the values of the first band of each, and the first no-data value that is said."""
    bands = [found.bands[0] if found.bands else found for found in grids]
    types = {_numpy_type(band.dtype) for band in bands if band.dtype is not None}
    if not types:
        return {}
    data_type = str(np.result_type(*types))
    nodata = next((band.nodata for band in bands if band.nodata is not None and holds(data_type, band.nodata)), None)
    return {"data_type": data_type} | ({} if nodata is None else {"nodata": nodata})


def _numpy_type(data_type: str) -> np.dtype[Any]:
    """Raises InvalidMetadata."""
    try:
        return np.dtype(_COMPLEX.get(data_type, data_type))
    except TypeError:
        raise InvalidMetadata("is no type of pixels", f"data_type {data_type!r}") from None


class _Reader(RioReader):
    def __init__(self, source: RasterSource, context: Any, options: Mapping[str, str]) -> None:
        super().__init__(source, context)
        self._options = options

    def read(self, *arguments: Any, **more: Any) -> Any:
        with configured(self._options):
            return super().read(*arguments, **more)


class _Driver(RioDriver):
    """Opens each file with its own options, by the name of the file."""

    def __init__(self, options: Mapping[str, Mapping[str, str]]) -> None:
        super().__init__()
        self._options = options

    def open(self, src: RasterSource, ctx: Any) -> _Reader:
        return _Reader(src, ctx, self._options.get(src.uri, {}))


def _too_large(sizes: Mapping[Any, int], pixels: int) -> TooLarge:
    sides = " x ".join(f"{size:,} {name}" for name, size in sizes.items())
    return TooLarge(f"the cube has {math.prod(sizes.values()):,} pixels ({sides}), and {pixels:,} are the most", "bbox")


def _is_within(pixels: int, grids: Sequence[Grid], place: Mapping[str, Any]) -> bool:
    """Whether all that the items cover is known to be no more, without a geometry being made of any of them.

    Not to a pixel, but the cube itself is measured before it is loaded.
    """
    if place.keys() != {"crs", "resolution", "anchor"}:
        return False
    width, height = (abs(size) for size in place["resolution"].xy)
    boxes = [
        covered(grid.geotransform, grid.shape)
        for grid in grids
        if grid.geotransform and grid.shape and grid.crs == place["crs"]
    ]
    if len(boxes) < len(grids):
        return False
    wests, souths, easts, norths = zip(*boxes, strict=True)
    columns, rows = (max(easts) - min(wests)) / width + 2, (max(norths) - min(souths)) / height + 2
    return bool(columns * rows <= pixels)


def _most(values: Iterable[Value | None]) -> Value | None:
    """The value there is most of."""
    counted: dict[Value, int] = {}
    for value in values:
        if value is not None:
            counted[value] = counted.get(value, 0) + 1
    return max(counted, key=lambda value: counted[value], default=None)


def _is_of_degrees(crs: str) -> bool:
    """Raises CRSError."""
    return not crs.lower().startswith("utm") and CRS(crs).geographic


def _phase(found: Grid) -> tuple[float, float] | None:
    """How far the lines of a grid are beside those through 0, in pixels. None for one that is rotated."""
    if found.geotransform is None:
        return None
    left, width, across, top, down, height = found.geotransform
    # What `%` leaves is exact, but for what is just below 0, of which it leaves a whole pixel.
    return None if across or down else (left % abs(width) / abs(width) % 1, top % abs(height) / abs(height) % 1)


def _around(
    point: tuple[float, float], edge: int, crs: str, size: tuple[float, float], phase: tuple[float, float]
) -> GeoBox:
    """A square of so many pixels, on the grid whose lines are so far beside 0, the point near the middle."""
    where = point_geometry(*point, crs="EPSG:4326").to_crs(crs)
    ((x, y),) = where.points
    if not (math.isfinite(x) and math.isfinite(y)):
        raise InvalidRequest(f"point: is not in {crs}", "point")
    width, height = size
    left = (round(x / width - edge / 2 - phase[0]) + phase[0]) * width
    top = (round(y / height + edge / 2 - phase[1]) + phase[1]) * height
    return GeoBox((edge, edge), Affine(width, 0, left, 0, -height, top), where.crs)


def stacked(cube: xr.DataArray) -> tuple[np.ndarray[Any, Any], list[str]]:
    """As the bands of an image, and what each is of: all bands of the first time, then those of the next."""
    times = [str(np.datetime_as_string(time, unit="s")) + "Z" for time in cube.time.values]
    if "band" not in cube.dims:
        return cube.values, times
    names = [f"{time} {band}" for time in times for band in cube.band.values]
    return cube.values.reshape(-1, *cube.shape[2:]), names
