"""The Fields extension 1.0.0: which members of an item or a collection are sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from app.stac.lists import signed


@dataclass(frozen=True, slots=True)
class Members:
    """Of a kind of document.

    `identity` says which one it is: sent unless it is excluded by name, as the extension allows, so that clients can
    read it. `baseline` is what it needs besides to be valid. With `known` names all others may be those of properties.
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
    """`include` of None is everything. The longer path decides, and of two alike the included one.

    A path is a text, as names may have dots: `assets.B1.TIF` is of the asset of that name, and of a member of `B1`.
    """

    include: frozenset[str] | None
    exclude: frozenset[str]

    def of(self, document: Mapping[str, Any]) -> dict[str, Any]:
        return self._kept(document, "", self.include is None)

    def _kept(self, value: Mapping[str, Any], prefix: str, around: bool) -> dict[str, Any]:
        """The members of an object below `prefix`; `around` says whether the object is kept."""
        kept = {}
        for name, member in value.items():
            path = prefix + name
            is_kept = self._is_kept(path, around)
            if isinstance(member, dict) and self._decides_below(path):
                inner = self._kept(member, f"{path}.", is_kept)
                if inner or is_kept:
                    kept[name] = inner
            elif is_kept:
                kept[name] = member
        return kept

    def _is_kept(self, path: str, around: bool) -> bool:
        if self.include is not None and path in self.include:
            return True
        return around and path not in self.exclude

    def _decides_below(self, path: str) -> bool:
        return any(_is_below(rule, path) for rule in (self.include or set()) | self.exclude)


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
    excluded = _paths(exclude, of)
    if include is None:
        return Fields(None, excluded)
    asked = _paths(include, of)
    # Only what was asked for by name wins over being excluded.
    unasked = of.identity if asked else (*of.identity, *of.baseline)
    left = {path for path in unasked if not any(path == rule or _is_below(path, rule) for rule in excluded)}
    return Fields(asked | left, excluded)


def _paths(names: Iterable[str], of: Members) -> frozenset[str]:
    """What is no member that all items have is a property, or a foreign member of the item."""
    paths = set(names)
    if "" in paths:
        raise ValueError("has an empty name")
    if of.known is not None:
        paths |= {f"properties.{name}" for name in paths if name.partition(".")[0] not in of.known}
    return frozenset(paths)


def _is_below(path: str, other: str) -> bool:
    return path.startswith(f"{other}.")
