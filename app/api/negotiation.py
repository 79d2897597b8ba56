"""Which form of an answer is asked for: by `f`, or else by Accept (RFC 9110, 12.5.1).

JSON is what is sent where nothing is said, or `*/*`, or nothing that there is: programs say no more. Browsers name
text/html.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.request import parse_http_list

from fastapi import Request

from app.api.links import GEOJSON, HTML, JSON, NDJSON, PARQUET, SCHEMA
from app.errors import InvalidRequest


@dataclass(frozen=True, eq=False)
class Forms:
    """The forms there are at a URL: what `f` calls them, and which media types of Accept mean them, None being JSON.

    Of media types that are asked for alike the earlier one is sent.
    """

    names: Mapping[str, str | None]
    media_types: Mapping[str, str | None]


_JSON: dict[str, str | None] = {"application/vnd.oai.openapi+json": None, JSON: None, SCHEMA: None, GEOJSON: None}
_STREAMS: dict[str, str | None] = {
    NDJSON: NDJSON,
    "application/ndjson": NDJSON,
    PARQUET: PARQUET,
    "application/x-parquet": PARQUET,
}
DOCUMENT = Forms({"json": None, "html": HTML}, {**_JSON, HTML: HTML})
ITEM = Forms({"json": None, "geojson": None, "html": HTML}, DOCUMENT.media_types)
POSTED = Forms(
    {"json": None, "geojson": None, "ndjson": NDJSON, "geoparquet": PARQUET, "parquet": PARQUET}, {**_JSON, **_STREAMS}
)
ITEMS = Forms({**POSTED.names, "html": HTML}, {**_JSON, HTML: HTML, **_STREAMS})


def asked(request: Request, forms: Forms) -> str | None:
    """The media type that is asked for, None for JSON. Raises InvalidRequest."""
    if b"f=" in request.scope["query_string"] and (name := request.query_params.get("f")) is not None:
        if name not in forms.names:
            raise InvalidRequest(f"f: {name!r} is none of {', '.join(forms.names)}", "f")
        return forms.names[name]
    return accepted(request.headers.get("accept", ""), forms)


def wants_page(request: Request) -> bool:
    """Whether whoever asks reads HTML, at whatever URL. A form that is unknown says nothing."""
    if request.method not in ("GET", "HEAD"):
        return False
    name = request.query_params.get("f")
    if name in ITEMS.names:
        return name == "html"
    return accepted(request.headers.get("accept", ""), DOCUMENT) == HTML


def wants_content(request: Request) -> bool:
    """Whether a change is to be answered with what it made (RFC 7240): the first `return` of Prefer says so."""
    for preference in parse_http_list(",".join(request.headers.getlist("prefer"))):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "return":
            return value.strip().strip('"').lower() == "representation"
    return False


@lru_cache(maxsize=1024)
def accepted(accept: str, forms: Forms) -> str | None:
    """The form of the greatest quality; of several that what is named before what a `*` stands for, then the first."""
    ranges = _ranges(accept)
    best, chosen = (0.0, 0), None
    for media_type, form in forms.media_types.items():
        found = _quality(media_type.partition(";")[0], ranges)
        if found[0] > 0 and found > best:
            best, chosen = found, form
    return chosen


def _quality(media_type: str, ranges: Mapping[str, float]) -> tuple[float, int]:
    """The quality of a media type, and how closely it is named: the closest range of Accept decides."""
    for closeness, name in ((2, media_type), (1, media_type.partition("/")[0] + "/*"), (0, "*/*")):
        if name in ranges:
            return ranges[name], closeness
    return 0.0, 0


def _ranges(accept: str) -> dict[str, float]:
    found: dict[str, float] = {}
    for part in accept.split(",") if accept else ():
        name, *parameters = (piece.strip().lower() for piece in part.split(";"))
        found[name] = max(found.get(name, 0.0), _weight(parameters))
    return found


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
