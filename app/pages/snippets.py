"""The same question as a page, for a terminal and for Python. The tests run them as they stand on the pages."""

import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.pages.site import with_query

_LISTS = ("collections", "ids")
_TEXTS = ("datetime", "filter", "sortby", "fields")
# pystac-client has these too; what it has no parameter for is asked by its URL.
_PYTHONIC = frozenset({*_LISTS, *_TEXTS, "bbox", "intersects", "query", "limit", "filter-lang", "token", "f"})
_OPEN = "from pystac_client import Client\n\ncatalog = Client.open({url!r})\n"
_LOAD = "import odc.stac\n{before}\n\ndata = odc.stac.load({items}{bands}, chunks={{}})\nprint(data)\n"
# What curl would take for a list of URLs, and what they are in one.
_GLOBS = str.maketrans({mark: f"%{ord(mark):02X}" for mark in "{}[]"})


@dataclass(frozen=True, slots=True)
class Snippet:
    title: str
    language: str
    code: str


def of_landing(url: str, first: str | None) -> list[Snippet]:
    opened = _OPEN.format(url=url)
    shown = opened + "for collection in catalog.get_collections():\n    print(collection.id, collection.title)\n"
    return [_curl(url), _pystac(shown), *_odc(url, [first] if first else [], ())]


def of_collections(url: str, root: str, query: Mapping[str, str], found: Sequence[str]) -> list[Snippet]:
    """`found` are the ids of those on the page."""
    known = {name: value for name, value in query.items() if name in ("bbox", "datetime", "q", "filter", "sortby")}
    if known:
        call = _call("catalog.collection_search", _arguments(known))
        shown = f"{_OPEN.format(url=root)}search = {call}\nfor collection in search.collections():\n"
    else:
        shown = f"{_OPEN.format(url=root)}for collection in catalog.get_collections():\n"
    return [_curl(url), _pystac(shown + "    print(collection.id, collection.title)\n"), *_odc(root, found[:1], ())]


def of_collection(url: str, root: str, name: str, bands: Sequence[str]) -> list[Snippet]:
    shown = f"collection = catalog.get_collection({name!r})\nprint(collection.extent.to_dict())\n"
    return [_curl(url), _pystac(_OPEN.format(url=root) + shown), *_odc(root, [name], bands)]


def of_items(url: str, root: str, query: Mapping[str, str], bands: Sequence[str] | None) -> list[Snippet]:
    """`bands` are None where nothing is found: there is nothing to load."""
    whole = {name: value for name, value in query.items() if name != "fields"}
    if whole.keys() < query.keys() <= _PYTHONIC:
        # Without their times, say, they are no Items for pystac.
        shown = f"{_search(root, query)}for item in search.items_as_dicts():\n    print(item)\n"
    else:
        shown = f"{_found(url, root, whole)}for item in items:\n    print(item.id, item.datetime)\n"
    loaded = [] if bands is None else [_loaded(_found(url, root, whole), "items", bands)]
    return [_curl(url), _pystac(shown), *loaded]


def of_item(url: str, bands: Sequence[str]) -> list[Snippet]:
    opened = f"import pystac\n\nitem = pystac.Item.from_file({url!r})\n"
    return [
        _curl(url),
        Snippet("pystac", "python", opened + "print(item.datetime, list(item.assets))\n"),
        _loaded(opened, "[item]", bands),
    ]


def of_document(url: str) -> list[Snippet]:
    return [_curl(url)]


def _curl(url: str) -> Snippet:
    return Snippet("curl", "sh", f"curl {shlex.quote(url.translate(_GLOBS))}\n")


def _pystac(code: str) -> Snippet:
    return Snippet("pystac-client", "python", code)


def _odc(root: str, collections: Sequence[str], bands: Sequence[str]) -> list[Snippet]:
    query = {"collections": ",".join(collections), "limit": "10"}
    return [_loaded(_found(root, root, query), "items", bands)] if collections else []


def _loaded(before: str, items: str, bands: Sequence[str]) -> Snippet:
    named = f", bands={list(bands)!r}" if bands else ""
    return Snippet("odc-stac", "python", _LOAD.format(before=before.rstrip(), items=items, bands=named))


def _search(root: str, query: Mapping[str, str]) -> str:
    """Python that leaves a search of pystac-client in `search`."""
    call = _call("catalog.search", [*_arguments(query), f"max_items={int(query.get('limit', '10'))}"])
    return f"{_OPEN.format(url=root)}search = {call}\n"


def _found(url: str, root: str, query: Mapping[str, str]) -> str:
    """Python that leaves the items of a search in `items`."""
    if not query.keys() <= _PYTHONIC:
        url = with_query(url, without=("fields",)).translate(_GLOBS)
        return f"import pystac\n\nitems = pystac.ItemCollection.from_file({url!r})\n"
    return f"{_search(root, query)}items = search.item_collection()\n"


def _arguments(query: Mapping[str, str]) -> list[str]:
    written = []
    for name, value in query.items():
        if name in _LISTS:
            written.append(f"{name}={[part for part in value.split(',') if part]!r}")
        elif name == "bbox":
            written.append(f"bbox=[{', '.join(repr(float(number)) for number in value.split(','))}]")
        elif name == "query":
            written.append(f"query={json.loads(value)!r}")
        elif name in (*_TEXTS, "intersects", "q"):
            written.append(f"{name}={value!r}")
            if name == "filter":
                written.append(f"filter_lang={query.get('filter-lang', 'cql2-text')!r}")
    return written


def _call(function: str, arguments: Sequence[str]) -> str:
    if not arguments:
        return f"{function}()"
    return f"{function}(\n" + "".join(f"    {argument},\n" for argument in arguments) + ")"
