"""Answers: bytes that are ready, with their media type, their timing, and their ETag where they have one."""

from typing import Any

import orjson
from fastapi import Request, Response

from app.api import static
from app.api.links import JSON, Link, collection_links, item_links
from app.api.middleware import without_encoding
from app.catalog import CollectionPage, ItemPage, StoredCollection, StoredItem
from app.stac import document as documents
from app.stac.fields import Fields
from app.stopwatch import Stopwatch

LEFT_OUT = "Upesi-Items-Left-Out"


def varied(response: Response) -> Response:
    """Says that there are other forms at the same URL."""
    response.raw_headers.append((b"vary", b"Accept"))
    return response


def answer(body: bytes, media_type: str, watch: Stopwatch, etag: str | None = None) -> Response:
    watch.lap("shape")
    headers = {"Content-Type": media_type, "Server-Timing": watch.header()}
    if etag is not None:
        headers["ETag"] = etag
    return Response(body, headers=headers)


def telling(response: Response, left_out: int) -> Response:
    """What is made of items says how many it is not made of, as they lack an asset; nothing where there are none."""
    if left_out:
        response.headers[LEFT_OUT] = str(left_out)
    return response


def json_answer(document: Any, watch: Stopwatch, media_type: str = JSON) -> Response:
    return answer(orjson.dumps(document), media_type, watch)


def unless_known(request: Request, body: bytes, media_type: str, watch: Stopwatch, content: bytes) -> Response:
    """The body with an ETag of the stored content, or 304 for a client that has it (RFC 9110, 13.1.2)."""
    etag = entity_tag(content)
    for known in request.headers.get("if-none-match", "").split(","):
        tag = known.strip().removeprefix("W/")
        if tag == "*" or without_encoding(tag) == etag:
            watch.lap("shape")
            # The tag of the variant the client has, which is the one it would be sent again.
            same = etag if tag == "*" else tag
            headers = {"ETag": same, "Vary": "Accept, Accept-Encoding", "Server-Timing": watch.header()}
            return Response(status_code=304, headers=headers)
    return varied(answer(body, media_type, watch, etag))


def entity_tag(content: bytes) -> str:
    return f'"{documents.tag(content)}"'


def item_body(base: str, item: StoredItem, files: bool, more: bytes = b"") -> bytes:
    """`files` says whether there are any at /static, `more` are links too, each behind a comma."""
    content = static.told(item.content, base) if files else item.content
    return documents.splice(content, item_links(base, item.collection, item.id) + more)


def collection_body(base: str, collection: StoredCollection) -> bytes:
    return documents.splice(
        collection.content, collection_links(base, collection.id), b',"extent":' + collection.extent
    )


def item_line(base: str, item: StoredItem, fields: Fields | None, files: bool) -> bytes:
    return _selected(item_body(base, item, files), fields) + b"\n"


def item_collection(base: str, page: ItemPage, links: list[Link], fields: Fields | None, files: bool) -> bytes:
    features = [_selected(item_body(base, item, files), fields) for item in page.items]
    return b'{"type":"FeatureCollection","features":' + _listed(features, links, page.matched)


def collection_list(base: str, page: CollectionPage, links: list[Link], fields: Fields | None) -> bytes:
    members = [_selected(collection_body(base, collection), fields) for collection in page.collections]
    return b'{"collections":' + _listed(members, links, page.matched)


def _selected(member: bytes, fields: Fields | None) -> bytes:
    return member if fields is None else documents.dump(fields.of(documents.parse(member)))


def _listed(members: list[bytes], links: list[Link], matched: int | None) -> bytes:
    """What closes every page."""
    known = b"" if matched is None else b'"numberMatched":%d,' % matched
    return b'[%b],"links":%b,%b"numberReturned":%d}' % (b",".join(members), orjson.dumps(links), known, len(members))
