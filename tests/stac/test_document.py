import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidDocument
from app.stac import document as documents

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(values)
def test_what_is_dumped_is_parsed_back(value: Any) -> None:
    assert repr(documents.parse(documents.dump(value))) == repr(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (b"18446744073709551616", 2**64),
        (b"[-99999999999999999999999999]", [-99999999999999999999999999]),
        (b"1" + b"0" * 308, 10**308),
        (b'{"a":1e22,"b":10000000000000000000000}', {"a": 1e22, "b": 10**22}),
        (b"[" + b",".join([b"9" * 29] * 20) + b"]", [10**29 - 1] * 20),
        (b'"' + b"9" * 400 + b'"', "9" * 400),
        (b"1E5", 100000.0),
        (b"0.1", 0.1),
        (b"-0.0", -0.0),
        (b'{"1e5":"2E9"}', {"1e5": "2E9"}),
        (b'"a\\u0000b"', "a\0b"),
        ('"ü 🛰"'.encode(), "ü 🛰"),
        (b' { "a" : [ ] } ', {"a": []}),
    ],
)
def test_numbers_and_texts_are_kept(text: bytes, value: object) -> None:
    parsed = documents.parse(text)
    assert repr(parsed) == repr(value)
    assert repr(json.loads(documents.dump(parsed))) == repr(value)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b" ",
        b"{",
        b"{'a':1}",
        b"NaN",
        b"Infinity",
        b"1e400",
        b"9" * 309,
        b'{"a":[1,' + b"9" * 400 + b"]}",
        b"[-" + b"9" * 5000 + b"]",
        b'"\xff"',
        b'"\\ud800"',
        b"1 2",
    ],
    ids=lambda text: repr(text[:20]),
)
def test_what_is_not_json(text: bytes) -> None:
    with pytest.raises(InvalidDocument, match=r"^is not JSON: "):
        documents.parse(text)


@pytest.mark.parametrize("depth", [100, 250, 300, 1000, 5000])
def test_depth_is_parsed_or_refused(depth: int) -> None:
    """The parser reads what is 1,024 deep, and the writer writes what is 254 deep."""
    try:
        parsed = documents.parse(b"[" * depth + b"1" + b"]" * depth)
    except InvalidDocument:
        return
    assert documents.dump(parsed) == b"[" * depth + b"1" + b"]" * depth


@pytest.mark.parametrize("number", [b"1", b"9" * 30])
@pytest.mark.parametrize("depth", [255, 999, 1020, 100_000])
def test_what_is_too_deep_is_refused(depth: int, number: bytes) -> None:
    """Wherever else in the document there is a number that the parser of the depth rounds."""
    with pytest.raises(InvalidDocument, match="is nested too deep"):
        documents.parse(b'{"a":' + number + b',"b":' + b"[" * depth + b"]" * depth + b"}")


@pytest.mark.parametrize("number", [1, 10**30])
@pytest.mark.parametrize("depth", [255, 999, 100_000])
def test_what_would_not_be_read_is_not_written(depth: int, number: int) -> None:
    nested: list[Any] = []
    for _ in range(depth):
        nested = [nested]
    with pytest.raises(InvalidDocument, match="is nested too deep"):
        documents.dump([number, nested])


@pytest.mark.parametrize("text", ["[1}", '{"a":1,}', '{\n"a": "\t"}', "\ufeff{}"])
def test_fault_is_told_with_its_place(text: str) -> None:
    with pytest.raises(InvalidDocument, match=r"line \d+ column \d+"):
        documents.parse(text.encode())


@given(st.dictionaries(st.text().filter(lambda name: name != "links"), values, max_size=4), st.booleans())
def test_links_are_last_and_spliced_into(members: dict[str, Any], empty: bool) -> None:
    kept = [] if empty else [{"rel": "via", "href": "https://example.com"}]
    document = {"links": [{"rel": "self", "href": "x"}, *kept], **members}
    text = documents.dump_with_links_last(document, frozenset({"self"}))
    assert list(json.loads(text)) == [*members, "links"]
    spliced = documents.splice(text, b'{"rel":"root"}', b',"extent":{}')
    assert json.loads(spliced) == {**members, "links": [*kept, {"rel": "root"}], "extent": {}}


@pytest.mark.parametrize(
    ("link", "stays"),
    [
        ({"rel": "preview", "href": "https://a.example/x/collections/c/items/i%2F1/preview.png?assets=visual"}, False),
        ({"rel": "tilejson", "href": "https://a.example/collections/c/items/i/tilejson.json?assets=a,b,c"}, False),
        ({"rel": "preview", "href": "https://a.example/previews/1.png"}, True),
        ({"rel": "tilejson", "href": "https://a.example/tilejson.json?assets=visual"}, True),
        ({"rel": "via", "href": "https://a.example/collections/c/items/i/preview.png?assets=visual"}, True),
        ({"rel": "preview"}, True),
    ],
)
def test_pictures_that_an_api_made_are_not_kept(link: dict[str, Any], stays: bool) -> None:
    """An item that is read and written again has each link once."""
    assert documents.without_links({"links": [link]}, frozenset())["links"] == ([link] if stays else [])


def test_member_stored_elsewhere_is_left_out() -> None:
    text = documents.dump_with_links_last({"extent": 1, "links": [], "id": "a"}, frozenset(), apart="extent")
    assert text == b'{"id":"a","links":[]}'


def test_document_itself_is_left_as_it_is() -> None:
    document = {"links": [{"rel": "self", "href": "x"}], "id": "a"}
    before = orjson.dumps(document)
    documents.dump_with_links_last(document, frozenset({"self"}))
    assert orjson.dumps(document) == before
