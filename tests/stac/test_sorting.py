"""The Sort extension's two forms, and what is wrong with others."""

from typing import Any

import pytest

from app.stac.sorting import SortKey, check_values, fields, from_json, from_text, newest_first

UP, DOWN = False, True


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("id", [("id", UP)]),
        ("+id", [("id", UP)]),
        (" id", [("id", UP)]),
        ("-properties.eo:cloud_cover,+datetime", [("eo:cloud_cover", DOWN), ("datetime", UP)]),
        ("p, -v , + n", [("p", UP), ("v", DOWN), ("n", UP)]),
        ("a.b,-a.b", [("a.b", UP)]),
        (" -a b , c", [("a b", DOWN), ("c", UP)]),
        ("--v,+-v2, ++n,- -o", [("-v", DOWN), ("-v2", UP), ("+n", UP), ("-o", DOWN)]),
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


@pytest.mark.parametrize("text", ["", " ", "-", "a,,b", "a\0", "properties.", ",".join("abcdefghijk")])
def test_faults_of_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"field"):
        from_text(text)


@pytest.mark.parametrize(
    "value", ["id", 1, {}, [1], ["id"], [{"direction": "asc"}], [{"field": "a", "direction": "up"}], [{"field": 1}]]
)
def test_faults_of_json(value: Any) -> None:
    with pytest.raises(ValueError, match=r"array|member|field"):
        from_json(value)


@pytest.mark.parametrize("values", [["1.5", None, "x"], [None, None, None], ["-12", "NaN", ""], ["1e+300", None, ""]])
def test_values_of_a_token(values: list[str | None]) -> None:
    check_values(from_text("gsd,id"), values)
    with pytest.raises(ValueError, match=r"order"):
        check_values(from_text("gsd"), values)


@pytest.mark.parametrize("number", ["one", "1e5", "1e+999", "NaN", "", "1 OR TRUE", "9" * 400])
def test_numbers_of_a_token(number: str) -> None:
    with pytest.raises(ValueError, match=r"number"):
        check_values(from_text("gsd,id"), [number, None, "x"])


@pytest.mark.parametrize(
    ("text", "compared", "newest"),
    [
        ("datetime", [], False),
        ("-datetime", [], True),
        ("gsd", ["gsd"], True),
        ("-gsd", ["gsd"], False),
        ("gsd,-datetime", ["gsd"], True),
        ("gsd,datetime", ["gsd"], False),
        ("-gsd,-datetime", ["gsd"], True),
        ("datetime,-gsd", ["datetime", "gsd"], False),
    ],
)
def test_a_last_datetime_is_the_order_behind_the_fields(text: str, compared: list[str], newest: bool) -> None:
    keys = from_text(text)
    assert [key.field for key in fields(keys)] == compared
    assert newest_first(keys) == newest


def test_newest_first_where_nothing_is_said() -> None:
    assert newest_first(())
