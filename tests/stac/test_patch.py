from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import InvalidDocument
from app.stac import patch

# The examples of RFC 7396, appendix A, of which a document's patch is an object.
MERGES = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], {"a": "c"}, {"a": "c"}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "asked", "result"), MERGES)
def test_merge_patch(target: Any, asked: Any, result: Any) -> None:
    assert patch.read(patch.MERGE, orjson.dumps(asked))(target) == result


documents = st.recursive(
    st.booleans() | st.integers(-5, 5) | st.text(max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
)
objects = st.dictionaries(st.sampled_from("abc"), documents, max_size=3)


@given(objects, objects)
def test_a_merge_is_made_once(target: Any, asked: Any) -> None:
    """And leaves what it is given as it is."""
    before = orjson.dumps(target)
    once = patch.merged(target, asked)
    assert patch.merged(once, asked) == once
    assert orjson.dumps(target) == before


def test_operations_copy_values_and_no_references() -> None:
    operations = [{"op": "copy", "from": "/a", "path": "/b"}, {"op": "add", "path": "/b/x", "value": 1}]
    assert patch.read(patch.OPERATIONS, orjson.dumps(operations))({"a": {}}) == {"a": {}, "b": {"x": 1}}


def test_what_operations_copy_is_bounded() -> None:
    """Each doubles the document."""
    operations = [{"op": "copy", "from": "/a", "path": f"/a/{n}"} for n in range(60)]
    with pytest.raises(InvalidDocument, match=r"^\d+: copies more than 5000000 bytes in all"):
        patch.read(patch.OPERATIONS, orjson.dumps(operations))({"a": {"x": "y" * 1000}})


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        ([{"op": "test", "path": "/a", "value": True}], "^0: "),
        ([{"op": "add", "path": "/x", "value": 1}, {"op": "remove", "path": "/y"}], "^1: "),
        ([{"op": "jump", "path": "/a"}], "^0: "),
        ([5], "^0: "),
        ([{"op": "copy", "from": 5, "path": "/a"}], "^0: "),
        ([{"op": "copy", "path": "/a"}], "^0: "),
        ([{"path": "/a"}], "^0: "),
        ([{"op": "add", "path": "/l/5", "value": 1}], "^0: "),
        ([{"op": "add", "path": "/l/-1", "value": 1}], "^0: "),
        ([{"op": "test", "path": "", "value": {}}] * 1001, "has more than 1000 operations"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_operations_that_cannot_be_carried_out(operations: Any, reason: str) -> None:
    with pytest.raises(InvalidDocument, match=reason):
        patch.read(patch.OPERATIONS, orjson.dumps(operations))({"a": 1, "l": []})


pointers = st.sampled_from(["", "/a", "/a/b", "/l/0", "/l/-", "/l/-1", "/l/01", "/l/²", "/~2", "a"]) | st.text(
    max_size=4
)
operations = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]) | documents,
        "path": pointers | documents,
        "from": pointers | documents,
        "value": documents,
    },
)


@given(st.lists(operations | documents, max_size=4))
@settings(max_examples=1000)
def test_operations_are_carried_out_or_refused(asked: list[Any]) -> None:
    change = patch.read(patch.OPERATIONS, orjson.dumps(asked))
    with suppress(InvalidDocument):
        change({"a": {"b": 1}, "l": [1, 2]})


def test_depth_is_bounded() -> None:
    with pytest.raises(InvalidDocument, match="is nested too deep"):
        patch.read(patch.MERGE, b'{"a":' * 300 + b"1" + b"}" * 300)
