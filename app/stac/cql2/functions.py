"""The functions a filter may call: CASEI and ACCENTI of the standard, and ours."""

from dataclasses import dataclass
from typing import Any

from app.stac.cql2.nodes import Kind


@dataclass(frozen=True, slots=True)
class Function:
    description: str
    arguments: tuple[Kind, ...]
    returns: Kind


FUNCTIONS: dict[str, Function] = {
    "casei": Function("The text without differences of case, in all of Unicode.", ("text",), "text"),
    "accenti": Function("The text without the marks of its letters: é is e.", ("text",), "text"),
    "lower": Function("The text in lower case.", ("text",), "text"),
    "upper": Function("The text in upper case.", ("text",), "text"),
    "length": Function("The number of characters.", ("text",), "number"),
    "contains": Function("Whether the first text holds the second.", ("text", "text"), "boolean"),
    "starts_with": Function("Whether the first text starts with the second.", ("text", "text"), "boolean"),
    "ends_with": Function("Whether the first text ends with the second.", ("text", "text"), "boolean"),
    "abs": Function("The number without its sign.", ("number",), "number"),
    "ceil": Function("The least whole number that is not less.", ("number",), "number"),
    "floor": Function("The greatest whole number that is not greater.", ("number",), "number"),
    "round": Function("The nearest whole number; the even one of two.", ("number",), "number"),
}

# The types of the standard that a function here can take or return.
_TYPES: dict[Kind, str] = {"boolean": "boolean", "number": "number", "text": "string"}


def listed() -> list[dict[str, Any]]:
    """The functions as OGC 19-079r2 describes them, /req/filter/get-functions-response-json."""
    return [
        {
            "name": name,
            "description": function.description,
            "arguments": [{"type": [_TYPES[kind]]} for kind in function.arguments],
            "returns": [_TYPES[function.returns]],
        }
        for name, function in FUNCTIONS.items()
    ]
