from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import orjson
import pytest
import shapely
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequest
from app.stac.collection_search import COLLECTIONS_PARAMETERS
from app.stac.interval import Interval, parse_instant
from app.stac.paging import Position, Seek
from app.stac.parameters import check_known
from app.stac.search import ITEMS_PARAMETERS, SEARCH_PARAMETERS, Search
from tests.factories import Document, box, point

DAY = parse_instant("2024-01-01T00:00:00Z")


def wkb(*shapes: shapely.Geometry) -> tuple[bytes, ...]:
    return tuple(bytes(shapely.to_wkb(shapely.set_srid(shape, 4326), include_srid=True)) for shape in shapes)


HALVES = [shapely.Polygon(box(*edges)["coordinates"][0]) for edges in ((170, 1, 180, 2), (-180, 1, -170, 2))]


@pytest.mark.parametrize(
    ("query", "body", "search"),
    [
        ({}, {}, Search()),
        ({"collections": "a,b,a"}, {"collections": ["a", "b", "a"]}, Search(collections=("a", "b"))),
        ({"collections": "a"}, {"collections": "a"}, Search(collections=("a",))),
        ({"collections": "a, b"}, {"collections": ["a", "b"]}, Search(collections=("a", "b"))),
        ({"collections": ""}, {"collections": []}, Search()),
        ({"ids": "x,ü/'\"$1,y"}, {"ids": ["x", "ü/'\"$1", "y"]}, Search(ids=("x", "ü/'\"$1", "y"))),
        ({"ids": "x"}, {"ids": ["x"], "collections": None, "bbox": None, "token": None}, Search(ids=("x",))),
        ({"ids": " x , y z "}, {"ids": [" x", "y z "]}, Search(ids=(" x", "y z "))),
        ({"limit": "5"}, {"limit": 5}, Search(limit=5)),
        ({"limit": "+005"}, {"limit": 5}, Search(limit=5)),
        ({"limit": "10001"}, {"limit": 10001}, Search(limit=10001)),
        (
            {"datetime": "2024-01-01T00:00:00Z"},
            {"datetime": "2024-01-01T01:00:00+01:00"},
            Search(interval=Interval(DAY, DAY)),
        ),
        (
            {"datetime": "../2024-01-01T00:00:00Z"},
            {"datetime": "/2024-01-01T00:00:00Z"},
            Search(interval=Interval(None, DAY)),
        ),
        ({"bbox": "1,2,1,2"}, {"bbox": [1, 2, 1, 2]}, Search(area=wkb(shapely.Point(1, 2)))),
        ({"bbox": "1,2,-5,1.0,2e0,99"}, {"bbox": [1, 2, -5, 1, 2, 99]}, Search(area=wkb(shapely.Point(1, 2)))),
        ({"bbox": "1, 2, 1, 2"}, {"bbox": [1, 2, 1, 2]}, Search(area=wkb(shapely.Point(1, 2)))),
        ({"bbox": "170,1,-170,2"}, {"bbox": [170.0, 1.0, -170.0, 2.0]}, Search(area=wkb(*HALVES))),
        (
            {"intersects": '{"type": "Point", "coordinates": [1, 2]}'},
            {"intersects": point(1.0, 2.0)},
            Search(area=wkb(shapely.Point(1, 2))),
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_get_and_post_are_one_search(query: Mapping[str, str], body: Document, search: Search) -> None:
    assert normal(Search.from_query(query)) == normal(Search.from_body(orjson.dumps(body))) == normal(search)
    assert Search.from_query(query).digest() == Search.from_body(orjson.dumps(body)).digest()


@pytest.mark.parametrize(
    ("asked", "posted", "terms"),
    [
        ("EO,Earth Observation", ["EO", "Earth Observation"], ("EO", "Earth Observation")),
        (" EO , ,EO,", "EO, EO", ("EO",)),
        ("a & b,!c", ["a & b", " ", "!c", "a & b"], ("a & b", "!c")),
        ("x" * 2000, ["x" * 2000], ("x" * 2000,)),
    ],
)
def test_terms_of_free_text(asked: str, posted: object, terms: tuple[str, ...]) -> None:
    assert Search.from_query({"q": asked}).terms == Search.from_body(orjson.dumps({"q": posted})).terms == terms


def test_a_comma_in_a_posted_term_is_part_of_it() -> None:
    assert Search.from_body(b'{"q": ["Alps, the"]}').terms == ("Alps, the",)


def normal(search: Search) -> tuple[object, ...]:
    """Rings may start at another corner."""
    area = [shapely.from_wkb(part).normalize().wkb for part in search.area or ()]
    return search.collections, search.ids, area, search.interval, search.limit


@pytest.mark.parametrize("body", [b"", b"{}", b' {"ids": null} '])
def test_body_that_says_nothing(body: bytes) -> None:
    assert Search.from_body(body) == Search()


def test_items_of_a_collection() -> None:
    assert Search.from_query({"limit": "2"}, "a,b") == Search(collections=("a,b",), limit=2)


EVERY_WAY = [
    ("limit", "", ""),
    ("limit", "0", 0),
    ("limit", "-1", -1),
    ("limit", "1.0", 1.5),
    ("limit", "ten", "ten"),
    ("limit", "\u0661", True),
    ("limit", " 1", [1]),
    ("datetime", "", ""),
    ("datetime", "2024", 2024),
    ("datetime", "../..", "../.."),
    ("datetime", "2024-01-01T00:00:00Z/2023-01-01T00:00:00Z", {}),
    ("datetime", "2024-01-01T00:00:00Z\0", "2024-01-01T00:00:00Z\0"),
    ("bbox", "", []),
    ("bbox", "1,2,3", [1, 2, 3]),
    ("bbox", "1,2,3,x", [1, 2, 3, "4"]),
    ("bbox", "1,2,3,nan", [1, 2, 3, None]),
    ("bbox", "1,2,3,inf", [1, 2, 3, True]),
    ("bbox", "1,2,3,1e999", "1,2,3,4"),
    ("bbox", "1,2,3,4,", {"west": 1}),
    ("bbox", "1_0,2,3,4", [[1, 2, 3, 4]]),
    ("bbox", "0,10,10,0", [0, 10, 10, 0]),
    ("bbox", "0,0,181,1", [0, 0, 181, 1]),
    ("intersects", "", ""),
    ("intersects", "null", 5),
    ("intersects", "{", []),
    ("intersects", '"POINT (1 2)"', "POINT (1 2)"),
    ("intersects", '{"type":"Point"}', {"type": "Point"}),
    ("intersects", '{"type":"Point","coordinates":[200,0]}', point(0, -91)),
    ("intersects", '{"type":"MultiPoint","coordinates":[]}', {"type": "GeometryCollection", "geometries": []}),
    ("intersects", '{"type":"Feature","geometry":null}', {"type": "Feature", "geometry": point(0, 0)}),
    ("ids", "a\0", ["a\0"]),
    ("collections", "a,b\0", [1]),
    ("query", "", ""),
    ("query", "{", []),
    ("query", '{"a":1}', {"a": 1}),
    ("query", '{"a":{"x":1}}', {"a": {"x": 1}}),
    ("q", "", ""),
    ("q", " , ,", []),
    ("q", "a\0", ["a\0"]),
    ("q", "x" * 2001, ["ok", 5]),
    ("q", ",".join(map(str, range(101))), [str(number) for number in range(10_000)]),
    ("q", "a" * 1001 + "," + "b" * 1000, {"q": "a"}),
    ("q", "\t", [["a"]]),
    ("token", "", ""),
    ("token", "x", 5),
    ("token", "ü", {"a": 1}),
]


@pytest.mark.parametrize(("name", "text", "value"), EVERY_WAY)
def test_fault_names_its_parameter(name: str, text: str, value: object) -> None:
    asked = partial(Search.from_query, {name: text})
    posted = partial(Search.from_body, orjson.dumps({name: value}))
    for search in (asked, posted):
        with pytest.raises(InvalidRequest) as failure:
            search()
        assert failure.value.parameter == name
        assert failure.value.description.startswith(f"{name}: ")
        assert "\n" not in failure.value.description


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b"null", "body"),
        (b"5", "body"),
        (b'{"limit": NaN}', "body"),
        (b'{"ids": ["\\ud800"]}', "body"),
        (b"\xff", "body"),
        (b"[" * 5000, "body"),
        (b'{"filter": {}}', "filter"),
        (b'{"conf": null}', "conf"),
        (b'{"collection": "a"}', "collection"),
        (b'{"bbox": [0,0,1,1], "intersects": {"type":"Point","coordinates":[0,0]}}', "intersects"),
        (b'{"ids": [["a"]]}', "ids"),
        (b'{"ids": {"a": 1}}', "ids"),
        (b'{"ids": 5}', "ids"),
        (b'{"collections": [null]}', "collections"),
    ],
)
def test_fault_of_a_body(body: bytes, parameter: str) -> None:
    with pytest.raises(InvalidRequest) as failure:
        Search.from_body(body)
    assert failure.value.parameter == parameter


def nested(depth: int) -> bytes:
    head = b'{"type":"GeometryCollection","geometries":[{"type":"Point","coordinates":[1,1]},'
    return head * depth + orjson.dumps(box(0, 0, 1, 1)) + b"]}" * depth


@pytest.mark.filterwarnings("ignore:GeometryCollection should not be used:UserWarning")
@pytest.mark.parametrize(
    "geometry",
    [b'{"type":"Point","coordinates":["1","2"]}', b'{"type":"Point","coordinates":[true,2]}', nested(200), nested(480)],
    ids=["texts", "boolean", "deep", "deeper"],
)
def test_geometry_that_only_one_of_the_libraries_refuses(geometry: bytes) -> None:
    asked = partial(Search.from_query, {"intersects": geometry.decode()})
    posted = partial(Search.from_body, b'{"intersects":' + geometry + b"}")
    for search in (asked, posted):
        with pytest.raises(InvalidRequest) as failure:
            search()
        assert failure.value.parameter == "intersects"


@pytest.mark.parametrize(("text", "number"), [("1001", 1001), ("18446744073709551615", 2**64 - 1)])
def test_limit_of_any_size_is_one_and_the_same(text: str, number: int) -> None:
    """`max_limit` is what a large one is served as, whichever way it comes."""
    asked = Search.from_query({"limit": text}).limit
    posted = Search.from_body(b'{"limit": %d}' % number).limit
    assert asked is not None
    assert posted is not None
    assert min(asked, 1000) == min(posted, 1000) == min(number, 1000)


@pytest.mark.parametrize("known", [SEARCH_PARAMETERS, ITEMS_PARAMETERS, COLLECTIONS_PARAMETERS, frozenset[str]()])
def test_unknown_parameter_is_named_with_the_known_ones(known: frozenset[str]) -> None:
    check_known(dict.fromkeys(known), known)
    with pytest.raises(InvalidRequest) as failure:
        check_known({"Limit": "1"}, known)
    assert failure.value.parameter == "Limit"
    assert all(name in failure.value.description for name in known)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
geometries = st.fixed_dictionaries(
    {"type": st.sampled_from(["Point", "LineString", "Polygon", "MultiPoint", "Feature"])},
    optional={"coordinates": json_values, "geometries": json_values},
)
bodies = st.dictionaries(st.sampled_from(sorted(SEARCH_PARAMETERS)), json_values | geometries, max_size=3)


@given(bodies)
def test_any_body_is_a_search_or_an_invalid_request(body: dict[str, Any]) -> None:
    assert at_fault(lambda: Search.from_body(orjson.dumps(body))) in {None, *body}


@given(st.dictionaries(st.sampled_from(sorted(SEARCH_PARAMETERS)), st.text(max_size=12), max_size=3))
def test_any_query_is_a_search_or_an_invalid_request(query: dict[str, str]) -> None:
    assert at_fault(lambda: Search.from_query(query)) in {None, *query}


def at_fault(search: Callable[[], Search]) -> str | None:
    """The parameter that was refused, which every refusal has."""
    try:
        search()
    except InvalidRequest as error:
        return error.parameter or "not named"
    return None


SEEK = Seek(Position(DAY, 5, "item", 2), backward=True)
NARROW = {"collections": "a,b", "ids": "x", "bbox": "0,0,1,1", "datetime": "../2024-01-01T00:00:00Z"}


def test_token_leads_to_its_page_of_the_same_search() -> None:
    token = Search.from_query(NARROW).token(SEEK)
    again = Search.from_query({**NARROW, "token": token, "limit": "7"})
    assert again.seek == SEEK
    assert again == Search.from_query({**NARROW, "limit": "7"}).behind(SEEK)


@pytest.mark.parametrize(
    "change",
    [
        {"query": '{"a":{"eq":1}}'},
        {"collections": "b,a"},
        {"ids": "x,y"},
        {"q": "snow"},
        {"bbox": "0,0,1,2"},
        {"datetime": "2024-01-01T00:00:00Z/.."},
    ],
    ids=str,
)
def test_token_of_another_search_is_refused(change: dict[str, str]) -> None:
    token = Search.from_query(NARROW).token(SEEK)
    with pytest.raises(InvalidRequest, match=r"^token: belongs to another search"):
        Search.from_query({**NARROW, **change, "token": token})
