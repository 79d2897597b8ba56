"""Collection Search 1.0.0-rc.1: GET and POST become the same request."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidRequest
from app.stac.collection_search import COLLECTIONS_PARAMETERS, CollectionSearch
from app.stac.cql2.nodes import Comparison, Property, Value
from app.stac.fields import Fields
from app.stac.interval import Interval
from app.stac.paging import Position, Seek
from app.stac.sorting import SortKey
from tests.factories import Document

DAY = datetime(2024, 1, 1, tzinfo=UTC)
BY_ID = SortKey("id", descending=False)
BY_TITLE = SortKey("title", descending=True)
IDENTITY = {"type", "stac_version", "id", "links"}
BASELINE = IDENTITY | {"description", "license", "extent"}


@pytest.mark.parametrize(
    ("query", "body", "search"),
    [
        ({}, {}, CollectionSearch()),
        ({"limit": "3"}, {"limit": 3}, CollectionSearch(limit=3)),
        ({"datetime": "2024-01-01T00:00:00Z/.."}, None, CollectionSearch(interval=Interval(DAY, None))),
        (
            {"q": "EO,Earth Observation"},
            {"q": ["EO", "Earth Observation"]},
            CollectionSearch(terms=("EO", "Earth Observation")),
        ),
        ({"q": ", a ,,-b.,a"}, {"q": ", a ,,-b.,a"}, CollectionSearch(terms=("a", "-b."))),
        ({"filter": "title='a'"}, None, CollectionSearch(filter=Comparison("=", Property("title"), Value("a")))),
        ({"sortby": "-title"}, {"sortby": "-title"}, CollectionSearch(sortby=(BY_TITLE, BY_ID))),
        (
            {"sortby": "-title,-id,license"},
            {"sortby": [{"field": "title", "direction": "desc"}, {"field": "id", "direction": "desc"}]},
            CollectionSearch(sortby=(BY_TITLE, SortKey("id", descending=True))),
        ),
        ({"sortby": "collection,title"}, {"sortby": [{"field": "collection"}]}, CollectionSearch()),
        ({"fields": ""}, {"fields": {}}, CollectionSearch(fields=Fields(frozenset(BASELINE), frozenset()))),
        (
            {"fields": "title,summaries.gsd,-links"},
            {"fields": {"include": ["title", "summaries.gsd"], "exclude": ["links"]}},
            CollectionSearch(
                fields=Fields(frozenset(IDENTITY - {"links"} | {"title", "summaries.gsd"}), frozenset({"links"}))
            ),
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_get_and_post_are_one_search(query: Mapping[str, str], body: Document | None, search: CollectionSearch) -> None:
    posted = CollectionSearch.from_body(orjson.dumps(query if body is None else body))
    assert CollectionSearch.from_query(query) == posted == search
    assert posted.digest() == search.digest()


def test_a_box_across_the_antimeridian_is_two() -> None:
    asked = CollectionSearch.from_query({"bbox": "170,-10,-170,10"})
    assert asked == CollectionSearch.from_body(b'{"bbox": [170, -10, 0, -170, 10, 5]}')
    assert asked.area is not None
    assert len(asked.area) == 2


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("limit", "0", 0),
        ("limit", "x", "5"),
        ("bbox", "1,2,3", [1, 2, 3]),
        ("datetime", "2024", 2024),
        ("q", "", []),
        ("q", " , ,", ["", " "]),
        ("q", "a\0", ["a\0"]),
        ("q", "a" * 2001, ["a" * 2001]),
        ("q", ",".join(map(str, range(101))), [*map(str, range(101))]),
        ("q", "", 5),
        ("q", ",", [["a"]]),
        ("q", " ", {"a": "b"}),
        ("filter", "title =", {"op": "no"}),
        ("filter-crs", "EPSG:3857", 4326),
        ("sortby", "", [{"field": 5}]),
        ("fields", "a,,b", ["a"]),
        ("token", "", ""),
        ("token", "W10", {"a": 1}),
    ],
)
def test_fault_names_its_parameter(name: str, text: str, value: object) -> None:
    asked = partial(CollectionSearch.from_query, {name: text})
    posted = partial(CollectionSearch.from_body, orjson.dumps({name: value}))
    for search in (asked, posted):
        with pytest.raises(InvalidRequest) as failure:
            search()
        assert failure.value.parameter == name
        assert failure.value.description.startswith(f"{name}: ")


@pytest.mark.parametrize("name", ["intersects", "ids", "collections", "Q"])
def test_what_is_for_items_is_unknown_here(name: str) -> None:
    with pytest.raises(InvalidRequest, match="unknown parameter") as failure:
        CollectionSearch.from_body(orjson.dumps({name: "a"}))
    assert failure.value.parameter == name


@given(st.dictionaries(st.sampled_from(sorted(COLLECTIONS_PARAMETERS)), st.text(max_size=12), max_size=3))
def test_any_query_is_a_search_or_an_invalid_request(query: dict[str, str]) -> None:
    for ask in (partial(CollectionSearch.from_query, query), partial(CollectionSearch.from_body, orjson.dumps(query))):
        assert at_fault(ask) in {None, *query}


def at_fault(search: Callable[[], CollectionSearch]) -> str | None:
    """The parameter that was refused, which every refusal has."""
    try:
        search()
    except InvalidRequest as error:
        return error.parameter or "not named"
    return None


NARROW = {"bbox": "0,0,1,1", "q": "a", "sortby": "title"}
SEEK = Seek(Position(DAY, 0, "ü'", 1, (None, "t", "ü'")), backward=True)


def test_token_leads_to_its_page_of_the_same_search() -> None:
    token = CollectionSearch.from_query(NARROW).token(SEEK)
    again = CollectionSearch.from_query({**NARROW, "token": token, "limit": "7", "fields": "id"})
    assert again.seek == SEEK


@pytest.mark.parametrize(
    "change", [{"bbox": "0,0,1,2"}, {"q": "a,b"}, {"sortby": "-title"}, {"datetime": "2024-01-01T00:00:00Z"}], ids=str
)
def test_token_of_another_search_is_refused(change: dict[str, str]) -> None:
    token = CollectionSearch.from_query(NARROW).token(SEEK)
    with pytest.raises(InvalidRequest, match=r"^token: belongs to another search"):
        CollectionSearch.from_query({**NARROW, **change, "token": token})


@pytest.mark.parametrize("keys", [(), (None, "t"), ("not a number", "t", "a")])
def test_token_with_other_keys_is_refused(keys: tuple[str | None, ...]) -> None:
    search = CollectionSearch.from_query(NARROW)
    token = search.token(Seek(Position(DAY, 0, "a", 1, keys), backward=False))
    with pytest.raises(InvalidRequest, match=r"^token: "):
        CollectionSearch.from_query({**NARROW, "token": token})
