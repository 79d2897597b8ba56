"""Relations of arrays as SQL. Arrays are sets, as the standard has it: neither order nor number counts."""

from collections.abc import Iterable, Mapping

from app.database.fragment import Fragment, join, sql

# With an array of texts, numbers and booleans, which jsonb compares in one step.
_SCALARS: Mapping[str, tuple[str, ...]] = {
    "a_containedby": ("<@",),
    "a_contains": ("@>",),
    "a_equals": ("@>", "<@"),
}
# Of any elements, over the sides `s.a` and `s.b`. `@>` would look into elements that are arrays or objects.
_NOT_IN = "NOT EXISTS (SELECT jsonb_array_elements(s.{}) EXCEPT SELECT jsonb_array_elements(s.{}))"
_ELEMENTS: Mapping[str, str] = {
    "a_containedby": _NOT_IN.format("a", "b"),
    "a_contains": _NOT_IN.format("b", "a"),
    "a_equals": f"{_NOT_IN.format('a', 'b')} AND {_NOT_IN.format('b', 'a')}",
    "a_overlaps": "EXISTS (SELECT jsonb_array_elements(s.a) INTERSECT SELECT jsonb_array_elements(s.b))",
}


def relation(operator: str, left: Fragment, right: Fragment, scalars: bool) -> Fragment:
    """`scalars` is true where one side is an array of texts, numbers and booleans."""
    if scalars and operator in _SCALARS:
        return sql("(", join(" AND ", [sql(left, f" {each} ", right) for each in _SCALARS[operator]]), ")")
    known = "s.a IS NOT NULL AND s.b IS NOT NULL"
    sides = sql("(SELECT ", left, " AS a, ", right, " AS b OFFSET 0) AS s")
    return sql("(SELECT CASE WHEN ", known, " THEN ", _ELEMENTS[operator], " END FROM ", sides, ")")


def array(elements: Iterable[Fragment]) -> Fragment:
    """Of jsonb values; NULL, as it is unknown, if one of them is."""
    values = sql("(SELECT ARRAY[", join(", ", elements), "]::jsonb[] AS v OFFSET 0) AS e")
    return sql("(SELECT CASE WHEN num_nulls(VARIADIC e.v) = 0 THEN to_jsonb(e.v) END FROM ", values, ")")
