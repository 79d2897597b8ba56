"""Every failure becomes the one JSON shape of `app.errors.body`, never HTML."""

from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from app import errors
from app.api.middleware import allowed_methods
from app.errors import InvalidBody, UpesiError


def register(app: FastAPI) -> None:
    app.add_exception_handler(UpesiError, _ours)
    app.add_exception_handler(HTTPException, _of_the_framework)
    app.add_exception_handler(Exception, _unforeseen)


async def _ours(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, UpesiError)
    # What is unavailable now may be there in a moment: say when to ask again.
    headers = {"Retry-After": "1"} if error.status == HTTPStatus.SERVICE_UNAVAILABLE else None
    faults = error.faults if isinstance(error, InvalidBody) else ()
    return JSONResponse(errors.body(error.code, error.description, error.parameter, faults), error.status, headers)


async def _of_the_framework(request: Request, error: Exception) -> JSONResponse:
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
    return JSONResponse(errors.body(code, description), error.status_code, headers)


async def _unforeseen(_: Request, __: Exception) -> JSONResponse:
    """The traceback is for the log; a client learns nothing of the inside."""
    description = "the service failed in a way it did not foresee; its log says more"
    return JSONResponse(errors.body("InternalError", description), HTTPStatus.INTERNAL_SERVER_ERROR)
