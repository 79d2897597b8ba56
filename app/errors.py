"""Every failure the service answers for, one class each.

UpesiError
├── InvalidRequest      400  the request is wrong; `parameter` names the part at fault
├── NotFound            404  no such collection, item or page
├── Conflict            409  it exists already
├── TooLarge            413  the body is larger than the service accepts
├── Unavailable         503  the database cannot be reached, or refuses new work
└── TimedOut            504  the query ran into the time limit

InvalidDocument and SetupError are for the command line: a document refused by a load, and a machine or
database that is not ready. They never reach a client.
"""

from http import HTTPStatus
from typing import ClassVar


class UpesiError(Exception):
    """A failure with a status and a code a program can test for."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "InternalError"

    def __init__(self, description: str, parameter: str | None = None) -> None:
        super().__init__(description)
        self.description = description
        self.parameter = parameter


class InvalidRequest(UpesiError):
    status = HTTPStatus.BAD_REQUEST
    code = "InvalidParameterValue"


class NotFound(UpesiError):
    status = HTTPStatus.NOT_FOUND
    code = "NotFound"


class Conflict(UpesiError):
    status = HTTPStatus.CONFLICT
    code = "Conflict"


class TooLarge(UpesiError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "TooLarge"


class Unavailable(UpesiError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "Unavailable"


class TimedOut(UpesiError):
    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "TimedOut"


class InvalidDocument(Exception):
    """A STAC document that is not stored; the text says what is wrong and where in the document."""


class SetupError(Exception):
    """The machine or the database is not ready; the text says what to do."""


def body(code: str, description: str, parameter: str | None = None) -> dict[str, str]:
    """The one JSON shape of an error: an OGC API exception, with the parameter at fault where one is."""
    return {"code": code, "description": description} | ({"parameter": parameter} if parameter else {})
