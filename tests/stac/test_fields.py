"""The Fields extension 1.0.0: include and exclude, at any depth."""

from typing import Any

import pytest

from app.stac.fields import Fields, from_json, from_text

ITEM: dict[str, Any] = {
    "type": "Feature",
    "id": "a",
    "geometry": None,
    "properties": {"datetime": "2024", "eo:cloud_cover": 1, "view": {"off": 2, "sun": 3}},
    "assets": {"red": {"href": "r", "roles": ["data"]}, "blue": {"href": "b"}},
}
PROPERTIES = ITEM["properties"]
BASELINE = {name: value for name, value in ITEM.items() if name != "properties"} | {"properties": {"datetime": "2024"}}


IDENTITY = {"type": "Feature", "id": "a"}


def without(*names: str) -> dict[str, Any]:
    return {name: value for name, value in ITEM.items() if name not in names}


CASES = [
    ("", {}, BASELINE),
    ("", {"include": [], "exclude": None}, BASELINE),
    ("id", {"include": ["id"]}, IDENTITY),
    ("+geometry,-id", {"include": ["geometry"], "exclude": ["id"]}, {"type": "Feature", "geometry": None}),
    ("-geometry", {"exclude": ["geometry"]}, without("geometry")),
    ("-geometry , -assets", {"exclude": ["geometry", "assets"]}, without("geometry", "assets")),
    ("-properties.datetime,id,properties", {"include": ["id", "properties"], "exclude": ["datetime"]}, None),
    ("eo:cloud_cover", {"include": ["properties.eo:cloud_cover"]}, IDENTITY | {"properties": {"eo:cloud_cover": 1}}),
    ("properties.view.sun", {"include": ["view.sun"]}, IDENTITY | {"properties": {"view": {"sun": 3}}}),
    (
        "assets,-assets.red",
        {"include": ["assets"], "exclude": ["assets.red"]},
        IDENTITY | {"assets": {"blue": {"href": "b"}}},
    ),
    ("-properties,+properties.datetime", None, IDENTITY | {"properties": {"datetime": "2024"}}),
    ("geometry,-geometry", {"include": ["geometry"], "exclude": ["geometry"]}, IDENTITY | {"geometry": None}),
    ("no.such", {"include": ["properties.no.such"]}, IDENTITY),
    ("+-geometry", {"include": ["-geometry"]}, IDENTITY),
    ("--geometry", {"exclude": ["-geometry"]}, ITEM),
]


@pytest.mark.parametrize(("text", "json", "kept"), CASES)
def test_both_forms(text: str, json: Any, kept: dict[str, Any] | None) -> None:
    if kept is None:
        kept = IDENTITY | {"properties": {name: PROPERTIES[name] for name in ("eo:cloud_cover", "view")}}
    assert from_text(text).of(ITEM) == kept
    assert json is None or from_json(json).of(ITEM) == kept


FOREIGN: dict[str, Any] = {
    "id": "a",
    "note": {"by": "x", "at": "y"},
    "properties": {"a.b": 1, "a": {"b": 2, "c": 3, "d.e": 4}, "note": "z", "a.": 5},
}
BANDS = {"assets": {"B1.TIF": {"href": "t"}, "B1": {"href": "b"}}}


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("properties.a.b", {"id": "a", "properties": {"a.b": 1, "a": {"b": 2}}}),
        ("a.b", {"id": "a", "properties": {"a.b": 1, "a": {"b": 2}}}),
        ("a.d.e", {"id": "a", "properties": {"a": {"d.e": 4}}}),
        ("a", {"id": "a", "properties": {"a": {"b": 2, "c": 3, "d.e": 4}}}),
        ("a.", {"id": "a", "properties": {"a.": 5}}),
        ("properties,-a", {"id": "a", "properties": {"a.b": 1, "note": "z", "a.": 5}}),
        ("properties,-a.b", {"id": "a", "properties": {"a": {"c": 3, "d.e": 4}, "note": "z", "a.": 5}}),
        ("note", {"id": "a", "note": {"by": "x", "at": "y"}, "properties": {"note": "z"}}),
        ("note.by", {"id": "a", "note": {"by": "x"}}),
        ("properties.note", {"id": "a", "properties": {"note": "z"}}),
        ("-note.by,-properties", {"id": "a", "note": {"at": "y"}}),
    ],
)
def test_names_with_dots_and_foreign_members(text: str, kept: dict[str, Any]) -> None:
    assert from_text(text).of(FOREIGN) == kept


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("assets.B1.TIF", {"B1.TIF": {"href": "t"}}),
        ("assets.B1.TIF.href", {"B1.TIF": {"href": "t"}}),
        ("assets.B1", {"B1": {"href": "b"}}),
        ("assets,-assets.B1.TIF", {"B1": {"href": "b"}}),
    ],
)
def test_names_of_assets_with_dots(text: str, kept: dict[str, Any]) -> None:
    assert from_text(text).of(BANDS) == {"assets": kept}


def test_an_empty_include_is_the_baseline_and_none_is_everything() -> None:
    exclude = ["geometry"]
    assert from_json({"include": [], "exclude": exclude}).of(ITEM) == {
        k: v for k, v in BASELINE.items() if k != "geometry"
    }
    assert from_json({"exclude": exclude}).of(ITEM) == without("geometry")


def test_what_is_excluded_with_all_around_it_is_not_in_the_baseline() -> None:
    kept = {name: value for name, value in BASELINE.items() if name not in ("properties", "geometry")}
    assert from_json({"include": [], "exclude": ["properties", "geometry"]}).of(ITEM) == kept


def test_everything_but_nothing() -> None:
    assert Fields(None, frozenset()).of(ITEM) == ITEM


@pytest.mark.parametrize(
    "value", [[], "id", 1, {"includes": []}, {"include": "id"}, {"include": [1]}, {"exclude": [""]}]
)
def test_faults(value: Any) -> None:
    with pytest.raises(ValueError, match=r"object|array|name"):
        from_json(value)
