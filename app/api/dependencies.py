"""What the routes ask for, by name.

A context is for those who are let in, and has the catalogue as they see it.

Two dependencies a route at most: each one costs as much time as finding an item.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar
from urllib.parse import urlencode

from fastapi import Depends, Request

from app.api import freshness, negotiation
from app.api.access import admitted, authorise
from app.api.entity_tags import entity_tags, states_of
from app.api.links import GEOJSON, JSON, base_url
from app.assets.signing import Signers
from app.catalog import Catalog
from app.errors import InvalidRequest, PreconditionMissing, TooLarge, UnsupportedType
from app.observing.exchange import Exchange
from app.settings import Settings
from app.stac import parameters
from app.stac.access import Action
from app.stac.aggregation import AGGREGATE_PARAMETERS, Aggregate
from app.stac.collection_search import COLLECTIONS_PARAMETERS, CollectionSearch
from app.stac.parameters import check_known
from app.stac.patch import MERGE, OPERATIONS
from app.stac.search import ITEMS_PARAMETERS, SEARCH_PARAMETERS, Search
from app.stopwatch import Stopwatch
from app.transactions import Precondition, Transactions

Asked = TypeVar("Asked", Search, CollectionSearch)

# The form of an answer, `app.api.negotiation`, is no part of the question.
_FORM = frozenset({"f"})
# What a form of HTML sends once for each box that is ticked.
_TICKED = ("collections", "ids")
_SEARCH, _ITEMS = SEARCH_PARAMETERS | _FORM, ITEMS_PARAMETERS | _FORM
_SIGN = frozenset({"sign"})


@dataclass(frozen=True, slots=True)
class Context:
    """What every answer needs: whom to ask, what the links begin with (no closing slash), and the time taken."""

    catalog: Catalog
    settings: Settings
    base: str
    watch: Stopwatch
    signers: Signers

    @property
    def files(self) -> bool:
        """Whether there are any at /static."""
        return self.settings.static_dir is not None


class Untidy(Exception):
    """What a form of HTML sent as forms do: fields that were left empty, boxes that were ticked. `query` is what it
    asks, as anybody else would."""

    def __init__(self, query: str) -> None:
        super().__init__(query)
        self.query = query


async def context_of(request: Request) -> Context:
    """Raises Unauthorized."""
    return _of(request, freshness.known_to(request, await admitted(request)))


def _of(request: Request, catalog: Catalog) -> Context:
    exchange: Exchange = request.scope["upesi.exchange"]
    state = request.app.state
    settings: Settings = state.settings
    if settings.public_url is not None:
        base = settings.public_url.rstrip("/")
    else:
        base = base_url(request.scope["scheme"], request.headers, settings.root_path, settings.trust_proxy)
    return Context(catalog, settings, base, exchange.watch, state.signers)


async def _context_of_plain(request: Request) -> Context:
    known_query(request, _FORM)
    return await context_of(request)


async def _context_for_all(request: Request) -> Context:
    known_query(request, _FORM)
    return context_for_all(request)


def context_for_all(request: Request) -> Context:
    """Of an answer that has nothing of the catalogue in it."""
    return _of(request, request.app.state.catalog)


async def _context_of_item(request: Request) -> Context:
    known_query(request, signable(request, _FORM))
    return await context_of(request)


def signable(request: Request, known: frozenset[str]) -> frozenset[str]:
    """With `sign`, where the operator has signers whose hrefs are served."""
    return known | _SIGN if request.app.state.signers.rules else known


def known_query(request: Request, known: frozenset[str]) -> dict[str, str]:
    """The query string, each parameter known and given once. Raises InvalidRequest, and Untidy for a form's."""
    if not request.scope["query_string"]:
        return {}
    pairs = request.query_params.multi_items()
    query = dict(pairs)
    if (len(query) < len(pairs) or "" in query.values()) and negotiation.wants_page(request):
        _tidy(pairs)
    check_known(query, known)
    if len(query) < len(pairs):
        twice = next(name for name in query if len(request.query_params.getlist(name)) > 1)
        raise InvalidRequest(f"{twice}: is given more than once; separate values by commas", twice)
    return query


def _tidy(pairs: Sequence[tuple[str, str]]) -> None:
    """Raises Untidy where there is anything to be done."""
    kept: list[tuple[str, str]] = []
    for name, value in pairs:
        earlier = next((at for at, pair in enumerate(kept) if pair[0] == name), None)
        if value and earlier is not None and name in _TICKED:
            kept[earlier] = (name, f"{kept[earlier][1]},{value}")
        elif value:
            kept.append((name, value))
    if kept != list(pairs):
        raise Untidy(urlencode(kept))


async def _query_search(request: Request) -> Search:
    return Search.from_query(known_query(request, signable(request, _SEARCH)))


async def _items_search(request: Request, collection_id: str) -> Search:
    return Search.from_query(known_query(request, signable(request, _ITEMS)), collection_id)


async def _collection_search(request: Request) -> CollectionSearch:
    return CollectionSearch.from_query(known_query(request, COLLECTIONS_PARAMETERS | _FORM))


@dataclass(frozen=True, slots=True)
class Posted(Generic[Asked]):
    """A search and the body it came in, which the links to other pages repeat."""

    search: Asked
    body: bytes


async def _posted_search(request: Request) -> Posted[Search]:
    known_query(request, signable(request, _FORM))
    body = await _body(request)
    return Posted(Search.from_body(body), body)


async def _posted_collection_search(request: Request) -> Posted[CollectionSearch]:
    known_query(request, frozenset())
    body = await _body(request)
    return Posted(CollectionSearch.from_body(body), body)


async def _query_aggregate(request: Request) -> Aggregate:
    return Aggregate.from_query(known_query(request, AGGREGATE_PARAMETERS | _FORM))


async def _collection_aggregate(request: Request, collection_id: str) -> Aggregate:
    return Aggregate.from_query(known_query(request, AGGREGATE_PARAMETERS | _FORM), collection_id)


async def _posted_aggregate(request: Request) -> Aggregate:
    known_query(request, frozenset())
    return Aggregate.from_body(await _body(request))


async def _posted_collection_aggregate(request: Request, collection_id: str) -> Aggregate:
    known_query(request, frozenset())
    return Aggregate.from_body(await _body(request), collection_id)


def left(request: Request) -> Callable[[], Awaitable[None]]:
    """Returns when the client has left. For a request whose body has been read, or that has none.

    The request waits for a pool with bounds of its own, so that from here on it takes nobody's place.
    """
    exchange: Exchange = request.scope["upesi.exchange"]
    exchange.step_aside()

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    return gone


async def posted_values(request: Request, known: frozenset[str], query: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The members of a JSON body, of which these are known, beside this query.

    Raises InvalidRequest, UnsupportedType, TooLarge.
    """
    known_query(request, query)
    return parameters.of_body(await _body(request), known)


async def _body(request: Request) -> bytes:
    """The body, as far as the service takes one. Raises UnsupportedType, TooLarge."""
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise UnsupportedType(f"the body has Content-Encoding {encoding}, and is read as it is", "Content-Encoding")
    limit = request.app.state.settings.max_body_bytes
    chunks = bytearray()
    async for chunk in request.stream():
        chunks += chunk
        if len(chunks) > limit:
            raise TooLarge(f"the body is larger than the {limit} bytes this service takes", "body")
    return bytes(chunks)


@dataclass(frozen=True, slots=True)
class Change:
    """What a request that writes has besides its path: its body, what state it is meant for, and what it asks back."""

    transactions: Transactions
    base: str
    watch: Stopwatch
    media_type: str
    text: bytes
    state: Precondition
    wants_content: bool
    files: bool
    signers: Signers


_ACTIONS: dict[str, Action] = {"POST": "create", "PUT": "update", "PATCH": "update", "DELETE": "delete"}


def _change(*media_types: str, parameters: frozenset[str] = frozenset()) -> Callable[[Request], Awaitable[Change]]:
    """A dependency that reads a body of one of the types, or none where no type is named."""

    async def read(request: Request) -> Change:
        known_query(request, parameters)
        context = await context_of(request)
        await authorise(request, context.catalog, _ACTIONS[request.method])
        media_type = _media_type(request, media_types) if media_types else ""
        state = _precondition(request, context.settings)
        text = await _body(request) if media_types else b""
        request.scope["upesi.exchange"].let_be()
        wants_content = negotiation.wants_content(request)
        context.watch.lap("parse")
        transactions: Transactions = request.app.state.transactions.by(context.catalog.rights)
        asked = (media_type, text, state, wants_content)
        return Change(transactions, context.base, context.watch, *asked, context.files, context.signers)

    return read


def _media_type(request: Request, known: Sequence[str]) -> str:
    """Raises UnsupportedType. A body of no named type is not guessed at: a browser sends such a one to other sites."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in known:
        raise UnsupportedType(f"the body is {media_type or 'of no type'}, and is read as {' or '.join(known)}", "body")
    return media_type


def _precondition(request: Request, settings: Settings) -> Precondition:
    """Raises PreconditionMissing."""
    match, unless = (entity_tags(request.headers.getlist(name)) for name in ("if-match", "if-none-match"))
    if match is None:
        if settings.require_if_match and request.method != "POST":
            raise PreconditionMissing("a change has to name the ETag of what it changes, in If-Match", "If-Match")
        return Precondition(unless=states_of(unless or ()))
    # Weak tags match none (RFC 9110, 13.1.1).
    return Precondition(states_of(tag for tag in match if not tag.startswith("W/")), states_of(unless or ()))


async def _deletion_of_collection(request: Request) -> bool:
    """Whether its items are to go too. Raises InvalidRequest."""
    asked = known_query(request, frozenset({"cascade"})).get("cascade", "false")
    if asked not in ("true", "false"):
        raise InvalidRequest(f"cascade: {asked!r} is neither true nor false", "cascade")
    return asked == "true"


DocumentDep = Annotated[Change, Depends(_change(JSON, GEOJSON))]
PatchDep = Annotated[Change, Depends(_change(MERGE, OPERATIONS, JSON))]
DeletionDep = Annotated[Change, Depends(_change())]
CollectionDeletionDep = Annotated[Change, Depends(_change(parameters=frozenset({"cascade"})))]
CascadeDep = Annotated[bool, Depends(_deletion_of_collection)]
ContextDep = Annotated[Context, Depends(context_of)]
# The context of a route that takes no query parameters, which refuses any.
PlainContextDep = Annotated[Context, Depends(_context_of_plain)]
# The same of a route that says what the service is, to whoever asks.
OpenContextDep = Annotated[Context, Depends(_context_for_all)]
# The context of an item, whose hrefs may be signed.
ItemContextDep = Annotated[Context, Depends(_context_of_item)]
QuerySearchDep = Annotated[Search, Depends(_query_search)]
PostedSearchDep = Annotated[Posted[Search], Depends(_posted_search)]
PostedCollectionSearchDep = Annotated[Posted[CollectionSearch], Depends(_posted_collection_search)]
ItemsSearchDep = Annotated[Search, Depends(_items_search)]
QueryAggregateDep = Annotated[Aggregate, Depends(_query_aggregate)]
PostedAggregateDep = Annotated[Aggregate, Depends(_posted_aggregate)]
CollectionAggregateDep = Annotated[Aggregate, Depends(_collection_aggregate)]
PostedCollectionAggregateDep = Annotated[Aggregate, Depends(_posted_collection_aggregate)]
CollectionSearchDep = Annotated[CollectionSearch, Depends(_collection_search)]
