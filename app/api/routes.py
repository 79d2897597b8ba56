"""How a request comes to its endpoint: FastAPI documents endpoints and their dependencies, and calls neither.

Its own way to them is for dependencies of any kind, with their scopes, caches and validation: a quarter of the time of
a search in the service. Here an endpoint takes the request, texts of its path, and dependencies that take the same.
"""

from collections.abc import Callable, Coroutine, Iterable
from inspect import signature
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from fastapi import Request, Response
from fastapi.params import Depends
from fastapi.routing import APIRoute
from starlette.types import Receive, Scope, Send

_Call = Callable[[Request], Coroutine[Any, Any, Any]]


class DirectRoute(APIRoute):
    """Raises TypeError for an endpoint with another kind of argument, where it is made."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, endpoint, **options)
        handle = self.get_route_handler()

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            # Whatever is raised goes to the handlers of errors that stand around all routes.
            response = await handle(Request(scope, receive, send))
            await response(scope, receive, send)

        self.app = app

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        return _called(self.endpoint, self.param_convertors)


def _called(call: Callable[..., Any], in_path: Iterable[str]) -> _Call:
    """`call` of a request; its dependencies one after the other, in their order."""
    takes_request: list[str] = []
    texts: list[str] = []
    needed: list[tuple[str, _Call]] = []
    hints = get_type_hints(call, include_extras=True)
    for name in signature(call).parameters:
        hint = hints[name]
        if hint is Request:
            takes_request.append(name)
        elif hint is str and name in in_path:
            texts.append(name)
        elif get_origin(hint) is Annotated and isinstance(depends := get_args(hint)[1], Depends):
            assert depends.dependency is not None
            needed.append((name, _called(depends.dependency, in_path)))
        else:
            raise TypeError(f"{call.__name__}: {name} is no request, no text of the path, and no dependency")

    async def handle(request: Request) -> Any:
        arguments: dict[str, Any] = dict.fromkeys(takes_request, request)
        for name in texts:
            arguments[name] = request.path_params[name]
        for name, dependency in needed:
            arguments[name] = await dependency(request)
        return await call(**arguments)

    return handle
