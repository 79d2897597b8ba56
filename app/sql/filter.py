"""A CQL2 condition as SQL over `items i`. It never raises: what cannot be answered is NULL, as unknown is in CQL2.

Properties are jsonb of any type. They are narrowed to the type of what they meet, numbers and texts as in an order
(app/sql/properties.py), others by a path that returns nothing else: PostgreSQL promises no order of evaluation in
which a test could protect a cast. No operand is written twice
unless it is a property or a value: nested operations would double the text each time.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

import orjson

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import arrays, properties, spatial
from app.stac.cql2 import literals
from app.stac.cql2.functions import FUNCTIONS
from app.stac.cql2.nodes import (
    And,
    Arithmetic,
    Array,
    ArrayRelation,
    Between,
    Call,
    Comparison,
    Geometry,
    In,
    Instant,
    Interval,
    IsNull,
    Kind,
    Like,
    Node,
    Not,
    Or,
    Property,
    Spatial,
    Temporal,
    Value,
)
from app.stac.cql2.types import common, kind
from app.stac.geometry import has_lines

_TYPES: Mapping[Kind, str] = {"boolean": "boolean", "instant": "timestamptz", "number": "float8", "text": "text"}

_COLUMNS: Mapping[str, str] = {
    "id": "i.id",
    "collection": "(SELECT c.id FROM collections c WHERE c.key = i.collection)",
    "geometry": "i.geometry",
    "datetime": "i.datetime",
    "properties.datetime": "i.datetime",
}

# A jsonb number can be beyond what float8 holds, at both ends.
_FLOAT = "(@ == 0 || (@ >= 1e-300 && @ <= 1e300) || (@ <= -1e-300 && @ >= -1e300))"
# RFC 3339, of what PostgreSQL knows: neither the year 0 nor offsets of 16 hours. In parts, and without counted
# repetition, which takes a third of the time.
_DAY = "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
_HOUR = "[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]([.][0-9]+)?|60)([Zz]|[+-](0[0-9]|1[0-5]):[0-5][0-9])"
_NO_DAY = "^(0000|.{5}(02-3|(0[469]|11)-31))"
_LEAP_YEAR = "^([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
_NARROW: Mapping[Kind, str] = {
    "array": 'strict $ ? (@.type() == "array")',
    "boolean": 'strict $ ? (@.type() == "boolean")',
    "instant": (
        f'strict $ ? (@ like_regex "^{_DAY}({_HOUR})?$" && !(@ like_regex "{_NO_DAY}")'
        f' && (!(@ like_regex "^.{{5}}02-29") || @ like_regex "{_LEAP_YEAR}"))'
    ),
    "number": f'strict $ ? (@.type() == "number" && {_FLOAT})',
}

# `div` cuts towards zero, and `%` is what it leaves, with the sign of the left side.
_ARITHMETIC: Mapping[str, str] = {
    "+": "$[0] + $[1]",
    "-": "$[0] - $[1]",
    "*": "$[0] * $[1]",
    "/": "$[0] / $[1]",
    "%": "$[0] % $[1]",
    "div": "($[0] - $[0] % $[1]) / $[1]",
}
# Where power() would raise, by the logarithm of its result.
_POWER = (
    "(SELECT CASE WHEN p.y = 0 AND p.x IS NOT NULL THEN 1 WHEN abs(p.y) NOT BETWEEN 1e-290 AND 1e290 THEN NULL"
    " WHEN p.x = 0 THEN CASE WHEN p.y > 0 THEN 0 END"
    " WHEN p.x < 0 AND p.y <> trunc(p.y) THEN NULL"
    " WHEN p.y * ln(abs(p.x)) BETWEEN -690 AND 690 THEN power(p.x, p.y) END"
    " FROM (SELECT %s AS x, %s AS y OFFSET 0) AS p)"
)

# ICU folds all of Unicode whatever locale the cluster has. Both ways, for letters such as ß that differ in one. ẞ is no
# capital of ß to it, and what Σ is in lower case depends on what follows it, which differs in a text and a pattern.
_CALLS: Mapping[str, str] = {
    "casei": r"""replace(lower(upper(replace(%s, E'\u1e9e', E'\u00df') COLLATE "und-x-icu")), E'\u03c2', E'\u03c3')""",
    "accenti": (
        "normalize(regexp_replace(normalize(%s, NFD),"
        r" '[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]', '', 'g'), NFC)"
    ),
    "lower": 'lower(%s COLLATE "und-x-icu")',
    "upper": 'upper(%s COLLATE "und-x-icu")',
    "length": "char_length(%s)::float8",
    "contains": "(strpos(%s, %s) > 0)",
    "starts_with": "starts_with(%s, %s)",
    "ends_with": "starts_with(reverse(%s), reverse(%s))",
    "abs": "abs(%s)",
    "ceil": "ceil(%s)",
    "floor": "floor(%s)",
    "round": "round(%s)",
}

# Over the start and end of both sides: a, b and c, d.
_TEMPORAL: Mapping[str, str] = {
    "t_after": "(a > d)",
    "t_before": "(b < c)",
    "t_contains": "(a < c AND b > d)",
    "t_disjoint": "(a > d OR b < c)",
    "t_during": "(a > c AND b < d)",
    "t_equals": "(a = c AND b = d)",
    "t_finishedby": "(a < c AND b = d)",
    "t_finishes": "(a > c AND b = d)",
    "t_intersects": "(a <= d AND b >= c)",
    "t_meets": "(b = c)",
    "t_metby": "(a = d)",
    "t_overlappedby": "(a > c AND a < d AND b > d)",
    "t_overlaps": "(a < c AND b > c AND b < d)",
    "t_startedby": "(a = c AND b > d)",
    "t_starts": "(a = c AND b < d)",
}

_COMPARISONS: Mapping[str, str] = {"=": "=", "<>": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_JSON_TYPES: Mapping[str, Kind] = {"boolean": "boolean", "number": "number", "string": "text"}


def condition(node: Node) -> Fragment:
    """True for the items that the filter finds, false or NULL for others."""
    return _as(node, "boolean")


def _as(node: Node, wanted: Kind) -> Fragment:
    """An expression of the SQL type for `wanted`."""
    match node:
        case Property(name):
            return sql(_COLUMNS[name]) if name in _COLUMNS else _narrowed(_json(node), wanted)
        case Value(bool() as truth):
            return sql("TRUE" if truth else "FALSE")
        case Value(value):
            return sql(Parameter(value, _TYPES[wanted]))
        case Instant(start):
            return sql(Parameter(start, "timestamptz"))
        case Geometry(ewkb):
            return sql(Parameter(ewkb, "geometry"))
    return _OPERATIONS[type(node)](node)


def _json(node: Property) -> Fragment:
    return properties.named(node.name.removeprefix("properties."))


def _narrowed(value: Fragment, wanted: Kind) -> Fragment:
    """A jsonb value of one type, and NULL for others."""
    if wanted == "instant":
        return _moment(value, "T00:00:00Z")
    if wanted == "number":
        return properties.number(value)
    if wanted == "geometry":
        return spatial.from_geojson(value)
    if wanted == "text":
        return properties.text(value)
    found = _only(value, wanted)
    return found if wanted == "array" else sql(found, f"::{_TYPES[wanted]}")


def _only(value: Fragment, wanted: Kind) -> Fragment:
    return sql("jsonb_path_query_first(", value, f", '{_NARROW[wanted]}')")


def _moment(value: Fragment, hour: str) -> Fragment:
    """A text that is an RFC 3339 time, or a date at an hour of it; cut to microseconds, as what it is compared with."""
    cut = sql("regexp_replace(", _only(value, "instant"), r" #>> '{}', '([.]\d{6})\d+', '\1')")
    return sql("regexp_replace(", cut, rf", '^(.{{10}})$', '\1{hour}')::timestamptz")


def _filled(template: str, *operands: Fragment) -> Fragment:
    """A template of this module, each `%s` replaced by an operand: the same ones again where there are more."""
    texts = template.split("%s")
    parts: list[str | Fragment] = [texts[0]]
    for place, text in enumerate(texts[1:]):
        parts += [operands[place % len(operands)], text]
    return sql(*parts)


def _comparison(node: Comparison) -> Fragment:
    return _compared(node.operator, node.left, node.right)


def _compared(operator: str, left: Node, right: Node) -> Fragment:
    wanted = common((left, right))
    if wanted != "any":
        return sql("(", _as(left, wanted), f" {_COMPARISONS[operator]} ", _as(right, wanted), ")")
    # Two properties: as the type of the first, which the second must have too.
    one, other = _json(cast(Property, left)), _json(cast(Property, right))
    cases = [
        sql(f"WHEN '{name}' THEN ", _narrowed(one, each), f" {_COMPARISONS[operator]} ", _narrowed(other, each))
        for name, each in _JSON_TYPES.items()
    ]
    return sql("(CASE jsonb_typeof(", one, ") ", join(" ", cases), " END)")


def _between(node: Between) -> Fragment:
    wanted = common((node.value, node.low, node.high))
    if wanted == "any":
        return sql("(", _compared(">=", node.value, node.low), " AND ", _compared("<=", node.value, node.high), ")")
    value, low, high = (_as(part, wanted) for part in (node.value, node.low, node.high))
    return sql("(", value, " BETWEEN ", low, " AND ", high, ")")


def _in(node: In) -> Fragment:
    if not node.options:
        return sql("FALSE")
    wanted = common((node.value, *node.options))
    if wanted == "any":
        return sql("(", join(" OR ", [_compared("=", node.value, option) for option in node.options]), ")")
    if all(isinstance(option, Value | Instant) for option in node.options):
        values = [option.start if isinstance(option, Instant) else cast(Value, option).value for option in node.options]
        return sql("(", _as(node.value, wanted), " = ANY(", Parameter(values, f"{_TYPES[wanted]}[]"), "))")
    options = join(", ", [_as(option, wanted) for option in node.options])
    return sql("(", _as(node.value, wanted), " = ANY(ARRAY[", options, "]))")


def _like(node: Like) -> Fragment:
    return sql("(", _as(node.value, "text"), " LIKE ", _pattern(node.pattern), ")")


def _pattern(node: Node) -> Fragment:
    """CQL2 and LIKE mean the same by %, _ and \\, but LIKE fails on a pattern that ends in an escape of nothing."""
    match node:
        case Call(name, arguments):
            return _text_call(name, [_pattern(argument) for argument in arguments])
        case Value(str(pattern)):
            trailing = len(pattern) - len(pattern.rstrip("\\"))
            return sql(Parameter(pattern + "\\" * (trailing % 2), "text"))
    return sql("regexp_replace(", _as(node, "text"), r", '(?<!\\)(\\\\)*\\$', '\&\\')")


def _is_null(node: IsNull) -> Fragment:
    value = node.value
    if isinstance(value, Interval):
        return sql("(", join(" OR ", [sql(bound, " IS NULL") for bound in _span(value)]), ")")
    if isinstance(value, Property) and (value.name not in _COLUMNS or kind(value) == "instant"):
        # An item always has a `datetime` to be sorted by: what is asked is whether it says one itself.
        return sql("(NULLIF(", _json(value), ", 'null') IS NULL)")
    return sql("((", _as(value, common((value,))), ") IS NULL)")


def _and(node: And) -> Fragment:
    return sql("(", join(" AND ", map(condition, node.conditions)), ")")


def _or(node: Or) -> Fragment:
    return sql("(", join(" OR ", map(condition, node.conditions)), ")")


def _not(node: Not) -> Fragment:
    return sql("(NOT ", condition(node.condition), ")")


def _call(node: Call) -> Fragment:
    kinds = FUNCTIONS[node.name].arguments
    arguments = [_as(argument, each) for argument, each in zip(node.arguments, kinds, strict=True)]
    if kind(node) == "text":
        return _text_call(node.name, arguments)
    return _filled(_CALLS[node.name], *arguments)


def _text_call(name: str, arguments: list[Fragment]) -> Fragment:
    return sql("(", _filled(_CALLS[name], *arguments), ' COLLATE "C")')


def _arithmetic(node: Arithmetic) -> Fragment:
    if node.operator == "^":
        return _filled(_POWER, _as(node.left, "number"), _as(node.right, "number"))
    return sql(_calculated(node), "::float8")


def _calculated(node: Node) -> Fragment:
    """As jsonb, because jsonpath calculates without raising: on overflow and division by zero it finds nothing."""
    match node:
        case Property():
            return _only(_json(node), "number")
        case Arithmetic(operator) if operator in _ARITHMETIC:
            operands = sql("jsonb_build_array(", _calculated(node.left), ", ", _calculated(node.right), ")")
            path = f"strict ({_ARITHMETIC[operator]}) ? ({_FLOAT})"
            return sql("jsonb_path_query_first(", operands, f", '{path}', '{{}}', TRUE)")
    return sql("to_jsonb(", _as(node, "number"), ")")


def _spatial(node: Spatial) -> Fragment:
    sides = node.left, node.right
    in_index = all(isinstance(side, Geometry) or side.name in _COLUMNS for side in sides)
    of_lines = any(isinstance(side, Geometry) and has_lines(side.ewkb) for side in sides)
    return spatial.relation(node.operator, _as(sides[0], "geometry"), _as(sides[1], "geometry"), in_index, of_lines)


def _temporal(node: Temporal) -> Fragment:
    ends = dict(zip("abcd", (*_span(node.left), *_span(node.right)), strict=True))
    related = _TEMPORAL[node.operator]
    bounds = [
        bound for side in (node.left, node.right) if isinstance(side, Interval) for bound in (side.start, side.end)
    ]
    if not any(isinstance(bound, Property) for bound in bounds):
        return sql(*(ends.get(word, sql(word)) for word in re.findall(r"\w+|\W+", related)))
    # One end could decide, though the other is missing, and with it the interval.
    sides = join(", ", (sql(end, f" AS {name}") for name, end in ends.items()))
    known = sql("(SELECT CASE WHEN num_nulls(a, b, c, d) = 0 THEN ", related, " END FROM (SELECT ")
    return sql(known, sides, " OFFSET 0) AS s)")


def _span(node: Property | Instant | Interval) -> tuple[Fragment, Fragment]:
    match node:
        case Property(name) if name in _COLUMNS:
            return sql("i.start_datetime"), sql("i.end_datetime")
        case Interval(start, end):
            return (
                sql("'-infinity'::timestamptz") if start is None else _bound(start, first=True),
                sql("'infinity'::timestamptz") if end is None else _bound(end, first=False),
            )
        case Property() | Instant():
            return _bound(node, first=True), _bound(node, first=False)


def _bound(node: Property | Instant, first: bool) -> Fragment:
    if isinstance(node, Instant):
        return sql(Parameter(node.start if first else node.end, "timestamptz"))
    if node.name in _COLUMNS:
        return sql(_COLUMNS[node.name])
    return _moment(_json(node), "T00:00:00Z" if first else "T23:59:59.999999Z")


def _array_relation(node: ArrayRelation) -> Fragment:
    literal = [side for side in (node.left, node.right) if isinstance(side, Array)]
    elements = [element for side in literal for element in side.values]
    timed = any(kind(element) == "instant" for element in elements)
    scalars = bool(literal) and all(isinstance(element, Value) for element in elements)
    return arrays.relation(node.operator, _set(node.left, timed), _set(node.right, timed), scalars)


def _set(node: Property | Array, timed: bool) -> Fragment:
    if isinstance(node, Array):
        return _array(node, timed)
    found = _narrowed(_json(node), "array")
    if not timed:
        return found
    each = _as_moment(sql("e.v"))
    return sql("COALESCE((SELECT jsonb_agg(", each, ") FROM jsonb_array_elements(", found, ") AS e (v)), ", found, ")")


def _array(node: Array, timed: bool) -> Fragment:
    if not timed and all(isinstance(each, Value) for each in node.values):
        return sql(Parameter(orjson.dumps([cast(Value, each).value for each in node.values]), "jsonb"))
    return arrays.array(_element(each, timed) for each in node.values)


def _element(node: Node, timed: bool) -> Fragment:
    match node:
        case Value(str(text)) if timed and (instant := literals.as_time(text)):
            return _element(instant, timed)
        case Value(value):
            return sql(Parameter(orjson.dumps(value), "jsonb"))
        case Array():
            return _array(node, timed=False)
        case Property(name) if name not in _COLUMNS:
            found = sql("NULLIF(", _json(node), ", 'null')")
            return _as_moment(found) if timed else found
    return sql("to_jsonb(", _as(node, kind(node)), ")")


def _as_moment(value: Fragment) -> Fragment:
    """A jsonb value that is a time in one form, whatever offset it is written with; other values as they are."""
    return sql("COALESCE(to_jsonb(", _moment(value, "T00:00:00Z"), "), ", value, ")")


_OPERATIONS: Mapping[type[Node], Callable[[Any], Fragment]] = {
    Call: _call,
    Arithmetic: _arithmetic,
    Comparison: _comparison,
    Between: _between,
    In: _in,
    Like: _like,
    IsNull: _is_null,
    And: _and,
    Or: _or,
    Not: _not,
    Spatial: _spatial,
    Temporal: _temporal,
    ArrayRelation: _array_relation,
}
