"""Another STAC API: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from app.bulk.readers.entry import Entry
from app.bulk.readers.json import whole
from app.bulk.readers.web import Asked, Web, is_url
from app.errors import InvalidDocument
from app.stac import document as documents

# Items on a page, which an API may make fewer.
_PAGE_ITEMS = 250


def is_api(document: Any) -> bool:
    """Whether a catalogue or a collection is that of an API, which has lists and not a link for each item."""
    if not isinstance(document, dict):
        return False
    return "conformsTo" in document or any(link.get("rel") in ("data", "items") for link in _links(document))


def landing(document: Any, url: str, web: Web) -> Iterator[Entry]:
    """All collections of an API, each with its items."""
    data = _href(document, "data", url) or f"{url.rstrip('/')}/collections"
    yield from collections(Asked(data), web)


def collections(first: Asked, web: Web) -> Iterator[Entry]:
    """A list of collections, with the items of each."""
    for page, url, place in _pages(first, web):
        if isinstance(page, Entry):
            yield page
            continue
        listed = page.get("collections")
        if not isinstance(listed, list):
            yield Entry(place, fault="is not a list of collections: it has no collections")
            return
        for document in listed:
            own = url
            if isinstance(document, dict):
                own = f"{url.partition('?')[0].rstrip('/')}/{quote(str(document.get('id')), safe='')}"
            yield from collection(document, own, web)


def collection(document: Any, url: str, web: Web) -> Iterator[Entry]:
    """A collection and its items."""
    yield Entry(url, document)
    if not isinstance(document, dict):
        return
    try:
        href = _href(document, "items", url) or f"{url.partition('?')[0].rstrip('/')}/items"
    except InvalidDocument as error:
        yield Entry(url, fault=str(error))
        return
    yield from items(Asked(_with_limit(href)), web)


def items(first: Asked, web: Web) -> Iterator[Entry]:
    """The items of a page and of all that follow it. A page that cannot be read is the last."""
    for page, _, place in _pages(first, web):
        if isinstance(page, Entry):
            yield page
            continue
        features = page.get("features")
        if not isinstance(features, list):
            yield Entry(place, fault="is not a page of items: it has no features")
            return
        for number, feature in enumerate(features, start=1):
            yield Entry(f"{place}, document {number}", feature)


def _pages(first: Asked, web: Web) -> Iterator[tuple[Any, str, str]]:
    """Each page with its URL and its place, or an Entry with a fault where there is none."""
    asked: Asked | None = first
    known: set[str] = set()
    while asked is not None:
        known.add(_fingerprint(asked))
        place = asked.url if asked.method == "GET" else f"{asked.method} {asked.url}, page {len(known)}"
        try:
            url, text = web.ask(asked)
            page = whole(text)
            if not isinstance(page, dict):
                raise InvalidDocument("is not a page: it is no JSON object")
            yield page, url, place
            asked = _next(page, url, asked)
            if asked is not None and _fingerprint(asked) in known:
                raise InvalidDocument("links to a next page that was read before")
        except InvalidDocument as error:
            yield Entry(place, fault=str(error)), place, place
            return


def _next(page: dict[str, Any], url: str, asked: Asked) -> Asked | None:
    """The request of a page's next link: item-search 1.0.0, paging. Raises InvalidDocument."""
    link = next((link for link in _links(page) if link.get("rel") == "next"), None)
    if link is None:
        return None
    href, headers = link.get("href"), link.get("headers") or {}
    body = link.get("body")
    if not (isinstance(href, str) and isinstance(headers, dict) and isinstance(body or {}, dict)):
        raise InvalidDocument("has a next link that cannot be followed")
    target = _joined(url, href)
    method = str(link.get("method", "GET")).upper()
    if method not in ("GET", "POST"):
        raise InvalidDocument(f"has a next link with the method {method}")
    if link.get("merge") is True:
        body = {**(asked.body or {}), **(body or {})}
    sent = tuple((str(name), _header(value)) for name, value in headers.items())
    return Asked(target, method, body if method == "POST" else None, sent)


def _header(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _fingerprint(asked: Asked) -> str:
    return f"{asked.method} {asked.url} {documents.dump(asked.body).decode()} {asked.headers}"


def _links(document: Any) -> list[dict[str, Any]]:
    links = document.get("links") if isinstance(document, dict) else None
    return [link for link in links if isinstance(link, dict)] if isinstance(links, list) else []


def _href(document: Any, rel: str, url: str) -> str | None:
    for link in _links(document):
        if link.get("rel") == rel and isinstance(link.get("href"), str):
            return _joined(url, link["href"])
    return None


def search_href(landing: Any, method: str, url: str) -> str | None:
    """Where a landing page says that its search by this method is; a link without a method is for GET."""
    for link in _links(landing):
        if link.get("rel") == "search" and str(link.get("method", "GET")).upper() == method:
            return _href({"links": [link]}, "search", url)
    return None


def _joined(url: str, href: str) -> str:
    try:
        target = urljoin(url, href)
    except ValueError:
        target = href
    if not is_url(target):
        raise InvalidDocument(f"has a link to {href!r}, which is not on the web")
    return target


def _with_limit(url: str) -> str:
    query = urlsplit(url).query
    if any(part.startswith("limit=") for part in query.split("&")):
        return url
    return f"{url}{'&' if query else '?'}limit={_PAGE_ITEMS}"
