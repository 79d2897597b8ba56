"""Core: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0/core."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api import docs, html, looks, negotiation, openapi, security
from app.api.dependencies import OpenContextDep
from app.api.links import FUNCTIONS, GEOJSON, HTML, JSON, OPENAPI, QUERYABLES, SCHEMA, SORTABLES, alternate, link
from app.api.openapi import CONFORMS, LANDING
from app.api.responses import answer, json_answer, varied
from app.api.routes import DirectRoute
from app.stac.conformance import advertised

router = APIRouter(tags=["Core"], route_class=DirectRoute)


@router.get("/", summary="The landing page", responses=LANDING)
async def get_landing(request: Request, context: OpenContextDep) -> Response:
    base, settings = context.base, context.settings
    root = base + "/"
    landing: dict[str, Any] = {
        "type": "Catalog",
        "stac_version": "1.0.0",
        "id": settings.catalog_id,
        "title": settings.catalog_title,
        "description": settings.catalog_description,
        "conformsTo": advertised(settings.writes != "off"),
        "links": [
            link("self", root, JSON),
            link("root", root, JSON),
            link("data", f"{base}/collections", JSON, title="Collections"),
            link("conformance", f"{base}/conformance", JSON, title="What this service conforms to"),
            link("search", f"{base}/search", GEOJSON, title="Search by GET", method="GET"),
            link("search", f"{base}/search", GEOJSON, title="Search by POST", method="POST"),
            link(QUERYABLES, f"{base}/queryables", SCHEMA, title="What filters can name"),
            link(SORTABLES, f"{base}/sortables", SCHEMA, title="What results can be sorted by"),
            link(FUNCTIONS, f"{base}/functions", JSON, title="What filters can call"),
            link("aggregate", f"{base}/aggregate", JSON, title="Aggregate by GET", method="GET"),
            link("aggregate", f"{base}/aggregate", JSON, title="Aggregate by POST", method="POST"),
            link("aggregations", f"{base}/aggregations", JSON, title="What can be aggregated"),
            *looks.of_landing(request, base),
            link("service-desc", f"{base}/api", OPENAPI, title="OpenAPI description"),
            link("service-doc", f"{base}/docs", HTML, title="Interactive documentation"),
            alternate(root),
        ],
    }
    if security.asks(settings):
        landing["stac_extensions"] = [security.AUTHENTICATION]
        landing["auth:schemes"] = security.schemes(settings)
    if negotiation.asked(request, negotiation.DOCUMENT) == HTML:
        return await html.landing(request, landing)
    return varied(json_answer(landing, context.watch))


@router.get("/conformance", summary="What this service conforms to", responses=CONFORMS)
async def get_conformance(request: Request, context: OpenContextDep) -> Response:
    found = json_answer({"conformsTo": advertised(context.settings.writes != "off")}, context.watch)
    return await html.either(request, context, found, "Conformance")


@router.get("/api", include_in_schema=False)
async def get_api(request: Request, context: OpenContextDep) -> Response:
    if negotiation.asked(request, negotiation.DOCUMENT) == HTML:
        return varied(docs.page(context))
    return varied(answer(openapi.document(request.app, context.base), OPENAPI, context.watch))
