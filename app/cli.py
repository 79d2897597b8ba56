"""`upesi`: the second door, beside HTTP, to the same catalogue."""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Annotated, TypeVar

import typer
import uvicorn
from pydantic import ValidationError
from rich.markup import escape
from rich.table import Column, Table
from rich.text import Text

from app import admission, client, console, indexing, pixels
from app import demo as demo_catalogue
from app.api.connection import Connection
from app.api.listening import check_address, parted
from app.assets.configuration import signers
from app.bulk import compact as compaction
from app.bulk.load import Loader, OnError
from app.bulk.prepare import calm_collector
from app.bulk.readers import Entry
from app.bulk.readers.sources import Format, Source
from app.bulk.report import Report, Told
from app.bulk.run import Job, run
from app.catalog import Catalog
from app.database import ready, schema
from app.database.pool import Database
from app.errors import SetupError, UpesiError
from app.exports import file as export_file
from app.exports.file import ExportFormat
from app.observing import logs
from app.observing.processes import folder_of_metrics
from app.settings import Settings
from app.sql.loading import Mode
from app.stac.search import Search
from app.stac.validation import Rules

app = typer.Typer(
    help="Upesi serves STAC catalogues from PostGIS.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=console.MARKUP,
)
app.add_typer(client.commands)
app.add_typer(pixels.commands)
app.add_typer(admission.tokens, name="token")
app.add_typer(admission.commands)
_out, _err = console.out, console.err

Answer = TypeVar("Answer")
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port to listen on.", min=0, max=65535)]
Workers = Annotated[int, typer.Option(help="Processes that answer requests.", min=1)]

# Seconds a statement of a load may run: a batch is written by one, and ANALYZE is another.
_LOAD_TIMEOUT = 600
# Seconds in which a worker has to start: on a busy machine the usual 5 are too few, and it would be ended for it.
_WORKER_SECONDS = 20


def main() -> None:
    """Failures that have a remedy are told in one line; only what nobody foresaw has a traceback."""
    # A stop asked for from outside unwinds like Ctrl-C, so that the embedded cluster is stopped too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        app()
    except (SetupError, UpesiError) as error:
        _print_error(str(error))
        sys.exit(1)
    except ValidationError as error:
        for fault in error.errors(include_url=False):
            _print_error(f"UPESI_{str(fault['loc'][0]).upper()}: {fault['msg'].removeprefix('Value error, ')}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


def _print_error(text: str) -> None:
    _err.print(Text.assemble(("error: ", "bold red"), text), soft_wrap=True)


@app.callback(invoke_without_command=True)
def _root(show_version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False) -> None:
    if show_version:
        _out.print(f"upesi {version('upesi')}")
        raise typer.Exit


@app.command(epilog=console.examples("serve --port 8080 --workers 4"))
def serve(host: Host = "127.0.0.1", port: Port = 8080, workers: Workers = 1) -> None:
    """Serve the catalogue over HTTP until Ctrl-C.

    Without UPESI_DATABASE_URL a private PostgreSQL cluster is made, started and migrated in UPESI_DATA_DIR.
    """
    settings = _checked()
    check_address(host, port)
    with ready.served(settings) as url:
        _serve(settings, url, host, port, workers)


@app.command(
    epilog=console.examples(
        "load items.ndjson catalog/catalog.json",
        "load https://example.com/stac/collections/sentinel-2-l2a --mode upsert",
        "load items.parquet --on-error skip --report report.json",
    )
)
def load(
    sources: Annotated[
        list[str],
        typer.Argument(help="Files, folders, URLs, databases, loaded in this order; `-` is standard input."),
    ],
    mode: Annotated[
        Mode, typer.Option(help="With an id that exists: refuse the new one, or replace the old.")
    ] = "insert",
    on_error: Annotated[OnError, typer.Option(help="What is done at a document that is refused.")] = "stop",
    form: Annotated[
        Format | None,
        typer.Option("--format", help="Of the sources; else found from the content.", show_default=False),
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on where the load of these files was interrupted.")
    ] = False,
    workers: Annotated[
        int | None,
        typer.Option(help="Processes that check documents; 1 is none but this.  [default: one a core]", min=1),
    ] = None,
    report: Annotated[
        str | None, typer.Option(help="File that is told in JSON what became of the load; `-` is standard output.")
    ] = None,
) -> None:
    """Load collections and items: NDJSON, JSON, ItemCollections, GeoParquet, static catalogues, STAC APIs, pgstac.

    Each document is checked first. A batch of up to 1,000 items is stored whole or not at all, so that with
    `--on-error stop` nothing of the batch with the fault is stored, and with `skip` all of it but the faults.

    Exits with 0 where every document is stored, 1 where one was refused or the load failed, 2 where it is misspelt, 130
    after Ctrl-C and 143 when it was asked to end. Whatever ended it, also by force, `--resume` goes on with a file.
    """
    named = [Source(location, form) for location in sources]
    for source in named:
        source.check()
    if report is not None and report != "-":
        if not Path(report).parent.is_dir():
            raise SetupError(f"there is no folder for the report {report!r}")
        if Path(report).is_dir():
            raise SetupError(f"the report {report!r} is a folder, and not a file")
    settings = Settings()
    processes = workers or os.cpu_count() or 1
    job = Job(named, mode, on_error, resume, processes, Rules.of(settings))
    told = Told(Report())
    with _reported(told, report), ready.migrated(settings) as url:
        asyncio.run(_load(url, job, told))
    console.summarise(told, _err if report == "-" else _out)
    if told.report.refused:
        raise typer.Exit(1)


@app.command(
    epilog=console.examples(
        "export --to items.parquet --format geoparquet --collection things --bbox 5,45,15,55",
        "export --to folder --format static",
    )
)
def export(
    to: Annotated[str, typer.Option(help="A file (`-` is standard output), or a folder for `static`.")],
    form: Annotated[ExportFormat, typer.Option("--format", help="Of what is written.")] = "ndjson",
    collection: Annotated[list[str] | None, typer.Option(help="Of these collections; again for each.")] = None,
    bbox: Annotated[str | None, typer.Option(help="west,south,east,north")] = None,
    datetime: Annotated[str | None, typer.Option(help="An instant, or `start/end`.")] = None,
    filter_: Annotated[str | None, typer.Option("--filter", help="CQL2 text.")] = None,
    limit: Annotated[str | None, typer.Option(help="Items at most.")] = None,
) -> None:
    """Write items and their collections: NDJSON, STAC GeoParquet, or a static catalogue. `load` reads each of them."""
    given = {"bbox": bbox, "datetime": datetime, "filter": filter_, "limit": limit}
    search = Search.from_query({name: value for name, value in given.items() if value is not None})
    if collection:
        search = replace(search, collections=tuple(dict.fromkeys(collection)))
    settings = Settings()
    with ready.migrated(settings) as url:
        asyncio.run(_export(settings, url, search, to, form))


async def _export(settings: Settings, url: str, search: Search, to: str, form: ExportFormat) -> None:
    async with Database.opened(url, size=1, query_timeout=_LOAD_TIMEOUT) as database:
        catalog = Catalog(database, settings.default_limit, settings.max_limit)
        await export_file.write(catalog, search, to, form, settings)


@app.command(epilog=console.examples("compact", "compact --collection sentinel-2-l2a"))
def compact(
    collections: Annotated[
        list[str] | None, typer.Option("--collection", help="One of this id; may be repeated. Else all.")
    ] = None,
) -> None:
    """Store items in fewer bytes: train dictionaries on what collections have become, and rewrite items with them.

    Runs beside everything else, in small transactions. What is served stays as it is. A dictionary that no item needs
    any more goes in a later run, when its successor is an hour old.
    """
    with ready.migrated(Settings()) as url:
        asyncio.run(_compact(url, collections or []))


async def _compact(url: str, collections: list[str]) -> None:
    async with Database.opened(url, size=1, query_timeout=_LOAD_TIMEOUT) as database:
        with _err.status("Compacting …"):
            async for done in compaction.compact(database, collections):
                console.tell_compaction(done)


@app.command(epilog=console.examples("migrate"))
def migrate() -> None:
    """Bring the database up to the schema of this version. Safe to repeat."""
    settings = Settings()
    with ready.database(settings) as url:
        schema.migrate(url)
    _out.print(f"The database is at revision {schema.newest_revision()}.")


@app.command(epilog=console.examples("doctor"))
def doctor() -> None:
    """Say what is found, in which state it is, and what to do about each problem."""
    from app import doctor as checks  # It needs the tables as SQLAlchemy has them, which the other commands do not.

    healthy = True
    for finding in checks.findings(Settings()):
        healthy &= finding.remedy is None
        mark = ("ok   ", "green") if finding.remedy is None else ("fail ", "red")
        _out.print(Text.assemble(mark, (finding.name, "bold"), f": {finding.state}"), soft_wrap=True)
        if finding.remedy is not None:
            _out.print(Text(f"     → {finding.remedy}"), soft_wrap=True)
    if not healthy:
        raise typer.Exit(1)


_index = typer.Typer(
    help="Indexes on properties, for sorting and filtering by them at the cost of the page.", no_args_is_help=True
)
app.add_typer(_index, name="index")
Property = Annotated[str, typer.Argument(metavar="PROPERTY", help="Name of a property, such as eo:cloud_cover.")]


@_index.command("add", epilog=console.examples("index add eo:cloud_cover"))
def index_add(name: Property) -> None:
    """Make the index of a property, while the service reads and writes. Safe to repeat, also when it was stopped."""
    start = monotonic()
    with ready.migrated(Settings()) as url, _out.status(f"Making the index on {escape(name)} …"):
        made = asyncio.run(_with_one_connection(url, lambda database: indexing.add(database, name)))
    if made is None:
        _out.print(Text(f"The index on {name} is there already."))
    else:
        _out.print(
            Text(
                f"The index on {made.property} is there: {made.bytes / 1e6:,.1f} MB, {monotonic() - start:,.1f} s."
                " A running service uses it within half a minute."
            ),
            soft_wrap=True,
        )


@_index.command("drop", epilog=console.examples("index drop eo:cloud_cover"))
def index_drop(name: Property) -> None:
    """Drop the index of a property, while the service reads and writes."""
    with ready.migrated(Settings()) as url:
        asyncio.run(_with_one_connection(url, lambda database: indexing.drop(database, name)))
    _out.print(Text(f"The index on {name} is dropped."))


@_index.command("list", epilog=console.examples("index list"))
def index_list() -> None:
    """The properties that have an index, with its state and its size."""
    with ready.migrated(Settings()) as url:
        found = asyncio.run(_with_one_connection(url, indexing.listed))
    if not found:
        _out.print("No property has an index; `upesi index add eo:cloud_cover` makes one.")
        return
    table = Table("property", "state", Column("MB", justify="right"), "since", box=None)
    for index in found:
        table.add_row(Text(index.property), index.state, f"{index.bytes / 1e6:,.1f}", f"{index.created:%Y-%m-%d}")
    _out.print(table)


async def _with_one_connection(url: str, ask: Callable[[Database], Awaitable[Answer]]) -> Answer:
    """Without a time limit: an index takes what it takes."""
    async with Database.opened(url, size=1, query_timeout=None) as database:
        return await ask(database)


@app.command(epilog=console.examples("demo --port 8000"))
def demo(host: Host = "127.0.0.1", port: Port = 8080, workers: Workers = 1) -> None:
    """Load the demo catalogue, made here without a network, and serve it."""
    settings = _checked()
    check_address(host, port)
    with ready.migrated(settings) as url:
        static = settings.data_dir / "static"
        with _out.status("Writing the files of the demo …"):
            demo_catalogue.write_files(static)
        report = asyncio.run(_load_demo(url))
        _out.print(f"The demo catalogue is there: {console.counted(report)}.")
        os.environ["UPESI_STATIC_DIR"] = str(static)
        _introduce(f"http://{host}:{port}")
        _serve(settings, url, host, port, workers)


def _introduce(url: str) -> None:
    uvx = Path(sys.executable).with_name("uvx")
    _out.print(
        f"\n[bold]Upesi is at {url}[/] (Ctrl-C stops it). Three things to try:\n\n"
        f"  curl '{url}/search?bbox=5,45,15,55&limit=1'\n"
        f"  {uvx if uvx.exists() else 'uvx'} --from pystac-client stac-client search {url} -c demo-cogs\n"
        f"  {url} in a browser\n",
        soft_wrap=True,
    )


def _checked() -> Settings:
    """With what each worker reads again: one that ends there is begun anew without end. Raises SetupError."""
    settings = Settings()
    settings.check()
    signers(settings)
    return settings


def _serve(settings: Settings, url: str, host: str, port: int, workers: int) -> None:
    # Worker processes are started afresh: the environment is how they learn of the embedded cluster.
    os.environ["UPESI_DATABASE_URL"] = url
    with folder_of_metrics(settings.metrics, workers), parted():
        uvicorn.run(
            "app.main:create_app",
            factory=True,
            http=Connection,
            loop="app.api.listening:Loop",
            host=host,
            port=port,
            workers=workers,
            proxy_headers=False,
            server_header=False,
            access_log=False,
            log_config=logs.configuration(settings.log_format),
            timeout_graceful_shutdown=settings.stop_timeout,
            timeout_worker_healthcheck=_WORKER_SECONDS,
        )


async def _load(url: str, job: Job, told: Told) -> None:
    # asyncio cancels its task at Ctrl-C, which is not told of it while it waits for a pipe or a server.
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    calm_collector()
    # It tells of connections that it cannot make with a traceback, which we tell of in a line.
    logging.getLogger("asyncpg").setLevel(logging.CRITICAL)
    async with Database.opened(url, size=1, query_timeout=_LOAD_TIMEOUT) as database:
        with console.progress(told) as progress:
            await run(database, job, told, console.Watch(progress))


@contextmanager
def _reported(told: Told, to: str | None) -> Iterator[None]:
    """The report is written however the load ends."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit):
        told.outcome = "interrupted"
        _err.print("Interrupted: all batches before this one are stored, and --resume goes on with a file.")
        raise
    except Exception as error:
        told.error = str(error)
        if told.report.stored > told.before:
            _err.print("Failed: all batches before this one are stored, and --resume goes on with a file.")
        raise
    finally:
        if to == "-":
            sys.stdout.buffer.write(told.json())
        elif to is not None:
            Path(to).write_bytes(told.json())


async def _load_demo(url: str) -> Report:
    async with Database.opened(url, size=1, query_timeout=_LOAD_TIMEOUT) as database:
        told = Told(Report())
        loader = Loader(database, "upsert", "stop", console.print_refusal, report=told.report)
        with console.progress(told) as progress:
            documents = chain(demo_catalogue.collections(), demo_catalogue.items())
            found = progress.track(documents, demo_catalogue.COUNT, description="demo catalogue")
            await loader.load(Entry(document["id"], document) for document in found)
        await loader.finish()
    return loader.report
