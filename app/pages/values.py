"""What documents hold, as a page says it. Documents may be of any shape: nothing here fails."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import orjson
from markdown_it import MarkdownIt
from markupsafe import Markup

from app.stac import document as documents

_SCALARS = (str, int, float, bool, type(None))
_SHORT = 300
_KILO = 1000.0


@dataclass(frozen=True, slots=True)
class Value:
    """`kind` is text, link, time or json; a long one is shown on demand."""

    kind: str
    text: str

    @property
    def long(self) -> bool:
        return len(self.text) > _SHORT


def members(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def texts(value: Any) -> list[str]:
    return [part for part in listed(value) if isinstance(part, str) and part]


def value_of(value: Any, name: str = "") -> Value:
    if isinstance(value, str):
        if urlsplit_scheme(value) in ("http", "https"):
            return Value("link", value)
        return Value("time" if name.endswith("datetime") or name in ("created", "updated") else "text", value)
    if isinstance(value, _SCALARS):
        return Value("text", _scalar(value))
    if isinstance(value, list) and all(isinstance(part, _SCALARS) for part in value):
        return Value("text", ", ".join(_scalar(part) for part in value))
    return Value("json", pretty(value))


def urlsplit_scheme(value: str) -> str:
    try:
        return urlsplit(value).scheme if " " not in value else ""
    except ValueError:
        return ""


def _scalar(value: Any) -> str:
    return value if isinstance(value, str) else documents.dump(value).decode()


def pretty(value: Any) -> str:
    try:
        return orjson.dumps(value, option=orjson.OPT_INDENT_2, default=str).decode()
    except TypeError:  # Whole numbers beyond 64 bits.
        return str(value)


def table(values: Mapping[str, Any], without: tuple[str, ...] = ()) -> list[tuple[str, Value]]:
    return [(name, value_of(value, name)) for name, value in values.items() if name not in without]


def size(value: Any) -> str:
    """Of a file, from its bytes."""
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        return ""
    number = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if number < _KILO:
            return f"{number:.3g} {unit}"
        number /= _KILO
    return f"{number:,.3g} TB"


def period(start: Any, end: Any) -> str:
    """An interval of time, by its days."""
    first, last = text(start)[:10] or "…", text(end)[:10] or "now"
    return first if first == last else f"{first} to {last}"


_markdown = MarkdownIt("commonmark", {"html": False}).disable("image")


def _may_link(url: str) -> bool:
    return urlsplit_scheme(url) in ("http", "https", "mailto")


_markdown.validateLink = _may_link  # type: ignore[method-assign]


def markdown(source: Any) -> Markup:
    """CommonMark as HTML below the headings of a page; HTML in it is text, and images are links."""
    tokens = _markdown.parse(text(source))
    headings = [token for token in tokens if token.type == "heading_open"]
    ranks = {tag: rank for rank, tag in enumerate(sorted({token.tag for token in headings}), start=2)}
    level = 1
    for token in tokens:
        if token.type == "heading_open":
            level = min(ranks[token.tag], level + 1, 6)  # No level is left out, whatever the text does.
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{level}"
    return Markup(_markdown.renderer.render(tokens, _markdown.options, {}))
