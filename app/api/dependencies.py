"""What the routes ask for, by name."""

from typing import Annotated

from fastapi import Depends, Request

from app.api.links import base_url
from app.catalog import Catalog
from app.errors import InvalidRequest, TooLarge
from app.settings import Settings
from app.stac.search import (
    COLLECTIONS_PARAMETERS,
    ITEMS_PARAMETERS,
    SEARCH_PARAMETERS,
    CollectionSearch,
    Search,
    check_known,
)
from app.stopwatch import Stopwatch


async def _catalog(request: Request) -> Catalog:
    catalog: Catalog = request.app.state.catalog
    return catalog


async def _settings(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


SettingsDep = Annotated[Settings, Depends(_settings)]


async def _base_url(request: Request, settings: SettingsDep) -> str:
    if settings.public_url is not None:
        return settings.public_url.rstrip("/")
    return base_url(request.scope["scheme"], request.headers, settings.root_path, settings.trust_proxy)


async def _watch() -> Stopwatch:
    return Stopwatch()


def query_parameters(request: Request, known: frozenset[str]) -> dict[str, str]:
    """The query string, each parameter known and given once. Raises InvalidRequest."""
    pairs = request.query_params.multi_items()
    query = dict(pairs)
    check_known(query, known)
    if len(query) < len(pairs):
        twice = next(name for name in query if len(request.query_params.getlist(name)) > 1)
        raise InvalidRequest(f"{twice}: is given more than once; separate values by commas", twice)
    return query


async def _no_parameters(request: Request) -> None:
    query_parameters(request, frozenset())


async def _query_search(request: Request) -> Search:
    return Search.from_query(query_parameters(request, SEARCH_PARAMETERS))


async def _items_search(request: Request, collection_id: str) -> Search:
    return Search.from_query(query_parameters(request, ITEMS_PARAMETERS), collection_id)


async def _collection_search(request: Request) -> CollectionSearch:
    return CollectionSearch.from_query(query_parameters(request, COLLECTIONS_PARAMETERS))


async def _body(request: Request, settings: SettingsDep) -> bytes:
    """The body, as far as the service takes one. Raises TooLarge."""
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > settings.max_body_bytes:
            raise TooLarge(f"the body is larger than the {settings.max_body_bytes} bytes this service takes", "body")
    return bytes(chunks)


BodyDep = Annotated[bytes, Depends(_body)]


async def _body_search(request: Request, body: BodyDep) -> Search:
    query_parameters(request, frozenset())
    return Search.from_body(body)


CatalogDep = Annotated[Catalog, Depends(_catalog)]
BaseUrlDep = Annotated[str, Depends(_base_url)]
WatchDep = Annotated[Stopwatch, Depends(_watch)]
NoParameters = Depends(_no_parameters)
QuerySearchDep = Annotated[Search, Depends(_query_search)]
BodySearchDep = Annotated[Search, Depends(_body_search)]
ItemsSearchDep = Annotated[Search, Depends(_items_search)]
CollectionSearchDep = Annotated[CollectionSearch, Depends(_collection_search)]
