"""Endpoints are called with what FastAPI documents of them."""

from typing import Annotated

import httpx
import pytest
from fastapi import APIRouter, Depends, FastAPI, Request, Response

from app.api.routes import DirectRoute
from app.main import create_app
from app.settings import Settings

pytestmark = pytest.mark.anyio


async def first(request: Request) -> list[str]:
    request.state.called = ["first"]
    return [request.url.query]


async def second(place: str, request: Request) -> str:
    request.state.called.append("second")
    return f"{place}!"


def router() -> APIRouter:
    made = APIRouter(route_class=DirectRoute)

    @made.get("/places/{place}/{other}")
    async def get_place(
        one: Annotated[list[str], Depends(first)], two: Annotated[str, Depends(second)], request: Request, other: str
    ) -> Response:
        return Response(" ".join([*one, two, other, *request.state.called]))

    @made.get("/nothing")
    async def get_nothing() -> Response:
        return Response(status_code=204)

    return made


async def test_arguments_are_the_request_the_path_and_dependencies_in_their_order() -> None:
    app = FastAPI()
    app.router.routes.extend(router().routes)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        assert (await client.get("/places/here/there?query")).text == "query here! there first second"
        assert (await client.get("/nothing")).status_code == 204
    parameters = app.openapi()["paths"]["/places/{place}/{other}"]["get"]["parameters"]
    assert {parameter["name"] for parameter in parameters} == {"place", "other"}


def test_another_argument_is_refused_where_the_route_is_made() -> None:
    async def of_a_number(limit: int) -> Response:
        return Response(str(limit))

    async def of_another_path(other: str) -> Response:
        return Response(other)

    for endpoint, name in ((of_a_number, "limit"), (of_another_path, "other")):
        with pytest.raises(TypeError, match=f"{endpoint.__name__}: {name} is no request"):
            DirectRoute("/places/{place}", endpoint)


def test_all_that_is_documented_is_called_so(settings: Settings) -> None:
    app = create_app(settings.model_copy(update={"writes": "open", "metrics": "on"}))
    routes = {route.path_format for route in app.routes if isinstance(route, DirectRoute)}
    assert set(app.openapi()["paths"]) <= routes
