"""The commands that say who may do what: keys of the API, and which collections are private."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeVar

import typer
from rich.table import Table
from rich.text import Text

from app import console, visibility
from app.access import keys
from app.access.keys import ApiKey
from app.database import ready
from app.database.pool import Database
from app.settings import Settings
from app.stac.access import ACTIONS, CHANGES, NAMES, Grant

commands = typer.Typer(rich_markup_mode=console.MARKUP)
tokens = typer.Typer(help="API keys: what programs say who they are with.", no_args_is_help=True)

Answer = TypeVar("Answer")
Visibility = Literal["private", "public"]

_TIMEOUT = 30


@tokens.command("create", epilog=console.examples("token create nightly --allow write --collection things --days 90"))
def token_create(
    name: Annotated[str, typer.Argument(help="What it is for, as `list` shows it.")],
    allow: Annotated[
        list[str] | None,
        typer.Option(
            metavar="|".join(NAMES),
            help="An action; again for each. `write` is create, update and delete.  [default: read]",
            show_default=False,
        ),
    ] = None,
    collection: Annotated[
        list[str] | None,
        typer.Option(help="One of this id alone; again for each. Else all, private ones too.", show_default=False),
    ] = None,
    days: Annotated[int | None, typer.Option(help="Until it ends; else it does not.", min=1, max=36_500)] = None,
) -> None:
    """Make an API key, and print it: this once, as only its digest is kept.

    A collection that it may change it may also read.
    """
    try:
        grant = Grant.of_names(allow or ["read"], collection)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--allow") from None
    expires = None if days is None else datetime.now(UTC) + timedelta(days=days)
    key, text = _asked(lambda database: keys.create(database, name, grant, expires))
    console.err.print(Text(f"Key {key.id} ({_actions(grant)}; {_collections(grant)}) is shown this once:"))
    typer.echo(text.get_secret_value())


@tokens.command("list", epilog=console.examples("token list"))
def token_list() -> None:
    """The keys, with what they allow and whether they hold."""
    found = _asked(keys.listed)
    if not found:
        console.out.print("There is no key; `upesi token create NAME` makes one.")
        return
    table = Table("id", "name", "allows", "collections", "made", "ends", "state", box=None)
    for key in found:
        table.add_row(*map(Text, _row(key)))
    console.out.print(table)


@tokens.command("revoke", epilog=console.examples("token revoke 3f2a9c"))
def token_revoke(key: Annotated[str, typer.Argument(metavar="ID", help="Of the key, as `list` shows it.")]) -> None:
    """Let a key hold no more. A running service refuses it within five seconds."""
    _asked(lambda database: keys.revoke(database, key))
    console.out.print(Text(f"Key {key} is revoked; a running service refuses it within {keys.SECONDS:.0f} seconds."))


@commands.command("visibility", epilog=console.examples("visibility things private", "visibility"))
def set_visibility(
    collection: Annotated[str | None, typer.Argument(help="Id of a collection.", show_default=False)] = None,
    to: Annotated[Visibility | None, typer.Argument(help="What it shall be.", show_default=False)] = None,
) -> None:
    """Hide a collection from who has no right on it, or show it to everyone who may read. Alone, list what is private.

    Loads, exports and the other commands see all collections.
    """
    if collection is None:
        for each in _asked(visibility.private):
            typer.echo(each)
        return
    if to is None:
        hidden = _asked(lambda database: visibility.is_private(database, collection))
        console.out.print(Text(f"{collection} is {'private' if hidden else 'not private'}."))
        return
    _asked(lambda database: visibility.change(database, collection, to == "private"))
    console.out.print(Text(f"{collection} is {to}; a running service knows within {visibility.SECONDS:.0f} seconds."))


def _row(key: ApiKey) -> tuple[str, ...]:
    ends = "" if key.expires is None else f"{key.expires:%Y-%m-%d}"
    made = f"{key.created:%Y-%m-%d}"
    return key.id, key.name, _actions(key.grant), _collections(key.grant), made, ends, key.state


def _actions(grant: Grant) -> str:
    changes = ["write"] if grant.actions >= set(CHANGES) else [each for each in CHANGES if each in grant.actions]
    return ", ".join([*(["read"] if ACTIONS[0] in grant.actions else []), *changes])


def _collections(grant: Grant) -> str:
    return "all collections" if grant.collections is None else ", ".join(sorted(grant.collections))


def _asked(question: Callable[[Database], Awaitable[Answer]]) -> Answer:
    async def ask(url: str) -> Answer:
        async with Database.opened(url, size=1, query_timeout=_TIMEOUT) as database:
            return await question(database)

    with ready.migrated(Settings()) as url:
        return asyncio.run(ask(url))
