"""The composition root: the only module that imports every room."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

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
    queryables,
    search,
    transactions,
)
from app.api.access import Caching, Guarded
from app.api.middleware import Compression, Methods, Paths
from app.assets.configuration import signers
from app.assets.signing import Signers
from app.catalog import Catalog
from app.errors import SetupError
from app.settings import Settings
from app.stac.validation import Rules
from app.transactions import Transactions

_CHANGES = ("PUT", "PATCH", "DELETE")
_log = logging.getLogger("upesi")


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service. `settings` come from the environment where they are not given, as a worker process has them."""
    settings = settings or Settings()
    app = FastAPI(
        title=settings.catalog_title,
        description=settings.catalog_description,
        version=version("upesi"),
        lifespan=_lifespan,
        openapi_url=None,
        # A redirect would name the host this process sees, not the one a proxy serves.
        redirect_slashes=False,
    )
    app.state.settings = settings
    allowed = signers(settings)
    app.state.signers = allowed.served()
    for module in (
        *(landing, docs, collections, collection_members, items, assets),
        *(queryables, functions, search, aggregations, html),
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
    errors.register(app)
    _wrap(app, settings)
    return app


def _add_pixels(app: FastAPI, settings: Settings, allowed: Signers) -> None:
    """What needs the libraries of the extra `raster`; without them nothing speaks of it."""
    from app.api import cubes, mosaics, pictures
    from app.raster.pool import Pool

    app.state.pool = Pool(settings, allowed)
    for module in (mosaics, cubes, pictures):
        app.router.routes.extend(module.router.routes)


def _wrap(app: FastAPI, settings: Settings) -> None:
    """From the inside out."""
    app.add_middleware(Caching)
    app.add_middleware(Compression)
    app.add_middleware(Methods, routes=app.router.routes)
    app.add_middleware(Paths, root_path=settings.root_path)
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "HEAD", "OPTIONS", "POST", *(_CHANGES if settings.writes != "off" else ())],
        allow_headers=["*"],
        expose_headers=["ETag", "Link", "Location", "Preference-Applied", "Server-Timing", freshness.HEADER],
    )


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    settings: Settings = app.state.settings
    if settings.database_url is None:
        raise SetupError("UPESI_DATABASE_URL is not set; `upesi serve` starts the embedded cluster where it is not")
    async with Catalog.opened(settings, settings.database_url) as catalog:
        callers = Callers.of(settings, catalog.database)
        app.state.callers, app.state.catalog = callers, catalog.seen_by(callers.anonymous)
        if settings.writes == "open":
            _log.warning("UPESI_WRITES=open: whoever reaches this service can change and delete what it serves")
        if settings.writes != "off":
            app.state.transactions = Transactions.of(settings, catalog, Rules.of(settings))
        yield
