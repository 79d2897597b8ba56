"""The commands for items of any catalogue: they ask no database."""

import asyncio
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Annotated, Any, Literal

import httpx
import orjson
import typer
from rich.console import Console
from rich.progress import (
    DownloadColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from app import console
from app.assets import items
from app.assets.configuration import signers
from app.assets.download import Choice, Downloader, Report
from app.assets.href import resolved
from app.assets.items import Placed
from app.assets.transfer import Transfer
from app.bulk.readers import search as api_search
from app.bulk.readers.web import Web
from app.errors import InvalidDocument, SetupError
from app.raster.grids import grid as grid_of
from app.raster.reader import reader
from app.settings import Settings
from app.stac import document as documents
from app.stac.asset import asset_of

Form = Literal["ndjson", "itemcollection"]

# What stands before the items, between them and behind them.
_FRAMES: Mapping[Form, tuple[bytes, bytes, bytes]] = {
    "ndjson": (b"", b"\n", b"\n"),
    "itemcollection": (b'{"type":"FeatureCollection","features":[', b",", b"]}\n"),
}

commands = typer.Typer(rich_markup_mode=console.MARKUP)
_err = Console(stderr=True, highlight=False)

Item = Annotated[str, typer.Argument(help="A file or URL with one item; `-` is standard input.")]
Asset = Annotated[str, typer.Argument(help="Key of an asset.")]
Prefer = Annotated[str | None, typer.Option(help="An alternate, or a scheme: s3, gs, https.", show_default=False)]


@commands.command(epilog=console.examples("grid item.json B04"))
def grid(
    item: Item,
    asset: Asset,
    collection: Annotated[
        str | None, typer.Option(help="A file or URL with its collection, for its `item_assets`.", show_default=False)
    ] = None,
    prefer: Prefer = None,
) -> None:
    """Print the grid of an asset, what reads it and where it is, as the item says it: no file is opened."""
    with Web() as web:
        found = items.one(item, web)
        owner = None if collection is None else _collection(collection, web)
    described = reader(asset_of(found.item, asset))
    document = {
        "href": resolved(found.item, asset, prefer=prefer, rules=Settings().href_rules, source=found.source),
        "reader": described and described.document(),
        "grid": grid_of(found.item, asset, owner).document(),
    }
    typer.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


@commands.command(epilog=console.examples("href https://example.com/item.json B04 --prefer s3"))
def href(
    item: Item,
    asset: Asset,
    prefer: Prefer = None,
    sign: Annotated[bool, typer.Option("--sign", help="As UPESI_SIGNERS have it.")] = False,
) -> None:
    """Print where an asset is: absolute, the place that is preferred, and as UPESI_HREF_RULES have it."""
    settings = Settings()
    with Web() as web:
        found = items.one(item, web)
    place = resolved(found.item, asset, prefer=prefer, rules=settings.href_rules, source=found.source)
    if sign:
        place = asyncio.run(signers(settings).href(place, found.item.get("collection"))).href
    typer.echo(place)


def _collection(location: str, web: Web) -> dict[str, object]:
    """Raises SetupError."""
    try:
        text = items.text_at(location, web)
        document = documents.parse(text)
    except (InvalidDocument, OSError) as error:
        raise SetupError(f"{location}: {error}") from None
    if not isinstance(document, dict):
        raise SetupError(f"{location}: is no collection")
    return document


@commands.command(
    epilog=console.examples(
        "search https://example.com/stac -c sentinel-2-l2a --bbox 5,45,6,46 --max-items 5 > items.ndjson"
    )
)
def search(
    url: Annotated[str, typer.Argument(help="The landing page of a STAC API.")],
    collections: Annotated[
        list[str] | None, typer.Option("--collections", "-c", help="Of these collections; again for each.")
    ] = None,
    ids: Annotated[list[str] | None, typer.Option(help="Items of these ids; again for each.")] = None,
    bbox: Annotated[str | None, typer.Option(help="west,south,east,north")] = None,
    intersects: Annotated[str | None, typer.Option(help="A GeoJSON geometry.")] = None,
    datetime: Annotated[str | None, typer.Option(help="An instant, or `start/end`.")] = None,
    filter_: Annotated[str | None, typer.Option("--filter", help="CQL2, text or JSON.")] = None,
    query: Annotated[str | None, typer.Option(help="JSON of the Query extension.")] = None,
    sortby: Annotated[str | None, typer.Option(help="Fields, `-` for the other way.")] = None,
    fields: Annotated[str | None, typer.Option(help="Members to send, `-` not to.")] = None,
    limit: Annotated[str | None, typer.Option(help="Items on a page.")] = None,
    most: Annotated[int | None, typer.Option("--max-items", help="Items at most.", min=1)] = None,
    to: Annotated[str, typer.Option(help="A file; `-` is standard output.")] = "-",
    form: Annotated[Form, typer.Option("--format", help="Of what is written.")] = "ndjson",
) -> None:
    """Search any STAC API, and write the items: `upesi search URL --bbox … | upesi download - --to DIR`."""
    given = {"bbox": bbox, "intersects": intersects, "datetime": datetime, "filter": filter_, "query": query}
    given |= {"sortby": sortby, "fields": fields, "limit": limit}
    asked = api_search.body({name: value for name, value in given.items() if value is not None})
    asked |= {name: values for name, values in (("collections", collections), ("ids", ids)) if values}
    allowed = signers(Settings())
    with Web(authorize=lambda url: asyncio.run(allowed.headers(url))) as web, _output(to) as file:
        count = _write_items(file, form, _found(url, asked, most, web))
    _err.print(f"{count:,} items.")


@commands.command(epilog=console.examples("download items.ndjson --to data --include data --exclude 'B0[19]'"))
def download(
    sources: Annotated[
        list[str],
        typer.Argument(help="Files, folders and URLs with items; `-` is standard input."),
    ],
    to: Annotated[Path, typer.Option(help="The folder, which is made.", file_okay=False)],
    include: Annotated[
        list[str] | None, typer.Option(help="Only assets of this role, or whose key is like this; again for each.")
    ] = None,
    exclude: Annotated[
        list[str] | None, typer.Option(help="No assets of this role, or whose key is like this; again for each.")
    ] = None,
    prefer: Prefer = None,
    concurrency: Annotated[int, typer.Option(help="Files at a time.", min=1, max=64)] = 8,
    allow: Annotated[
        list[Path] | None, typer.Option(help="A folder of this machine that files may be taken from; again for each.")
    ] = None,
) -> None:
    """Fetch the files of items, each item in a folder of its own, beside it the item with relative hrefs.

    What is there already is left; what was begun is gone on with. `file:checksum` and `file:size` are checked.
    """
    choice = Choice(tuple(include or ()), tuple(exclude or ()), prefer, tuple(allow or ()))
    settings = Settings()
    with Web() as web, _progress() as progress:
        found = (placed for source in sources for placed in items.read(source, web))
        report = asyncio.run(_download(settings, to, choice, concurrency, found, progress))
    for failure in report.failures:
        _err.print(Text(f"failed: {failure}"), soft_wrap=True)
    _err.print(
        f"{report.items:,} items: {report.files:,} files new, {report.present:,} there already,"
        f" {len(report.failures):,} failed."
    )
    if report.failures:
        raise typer.Exit(1)


async def _download(
    settings: Settings, to: Path, choice: Choice, concurrency: int, found: Iterator[Placed], progress: Progress
) -> Report:
    task = progress.add_task("download", total=None)
    async with httpx.AsyncClient(timeout=30, headers={"User-Agent": "upesi"}) as client:
        transfer = Transfer(client, lambda count: progress.advance(task, count))
        downloader = Downloader(to, transfer, signers(settings), choice, settings.href_rules, concurrency)
        return await downloader.all(found)


def _progress() -> Progress:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), DownloadColumn(), TransferSpeedColumn())
    return Progress(*columns, TimeElapsedColumn(), console=_err)


def _found(url: str, asked: Mapping[str, Any], most: int | None, web: Web) -> Iterator[Any]:
    """Raises SetupError at what cannot be read, behind what could be."""
    try:
        for entry in api_search.items(url, asked, most, web):
            if entry.fault is not None:
                raise SetupError(f"{entry.place}: {entry.fault}")
            yield entry.document
    except InvalidDocument as error:
        raise SetupError(f"{url}: {error}") from None


def _write_items(file: IO[bytes], form: Form, found: Iterator[Any]) -> int:
    """How many there are. A collection that breaks off is not closed, so that nobody takes it for all of them."""
    start, between, end = _FRAMES[form]
    file.write(start)
    count = 0
    for item in found:
        file.write((between if count else b"") + documents.dump(item))
        count += 1
    file.write(end if count or form == "itemcollection" else b"")
    return count


@contextmanager
def _output(to: str) -> Iterator[IO[bytes]]:
    if to == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        with Path(to).open("wb") as file:
            yield file
    except OSError as error:
        raise SetupError(f"{to}: {error.strerror}") from None
