"""The Sort extension's two forms, and what is wrong with others."""

from typing import Any

import pytest

from app.stac.sorting import SortKey, check_values, from_json, from_text

UP, DOWN = False, True


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("id", [("id", UP)]),
        ("+id", [("id", UP)]),
        (" id", [("id", UP)]),
        ("-properties.eo:cloud_cover,+datetime", [("eo:cloud_cover", DOWN), ("datetime", UP)]),
        ("a.b,-a.b", [("a.b", UP)]),
    ],
)
def test_text(text: str, keys: list[tuple[str, bool]]) -> None:
    assert from_text(text) == tuple(SortKey(*key) for key in keys)


@pytest.mark.parametrize(
    ("value", "keys"),
    [
        ([], []),
        ([{"field": "id"}], [("id", UP)]),
        ([{"field": "properties.gsd", "direction": "desc"}], [("gsd", DOWN)]),
    ],
)
def test_json(value: Any, keys: list[tuple[str, bool]]) -> None:
    assert from_json(value) == tuple(SortKey(*key) for key in keys)


@pytest.mark.parametrize("text", ["", "-", "a,,b", "a\0", "properties.", ",".join("abcdefghijk")])
def test_faults_of_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"field"):
        from_text(text)


@pytest.mark.parametrize(
    "value", ["id", 1, {}, [1], ["id"], [{"direction": "asc"}], [{"field": "a", "direction": "up"}], [{"field": 1}]]
)
def test_faults_of_json(value: Any) -> None:
    with pytest.raises(ValueError, match=r"array|member|field"):
        from_json(value)


@pytest.mark.parametrize("values", [["1.5", None, "x"], [None, None, None], ["-12", "NaN", ""]])
def test_values_of_a_token(values: list[str | None]) -> None:
    check_values(from_text("gsd,id"), values)
    with pytest.raises(ValueError, match=r"order"):
        check_values(from_text("gsd"), values)


@pytest.mark.parametrize("number", ["one", "1e5", "NaN", "", "1 OR TRUE", "9" * 6000])
def test_numbers_of_a_token(number: str) -> None:
    with pytest.raises(ValueError, match=r"number"):
        check_values(from_text("gsd,id"), [number, None, "x"])
