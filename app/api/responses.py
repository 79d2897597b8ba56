"""Answers: bytes that are ready, with their media type, their timing, and their ETag where they have one."""

from collections.abc import Sequence
from typing import Any

import orjson
from fastapi import Request, Response

from app.api import static
from app.api.entity_tags import entity_tags
from app.api.links import JSON, Link, collection_links, item_links
from app.api.middleware import without_encoding
from app.catalog import CollectionPage, ItemPage, StoredCollection, StoredItem
from app.stac import document as documents
from app.stac.fields import Fields
from app.stopwatch import Stopwatch

LEFT_OUT = "Upesi-Items-Left-Out"
# Of one text.
_Parts = Sequence[bytes | memoryview]


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
    return answer(documents.dump(document), media_type, watch)


def unless_known(request: Request, body: bytes, media_type: str, watch: Stopwatch, content: bytes) -> Response:
    """The body with an ETag of the stored content, or 304 for a client that has it (RFC 9110, 13.1.2)."""
    etag = entity_tag(content)
    for known in entity_tags(request.headers.getlist("if-none-match")) or ():
        tag = known.removeprefix("W/")
        if known == "*" or without_encoding(tag) == etag:
            watch.lap("shape")
            # The tag of the variant the client has, which is the one it would be sent again.
            same = etag if known == "*" else tag
            headers = {"ETag": same, "Vary": "Accept, Accept-Encoding", "Server-Timing": watch.header()}
            return Response(status_code=304, headers=headers)
    return varied(answer(body, media_type, watch, etag))


def entity_tag(content: bytes) -> str:
    return f'"{documents.tag(content)}"'


def item_body(base: str, item: StoredItem, files: bool, more: bytes = b"") -> bytes:
    """`files` says whether there are any at /static, `more` are links too, each behind a comma."""
    return b"".join(_item(base, item, files, more))


def collection_body(base: str, collection: StoredCollection) -> bytes:
    return b"".join(_collection(base, collection))


def item_line(base: str, item: StoredItem, fields: Fields | None, files: bool) -> bytes:
    return b"".join((*_selected(_item(base, item, files), fields), b"\n"))


def item_collection(base: str, page: ItemPage, links: list[Link], fields: Fields | None, files: bool) -> bytes:
    features = [_selected(_item(base, item, files), fields) for item in page.items]
    return _page(b'{"type":"FeatureCollection","features":[', features, links, page.matched)


def collection_list(base: str, page: CollectionPage, links: list[Link], fields: Fields | None) -> bytes:
    members = [_selected(_collection(base, collection), fields) for collection in page.collections]
    return _page(b'{"collections":[', members, links, page.matched)


def _item(base: str, item: StoredItem, files: bool, more: bytes = b"") -> _Parts:
    content = static.told(item.content, base) if files else item.content
    return documents.spliced(content, item_links(base, item.collection, item.id) + more)


def _collection(base: str, collection: StoredCollection) -> _Parts:
    return documents.spliced(
        collection.content, collection_links(base, collection.id), b',"extent":' + collection.extent
    )


def _selected(member: _Parts, fields: Fields | None) -> _Parts:
    return member if fields is None else (documents.dump(fields.of(documents.parse(b"".join(member)))),)


def _page(head: bytes, members: list[_Parts], links: list[Link], matched: int | None) -> bytes:
    """Joined once, whatever is on it."""
    parts: list[bytes | memoryview] = [head]
    for member in members:
        parts += member
        parts.append(b",")
    if members:
        parts.pop()
    known = b"" if matched is None else b'"numberMatched":%d,' % matched
    parts.append(b'],"links":%b,%b"numberReturned":%d}' % (orjson.dumps(links), known, len(members)))
    return b"".join(parts)
