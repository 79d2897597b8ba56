"""The commands for pixels: files into the catalogue, and what a search finds as a mosaic or a cube."""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import quote

import orjson
import typer

from app import console, raster
from app.assets import items
from app.assets.configuration import signers
from app.assets.href import absolute
from app.assets.signing import Signers
from app.bulk.load import Loader, Stopped
from app.bulk.prepare import Preparation
from app.bulk.readers import Entry
from app.bulk.readers.web import Web
from app.bulk.report import Report
from app.catalog import Catalog
from app.database import ready
from app.database.pool import Database
from app.errors import InvalidDocument, SetupError
from app.exports import vrt, whole
from app.raster import certificates
from app.raster.access import Access
from app.raster.shape import RESAMPLING, CubeShape, Form, Groupby
from app.raster.sources import File, Sources
from app.settings import Settings
from app.sql.loading import Mode
from app.stac import parameters
from app.stac.interval import parse_instant
from app.stac.search import Search
from app.stac.validation import Rules

commands = typer.Typer(rich_markup_mode=console.MARKUP)

Answer = TypeVar("Answer")
Collections = Annotated[list[str] | None, typer.Option("--collection", help="Of these collections; again for each.")]
Box = Annotated[str | None, typer.Option(help="west,south,east,north")]
Times = Annotated[str | None, typer.Option(help="An instant, or `start/end`.")]
Filter = Annotated[str | None, typer.Option("--filter", help="CQL2 text.")]
From = Annotated[
    str | None,
    typer.Option("--from", help="Items of a file, folder or URL instead of a search; no database.", show_default=False),
]
Limit = Annotated[str | None, typer.Option(help="Items at most.")]

_TIMEOUT = 600


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    """For an option whose values are a closed list: another one is misspelt, as with a Literal."""

    def checked(value: str) -> str:
        if value not in known:
            raise typer.BadParameter(f"{value!r} is none of {', '.join(known)}")
        return value

    return checked


@commands.command(epilog=console.examples("ingest scene.tif --collection things --datetime 2024-07-16"))
def ingest(
    files: Annotated[list[str], typer.Argument(help="Rasters: paths, https:// and s3:// URLs.")],
    collection: Annotated[str, typer.Option(help="The collection the items are of; it is there already.")],
    instant: Annotated[
        str | None, typer.Option("--datetime", help="Of all files; else that of each file's tags.", show_default=False)
    ] = None,
    asset: Annotated[str, typer.Option(help="Key of the asset.")] = "data",
    href: Annotated[
        str | None,
        typer.Option(help="Prefix of the hrefs, before the file's name; else where it was read.", show_default=False),
    ] = None,
    statistics: Annotated[bool, typer.Option("--statistics", help="Read the pixels for statistics.")] = False,
    replace_: Annotated[bool, typer.Option("--replace", help="Replace items that are there already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the items, and store nothing.")] = False,
) -> None:
    """Make STAC Items of raster files, and put them into the catalogue. A file that cannot be one stops it."""
    _need_libraries()
    settings = Settings()
    opened = _opened(files, signers(settings))
    entries = _entries(opened, collection, instant, asset, href, statistics)
    if dry_run:
        for entry in entries:
            if entry.fault is not None:
                raise SetupError(f"{entry.place}: {entry.fault}")
            typer.echo(orjson.dumps(entry.document))
        return
    with ready.migrated(settings) as url:
        report = asyncio.run(_stored(url, entries, replace_, Rules.of(settings)))
    typer.echo(f"{console.counted(report)}.")
    if report.refused:
        raise typer.Exit(1)


def _opened(files: Iterable[str], allowed: Signers) -> Iterator[tuple[str, File]]:
    """Each as its signer has it: just now, so that what is signed has not ended when its turn comes."""
    with ThreadPoolExecutor(1) as aside:
        for file in files:
            # Whoever asks for the next file may be in an event loop.
            readable = aside.submit(asyncio.run, allowed.readable(file)).result()
            name = readable.href
            yield file, File("/vsis3/" + name[5:] if name.startswith("s3://") else name, readable.options)


def _entries(
    files: Iterable[tuple[str, File]],
    collection: str,
    instant: str | None,
    asset: str,
    href: str | None,
    statistics: bool,
) -> Iterator[Entry]:
    from app.raster.ingest import About, item, name

    when = None if instant is None else _instant(instant)
    for file, opened in files:
        about = About(
            collection,
            href=_href(file) if href is None else href + _part(name(file), href),
            instant=when,
            asset=asset,
            statistics=statistics,
        )
        try:
            yield Entry(file, item(file, about, opened))
        except InvalidDocument as error:
            yield Entry(file, fault=_without(file, str(error)))


def _without(file: str, fault: str) -> str:
    """What is said of a file, which is named before it, and by GDAL once more."""
    while fault.startswith(f"{file}: "):
        fault = fault.removeprefix(f"{file}: ")
    return fault


def _href(file: str) -> str:
    """Where the file is, for whoever reads the item elsewhere on this machine."""
    return file if "://" in file else Path(file).resolve().as_uri()


def _part(name: str, prefix: str) -> str:
    """The name of a file behind a prefix: encoded, but in a bucket and in a folder, whose names are as they are."""
    return name if prefix.startswith(("s3://", "gs://", "/")) else quote(name)


def _instant(text: str) -> datetime:
    try:
        return parse_instant(text)
    except ValueError:
        pass
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise SetupError(f"datetime: {text!r} is neither a date nor an RFC 3339 date-time") from None


async def _stored(url: str, entries: Iterator[Entry], replaces: bool, rules: Rules) -> Report:
    mode: Mode = "upsert" if replaces else "insert"
    async with Database.opened(url, size=1, query_timeout=_TIMEOUT) as database:
        loader = Loader(database, mode, "stop", console.print_refusal, Preparation(rules))
        try:
            await loader.load(entries)
        except Stopped:
            console.err.print("Stopped: nothing of this batch is stored.")
        await loader.finish()
    return loader.report


@commands.command(epilog=console.examples("mosaic --to mosaic.vrt --asset red --collection demo-cogs"))
def mosaic(
    to: Annotated[str, typer.Option(help="The VRT; `-` is standard output.")],
    asset: Annotated[str, typer.Option(help="Key of the asset.")],
    source: From = None,
    collection: Collections = None,
    bbox: Box = None,
    datetime: Times = None,
    filter_: Filter = None,
    limit: Limit = None,
    data_type: Annotated[
        str | None, typer.Option(help="Where items do not say it: uint16, float32, …", show_default=False)
    ] = None,
    nodata: Annotated[float | None, typer.Option(help="Where items do not say it.", show_default=False)] = None,
    crs: Annotated[
        str | None, typer.Option(help="EPSG:32632: items in another are warped into it.", show_default=False)
    ] = None,
    resolution: Annotated[
        float | None, typer.Option(help="In units of the CRS; else the finest.", show_default=False, min=1e-9)
    ] = None,
    resampling: Annotated[
        str, typer.Option(help="nearest, bilinear, cubic, average or mode.", callback=_one_of(vrt.RESAMPLING))
    ] = "nearest",
    sign: Annotated[bool, typer.Option("--sign", help="With hrefs as UPESI_SIGNERS sign them.")] = False,
) -> None:
    """Write a VRT of one asset of all that a search finds, the newest on top, from metadata alone."""
    _need_libraries()
    if to != "-":
        _check_output(Path(to))
    from app.exports import warp

    form = vrt.Form(crs, resolution, resampling)
    _check_place(source, collection=collection, bbox=bbox, datetime=datetime, filter=filter_, limit=limit)
    search = _search(collection, bbox=bbox, datetime=datetime, filter=filter_, limit=limit)
    settings = Settings()
    allowed = signers(settings) if sign else Signers()
    base = None if source else settings.public_url
    reader = vrt.Reader(asset, data_type, nodata, base, settings.href_rules, allowed)
    found = _of_source(source) if source else _with_catalog(settings, lambda catalog: whole.found(catalog, search))
    used = found.having([asset])
    text = vrt.mosaic(warp.reprojected(asyncio.run(reader.parts(used)), form), form, used.left_out)
    _tell(used, asset)
    if to == "-":
        typer.echo(text)
    else:
        try:
            Path(to).write_bytes(text)
        except OSError as error:
            raise SetupError(f"{to}: {error.strerror}") from None


@commands.command(
    epilog=console.examples("cube --to cube.nc --asset red --asset nir --collection demo-cogs --groupby solar_day")
)
def cube(
    to: Annotated[Path, typer.Option(help="The file, or the folder for Zarr.")],
    asset: Annotated[list[str], typer.Option(help="Key of an asset; again for each band.")],
    form: Annotated[Form, typer.Option("--format", help="Of what is written.")] = "netcdf",
    source: From = None,
    collection: Collections = None,
    bbox: Box = None,
    datetime: Times = None,
    filter_: Filter = None,
    limit: Limit = None,
    crs: Annotated[str | None, typer.Option(help="EPSG:32632, or utm.", show_default=False)] = None,
    resolution: Annotated[float | None, typer.Option(help="In units of the CRS.", show_default=False)] = None,
    align: Annotated[str, typer.Option(help="Whose resolution: finest, coarsest, or an asset's.")] = "finest",
    groupby: Annotated[Groupby, typer.Option(help="What is one moment.")] = "time",
    resampling: Annotated[
        str, typer.Option(help="nearest, bilinear, cubic, average, …", callback=_one_of(RESAMPLING))
    ] = "nearest",
    point: Annotated[str | None, typer.Option(help="longitude,latitude of the middle.", show_default=False)] = None,
    edge_size: Annotated[int, typer.Option(help="Pixels of a side, around --point.")] = 256,
    scheduler: Annotated[str | None, typer.Option(help="A Dask cluster: tcp://host:8786", show_default=False)] = None,
) -> None:
    """Write what a search finds as a cube: NetCDF, Zarr or a cloud-optimised GeoTIFF."""
    if align not in ("finest", "coarsest", *asset):
        raise typer.BadParameter(f"{align!r} is neither finest, coarsest nor an --asset", param_hint="--align")
    _need_libraries()
    _check_place(source, collection=collection, datetime=datetime, filter=filter_, limit=limit)
    _check_output(to)
    if to.exists():
        raise SetupError(f"{to} is there already")
    given: dict[str, Any] = {
        "assets": asset,
        "crs": crs,
        "resolution": resolution,
        "align": align,
        "groupby": groupby,
        "resampling": resampling,
        "bbox": bbox and parameters.of_query({"bbox": bbox})["bbox"],
        "point": point and parameters.of_query({"bbox": point})["bbox"],
        "edge_size": edge_size,
    }
    shape = CubeShape.from_values({name: value for name, value in given.items() if value is not None})
    search = _search(collection, bbox=bbox, datetime=datetime, filter=filter_, limit=limit)
    if shape.point is not None:
        place = {"intersects": {"type": "Point", "coordinates": list(shape.point)}}
        search = replace(search, area=Search.from_values(place).area)
    settings = Settings()
    found = _of_source(source) if source else _with_catalog(settings, lambda catalog: whole.found(catalog, search))
    used = found.having(shape.assets)
    _write(used, shape, settings, form, to, scheduler)
    typer.echo(f"{to} is there: {len(used.items)} items.")
    _tell(used, *asset)


def _tell(used: whole.Found, *assets: str) -> None:
    """Beside what may be written to standard output."""
    if used.left_out:
        without = " or ".join(map(repr, assets))
        console.err.print(f"Left out: {used.left_out} of {used.left_out + len(used.items)} items, without {without}.")


def _check_output(to: Path) -> None:
    """Raises SetupError before any work, not behind it."""
    if not to.absolute().parent.is_dir():
        raise SetupError(f"{to}: there is no folder {str(to.parent)!r}")


def _check_place(source: str | None, **search: object) -> None:
    """Raises SetupError."""
    if source and (given := [f"--{name}" for name, value in search.items() if value is not None]):
        raise SetupError(f"--from takes all items that are there: {', '.join(given)} would search for some")


def _of_source(location: str) -> whole.Found:
    """Newest first, as a search finds them, with absolute hrefs. Raises SetupError, InvalidMetadata."""
    with Web() as web:
        found = [_resolved(placed) for placed in items.read(location, web)]
    return whole.Found(sorted(found, key=_time, reverse=True), {})


def _resolved(placed: items.Placed) -> dict[str, Any]:
    item = placed.item
    assets = {
        key: asset
        | {"href": absolute(asset.get("href"), item, f"item {item.get('id')!r}, assets.{key}", placed.source)}
        for key, asset in item.get("assets", {}).items()
    }
    return item | {"assets": assets}


def _time(item: dict[str, Any]) -> datetime:
    """Raises SetupError."""
    properties = item.get("properties", {})
    said = properties.get("datetime") or properties.get("start_datetime")
    return _instant(str(said))


def _write(
    found: whole.Found, shape: CubeShape, settings: Settings, form: Form, to: Path, scheduler: str | None
) -> None:
    from app.raster import cluster, files
    from app.raster.cubes import Cube

    static = settings.static_dir or settings.data_dir / "static"
    access = Access(Sources.anything(static, settings.href_rules), signers(settings))
    located = asyncio.run(access.files(found.items, shape.assets))
    asked = Cube(found.items, shape, found.collections, located, found.left_out)
    with cluster.used(scheduler):
        lazy = asked.lazy()
        try:
            files.write(lazy, form, to)
        except BaseException as error:
            # Nobody is to take a part for all of it; and it was not there before.
            shutil.rmtree(to) if to.is_dir() else to.unlink(missing_ok=True)
            if isinstance(error, OSError):
                raise SetupError(f"{to}: {error.strerror or error}") from None
            raise


def _search(collections: list[str] | None, **given: str | None) -> Search:
    search = Search.from_query({name: value for name, value in given.items() if value is not None})
    return replace(search, collections=tuple(dict.fromkeys(collections))) if collections else search


def _with_catalog(settings: Settings, ask: Callable[[Catalog], Awaitable[Answer]]) -> Answer:
    async def asked(url: str) -> Answer:
        async with Database.opened(url, size=1, query_timeout=_TIMEOUT) as database:
            return await ask(Catalog(database, settings.default_limit, settings.max_limit))

    with ready.migrated(settings) as url:
        return asyncio.run(asked(url))


def _need_libraries() -> None:
    if not raster.is_installed():
        raise SetupError("pixels need more libraries: pip install 'upesi[raster]'")
    certificates.trust()
