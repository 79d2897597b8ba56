"""Every failure the service answers for, one class each.

UpesiError
├── InvalidRequest      400  the request is wrong; `parameter` names the part at fault
│   └── InvalidBody     400  a document is wrong; `faults` name all its places
├── Unauthorized        401  who asks is not known, and has to be
├── Forbidden           403  what is asked for lies where the operator lets nobody go
│   └── MissingRight    403  who asks is known, and has no right to that
├── NotFound            404  no such collection, item or page
├── Conflict            409  it exists already, or it is still needed
│   └── Dangling        409  the collection was deleted in the meantime
├── PreconditionFailed  412  If-Match names another state than the stored one
├── TooLarge            413  the body is larger than the service accepts
├── UnsupportedType     415  the body has a content type that is not read here
├── InvalidMetadata     422  what is stored says something that cannot be; `parameter` is its place
├── TooSlow             408  the body did not come in time
├── PreconditionMissing 428  the service asks for If-Match
├── NotInstalled        501  the service is without the libraries that this needs
├── Unreadable          502  a file that an item refers to cannot be read
├── TooManyRequests     429  the client asks more often than it may
├── Unavailable         503  the database, or the issuer of tokens, cannot be reached, or refuses new work
│   └── Busy            503  the service has more to do than it can in time
└── TimedOut            504  the query ran into the time limit

InvalidDocument is a document that is refused, wherever it came from: a load tells its text, HTTP makes it an
InvalidBody. SetupError is for the command line: a machine or database that is not ready.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong at one place of a document: `path` is `properties.datetime` or `links.0.href`, empty for all."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message

    def below(self, place: str) -> "Fault":
        """The same fault in a document that holds this one at `place`."""
        return Fault(f"{place}.{self.path}" if self.path else place, self.message)


class UpesiError(Exception):
    """A failure with a status and a code a program can test for."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "InternalError"
    # Seconds after which asking again can help; None where it cannot.
    retry_after: int | None = None

    def __init__(self, description: str, parameter: str | None = None) -> None:
        super().__init__(description)
        self.description = description
        self.parameter = parameter


class InvalidRequest(UpesiError):
    status = HTTPStatus.BAD_REQUEST
    code = "InvalidParameterValue"


class InvalidBody(InvalidRequest):
    code = "InvalidDocument"

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(described(faults), "body")
        self.faults = faults


class Unauthorized(UpesiError):
    """`invalid` is that a credential was sent which is none, or none any more."""

    status = HTTPStatus.UNAUTHORIZED
    code = "Unauthorized"

    def __init__(self, description: str, invalid: bool = False) -> None:
        super().__init__(description)
        self.invalid = invalid


class Forbidden(UpesiError):
    status = HTTPStatus.FORBIDDEN
    code = "Forbidden"


class MissingRight(Forbidden):
    """`scope` is the least that would be enough."""

    def __init__(self, description: str, scope: str) -> None:
        super().__init__(description)
        self.scope = scope


class NotFound(UpesiError):
    status = HTTPStatus.NOT_FOUND
    code = "NotFound"


class Conflict(UpesiError):
    status = HTTPStatus.CONFLICT
    code = "Conflict"


class Dangling(Conflict):
    """A row refers to another that is gone."""


class PreconditionFailed(UpesiError):
    status = HTTPStatus.PRECONDITION_FAILED
    code = "PreconditionFailed"


class TooLarge(UpesiError):
    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "TooLarge"


class UnsupportedType(UpesiError):
    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "UnsupportedMediaType"


class InvalidMetadata(UpesiError):
    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "InvalidMetadata"

    def __init__(self, description: str, place: str) -> None:
        super().__init__(f"{place}: {description}", place)


class TooSlow(UpesiError):
    status = HTTPStatus.REQUEST_TIMEOUT
    code = "TooSlow"


class PreconditionMissing(UpesiError):
    status = HTTPStatus.PRECONDITION_REQUIRED
    code = "PreconditionRequired"


class NotInstalled(UpesiError):
    status = HTTPStatus.NOT_IMPLEMENTED
    code = "NotInstalled"


class Unreadable(UpesiError):
    status = HTTPStatus.BAD_GATEWAY
    code = "Unreadable"


class TooManyRequests(UpesiError):
    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "TooManyRequests"

    def __init__(self, description: str, retry_after: int) -> None:
        super().__init__(description)
        self.retry_after = retry_after


class Unavailable(UpesiError):
    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "Unavailable"
    retry_after = 1


class Busy(Unavailable):
    code = "Busy"

    def __init__(self, description: str, retry_after: int) -> None:
        super().__init__(description)
        self.retry_after = retry_after


class TimedOut(UpesiError):
    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "TimedOut"


class InvalidDocument(Exception):
    """A STAC document that is not stored; the text says what is wrong and where in the document, on one line."""

    def __init__(self, *faults: Fault | str) -> None:
        self.faults = tuple(Fault("", fault) if isinstance(fault, str) else fault for fault in faults)
        super().__init__(described(self.faults))


class SetupError(Exception):
    """The machine or the database is not ready; the text says what to do."""


_TOLD = 20


def described(faults: Sequence[Fault]) -> str:
    """On one line, and not without end."""
    told = "; ".join(str(fault) for fault in faults[:_TOLD])
    return f"{told}; and {len(faults) - _TOLD} more" if len(faults) > _TOLD else told


def body(
    code: str, description: str, parameter: str | None = None, faults: Sequence[Fault] = ()
) -> dict[str, str | list[dict[str, str]]]:
    """The one JSON shape of an error: an OGC API exception, with the parameter at fault and the places in a document
    where there are such."""
    error: dict[str, str | list[dict[str, str]]] = {"code": code, "description": description}
    if parameter:
        error["parameter"] = parameter
    if faults:
        error["faults"] = [{"path": fault.path, "message": fault.message} for fault in faults[:_TOLD]]
    return error
