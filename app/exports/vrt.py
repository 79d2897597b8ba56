"""A mosaic of one asset of many items as a GDAL VRT, made from what the items say of their grids: no file is opened.

The first item is on top, which for a search is the newest; below it shows through where it has its no-data value.
https://gdal.org/drivers/raster/vrt.html
"""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit
from xml.etree import ElementTree

from app.assets.href import Rules, ruled
from app.assets.signing import Signers
from app.errors import InvalidMetadata, InvalidRequest
from app.exports.whole import Found
from app.raster.grids import Band, grid
from app.raster.values import common
from app.stac.asset import LEFT_OUT, asset_of

_PREFIXES = {
    "http": "/vsicurl/",
    "https": "/vsicurl/",
    "s3": "/vsis3/",
    "gs": "/vsigs/",
    "az": "/vsiaz/",
    "abfs": "/vsiaz/",
}
_WHOLE_URL = ("http", "https")
DATA_TYPES = {
    "uint8": "Byte",
    "int8": "Int8",
    "uint16": "UInt16",
    "int16": "Int16",
    "uint32": "UInt32",
    "int32": "Int32",
    "uint64": "UInt64",
    "int64": "Int64",
    "float32": "Float32",
    "float64": "Float64",
    "cint16": "CInt16",
    "cint32": "CInt32",
    "cfloat32": "CFloat32",
    "cfloat64": "CFloat64",
}
_COLORS = {"red": "Red", "green": "Green", "blue": "Blue", "pan": "Gray"}
RESAMPLING = ("nearest", "bilinear", "cubic", "average", "mode")
# GDAL's sizes are 32 bits wide.
_SIDE_AT_MOST = 2**31 - 1
# XML 1.0 has no way to write these.
_UNWRITABLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Form:
    """crs: into which other parts are warped; that of all, where None
    resolution: in units of the CRS; the finest of the parts, where None
    """

    crs: str | None = None
    resolution: float | None = None
    resampling: str = "nearest"


_AS_THEY_ARE = Form()


@dataclass(frozen=True, slots=True)
class Part:
    """A file of a mosaic: `source` is its name for GDAL, `bands` has one at least, each with a `dtype`.

    `narrowing` is the filter that finds items of this CRS, where their properties say it.
    """

    source: str
    crs: str
    left: float
    top: float
    resolution: tuple[float, float]
    shape: tuple[int, int]
    bands: tuple[Band, ...]
    narrowing: str | None = None

    @property
    def right(self) -> float:
        return self.left + self.resolution[0] * self.shape[1]

    @property
    def bottom(self) -> float:
        return self.top - self.resolution[1] * self.shape[0]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the parts of a mosaic of one asset; `data_type` and `nodata` hold where nothing else says them.

    `base` is the URL of a service whose items these are; without it they are one's own, and local paths are taken too.
    `signers` sign what whoever has the VRT may read for a while.
    """

    asset: str
    data_type: str | None = None
    nodata: float | None = None
    base: str | None = None
    rules: Rules = field(default_factory=dict)
    signers: Signers = field(default_factory=Signers)

    async def parts(self, found: Found) -> list[Part]:
        """Raises what `part` does, and Unavailable."""
        parts = []
        for item in found.items:
            collection = str(item.get("collection"))
            signed = await self.signers.href(self._href(item), collection)
            parts.append(self.part(item, found.collections.get(collection), signed.href))
            if self.signers.rules:
                # A signature is work for this worker alone: others are answered between items.
                await asyncio.sleep(0)
        return parts

    def part(
        self, item: Mapping[str, Any], collection: Mapping[str, Any] | None = None, href: str | None = None
    ) -> Part:
        """`href` is that of the asset where another is to be read.

        Raises NotFound for an asset the item does not have, and InvalidMetadata.
        """
        place = f"item {item.get('id')!r}, assets.{self.asset}"
        found = grid(item, self.asset, collection)
        bands = tuple(self._banded(band) for band in found.bands or (Band(dtype=found.dtype, nodata=found.nodata),))
        needed = {
            "proj:code": found.crs,
            "proj:transform": found.geotransform,
            "proj:shape": found.shape,
            "data_type (which the parameter data_type can say for all)": all(band.dtype for band in bands) or None,
        }
        if missing := [name for name, value in needed.items() if value is None]:
            raise InvalidMetadata(f"does not say {', '.join(missing)}", place)
        assert found.crs
        assert found.geotransform
        assert found.shape
        if unknown := next((band.dtype for band in bands if band.dtype not in DATA_TYPES), None):
            raise InvalidMetadata(f"GDAL has no data type {unknown!r}", place)
        left, width, across, top, down, height = found.geotransform
        if across or down or width < 0 or height > 0:
            raise InvalidMetadata("is rotated or upside down, and a mosaic is north up", place)
        name = self._name(self._href(item) if href is None else href, place)
        return Part(name, found.crs, left, top, (width, -height), found.shape, bands, _narrowing(item, found.crs))

    def _banded(self, band: Band) -> Band:
        return replace(
            band,
            dtype=band.dtype or self.data_type,
            nodata=self.nodata if band.nodata is None else band.nodata,
        )

    def _href(self, item: Mapping[str, Any]) -> str:
        href = ruled(str(asset_of(item, self.asset).get("href", "")), self.rules)
        try:
            return urljoin(self._url(item), href)
        except ValueError:
            return href

    def _name(self, url: str, place: str) -> str:
        """The name of the file for GDAL. What is in the href beside a URL is not passed on."""
        scheme, host, path, *_ = urlsplit(url)
        if scheme in _PREFIXES and host and not re.search(r"[\x00-\x20\x7f]", url):
            return _PREFIXES[scheme] + (url if scheme in _WHOLE_URL else host + unquote(path))
        if self.base is None and scheme in ("", "file") and path and not _UNWRITABLE.search(path):
            return unquote(path) if scheme else url
        raise InvalidMetadata(f"{url[:200]!r} is no URL that a mosaic can refer to", place)

    def _url(self, item: Mapping[str, Any]) -> str:
        if self.base is not None:
            return f"{self.base}/collections/{quote(str(item.get('collection')), safe='')}/items/-"
        links = item.get("links")
        return next((str(link.get("href")) for link in links or () if link.get("rel") == "self"), "")


def _narrowing(item: Mapping[str, Any], crs: str) -> str | None:
    properties = item.get("properties") or {}
    if properties.get("proj:code") == crs:
        return f"\"proj:code\" = '{crs}'"
    epsg = properties.get("proj:epsg")
    return f'"proj:epsg" = {epsg}' if crs == f"EPSG:{epsg}" else None


def mosaic(parts: Sequence[Part], form: Form = _AS_THEY_ARE, left_out: int = 0) -> bytes:
    """The VRT of all the parts, the first on top. `app.exports.warp` makes parts of one CRS before.

    `left_out` items, which have no such asset, are told in its metadata.

    Raises InvalidRequest where there are none, or where they do not go together.
    """
    if not parts:
        raise InvalidRequest("the search finds no item: there is nothing to make a mosaic of")
    _check_alike(parts)
    width, height = (form.resolution or min(part.resolution[axis] for part in parts) for axis in (0, 1))
    left, top = min(part.left for part in parts), max(part.top for part in parts)
    columns = _pixels(max(part.right for part in parts) - left, width)
    rows = _pixels(top - min(part.bottom for part in parts), height)
    if max(columns, rows) > _SIDE_AT_MOST:
        raise InvalidRequest(f"the mosaic has {columns} x {rows} pixels, more than GDAL can count")
    root = ElementTree.Element("VRTDataset", rasterXSize=str(columns), rasterYSize=str(rows))
    ElementTree.SubElement(root, "SRS").text = parts[0].crs
    ElementTree.SubElement(root, "GeoTransform").text = ", ".join(map(repr, (left, width, 0.0, top, 0.0, -height)))
    if left_out:
        metadata = ElementTree.SubElement(root, "Metadata")
        ElementTree.SubElement(metadata, "MDI", key=LEFT_OUT.upper()).text = str(left_out)
    for number in range(len(parts[0].bands)):
        band = _band_element(root, parts, number)
        for part in reversed(parts):  # what comes later is on top
            offset = (part.left - left) / width, (top - part.top) / height
            source = _source(part, number, offset, (width, height))
            if form.resampling != "nearest":
                source.set("resampling", form.resampling)
            band.append(source)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=False)
    return text


def _pixels(length: float, size: float) -> int:
    """How many pixels cover a length; a rounding error is no pixel."""
    return math.ceil(length / size - 1e-6)


def _check_alike(parts: Sequence[Part]) -> None:
    kinds: dict[str, Callable[[Part], Any]] = {
        "CRSs": lambda part: part.crs,
        "numbers of bands": lambda part: len(part.bands),
        "data types": lambda part: tuple(band.dtype for band in part.bands),
    }
    for kind, of in kinds.items():
        found = Counter(map(of, parts))
        if len(found) > 1:
            said = ", ".join(f"{str(value)[:60]} ({count} items)" for value, count in found.most_common(5))
            raise InvalidRequest(f"the items have different {kind}: {said}. {_way_out(kind, parts)}", "asset")


def _way_out(kind: str, parts: Sequence[Part]) -> str:
    if kind != "CRSs":
        return "Search for those of one"
    most, _ = Counter(part.crs for part in parts).most_common(1)[0]
    narrowing = next((part.narrowing for part in parts if part.crs == most), None)
    filtered = f"filter={narrowing}" if narrowing else "ids"
    return f"Search for those of one, as by {filtered}; or say crs={most}, and others are warped into it"


def _band_element(root: ElementTree.Element, parts: Sequence[Part], number: int) -> ElementTree.Element:
    """What is said of a band is what all parts say of it, but for no-data, which is that of the first."""
    bands = [part.bands[number] for part in parts]
    element = ElementTree.SubElement(
        root, "VRTRasterBand", dataType=DATA_TYPES[str(bands[0].dtype)], band=str(number + 1)
    )
    said = {
        "Description": common([band.name or band.description for band in bands]),
        "UnitType": common([band.unit for band in bands]),
        "Offset": common([band.offset for band in bands]),
        "Scale": common([band.scale for band in bands]),
        "ColorInterp": _COLORS.get(str(common([band.common_name for band in bands]))),
        "NoDataValue": next((band.nodata for band in bands if band.nodata is not None), None),
    }
    for name, value in said.items():
        if value is not None:
            ElementTree.SubElement(element, name).text = _UNWRITABLE.sub("", str(value))
    return element


def _source(part: Part, number: int, offset: tuple[float, float], pixel: tuple[float, float]) -> ElementTree.Element:
    """A file as a source of a band: with the properties GDAL would else open the file for."""
    rows, columns = part.shape
    nodata = part.bands[number].nodata
    element = ElementTree.Element("SimpleSource" if nodata is None else "ComplexSource")
    ElementTree.SubElement(element, "SourceFilename", relativeToVRT="0").text = part.source
    ElementTree.SubElement(element, "SourceBand").text = str(number + 1)
    size = {"RasterXSize": str(columns), "RasterYSize": str(rows)}
    data_type = DATA_TYPES[str(part.bands[number].dtype)]
    ElementTree.SubElement(element, "SourceProperties", size, DataType=data_type, BlockXSize="256", BlockYSize="256")
    ElementTree.SubElement(element, "SrcRect", xOff="0", yOff="0", xSize=str(columns), ySize=str(rows))
    ElementTree.SubElement(
        element,
        "DstRect",
        xOff=_exact(offset[0]),
        yOff=_exact(offset[1]),
        xSize=_exact(columns * part.resolution[0] / pixel[0]),
        ySize=_exact(rows * part.resolution[1] / pixel[1]),
    )
    if nodata is not None:
        ElementTree.SubElement(element, "NODATA").text = str(nodata)
    return element


def _exact(pixels: float) -> str:
    """Whole where it is whole but for a rounding error."""
    return str(round(pixels)) if abs(pixels - round(pixels)) < 1e-6 else repr(pixels)
