"""The commands for items of any catalogue: they ask no database."""

import asyncio
from typing import Annotated

import orjson
import typer

from app.assets import items
from app.assets.configuration import signers
from app.assets.href import resolved
from app.bulk.readers.web import Web
from app.errors import InvalidDocument, SetupError
from app.raster.grid import grid as grid_of
from app.raster.reader import reader
from app.settings import Settings
from app.stac import document as documents
from app.stac.asset import asset_of

commands = typer.Typer(rich_markup_mode="markdown")

Item = Annotated[str, typer.Argument(help="A file or URL with one item; `-` is standard input.")]
Asset = Annotated[str, typer.Argument(help="Key of an asset.")]
Prefer = Annotated[str | None, typer.Option(help="An alternate, or a scheme: s3, gs, https.", show_default=False)]


@commands.command()
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


@commands.command()
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
