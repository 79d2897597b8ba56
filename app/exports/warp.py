"""Parts of a mosaic in another CRS: each a warped VRT inside of the mosaic's own. No file is opened.

https://gdal.org/drivers/raster/vrt.html#warped-vrt
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from xml.etree import ElementTree

from pyproj import CRS, Transformer
from pyproj.exceptions import CRSError, ProjError

from app.errors import InvalidRequest
from app.exports.vrt import DATA_TYPES, Form, Part

ALGORITHMS = {
    "nearest": "NearestNeighbour",
    "bilinear": "Bilinear",
    "cubic": "Cubic",
    "average": "Average",
    "mode": "Mode",
}
_CODE = re.compile(r"[A-Za-z]{2,20}:[A-Za-z0-9_.-]{1,40}")
# Points on each edge of a part.
_DENSITY = 21
# Of a pixel, that GDAL may be off where it interpolates between exact places: what gdalwarp has.
_ERROR = 0.125


def reprojected(parts: Sequence[Part], form: Form) -> list[Part]:
    """The parts in the CRS that is asked for, if one is. Raises InvalidRequest."""
    if form.crs is None:
        return list(parts)
    code = form.crs.upper()
    if not _CODE.fullmatch(code) or not _is_known(code):
        raise InvalidRequest(f"crs: {form.crs[:60]!r} is no CRS such as EPSG:32632", "crs")
    there = [part for part in parts if part.crs == code]
    resolution = form.resolution or min((min(part.resolution) for part in there), default=None)
    if resolution is None:
        raise InvalidRequest(f"resolution: is needed, as no item is in {code} already", "resolution")
    origin = (there[0].left, there[0].top) if there else (0.0, 0.0)
    target = _Target(code, resolution, origin, form.resampling)
    return [target.part(part) for part in parts]


@dataclass(frozen=True, slots=True)
class _Target:
    """The grid has a line through each coordinate of `origin`."""

    crs: str
    resolution: float
    origin: tuple[float, float]
    resampling: str

    def part(self, part: Part) -> Part:
        """As it is where it has this CRS, else warped. Raises InvalidRequest for a part that cannot be."""
        if part.crs == self.crs:
            return part
        if any(band.nodata is None for band in part.bands):
            raise InvalidRequest(
                f"nodata: {part.source.rpartition('/')[2][:100]!r} says none, and what lies beside it in another CRS "
                "would hide the items below; say it for all",
                "nodata",
            )
        west, south, east, north = self._bounds(part)
        size, (x, y) = self.resolution, self.origin
        left, top = x + math.floor((west - x) / size) * size, y + math.ceil((north - y) / size) * size
        shape = math.ceil((top - south) / size), math.ceil((east - left) / size)
        placed = replace(part, crs=self.crs, left=left, top=top, resolution=(size, size), shape=shape)
        return replace(placed, source=self._source(part, placed))

    def _bounds(self, part: Part) -> tuple[float, float, float, float]:
        try:
            to = _transformer(part.crs, self.crs)
            bounds: tuple[float, float, float, float] = to.transform_bounds(
                part.left, part.bottom, part.right, part.top, densify_pts=_DENSITY
            )
        except ProjError:
            bounds = (math.inf,) * 4
        if not all(map(math.isfinite, bounds)) or bounds[0] >= bounds[2]:
            raise InvalidRequest(f"crs: a file in {part.crs[:60]} is not in {self.crs}, or not in one piece", "crs")
        return bounds

    def _source(self, part: Part, placed: Part) -> str:
        rows, columns = placed.shape
        root = ElementTree.Element(
            "VRTDataset", rasterXSize=str(columns), rasterYSize=str(rows), subClass="VRTWarpedDataset"
        )
        ElementTree.SubElement(root, "SRS").text = self.crs
        ElementTree.SubElement(root, "GeoTransform").text = _numbers(_forward(placed))
        for number, band in enumerate(placed.bands, start=1):
            kind = DATA_TYPES[str(band.dtype)]
            element = ElementTree.SubElement(
                root, "VRTRasterBand", dataType=kind, band=str(number), subClass="VRTWarpedRasterBand"
            )
            ElementTree.SubElement(element, "NoDataValue").text = str(band.nodata)
        options = ElementTree.SubElement(root, "GDALWarpOptions")
        ElementTree.SubElement(options, "ResampleAlg").text = ALGORITHMS[self.resampling]
        ElementTree.SubElement(options, "WorkingDataType").text = DATA_TYPES[str(placed.bands[0].dtype)]
        ElementTree.SubElement(options, "Option", name="INIT_DEST").text = "NO_DATA"
        ElementTree.SubElement(options, "SourceDataset", relativeToVRT="0").text = part.source
        options.append(_transformation(part, placed))
        bands = ElementTree.SubElement(options, "BandList")
        for number, band in enumerate(placed.bands, start=1):
            mapping = ElementTree.SubElement(bands, "BandMapping", src=str(number), dst=str(number))
            for name in ("Src", "Dst"):
                ElementTree.SubElement(mapping, f"{name}NoDataReal").text = str(band.nodata)
                ElementTree.SubElement(mapping, f"{name}NoDataImag").text = "0"
        return ElementTree.tostring(root, encoding="unicode")


def _transformation(part: Part, placed: Part) -> ElementTree.Element:
    transformer = ElementTree.Element("Transformer")
    approximate = ElementTree.SubElement(transformer, "ApproxTransformer")
    ElementTree.SubElement(approximate, "MaxError").text = str(_ERROR)
    base = ElementTree.SubElement(ElementTree.SubElement(approximate, "BaseTransformer"), "GenImgProjTransformer")
    for name, one in (("Src", part), ("Dst", placed)):
        ElementTree.SubElement(base, f"{name}GeoTransform").text = _numbers(_forward(one))
        ElementTree.SubElement(base, f"{name}InvGeoTransform").text = _numbers(_inverse(one))
    between = ElementTree.SubElement(ElementTree.SubElement(base, "ReprojectTransformer"), "ReprojectionTransformer")
    ElementTree.SubElement(between, "SourceSRS").text = part.crs
    ElementTree.SubElement(between, "TargetSRS").text = placed.crs
    return transformer


def _forward(part: Part) -> tuple[float, ...]:
    width, height = part.resolution
    return part.left, width, 0.0, part.top, 0.0, -height


def _inverse(part: Part) -> tuple[float, ...]:
    width, height = part.resolution
    return -part.left / width, 1 / width, 0.0, part.top / height, 0.0, -1 / height


def _numbers(values: tuple[float, ...]) -> str:
    return ", ".join(map(repr, values))


@lru_cache(maxsize=256)
def _is_known(code: str) -> bool:
    try:
        CRS.from_user_input(code)
    except CRSError:
        return False
    return True


@lru_cache(maxsize=256)
def _transformer(source: str, target: str) -> Transformer:
    return Transformer.from_crs(source, target, always_xy=True)
