"""A search of another STAC API: https://github.com/radiantearth/stac-api-spec/tree/v1.0.0/item-search."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any
from urllib.parse import urlencode

import cql2
import orjson

from app.bulk.readers import api
from app.bulk.readers.entry import Entry
from app.bulk.readers.web import Asked, Web
from app.errors import InvalidDocument
from app.stac import document as documents
from app.stac import parameters
from app.stac.lists import signed

_LISTS = ("collections", "ids", "bbox", "q")


def body(given: Mapping[str, str]) -> dict[str, Any]:
    """Parameters as they are in a query string, as the members of a POST to a search. Raises InvalidRequest.

    A filter is sent as CQL2 JSON, which more services read.
    """
    asked = parameters.of_query(given)
    if "filter" in given:
        asked["filter"] = parameters.read("filter", _filter, given["filter"])
        asked["filter-lang"] = "cql2-json"
    if "sortby" in given:
        asked["sortby"] = [
            {"field": name, "direction": "desc" if minus else "asc"} for name, minus in signed(given["sortby"])
        ]
    if "fields" in given:
        names = signed(given["fields"])
        asked["fields"] = {
            "include": [name for name, minus in names if not minus],
            "exclude": [name for name, minus in names if minus],
        }
    return asked


def _filter(text: str) -> Any:
    if text.lstrip().startswith("{"):
        return orjson.loads(text)
    try:
        return cql2.parse_text(text).to_json()
    except cql2.ParseError as error:
        raise ValueError(str(error)) from None


def items(url: str, asked: Mapping[str, Any], most: int | None, web: Web) -> Iterator[Entry]:
    """The items an API finds, page after page, `most` at most.

    `url` is that of its landing page, `asked` the body of a POST to its search; an API that has none is asked by GET.
    Raises InvalidDocument for what is no API that can be searched.
    """
    found_at, text = web.read(url)
    landing = documents.parse(text)
    href = api.search_href(landing, "POST", found_at)
    if href is not None:
        first = Asked(href, "POST", dict(asked))
    else:
        href = api.search_href(landing, "GET", found_at)
        if href is None:
            raise InvalidDocument("has no link to a search: it is no landing page of a STAC API")
        first = Asked(f"{href}{'&' if '?' in href else '?'}{urlencode(_query(asked))}")
    return islice(api.items(first, web), most)


def _query(asked: Mapping[str, Any]) -> dict[str, str]:
    """The same search as the parameters of a GET."""
    values: dict[str, str] = {}
    for name, value in asked.items():
        if name in _LISTS:
            values[name] = ",".join(map(str, value))
        elif name == "sortby":
            values[name] = ",".join(("-" if key["direction"] == "desc" else "+") + key["field"] for key in value)
        elif name == "fields":
            values[name] = ",".join([*value["include"], *(f"-{member}" for member in value["exclude"])])
        else:
            values[name] = value if isinstance(value, str) else documents.dump(value).decode()
    return values
