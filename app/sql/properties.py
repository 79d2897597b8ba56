"""What a property of an item is in SQL: a number, a text, or NULL where it is neither, never an error.

An order, a filter and an index have the same expressions, so that each is served by the other. CASE is evaluated in
order where it reads a row, which protects the cast; conditions beside each other would not.
"""

from app.database.fragment import Fragment, Parameter, join, literal, sql

# An index on longer texts would refuse the items that have them, and a page token would carry the texts.
TEXT_AT_MOST = 200


def named(name: str) -> Fragment:
    """The jsonb value of a property of `items i`. A dot is a step into an object, unless there is one of that name."""
    whole = sql("(i.properties -> ", Parameter(name, "text"), ")")
    if "." not in name:
        return whole
    return sql("COALESCE(", whole, ", i.properties #> ", Parameter(name.split("."), "text[]"), ")")


def constant(name: str, row: str = "i.") -> Fragment:
    """The same with the name in the text: what an index is made on, and what the planner knows it by.

    Only for names that an operator made an index for: other names would make a statement each.
    """
    whole = sql(f"({row}properties -> ", literal(name), ")")
    if "." not in name:
        return whole
    steps = join(", ", map(literal, name.split(".")))
    return sql("COALESCE(", whole, f", {row}properties #> ARRAY[", steps, "])")


def number(value: Fragment) -> Fragment:
    """As float8: what it cannot hold is no number. jsonb has an order of types, so these bounds let only numbers in."""
    positive = sql(value, " BETWEEN '1e-300' AND '1e300'")
    other = sql(value, " = '0' OR ", value, " BETWEEN '-1e300' AND '-1e-300'")
    return sql("(CASE WHEN ", positive, " OR ", other, " THEN ", value, "::float8 END)")


def text(value: Fragment) -> Fragment:
    """By code point."""
    return sql("(CASE WHEN jsonb_typeof(", value, ") = 'string' THEN ", value, " #>> '{}' END COLLATE \"C\")")


def text_to_sort(value: Fragment) -> Fragment:
    """A text or a boolean, as far as an order looks."""
    known = sql("jsonb_typeof(", value, ") IN ('string', 'boolean')")
    return sql("(CASE WHEN ", known, " THEN left(", value, f" #>> '{{}}', {TEXT_AT_MOST}) END COLLATE \"C\")")
