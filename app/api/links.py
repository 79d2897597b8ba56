"""Where the service is reached, and the links that say so. Pure: URLs and ids → links."""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import orjson

from app.pages.site import with_query

GEOJSON = "application/geo+json"
JSON = "application/json"
# The media type names 3.0, and the document at /api is one: app.api.openapi makes it so.
OPENAPI = "application/vnd.oai.openapi+json;version=3.0"
HTML = "text/html"
PNG = "image/png"
NDJSON = "application/x-ndjson"
VRT = "application/x-gdal-vrt+xml"
NETCDF = "application/x-netcdf"
PARQUET = "application/vnd.apache.parquet"
SCHEMA = "application/schema+json"
QUERYABLES = "http://www.opengis.net/def/rel/ogc/1.0/queryables"
SORTABLES = "http://www.opengis.net/def/rel/ogc/1.0/sortables"
FUNCTIONS = "http://www.opengis.net/def/rel/ogc/1.0/functions"

Link = dict[str, Any]

_HOST = re.compile(r"[A-Za-z0-9._~-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
_FORWARDED_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^;,\s]*))')


def base_url(scheme: str, headers: Mapping[str, str], prefix: str, trust_proxy: bool) -> str:
    """The URL of the landing page without its closing slash, as the client sees it.

    A proxy says what it is reached under by `Forwarded` (RFC 7239) or the `X-Forwarded-*` headers; of several
    proxies the first named is the one the client asked. What is not a host, a scheme or a path is passed over.
    """
    host = headers.get("host", "localhost")
    if trust_proxy and any("forwarded" in name for name in headers):
        scheme, host, prefix = _forwarded(headers, scheme, host, prefix)
    return f"{scheme}://{host if _HOST.fullmatch(host) else 'localhost'}{prefix}"


def _forwarded(headers: Mapping[str, str], scheme: str, host: str, prefix: str) -> tuple[str, str, str]:
    said: dict[str, str] = {}
    if "forwarded" in headers:
        nearest_client = headers["forwarded"].split(",")[0]
        said = {name.lower(): quoted or plain for name, quoted, plain in _FORWARDED_PAIR.findall(nearest_client)}
    for name in ("proto", "host", "port", "prefix"):
        if name not in said and (value := headers.get(f"x-forwarded-{name}")):
            said[name] = value.split(",")[0].strip()
    if said.get("proto", "").lower() in ("http", "https"):
        scheme = said["proto"].lower()
    if _HOST.fullmatch(said.get("host", "")):
        host = said["host"]
    port = said.get("port", "")
    if port.isdecimal() and not re.search(r":\d+$", host) and port != {"http": "80", "https": "443"}[scheme]:
        host = f"{host}:{port}"
    if "prefix" in said:
        prefix = quote(said["prefix"].rstrip("/"), safe="/%~")
        prefix = prefix if prefix.startswith("/") and not prefix.startswith("//") else ""
    return scheme, host, prefix


def link(rel: str, href: str, media_type: str, **more: Any) -> Link:
    return {"rel": rel, "href": href, "type": media_type, **more}


def alternate(url: str) -> Link:
    """From a document to its page, for browsers."""
    return link("alternate", with_query(url, f="html"), HTML, title="As HTML")


def collection_url(base: str, collection: str) -> str:
    return f"{base}/collections/{quote(collection, safe='')}"


def item_url(base: str, collection: str, item_id: str) -> str:
    return f"{collection_url(base, collection)}/items/{quote(item_id, safe='')}"


def item_links(base: str, collection: str, item_id: str) -> bytes:
    """The links of an item that the server owns, as JSON objects joined by commas."""
    return quote(item_id, safe="").encode().join(_around_item(base, collection))


@lru_cache(maxsize=4096)
def _around_item(base: str, collection: str) -> list[bytes]:
    """What stands before, between and behind the ids in the links of a collection's items: the same for all."""
    parent = collection_url(base, collection)
    marker = "\0"
    links = _joined(
        [
            link("self", f"{parent}/items/{marker}", GEOJSON),
            link("collection", parent, JSON),
            link("parent", parent, JSON),
            link("root", base + "/", JSON),
            alternate(f"{parent}/items/{marker}"),
        ]
    )
    return links.split(b"\\u0000")


def picture_links(base: str, collection: str, item_id: str, assets: Sequence[str], tiled: bool) -> bytes:
    """The links of an item to pictures of these assets, as JSON objects, each behind a comma.

    `tilejson` is of https://github.com/stac-extensions/web-map-links, which maps of STAC clients know.
    """
    url, query = item_url(base, collection, item_id), urlencode({"assets": ",".join(assets)}, safe=",")
    links = [link("preview", f"{url}/preview.png?{query}", PNG, title="A picture of it")]
    if tiled:
        links.append(link("tilejson", f"{url}/tilejson.json?{query}", JSON, title="Web map tiles of it"))
    return b"," + _joined(links)


def collection_links(base: str, collection: str) -> bytes:
    """The links of a collection that the server owns, as JSON objects joined by commas."""
    url = collection_url(base, collection)
    return _joined(
        [
            link("self", url, JSON),
            link("items", f"{url}/items", GEOJSON),
            link(QUERYABLES, f"{url}/queryables", SCHEMA),
            link("aggregate", f"{url}/aggregate", JSON, method="GET"),
            link("aggregate", f"{url}/aggregate", JSON, method="POST"),
            link("aggregations", f"{url}/aggregations", JSON),
            link(SORTABLES, f"{url}/sortables", SCHEMA),
            link("parent", base + "/", JSON),
            link("root", base + "/", JSON),
            alternate(url),
        ]
    )


def page_links(url: str, query: str, media_type: str, tokens: Mapping[str, str | None]) -> list[Link]:
    """Links to other pages of a GET: the same query with another token. `tokens` maps relations to tokens."""
    kept = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "token"]
    return [
        link(rel, f"{url}?{urlencode([*kept, ('token', token)])}", media_type, method="GET")
        for rel, token in tokens.items()
        if token is not None
    ]


def post_page_links(url: str, body: Mapping[str, Any], media_type: str, tokens: Mapping[str, str | None]) -> list[Link]:
    """Links to other pages of a POST: the same body with another token."""
    return [
        link(rel, url, media_type, method="POST", body={**body, "token": token}, merge=False)
        for rel, token in tokens.items()
        if token is not None
    ]


def _joined(links: list[Link]) -> bytes:
    return orjson.dumps(links)[1:-1]
