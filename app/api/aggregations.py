"""The Aggregation extension 0.3.0: https://github.com/stac-api-extensions/aggregation."""

from typing import Any

from fastapi import APIRouter, Request, Response

from app.api import html, paths
from app.api.dependencies import (
    CollectionAggregateDep,
    ContextDep,
    PlainContextDep,
    PostedAggregateDep,
    PostedCollectionAggregateDep,
    QueryAggregateDep,
)
from app.api.links import JSON, Link, collection_url, link
from app.api.openapi import AGGREGATION_COLLECTION, COLLECTION_AGGREGATIONS
from app.api.parameters import AGGREGATE_BODY, AGGREGATE_PARAMETERS
from app.api.responses import json_answer
from app.api.routes import DirectRoute
from app.stac.aggregation import described

router = APIRouter(tags=["Aggregation"], route_class=DirectRoute)


@router.get("/aggregations", summary="What can be aggregated", responses=AGGREGATION_COLLECTION)
async def get_aggregations(request: Request, context: PlainContextDep) -> Response:
    links = _links(context.base, context.base, "aggregations")
    found = json_answer(_collection(described(), links), context.watch)
    return await html.either(request, context, found, "Aggregations")


@router.get(
    paths.AGGREGATIONS, summary="What can be aggregated of a collection's items", responses=COLLECTION_AGGREGATIONS
)
async def get_collection_aggregations(request: Request, context: PlainContextDep, collection_id: str) -> Response:
    await context.catalog.collection(collection_id)
    links = _links(context.base, collection_url(context.base, collection_id), "aggregations")
    found = json_answer(_collection(described(), links), context.watch)
    return await html.either(request, context, found, f"Aggregations of {collection_id}")


@router.get(
    "/aggregate",
    summary="Aggregations of the items that a search finds",
    responses=AGGREGATION_COLLECTION,
    openapi_extra=AGGREGATE_PARAMETERS,
)
async def get_aggregate(request: Request, context: ContextDep, asked: QueryAggregateDep) -> Response:
    context.watch.lap("parse")
    counted = await context.catalog.aggregate(asked, context.watch)
    found = json_answer(_collection(counted, _links(context.base, context.base, _asked(request))), context.watch)
    return await html.either(request, context, found, "Aggregations")


@router.post(
    "/aggregate",
    summary="Aggregations of the items that a search finds",
    responses=AGGREGATION_COLLECTION,
    openapi_extra=AGGREGATE_BODY,
)
async def post_aggregate(context: PlainContextDep, asked: PostedAggregateDep) -> Response:
    context.watch.lap("parse")
    found = await context.catalog.aggregate(asked, context.watch)
    return json_answer(_collection(found, _links(context.base, context.base, "aggregate")), context.watch)


@router.get(
    paths.AGGREGATE,
    summary="Aggregations of a collection's items",
    responses=COLLECTION_AGGREGATIONS,
    openapi_extra=AGGREGATE_PARAMETERS,
)
async def get_collection_aggregate(
    request: Request, context: ContextDep, collection_id: str, asked: CollectionAggregateDep
) -> Response:
    context.watch.lap("parse")
    counted = await context.catalog.aggregate_collection(collection_id, asked, context.watch)
    links = _links(context.base, collection_url(context.base, collection_id), _asked(request))
    found = json_answer(_collection(counted, links), context.watch)
    return await html.either(request, context, found, f"Aggregations of {collection_id}")


@router.post(
    paths.AGGREGATE,
    summary="Aggregations of a collection's items",
    responses=COLLECTION_AGGREGATIONS,
    openapi_extra=AGGREGATE_BODY,
)
async def post_collection_aggregate(
    context: PlainContextDep, collection_id: str, asked: PostedCollectionAggregateDep
) -> Response:
    context.watch.lap("parse")
    found = await context.catalog.aggregate_collection(collection_id, asked, context.watch)
    links = _links(context.base, collection_url(context.base, collection_id), "aggregate")
    return json_answer(_collection(found, links), context.watch)


def _asked(request: Request) -> str:
    return f"aggregate?{request.url.query}" if request.url.query else "aggregate"


def _collection(aggregations: list[Any], links: list[Link]) -> dict[str, Any]:
    return {"type": "AggregationCollection", "aggregations": aggregations, "links": links}


def _links(base: str, parent: str, own: str) -> list[Link]:
    """`parent` is what is aggregated: the catalogue, whose URL is `base`, or a collection."""
    links = [link("self", f"{parent}/{own}", JSON), link("root", base + "/", JSON)]
    return links if parent == base else [*links, link("collection", parent, JSON)]
