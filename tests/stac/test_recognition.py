from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stac_pydantic import Item

from app.stac.recognition import is_item
from app.stac.validation import of_model
from tests.factories import Document, box, item

WHOLE = item(
    geometry=box(1, 2, 3, 4),
    stac_extensions=["https://stac-extensions.github.io/eo/v1.0.0/schema.json"],
    properties={
        "datetime": "2024-07-16T12:00:00.123456789Z",
        "start_datetime": "2024-07-16T12:00:00Z",
        "end_datetime": "2024-07-16T14:00:00+01:00",
        "created": "2024-07-17T00:00:00Z",
        "updated": None,
        "title": "A thing",
        "description": "",
        "license": "other",
        "providers": [{"name": "A", "description": "B", "roles": ["host"], "url": "https://a.example"}],
        "platform": "p",
        "instruments": ["i"],
        "constellation": "c",
        "mission": "m",
        "gsd": 10,
        "eo:cloud_cover": {"of": ["any", None]},
    },
    links=[{"rel": "via", "href": "https://b.example", "type": "text/html", "title": "t", "method": "POST"}],
    assets={"data": {"href": "a.tif", "type": "image/tiff", "title": "t", "description": "d", "roles": ["data"]}},
)
OF_INTERVAL = {"datetime": None, "start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-01-02T00:00:00Z"}


def paths(value: Any, here: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [here, *(path for step, member in inside for path in paths(member, (*here, step)))]


def changed(document: Document, path: tuple[str | int, ...], value: Any) -> Document:
    """With `value` at the path, or without what is there where the value is `changed` itself."""
    document = deepcopy(document)
    holder: Any = document
    for step in path[:-1]:
        holder = holder[step]
    if value is changed:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return document


DIGITS = st.text("0123456789", min_size=1, max_size=12)
TIMES = st.builds(
    "{}-{}-{}{}{}:{}:{}{}{}".format,
    st.sampled_from(["2024", "0000", "0001", "0002", "9998", "9999", "24"]),
    st.sampled_from(["01", "12", "13", "00", "1"]),
    st.sampled_from(["01", "28", "29", "31", "00"]),
    st.sampled_from("Tt _"),
    st.sampled_from(["00", "23", "24"]),
    st.sampled_from(["00", "59", "60"]),
    st.sampled_from(["00", "59", "60"]),
    st.one_of(st.just(""), st.just("."), DIGITS.map(".{}".format), DIGITS.map(",{}".format)),
    st.sampled_from(
        ["Z", "z", "", "+00:00", "-00:00", "+0100", "+01", "+14:00", "-23:59", "+24:00", "-00:60", "z ", "Ā"]
    ),
)
URLS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["https://", "s3://", "file:///", "http:", "urn:", "//", ""]),
    st.text(max_size=6),
    st.sampled_from(["", "/a.json", ":80/a", ":99999", "#", "[", "%"]),
)
NUMBERS = (
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([10**30, 10**400, -(2**63)])
)
VALUES = st.one_of(
    st.just(changed),
    st.recursive(
        st.one_of(
            st.none(), st.booleans(), NUMBERS, st.text(max_size=4), TIMES, URLS, st.sampled_from(["1.0.0", "1.1.0"])
        ),
        lambda inner: (
            st.lists(inner, max_size=6) | st.dictionaries(st.sampled_from(["href", "rel", "name", "type"]), inner)
        ),
        max_leaves=4,
    ),
    st.lists(NUMBERS, min_size=4, max_size=6),
)


@given(
    st.sampled_from(
        [WHOLE, item(), item(geometry=None), item(properties=OF_INTERVAL), WHOLE | {"bbox": [3, 2, 0, 1, 4, 1]}]
    ).flatmap(lambda document: st.tuples(st.just(document), st.sampled_from(paths(document)[1:]), VALUES))
)
def test_what_is_recognised_is_what_stac_pydantic_accepts(change: tuple[Document, tuple[str | int, ...], Any]) -> None:
    document, path, _ = change
    found = changed(*change)
    # The geometry has a check of its own, which goes first.
    if path[0] != "geometry" and is_item(found):
        assert of_model(Item, found) == []
    assert is_item(document)


@given(st.sampled_from(["datetime", "start_datetime", "end_datetime", "created", "updated"]), TIMES)
def test_times_that_are_recognised(name: str, time: str) -> None:
    document = changed(WHOLE, ("properties", name), time)
    if is_item(document):
        assert of_model(Item, document) == []


@given(URLS)
def test_extensions_that_are_recognised(url: str) -> None:
    document = changed(WHOLE, ("stac_extensions", 0), url)
    assert is_item(document) == (of_model(Item, document) == [])


@pytest.mark.parametrize(
    "members",
    [
        {"properties": {"datetime": "2024-07-16T12:00Z"}},
        {"properties": {"datetime": "2024-07-16T12:00:00Z", "gsd": "10"}},
        {"stac_version": "1.0.0-rc.1"},
    ],
    ids=str,
)
def test_what_is_valid_and_rare_is_left_to_stac_pydantic(members: Document) -> None:
    document = WHOLE | members
    assert not is_item(document)
    assert of_model(Item, document) == []
