"""Answers as HTML for browsers: made from the JSON answer of the same URL, by `app.pages`."""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, HTTPException, Request, Response

from app.api import negotiation, paths
from app.api.dependencies import Context, context_for_all, context_of
from app.api.links import HTML, collection_url
from app.api.responses import answer, collection_list, unless_known, varied
from app.api.routes import DirectRoute
from app.catalog import Catalog
from app.errors import InvalidRequest, Unauthorized, UpesiError
from app.pages import pages
from app.pages.documents import href_of
from app.pages.files import FILES, SERVED, File
from app.pages.pages import Failure, Form, Page
from app.pages.site import Site
from app.settings import Settings
from app.stac import document as documents
from app.stac.collection_search import CollectionSearch
from app.stopwatch import Stopwatch

router = APIRouter(include_in_schema=False, route_class=DirectRoute)

_TYPE = f"{HTML}; charset=utf-8"
# Nothing runs or is loaded but the packaged files, and images that the page is about.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src {images}; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# More than the boxes that can be ticked, so that the form knows there are too many.
_CHOICES = CollectionSearch(limit=13)
_LANDED = CollectionSearch(limit=24)


@router.get("/pages/{name}")
async def get_file(request: Request, name: str) -> Response:
    """A packaged file. Its name changes with its content, so that it is kept for ever."""
    file = SERVED.get(name)
    if file is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return _sent(request, file, "public, max-age=31536000, immutable")


@router.get("/favicon.ico")
async def get_icon(request: Request) -> Response:
    """For pages that name no icon of their own, as those of STAC Browser: browsers ask here then."""
    return _sent(request, FILES["icon.svg"], "public, max-age=86400")


def _sent(request: Request, file: File, kept: str) -> Response:
    response = unless_known(request, file.content, file.media_type, Stopwatch(), file.content)
    response.headers["Cache-Control"] = kept
    return response


async def either(request: Request, context: Context, found: Response, title: str) -> Response:
    """An answer that has no page of its own, in the form that is asked for."""
    if negotiation.asked(request, negotiation.DOCUMENT) is None:
        return varied(found)
    document = documents.parse(bytes(found.body))
    own = href_of(document, "self") or document.get("$id")
    url = own if isinstance(own, str) else context.base + quote(_path(request))
    return await page(request, context, lambda site: pages.document(site, document, url, title))


async def landing(request: Request, found: dict[str, Any]) -> Response:
    """With the collections, for whoever may see them."""
    try:
        context = await context_of(request)
    except Unauthorized:
        return await page(request, context_for_all(request), lambda site: pages.landing(site, found, [], False))
    first = await context.catalog.collections(_LANDED, context.watch)
    members = documents.parse(collection_list(context.base, first, [], None))["collections"]
    return await page(request, context, lambda site: pages.landing(site, found, members, first.next is not None))


async def collections(request: Request, context: Context, body: bytes) -> Response:
    given = _given(request)
    return await page(request, context, lambda site: pages.collections(site, documents.parse(body), given))


async def collection(request: Request, context: Context, body: bytes) -> Response:
    return await page(request, context, lambda site: pages.collection(site, documents.parse(body)))


async def items(request: Request, context: Context, found: Response, collection_id: str | None = None) -> Response:
    """A page of items; `found` is its JSON, and says whether it may be kept."""
    form = await _form(request, context, collection_id)
    made = await page(request, context, lambda site: pages.items(site, documents.parse(bytes(found.body)), form))
    return _kept_alike(made, found)


async def item(request: Request, context: Context, found: Response) -> Response:
    made = await page(request, context, lambda site: pages.item(site, documents.parse(bytes(found.body))))
    return _kept_alike(made, found)


async def page(request: Request, context: Context, draw: Callable[[Site], Page]) -> Response:
    """Drawn beside the loop that answers everybody else."""
    made = await asyncio.to_thread(draw, _site(context))
    return _guarded(unless_known(request, made.body, _TYPE, context.watch, made.body), made)


async def failure(request: Request, error: Exception, description: str, status: int) -> Response:
    """A failure for whoever reads HTML: beside the field at fault where a form led here."""
    try:
        context = await context_of(request)
    except UpesiError:  # which may be the failure that is told here
        context = context_for_all(request)
    parameter = error.parameter if isinstance(error, UpesiError) else None
    failed = Failure(status, HTTPStatus(status).phrase, description, parameter)
    draw = await _beside_form(request, context, failed) if isinstance(error, InvalidRequest) else None
    made = await asyncio.to_thread(draw or (lambda site: pages.failure(site, failed)), _site(context))
    response = answer(made.body, _TYPE, context.watch)
    response.status_code = status
    return _guarded(varied(response), made)


async def _beside_form(request: Request, context: Context, failed: Failure) -> Callable[[Site], Page] | None:
    path = getattr(request.scope.get("route"), "path", None)
    if path == "/collections":
        given = _given(request)
        return lambda site: pages.collections(site, {}, given, failed)
    if path in ("/search", paths.ITEMS):
        form = await _form(request, context, request.path_params.get("collection_id"), failed)
        return lambda site: pages.items(site, {}, form)
    return None


async def _form(request: Request, context: Context, collection_id: str | None, failed: Failure | None = None) -> Form:
    if collection_id is not None:
        url = f"{collection_url(context.base, collection_id)}/items"
        return Form(_site(context).local(url), _given(request), collection_id, failure=failed)
    choices = await _choices(context.catalog, context.watch)
    return Form(_site(context).path("/search"), _given(request), None, choices, failed)


async def _choices(catalog: Catalog, watch: Stopwatch) -> list[tuple[str, str]]:
    """Collections by id, with their titles."""
    found = await catalog.collections(_CHOICES, watch)
    titles = [documents.parse(one.content).get("title") for one in found.collections]
    return [(one.id, title or one.id) for one, title in zip(found.collections, titles, strict=True)]


def _given(request: Request) -> dict[str, str]:
    """What is asked, without where the page starts and which form it has."""
    return {name: value for name, value in request.query_params.items() if name not in ("f", "token")}


def _site(context: Context) -> Site:
    settings: Settings = context.settings
    return Site(context.base, settings.catalog_title, settings.catalog_description, settings.thumbnails)


def _guarded(response: Response, made: Page) -> Response:
    response.headers["Content-Security-Policy"] = _POLICY.format(images=" ".join(("'self'", *made.origins)))
    response.headers["Referrer-Policy"] = "same-origin"
    return response


def _kept_alike(made: Response, found: Response) -> Response:
    if "cache-control" in found.headers:
        made.headers["Cache-Control"] = found.headers["cache-control"]
    return made


def _path(request: Request) -> str:
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))
