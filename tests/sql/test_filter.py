"""Filters as SQL: the shape of the text, and that nothing of a filter is in it."""

import re
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sql.filter import condition
from app.stac.cql2 import from_json, from_text
from app.stac.cql2.functions import FUNCTIONS

NARROWED = {
    re.compile(r"jsonb_path_query_first\(([^']*), 'strict \$ \? [^']*'\)"): r"only(\1)",
    re.compile(r"\(CASE WHEN ([^']*) BETWEEN '1e-300'.*?::float8 END\)"): r"number(\1)",
    re.compile(r"\(CASE WHEN jsonb_typeof\(([^']*)\) = 'string' .*? END COLLATE \"C\"\)"): r"text(\1)",
}


def render(text: str) -> tuple[str, list[Any]]:
    """What narrows a property to a type is written short."""
    rendered, values = condition(from_text(text)).render()
    for long, short in NARROWED.items():
        rendered = long.sub(short, rendered)
    return rendered, values


COLLECTION = "(SELECT c.id FROM collections c WHERE c.key = i.collection)"
NUMBER, TEXT = "number((i.properties -> $1::text))", "text((i.properties -> $1::text))"
PROPERTY = "only((i.properties -> $1::text))"


@pytest.mark.parametrize(
    ("text", "expected", "values"),
    [
        ("n = 1", f"({NUMBER} = $2::float8)", ["n", 1.0]),
        ("'x' < t", "($1::text < text((i.properties -> $2::text)))", ["x", "t"]),
        ("b", f"{PROPERTY}::boolean", ["b"]),
        ("NOT (b OR TRUE)", f"(NOT ({PROPERTY}::boolean OR TRUE))", ["b"]),
        ("properties.n = 1", f"({NUMBER} = $2::float8)", ["n", 1.0]),
        (
            "a.b = 1",
            "(number(COALESCE((i.properties -> $1::text), i.properties #> $2::text[])) = $3::float8)",
            ["a.b", ["a", "b"], 1.0],
        ),
        ("id = 'x'", "(i.id = $1::text)", ["x"]),
        ("collection IN ('x', 'y')", f"({COLLECTION} = ANY($1::text[]))", [["x", "y"]]),
        ("n IN (1, m)", None, ["n", 1.0, "m"]),
        ("n BETWEEN 1 AND 2", f"({NUMBER} BETWEEN $2::float8 AND $3::float8)", ["n", 1.0, 2.0]),
        ("t LIKE 'a%'", f"({TEXT} LIKE $2::text)", ["t", "a%"]),
        (r"t LIKE 'a\\\'", f"({TEXT} LIKE $2::text)", ["t", "a\\\\\\\\"]),
        ("t IS NULL", "(NULLIF((i.properties -> $1::text), 'null') IS NULL)", ["t"]),
        ("geometry IS NULL", "((i.geometry) IS NULL)", []),
        ("a_equals(a, ('x', 1))", f"({PROPERTY} @> $2::jsonb AND {PROPERTY} <@ $2::jsonb)", ["a", b'["x",1.0]']),
        ("t_after(datetime, INTERVAL('..', '..'))", "(i.start_datetime > 'infinity'::timestamptz)", []),
    ],
)
def test_conditions(text: str, expected: str | None, values: list[Any]) -> None:
    rendered, found = render(text)
    assert expected is None or rendered == expected
    assert found == values


@pytest.mark.parametrize(
    "text",
    ["s_intersects(geometry, BBOX(1,2,3,4))", "s_touches(BBOX(1,2,3,4), geometry)", "s_within(geometry, geometry)"],
)
def test_spatial_relations_ask_the_index_first(text: str) -> None:
    rendered, _ = render(text)
    operands = r"(i\.geometry|\$1::geometry)"
    assert re.fullmatch(rf"\({operands} && {operands} AND ST_\w+\({operands}, {operands}\)\)", rendered)


def test_each_operand_is_written_once() -> None:
    """So that the text grows with the filter, not with a power of its depth."""
    tree: Any = {"property": "n"}
    for operator in ("+", "-", "*", "/", "%", "^") * 15:
        tree = {"op": operator, "args": [1, tree]}
    tree = {"op": "between", "args": [tree, 1, 2]}
    for _ in range(5):
        tree = {"op": "in", "args": [tree, [True, {"property": "b"}]]}
    text, values = condition(from_json(tree)).render()
    assert len(text) < 40_000
    assert values.count("n") == 1


def test_each_element_is_written_once() -> None:
    tree: Any = {"property": "b"}
    for _ in range(16):
        tree = {"op": "a_equals", "args": [["x"], [tree, {"date": "2020-01-01"}]]}
        tree = {"op": "a_contains", "args": [[tree, [1]], ["x"]]}
    text, values = condition(from_json(tree)).render()
    assert len(text) < 20_000
    assert values.count("b") == 1


def test_a_property_has_no_box_in_an_index() -> None:
    rendered, values = render("s_touches(place, geometry)")
    assert rendered.startswith("ST_Touches((SELECT CASE WHEN ST_IsValid(g.shape)")
    assert f"ST_GeomFromGeoJSON({PROPERTY})" in rendered
    assert rendered.endswith(", i.geometry)")
    assert values == ["place"]


def test_the_largest_filter_has_few_enough_parameters() -> None:
    interval = {"interval": [{"property": "a.b"}, {"property": "c.d"}]}
    tree = {"op": "or", "args": [{"op": "t_metBy", "args": [interval, {"property": "e.f"}]}] * 199}
    _, values = condition(from_json(tree)).render()
    assert len(values) < 32_767


# Every kind of node, with the marker wherever a filter has room for a text of its own.
def op(name: str, *arguments: Any) -> dict[str, Any]:
    return {"op": name, "args": list(arguments)}


def everything(marker: str) -> Any:
    a = {"property": marker}
    time = {"interval": [a, {"property": f"x.{marker}"}]}
    return op(
        "and",
        *(op(name, a, marker) for name in ("=", "<>", "<", "<=", ">", ">=", "like")),
        *(op(name, a, a) for name in ("=", "<")),
        op("between", a, marker, marker),
        op("in", a, [marker, a]),
        op("in", a, [marker, marker]),
        op("isNull", a),
        op("like", op("casei", a), op("accenti", marker)),
        op("like", a, op("upper", a)),
        op("isNull", time),
        *(op(name, a, a) for name in ("s_intersects", "s_touches", "s_disjoint")),
        op("a_equals", a, a),
        op("a_contains", a, [a, marker, [marker], op("upper", a)]),
        op("a_overlaps", [a, f"{marker}!", {"date": "2020-01-01"}], a),
        *(op("=", op(name, a, 1), a) for name in ("+", "-", "*", "/", "%", "^", "div")),
        *(op("isNull", op(name, *[a] * len(each.arguments))) for name, each in FUNCTIONS.items()),
        *(op(name, a, [marker]) for name in ("a_equals", "a_contains", "a_containedBy", "a_overlaps")),
        *(op(name, time, a) for name in ("t_after", "t_disjoint", "t_overlappedBy")),
    )


@given(marker=st.text(min_size=1).filter(lambda text: "\0" not in text and text.isprintable()))
def test_the_text_depends_on_the_shape_alone(marker: str) -> None:
    # Not a property such as `datetime`, which is a column.
    whole = "x" + marker.replace(".", "")
    for name, plain in ((whole, "x"), (f"a.{whole}", "a.b")):
        assert condition(from_json(everything(name))).render()[0] == condition(from_json(everything(plain))).render()[0]


def test_a_marker_is_in_the_values_alone() -> None:
    text, values = condition(from_json(everything("m'ark\"er"))).render()
    assert "ark" not in text
    assert "ark" in repr(values)
    assert orjson.dumps(["m'ark\"er"]) in values
