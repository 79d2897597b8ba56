"""SQL text that carries its parameters, so that the two cannot come apart.

>>> sql("id = ", Parameter("a", "text")).render()
('id = $1::text', ['a'])
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


# Neither these nor fragments are frozen: a statement has dozens, and that would cost each as much as all the rest.
@dataclass(slots=True, eq=False)
class Parameter:
    """A value and its SQL type. The same object twice in a statement is one `$n`."""

    value: object
    type: str


@dataclass(slots=True, eq=False)
class Fragment:
    """Of texts, parameters and fragments, which are only joined when all of a statement is there."""

    parts: Sequence["str | Parameter | Fragment"]

    def render(self) -> tuple[str, list[object]]:
        """The text with `$1, $2, …` and the values for them. The text depends on the shape of the query alone, never
        on a value, so that the prepared statement is found again."""
        numbers: dict[Parameter, int] = {}
        text: list[str] = []
        self._render(text, numbers)
        return "".join(text), [parameter.value for parameter in numbers]

    def _render(self, text: list[str], numbers: dict[Parameter, int]) -> None:
        for part in self.parts:
            if isinstance(part, str):
                text.append(part)
            elif isinstance(part, Parameter):
                text.append(f"${numbers.setdefault(part, len(numbers) + 1)}::{part.type}")
            else:
                part._render(text, numbers)


def sql(*parts: "str | Parameter | Fragment") -> Fragment:
    """One fragment of texts written in the code, parameters and fragments. No text may come from outside."""
    return Fragment(parts)


def literal(text: str) -> Fragment:
    """A text as a constant, for what PostgreSQL takes no parameter for: the name of a property that has an index.

    Only for what an operator said. Raises ValueError for what a constant could be left by, or that is no text.
    """
    if "\\" in text or "\0" in text:
        raise ValueError(f"{text!r} has a character that is not for names")
    return sql("'" + text.replace("'", "''") + "'")


def join(separator: str, fragments: Iterable[Fragment]) -> Fragment:
    joined: list[str | Parameter | Fragment] = []
    for fragment in fragments:
        if joined:
            joined.append(separator)
        joined.append(fragment)
    return Fragment(joined)
