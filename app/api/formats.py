"""Results as streams, and which form of a result is asked for.

A stream has all items of the search, or as many as `limit` says, and no pages.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial

from fastapi import Request, Response
from starlette.types import Receive, Scope, Send

from app.api import negotiation, signing, static
from app.api.dependencies import Context
from app.api.links import NDJSON, PARQUET
from app.api.negotiation import ITEMS, Forms
from app.api.responses import item_line
from app.errors import InvalidRequest, NotInstalled
from app.exports import pages
from app.stac.search import Search


def asked(request: Request, forms: Forms = ITEMS) -> str | None:
    """The media type that is asked for, None for a page of JSON. Raises InvalidRequest."""
    form = negotiation.asked(request, forms)
    if form in STREAMS and signing.asked(request):
        raise InvalidRequest("sign: a stream outlives what is signed; ask for pages", "sign")
    return form


def streamed(media_type: str, context: Context, search: Search) -> Response:
    """All that a search finds. Raises InvalidRequest."""
    if search.seek is not None:
        raise InvalidRequest("token: a stream has no pages; leave the token out", "token")
    return Stream(STREAMS[media_type](context, search), media_type)


async def _ndjson(context: Context, search: Search) -> AsyncGenerator[bytes, None]:
    """Items as they are on a page, each on a line."""
    async with aclosing(pages.items(context.catalog, search)) as found:
        async for page in found:
            yield b"".join(item_line(context.base, item, search.fields, context.files) for item in page)


async def _geoparquet(context: Context, search: Search) -> AsyncGenerator[bytes, None]:
    """Items as they are stored, and where the files at /static are."""
    try:
        from app.exports import geoparquet
    except ImportError:
        raise NotInstalled("this service writes no GeoParquet: its installation has no pyarrow") from None
    shaped = partial(static.told, base=context.base) if context.files else None
    async with aclosing(geoparquet.stream(context.catalog, search, shaped)) as parts:
        async for part in parts:
            yield part


STREAMS: dict[str, Callable[[Context, Search], AsyncGenerator[bytes, None]]] = {
    NDJSON: _ndjson,
    PARQUET: _geoparquet,
}


class Stream(Response):
    """A body that is made while it is sent.

    What fails before its first part is answered as any failure. What fails behind that breaks the connection off, so
    that no client takes a part for the whole. A client that goes away ends it.
    """

    def __init__(self, chunks: AsyncGenerator[bytes, None], media_type: str) -> None:
        super().__init__(media_type=media_type, headers={"Vary": "Accept"})
        del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with aclosing(self._chunks) as chunks:
            if scope.get("upesi.head"):
                await self._start(send)
                await send({"type": "http.response.body", "body": b""})
                return
            # It sends what it reads for as long as that takes, and knows itself when its client has left.
            scope["upesi.exchange"].let_be()
            sending = asyncio.create_task(self._send(chunks, send))
            leaving = asyncio.create_task(_left(receive))
            try:
                await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
            finally:
                sending.cancel()
                leaving.cancel()
                await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send(self, chunks: AsyncIterator[bytes], send: Send) -> None:
        first = await anext(chunks, b"")
        await self._start(send)
        await send({"type": "http.response.body", "body": first, "more_body": True})
        async for chunk in chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
