"""Every failure becomes the one JSON shape of `app.errors.body`, or a page that says the same to a browser."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app import errors
from app.api import html, negotiation
from app.api.access import challenge
from app.api.dependencies import Untidy
from app.api.middleware import allowed_methods
from app.api.responses import varied
from app.errors import InvalidBody, UpesiError


def register(app: FastAPI) -> None:
    app.add_exception_handler(UpesiError, _ours)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(Untidy, _tidied)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, UpesiError)
    told = _content(error)
    return await _told(request, error, told.body, told.status, told.headers)


class _Content(NamedTuple):
    body: dict[str, Any]
    status: int
    headers: dict[str, str]


def _content(error: UpesiError) -> _Content:
    # What cannot be had now may be there in a moment: say when to ask again.
    headers = {} if error.retry_after is None else {"Retry-After": str(error.retry_after)}
    if (told := challenge(error)) is not None:
        headers["WWW-Authenticate"] = told
    faults = error.faults if isinstance(error, InvalidBody) else ()
    return _Content(errors.body(error.code, error.description, error.parameter, faults), error.status, headers)


def answer_to(error: UpesiError) -> JSONResponse:
    """For who is not let in as far as the routes."""
    return JSONResponse(*_content(error))


async def _told(
    request: Request, error: Exception, body: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None
) -> Response:
    """In the form that is asked for."""
    if not negotiation.wants_page(request):
        return varied(JSONResponse(body, status, headers))
    page = await html.failure(request, error, body["description"], status)
    page.headers.update(headers or {})
    return page


async def _tidied(_: Request, error: Exception) -> Response:
    """A browser goes on to where anybody else would have asked at once, so that what it shows can be passed on."""
    assert isinstance(error, Untidy)
    return Response(status_code=HTTPStatus.SEE_OTHER, headers={"Location": f"?{error.query}"})


async def _of_the_framework(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = HTTPStatus(error.status_code).phrase.title().replace(" ", "")
    descriptions = {
        404: f"there is nothing at {request.url.path!r}",
        405: f"{request.method} is not for {request.url.path!r}",
    }
    description = descriptions.get(error.status_code, error.detail)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        # Below a mount the scope's root is the mount's, and the routes are those of the service.
        root = request.scope.get("app_root_path", request.scope.get("root_path", ""))
        allowed = allowed_methods(request.app.routes, {**request.scope, "root_path": root})
        headers["Allow"] = ", ".join(sorted(allowed))
    return await _told(request, error, errors.body(code, description), error.status_code, headers)


async def unforeseen(request: Request, error: Exception) -> Response:
    """The traceback is for the log; a client learns nothing of the inside."""
    description = "the service failed in a way it did not foresee; its log says more"
    body, status = errors.body("InternalError", description), HTTPStatus.INTERNAL_SERVER_ERROR
    try:
        return await _told(request, error, body, status)
    except Exception:
        # What makes pages may be what failed.
        return JSONResponse(body, status)
