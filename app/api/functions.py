"""Functions: OGC API Features Part 3, for the class `functions` of CQL2."""

from fastapi import APIRouter, Request, Response

from app.api import html
from app.api.dependencies import PlainContextDep
from app.api.openapi import FUNCTIONS
from app.api.responses import json_answer
from app.api.routes import DirectRoute
from app.stac.cql2.functions import listed

router = APIRouter(tags=["Queryables"], route_class=DirectRoute)


@router.get("/functions", summary="What filters can call", responses=FUNCTIONS)
async def get_functions(request: Request, context: PlainContextDep) -> Response:
    found = json_answer({"functions": listed()}, context.watch)
    return await html.either(request, context, found, "Functions")
