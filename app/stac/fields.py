"""The Fields extension 1.0.0: which members of an item or a collection are sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.stac.lists import signed

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """Of a kind of document.

    `identity` says which one it is: sent unless it is excluded by name, as the extension allows, so that clients can
    read it. `baseline` is what it needs besides to be valid. With `known` names all others are those of properties.
    """

    identity: tuple[str, ...]
    baseline: tuple[str, ...]
    known: frozenset[str] | None = None


ITEM = Members(
    identity=("type", "stac_version", "id", "collection"),
    baseline=(
        *("geometry", "bbox", "links", "assets"),
        *("properties.datetime", "properties.start_datetime", "properties.end_datetime"),
    ),
    known=frozenset(
        {"type", "stac_version", "stac_extensions", "id", "collection", "geometry", "bbox"}
        | {"links", "assets", "properties"}
    ),
)
# Its links lead on to its items.
COLLECTION = Members(
    identity=("type", "stac_version", "id", "links"),
    baseline=("description", "license", "extent"),
)


@dataclass(frozen=True, slots=True)
class Fields:
    """`include` of None is everything. The longer path decides, and of two alike the included one."""

    include: frozenset[Path] | None
    exclude: frozenset[Path]

    def of(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return self._kept(document, ())

    def _kept(self, value: Mapping[str, Any], path: Path) -> dict[str, Any]:
        kept = {}
        for name, member in value.items():
            here = (*path, name)
            if isinstance(member, dict) and self._decides_below(here):
                inner = self._kept(member, here)
                if inner or self._is_kept(here):
                    kept[name] = inner
            elif self._is_kept(here):
                kept[name] = member
        return kept

    def _is_kept(self, path: Path) -> bool:
        for length in range(len(path), 0, -1):
            if self.include is not None and path[:length] in self.include:
                return True
            if path[:length] in self.exclude:
                return False
        return self.include is None

    def _decides_below(self, path: Path) -> bool:
        return any(
            len(rule) > len(path) and rule[: len(path)] == path for rule in (self.include or set()) | self.exclude
        )


def from_text(text: str, of: Members = ITEM) -> Fields:
    """`a,+b,-c`: included but for those with a minus. Raises ValueError."""
    names = signed(text)
    included = [name for name, minus in names if not minus]
    excluded = [name for name, minus in names if minus]
    return _fields(included or (None if excluded else []), excluded, of)


def from_json(value: Any, of: Members = ITEM) -> Fields:
    """`{"include": […], "exclude": […]}`. Raises ValueError."""
    if not isinstance(value, dict) or not value.keys() <= {"include", "exclude"}:
        raise ValueError('is not an object with "include" and "exclude"')
    for names in value.values():
        if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise ValueError("has a member that is not an array of texts")
    excluded = value.get("exclude") or []
    # Leaving `include` out means all fields, where some are excluded; an empty one means the baseline.
    everything = "include" not in value and excluded
    return _fields(None if everything else value.get("include") or [], excluded, of)


def _fields(include: Iterable[str] | None, exclude: Iterable[str], of: Members) -> Fields:
    excluded = frozenset(_path(name, of) for name in exclude)
    if include is None:
        return Fields(None, excluded)
    asked = frozenset(_path(name, of) for name in include)
    # Only what was asked for by name wins over being excluded.
    unasked = of.identity if asked else (*of.identity, *of.baseline)
    return Fields(asked | (frozenset(_path(name, of) for name in unasked) - excluded), excluded)


def _path(name: str, of: Members) -> Path:
    """A name without `properties.` that is not a member of an item is a property's."""
    if not name:
        raise ValueError("has an empty name")
    head, _, rest = name.partition(".")
    if of.known is None or head in of.known:
        return (head, *rest.split(".")) if rest else (head,)
    return ("properties", *name.split("."))
