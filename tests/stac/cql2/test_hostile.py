"""Filters made to hurt end in a ValueError or an answer, soon. They run in another process, which may not die."""

import subprocess
import sys
from contextlib import suppress
from typing import Any

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from app.stac.cql2 import from_json, from_text
from app.stac.cql2.bounds import MAX_TEXT

RUN = """
import sys
from app.stac.cql2 import from_text
for line in sys.stdin:
    try:
        from_text(eval(line))
    except ValueError as error:
        answer = str(error)[:200]
    else:
        answer = "read"
    print(repr(answer), flush=True)
"""

# What the cql2 package alone crashes on, or does not end with.
HOSTILE = [
    ("'(' * 24 + 'a'", "are not closed"),
    ("'(' * 1000 + 'a' + ')' * 1000", "deeper"),
    ("'(' * 10_000 + 'a' + ')' * 10_000", "deeper"),
    ("'(' * 90 + 'a = ' + ')' * 90", "cannot be read"),
    ("'(' * 90 + '1' + ', 2)' * 90 + ' = 1'", "array"),
    ("'(a and not ' * 90 + 'b c' + ')' * 90", "cannot be read"),
    ("'(a in(1)and' * 90 + 'b c' + ')' * 90", "cannot be read"),
    ("'(a divnot' * 90 + 'b c' + ')' * 90", "cannot be read"),
    ("'POLYGON(' + '(' * 40 + '1 2'", "deeper"),
    ("'POLYGON((' * 40 + '1 2'", "numbers"),
    ("'s_intersects(geometry, ' + 'GEOMETRYCOLLECTION(' * 90 + 'POINT(1 2)' + ')' * 91", "cannot contain another"),
    ("'lower(' * 90 + 'a' + ')' * 90 + ' b'", "cannot be read"),
    ("'lower(' * 10_000 + 'a' + ')' * 10_000 + ' = 1'", "deeper"),
    ("'not ' * 10_000 + 'a'", "chains"),
    ("'- ' * 10_000 + 'a = 1'", "chains"),
    ("'-' * 10_000 + 'a = 1'", "chains"),
    ("'a^' * 10_000 + 'a = 1'", "chains"),
    ("'a = ' * 10_000 + 'a'", "chains"),
    ("'a like ' * 10_000 + 'a'", "chains"),
    ("'a and ' * 80_000 + 'a'", "chains"),
    ("'a+b*' * 50_000 + 'a = 1'", "chains"),
    ("'(not ' * 90 + 'not ' * 490 + 'a' + ')' * 90", "chains"),
    ("'not ' * 400 + 'a'", "nested deeper"),
    ("'a in (' + '1,' * 100_000 + '1)'", "more than 10000 values"),
    ("'or'.join(['(a)'] * 200_000)", "has more than"),
    ("'or'.join([' (a) '] * 400)", "read"),
    ("'a = ' + '1' * 500_000", "beyond the range"),
    ("'a' * 500_000", "read"),
    ("'a.' * 200_000 + 'a'", "read"),
    ("\"a = '\" + \"''\" * 200_000 + \"'\"", "read"),
    ("\"a = '\" + chr(92) * 400_000 + \"'\"", "read"),
    ("\"a = '\" + (chr(92) + \"'\") * 200_000 + \"'\"", "read"),
    ("'\"' * 500_000", "read"),
    ("\"'\" * 500_001", "a quote is not closed"),
    ("chr(39).join(['a'] * 1000)", ""),
    ("'s_intersects(geometry, MULTIPOINT(' + '1 2,' * 10_000 + '3 4))'", "read"),
    ("'s_intersects(geometry, LINESTRING(' + '1 2,' * 10_000 + '3 4) and'", "not closed"),
    ("'s_intersects(geometry, MULTIPOINT(' + '1e8 2,' * 20_000 + '3 4))'", "beyond longitude"),
    ("'s_intersects(geometry, POINT(1e' + '9' * 500_000 + ' 2))'", "beyond the globe"),
    ("'a_equals(a, ' + '(1,' * 97 + '1' + ')' * 98", "read"),
    ("'a_equals(a, ' + '(' * 10_000 + '1' + ')' * 10_001", "deeper"),
    ("'.5' * 200_000", "cannot be read"),
    ("('a' + chr(11)) * 200_000", "cannot be read"),
    ("('a' + chr(769)) * 200_000", "read"),
]  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> dict[str, str]:
    """As far as the process came. It has a quarter of the usual stack, so that there is room for a caller's, and ends
    where it has computed for a minute: what one of these would take alone without a shield.
    """
    texts = [text for text, _ in HOSTILE]
    command = ["bash", "-c", 'ulimit -s 2048 -t 60; exec "$@"', "bash", sys.executable, "-c", RUN]
    run = subprocess.run(command, input="\n".join(texts), capture_output=True, text=True, timeout=120, check=False)
    return dict(zip(texts, run.stdout.splitlines(), strict=False))


@pytest.mark.parametrize(("text", "reason"), HOSTILE, ids=[text[:40] for text, _ in HOSTILE])
def test_the_text_parser_is_shielded(answers: dict[str, str], text: str, reason: str) -> None:
    assert reason in answers[text]


def test_size() -> None:
    with pytest.raises(ValueError, match="has more than 524288 characters"):
        from_text("a" * (MAX_TEXT + 1))


def zigzag(size: int) -> list[list[float]]:
    return [[(number * 7919 % 340) - 170.0, (number * 104729 % 160) - 80.0] for number in range(size)] + [
        [-170.0, -80.0]
    ]


SMALL = {"type": "Polygon", "coordinates": [zigzag(90)]}


@pytest.mark.parametrize(
    ("geometry", "reason"),
    [
        ({"type": "Polygon", "coordinates": [zigzag(10_000)]}, "crosses itself"),
        ({"type": "LineString", "coordinates": zigzag(10_000)}, "crosses itself"),
        ({"type": "MultiLineString", "coordinates": [zigzag(1), [[0, 80], [1, -80]]] * 60}, "crosses itself"),
        (
            {"type": "GeometryCollection", "geometries": [{"type": "Point", "coordinates": [1, 2]}] * 501},
            "more than 500",
        ),
        ({"type": "Point", "coordinates": [10**30, 0]}, "beyond|no JSON|exceeds"),
        ({"type": "Point", "coordinates": [float("nan"), 0]}, "s_touches"),
        (SMALL, None),
        ({"type": "MultiPoint", "coordinates": zigzag(10_000)}, None),
    ],
    ids=["polygon", "line", "lines", "collection", "large", "nan", "small", "points"],
)
def test_geometries(monkeypatch: pytest.MonkeyPatch, geometry: Any, reason: str | None) -> None:
    """To repair a geometry costs the square of its positions, and only small ones are repaired."""
    repaired = []
    repair = shapely.make_valid

    def counted(shape: Any, **options: Any) -> Any:
        repaired.append(int(shapely.get_num_coordinates(shape)))
        return repair(shape, **options)

    monkeypatch.setattr(shapely, "make_valid", counted)
    tree = {"op": "s_touches", "args": [{"property": "geometry"}, geometry]}
    if reason is None:
        from_json(tree)
    else:
        with pytest.raises(ValueError, match=reason):
            from_json(tree)
    assert repaired == ([91] if geometry == SMALL else [])


def nested(depth: int) -> Any:
    tree: Any = {"property": "a"}
    for _ in range(depth):
        tree = {"op": "not", "args": [tree]}
    return tree


@pytest.mark.parametrize(
    ("tree", "reason"),
    [
        (nested(99), "nested deeper than 100 levels"),
        (nested(100_000), "nested deeper than 100 levels"),
        ({"op": "and", "args": [{"property": "a"}] * 1000}, "more than 1000 operations"),
        ({"op": "in", "args": [{"property": "a"}, [1] * 10_001]}, "more than 10000 values"),
    ],
    ids=["deep", "deeper", "wide", "values"],
)
def test_trees(tree: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        from_json(tree)


def test_what_is_just_allowed() -> None:
    assert repr(from_json(nested(98)))
    assert from_json({"op": "and", "args": [{"property": "a"}] * 999})
    assert from_json({"op": "in", "args": [{"property": "a"}, [1] * 9_999]})
    assert from_text("(" * 99 + "a" + ")" * 99)


WORDS = [
    *("(", ")", ",", "'", '"', "''", "\\'", " ", "-", "+", "*", "/", "^", "%", "=", "<", ">", "!", ".", ":", "_", "|"),
    *(
        "a",
        "é",
        "1",
        "1e5",
        ".5",
        "\u0301",
        "\v",
        "'x'",
        '"y"',
        " and ",
        " or ",
        " not ",
        " in ",
        " like ",
        " between ",
        " is ",
        " null ",
    ),
    *(
        "POINT(",
        "POLYGON((",
        "a_equals(",
        "1 2",
        "BBOX(",
        "DATE(",
        "INTERVAL(",
        "casei(",
        "'2020-01-01'",
        "div",
        "notin",
        "true",
    ),
]


@given(words=st.lists(st.sampled_from(WORDS) | st.characters(), max_size=60))
@settings(max_examples=500)
def test_any_text_is_read_or_refused(words: list[str]) -> None:
    with suppress(ValueError):
        assert from_text("".join(words)) is not None
