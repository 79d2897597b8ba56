"""What of a filter an index on a property can find: a superset of the items, which the filter then tests.

Only what all of the filter depends on: comparisons of a property with a value, beside which there is nothing but AND.
"""

from collections.abc import Collection, Iterator

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import properties
from app.stac.cql2.nodes import COLUMNS, And, Between, Comparison, In, Like, Node, Property, Value

_TURNED = {"=": "=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_LAST = "\U0010ffff"


def names(filter_: Node | None) -> list[str]:
    """The properties that an index would help with, in the order of the filter."""
    return list(dict.fromkeys(name for name, _ in _ranges(filter_) if name not in COLUMNS))


def condition(filter_: Node | None, indexes: Collection[str]) -> Fragment | None:
    """Over `items i`, in the words of the indexes; None if they do not help."""
    found = [_in_index(name, tests) for name, tests in _ranges(filter_) if name in indexes]
    return join(" AND ", found) if found else None


# Operators of SQL with the values that they have on their right side.
_Tests = list[tuple[str, str | float | list[str] | list[float]]]


def _ranges(node: Node | None) -> Iterator[tuple[str, _Tests]]:
    match node:
        case And(conditions):
            for each in conditions:
                yield from _ranges(each)
        case Comparison(operator, Property(name), Value(str() | float() as value)) if operator in _TURNED:
            yield _named(name), [(operator, value)]
        case Comparison(operator, Value(str() | float() as value), Property(name)) if operator in _TURNED:
            yield _named(name), [(_TURNED[operator], value)]
        case Between(Property(name), Value(str() | float() as low), Value(str() | float() as high)):
            yield _named(name), [(">=", low), ("<=", high)]
        case In(Property(name), options):
            values = [option.value for option in options if isinstance(option, Value)]
            texts = [value for value in values if isinstance(value, str)]
            numbers = [value for value in values if isinstance(value, float)]
            if options and len(options) in (len(texts), len(numbers)):
                yield _named(name), [("= ANY", texts or numbers)]
        case Like(Property(name), Value(str() as pattern)) if prefix := _prefix(pattern):
            yield _named(name), [(">=", prefix), ("<", _successor(prefix))]


def _named(name: str) -> str:
    return name.removeprefix("properties.")


def _prefix(pattern: str) -> str:
    """What a text that is LIKE the pattern begins with, as far as an index looks."""
    prefix, escaped = "", False
    for character in pattern:
        if not escaped and character in "%_":
            break
        escaped = not escaped and character == "\\"
        prefix += "" if escaped else character
    return prefix[: properties.TEXT_AT_MOST].rstrip(_LAST)


def _successor(prefix: str) -> str:
    """In front of which all texts are that begin with the prefix. There are no code points from D800 to DFFF."""
    code = ord(prefix[-1]) + 1
    return prefix[:-1] + chr(0xE000 if code == 0xD800 else code)


def _in_index(name: str, tests: _Tests) -> Fragment:
    value = properties.constant(name)
    number = properties.number(value)
    _, first = tests[0]
    if isinstance(first, float) or (isinstance(first, list) and isinstance(first[0], float)):
        return join(" AND ", [_test(number, operator, operand, "float8") for operator, operand in tests])
    text = properties.text_to_sort(value)
    cut = [_test(text, _lax(operator), _cut(operand), "text") for operator, operand in tests]
    return join(" AND ", [sql(number, " IS NULL"), *cut])


def _test(left: Fragment, operator: str, operand: object, type_: str) -> Fragment:
    if operator == "= ANY":
        return sql(left, " = ANY(", Parameter(operand, f"{type_}[]"), ")")
    return sql(left, f" {operator} ", Parameter(operand, type_))


def _lax(operator: str) -> str:
    """Texts that are cut can be equal where those they come from are not."""
    return {"<": "<=", ">": ">="}.get(operator, operator)


def _cut(operand: object) -> object:
    if isinstance(operand, list):
        return [text[: properties.TEXT_AT_MOST] for text in operand]
    return operand[: properties.TEXT_AT_MOST] if isinstance(operand, str) else operand
