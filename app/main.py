"""The composition root: the only module that imports every room."""

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from importlib.metadata import version
from logging.config import dictConfig
from multiprocessing import current_process, parent_process

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from app import raster
from app.access.callers import Callers
from app.api import (
    aggregations,
    assets,
    browser,
    collection_members,
    collections,
    docs,
    errors,
    freshness,
    functions,
    html,
    items,
    landing,
    management,
    queryables,
    responses,
    search,
    transactions,
)
from app.api.access import Caching, Guarded
from app.api.admission import Admission
from app.api.front import Front, Named
from app.api.middleware import Compression, Methods, Paths
from app.assets.configuration import signers
from app.assets.signing import Signers
from app.catalog import Catalog
from app.database import schema
from app.errors import SetupError
from app.limits.gate import Gate
from app.limits.rate import Buckets, OwnBuckets, Policy
from app.observing import logs
from app.observing.exchange import Observer
from app.observing.logs import Access
from app.settings import Settings
from app.stac.validation import Rules
from app.transactions import Transactions

_CHANGES = ("PUT", "PATCH", "DELETE")
_EXPOSED = [
    *("ETag", "Link", "Location", "Preference-Applied", "RateLimit", "RateLimit-Policy", "Retry-After"),
    *("Server-Timing", "X-Request-ID", freshness.HEADER, responses.LEFT_OUT),
]
_log = logging.getLogger("upesi")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service. `settings` come from the environment where they are not given, as a worker process has them."""
    settings = settings or Settings()
    settings.check()
    app = FastAPI(
        title=settings.catalog_title,
        description=settings.catalog_description,
        version=version("upesi"),
        lifespan=_lifespan,
        openapi_url=None,
        # A redirect would name the host this process sees, not the one a proxy serves.
        redirect_slashes=False,
        # `app.observing.tracing` sends what is to be sent.
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )
    app.state.settings = settings
    allowed = signers(settings)
    app.state.signers = allowed.served()
    app.state.access = None
    # Routes are tried one after the other: those that are asked most come first.
    for module in (
        *(search, collections, items, landing, collection_members, assets),
        *(queryables, functions, aggregations, html, docs, management),
    ):
        app.router.routes.extend(module.router.routes)
    if raster.is_installed():
        _add_pixels(app, settings, allowed)
    if settings.writes != "off":
        app.router.routes.extend([*transactions.items.routes, *transactions.collections.routes])
    app.router.routes.append(docs.assets)
    if settings.browser_dir is not None:
        app.router.routes.extend([*browser.router.routes, browser.files(settings.browser_dir)])
    if settings.static_dir is not None:
        app.router.routes.append(Mount("/static", Guarded(StaticFiles(directory=settings.static_dir))))
    if settings.metrics == "on":
        management.serve_metrics(app)
    errors.register(app)
    app.state.buckets = _buckets(settings)
    app.state.gate = Gate(settings.max_concurrent, settings.max_waiting, settings.max_wait)
    _wrap(app, settings, tuple(_observers(app, settings)), app.state.gate)
    return app


def _add_pixels(app: FastAPI, settings: Settings, allowed: Signers) -> None:
    """What needs the libraries of the extra `raster`; without them nothing speaks of it."""
    from app.api import cubes, mosaics, pictures
    from app.raster.pool import Pool

    app.state.pool = Pool(settings, allowed)
    app.state.access = app.state.pool.access
    for module in (mosaics, cubes, pictures):
        app.router.routes.extend(module.router.routes)


def _wrap(app: FastAPI, settings: Settings, observers: Sequence[Observer], gate: Gate) -> None:
    """From the inside out."""
    app.add_middleware(Caching)
    if observers:
        app.add_middleware(Named)
    app.add_middleware(Compression)
    app.add_middleware(Methods, routes=app.router.routes)
    app.add_middleware(Paths, root_path=settings.root_path)
    app.add_middleware(
        Admission,
        gate=gate,
        buckets=app.state.buckets,
        trusted=settings.trusted_proxies,
        timeout=settings.request_timeout,
    )
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_origin_regex=settings.cors_origin_regex.pattern if settings.cors_origin_regex else None,
        allow_credentials=settings.cors_credentials,
        max_age=settings.cors_max_age,
        allow_methods=["GET", "HEAD", "OPTIONS", "POST", *(_CHANGES if settings.writes != "off" else ())],
        allow_headers=["*"],
        expose_headers=_EXPOSED,
    )
    app.add_middleware(Front, observers=observers)


def _buckets(settings: Settings) -> Buckets | None:
    if settings.rate_limit is None:
        return None
    policy = Policy.of(settings.rate_limit)
    if settings.rate_limit_redis is None:
        return OwnBuckets(policy)
    from app.limits.shared import SharedBuckets

    return SharedBuckets(policy, settings.rate_limit_redis.get_secret_value())


def _observers(app: FastAPI, settings: Settings) -> Iterator[Observer]:
    """What is off is not even imported."""
    if settings.access_log:
        yield Access()
    if settings.metrics != "off":
        from app.observing.metrics import Metrics

        app.state.metrics = Metrics()
        yield app.state.metrics
    if settings.traces != "off":
        from app.observing.tracing import Tracing

        app.state.tracing = Tracing.to_collector()
        yield app.state.tracing


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    if settings.log_format == "json" or settings.access_log:
        dictConfig(logs.configuration(settings.log_format))
    url = settings.database_url
    if url is None:
        raise SetupError("UPESI_DATABASE_URL is not set; `upesi serve` starts the embedded cluster where it is not")
    await schema.await_known(settings.servers(url), settings.database_wait)
    app.state.health = management.Health(url)
    tracing = getattr(app.state, "tracing", None)
    async with AsyncExitStack() as stack:
        if tracing is not None:
            stack.enter_context(tracing.sending())
        if app.state.buckets is not None:
            stack.push_async_callback(app.state.buckets.close)
        catalog = await stack.enter_async_context(
            Catalog.opened(settings, url, None if tracing is None else tracing.statement)
        )
        callers = Callers.of(settings, catalog.database)
        app.state.callers, app.state.catalog = callers, catalog.seen_by(callers.anonymous)
        if settings.writes == "open" and _is_first_of_the_workers():
            _log.warning("UPESI_WRITES=open: whoever reaches this service can change and delete what it serves")
        if settings.writes != "off":
            app.state.transactions = Transactions.of(settings, catalog, Rules.of(settings))
        if settings.metrics != "off":
            await _publish(stack, app, settings.metrics)
        stack.enter_context(_heap_set_apart())
        stack.enter_context(_ended_with_the_first_process())
        yield


@contextmanager
def _heap_set_apart() -> Iterator[None]:
    """A full collection of garbage would look again at all that a service is made of, and every request would wait."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def _ended_with_the_first_process() -> Iterator[None]:
    """A worker stops when the process that started it is killed: nobody else would tell it, and it would keep the
    port."""
    first = parent_process()
    if first is None:
        yield
        return
    loop = asyncio.get_running_loop()

    def stop() -> None:
        loop.remove_reader(first.sentinel)
        signal.raise_signal(signal.SIGTERM)

    loop.add_reader(first.sentinel, stop)
    try:
        yield
    finally:
        loop.remove_reader(first.sentinel)


async def _publish(stack: AsyncExitStack, app: FastAPI, where: str) -> None:
    """Metrics, at an address of their own too where one is named."""
    from app.observing.metrics import listen

    gate: Gate = app.state.gate
    database = app.state.catalog.database
    await stack.enter_async_context(
        app.state.metrics.sampling(lambda: {"requests_waiting": gate.waiting, **database.use()})
    )
    if where != "on":
        stack.callback(listen(where))


def _is_first_of_the_workers() -> bool:
    """What is said once need not be said by each of the processes that uvicorn starts."""
    return parent_process() is None or current_process().name.endswith("-1")
