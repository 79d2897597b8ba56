"""Requests that nobody sends by mistake: made from a seed, so that what breaks the service breaks it again."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from urllib.parse import quote

import orjson

from tests.factories import Document

_TEXTS = [
    *(
        "",
        " ",
        "\x00",
        "\u0000x",
        "'",
        "''; DROP TABLE items; --",
        '"',
        "\\",
        "%",
        "%00",
        "%25",
        "..",
        "../../etc/passwd",
    ),
    *(
        "null",
        "true",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e999",
        "-0",
        "0x10",
        "١٢٣",
        "\ud800",
        "\U0001d4b3" * 50,
        "ü",
        "\r\nX-Evil: 1",
    ),
    *(
        "a" * 5000,
        "[" * 2000,
        "{" * 2000,
        "(" * 3000,
        "-" * 2000,
        "1," * 3000,
        "$1",
        "{}",
        "[]",
        "<script>",
        "\u202e",
        "\ufeff",
    ),
    *(
        "2024-13-45T99:99:99Z",
        "0000-01-01T00:00:00Z/..",
        "9999-12-31T23:59:60Z",
        "../..",
        "2024-01-01T00:00:00Z/2020-01-01Z",
    ),
    *("1,2,3", "0,0,0,0", "180,90,-180,-90", "1e308,1e308,1e308,1e308", "nan,nan,nan,nan", "-180,-90,180,90"),
    *(
        "a = 1",
        "NOT " * 800 + "a = 1",
        "a LIKE '%%%%%%%'",
        "S_INTERSECTS(geometry, POINT(1e400 0))",
        "a IN (" + "1," * 2000 + "1)",
    ),
    *(
        "T_AFTER(datetime, TIMESTAMP('x'))",
        "a BETWEEN 1 AND",
        "((((a",
        "1/0 = 1",
        "a = 1e999",
        "9223372036854775808",
        "2147483648",
    ),
    *("-properties.x", "+" * 100, "id,id,id", "-datetime," * 500, "__proto__", "properties.", ".", "properties..x"),
]
_VALUES: list[object] = [
    *(None, True, False, 0, -1, 2**31, 2**63, 2**70, 1e308, -1e308, 0.1, [], {}, [[]], [{}], {"": None}, "\u0000", "x"),
    *([1, 2, 3, 4], [180, 90, -180, -90], [1e308] * 4, [0] * 7, ["a"] * 3000, {"op": "="}, {"op": "not", "args": []}),
    {"type": "Point", "coordinates": [0, 0]},
    {"type": "Point", "coordinates": [1e400, 0]},
    {"type": "Polygon", "coordinates": [[[0, 0]]]},
    {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]},
    {"type": "GeometryCollection", "geometries": [{"type": "GeometryCollection", "geometries": []}]},
    {"type": "LineString", "coordinates": [[0, 0], [0, 0]]},
    {"op": "=", "args": [{"property": "a"}, {"property": "b"}]},
    {"op": "and", "args": [{"op": "or", "args": []}]},
    {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Point", "coordinates": ["x", 1]}]},
    {"op": "like", "args": [{"property": "id"}, "%" * 500]},
    {"op": "in", "args": [{"property": "id"}, [None, 1, "a", {}]]},
    {"op": "+", "args": [1e308, 1e308]},
    [{"field": "id", "direction": "sideways"}],
    [{"field": "properties." + "x" * 1000, "direction": "asc"}],
    {"include": ["a" * 3000], "exclude": [None]},
    {"a": {"eq": {"b": []}}},
    {"a": {"in": [[], {}, None]}},
]
_NAMES = [
    *("bbox", "intersects", "datetime", "ids", "collections", "limit", "token", "filter", "filter-lang", "filter-crs"),
    *(
        "sortby",
        "fields",
        "q",
        "query",
        "f",
        "sign",
        "aggregations",
        "conf",
        "unknown",
        "cascade",
        "max_size",
        "assets",
    ),
    *("geometry_geohash_grid_frequency_precision", "datetime_frequency_interval"),
]
_PATHS = [
    *(
        "/",
        "/conformance",
        "/api",
        "/docs",
        "/search",
        "/collections",
        "/collections-search",
        "/queryables",
        "/functions",
    ),
    *("/aggregate", "/aggregations", "/sortables", "/_mgmt/ping", "/_mgmt/health", "/metrics", "/collections/{}"),
    *("/collections/{}/items", "/collections/{}/items/{}", "/collections/{}/queryables", "/collections/{}/aggregate"),
    *("/collections/{}/items/{}/assets/{}/grid", "/collections/{}/bulk_items", "/{}", "/static/{}", "/docs/assets/{}"),
    *("/collections/{}/items/{}/preview.png", "/tiles/{}/{}/{}.png", "/tiles/tilejson.json", "/cube", "/mosaic.vrt"),
]
_METHODS = [*("GET",) * 6, *("POST",) * 6, "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "PROPFIND"]
_TYPES = [
    *("application/json", "application/geo+json", "application/merge-patch+json", "application/json-patch+json"),
    *("text/plain", "", "multipart/form-data", "application/json; charset=utf-16"),
]
_HEADERS = [
    *(
        "If-Match",
        "If-None-Match",
        "Accept",
        "Accept-Encoding",
        "Range",
        "Prefer",
        "X-Forwarded-For",
        "X-Forwarded-Host",
    ),
    *("Forwarded", "X-Request-ID", "Origin", "Access-Control-Request-Method", "X-Forwarded-Prefix", "traceparent"),
]
_KNOWN = ["things", "thing"]


@dataclass(frozen=True, slots=True)
class Hostile:
    """`target` is sent as it is, not parsed and not normalised."""

    method: str
    target: bytes
    headers: list[tuple[str, str]]
    body: bytes


def requests(seed: int, number: int) -> Iterator[Hostile]:
    random = Random(seed)
    for _ in range(number):
        yield _request(random)


def _request(random: Random) -> Hostile:
    target = random.choice(_PATHS)
    while "{}" in target:
        target = target.replace("{}", _segment(random), 1)
    pairs = [
        f"{quote(random.choice(_NAMES))}={_quoted(_text(random))}" for _ in range(random.choice((0, 0, 1, 1, 2, 5)))
    ]
    if pairs:
        target += "?" + "&".join(pairs)
    headers = [(random.choice(_HEADERS), _plain(_text(random))) for _ in range(random.choice((0, 0, 1, 2)))]
    method = random.choice(_METHODS)
    body = b"" if method in ("GET", "HEAD") else _body(random)
    if body:
        headers.append(("Content-Type", random.choice(_TYPES)))
    return Hostile(method, target.encode("ascii", "replace"), headers, body)


def _segment(random: Random) -> str:
    return random.choice(_KNOWN) if random.random() < 0.6 else _quoted(_text(random)[:500]) or "x"


def _text(random: Random) -> str:
    text = random.choice(_TEXTS)
    if random.random() < 0.3:
        text += random.choice(_TEXTS)[:200]
    if random.random() < 0.2:
        text = "".join(chr(random.randrange(1, 0x2FF)) for _ in range(random.randrange(40)))
    return text


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")[:8000]


def _plain(text: str) -> str:
    return "".join(character for character in text if " " <= character < "\x7f")[:4000].strip()


def _body(random: Random) -> bytes:
    kind = random.random()
    if kind < 0.1:
        return random.randbytes(random.randrange(200))
    if kind < 0.2:
        return _text(random).encode("utf-8", "surrogatepass")
    document = {
        random.choice(_NAMES): random.choice(_VALUES + list(_TEXTS)) for _ in range(random.choice((1, 1, 2, 4)))
    }
    if kind < 0.5:
        document = _stac(random)
    text = orjson.dumps(document, default=str) if _is_json(document) else b"{}"
    return text[: random.randrange(len(text) + 1)] if kind > 0.95 else text


def _stac(random: Random) -> Document:
    """An item, alone or in one of the forms of a batch, with one or two of its members replaced."""
    item: Document = {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": random.choice(["thing", "other", random.choice(_TEXTS)]),
        "collection": "things",
        "geometry": {"type": "Point", "coordinates": [0, 0]},
        "bbox": [0, 0, 0, 0],
        "properties": {"datetime": "2024-01-01T00:00:00Z"},
        "links": [],
        "assets": {},
    }
    if random.random() < 0.2:
        item["properties"] |= {random.choice(_TEXTS): random.choice(_VALUES) for _ in range(3)}
    for name in random.sample(sorted(item), random.choice((1, 2))):
        item[name] = random.choice([*_VALUES, *_TEXTS])
    batches: list[Document] = [{"type": "FeatureCollection", "features": [item]}, {"items": {"thing": item}}]
    return random.choice([item, *batches])


def _is_json(document: object) -> bool:
    try:
        orjson.dumps(document)
    except TypeError:
        return False
    return True
