"""The Fields extension 1.0.0: which members of an item are sent."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Path = tuple[str, ...]

# What says which item it is: sent unless it is excluded by name, as the extension allows, so that clients can read it.
_IDENTITY = ("type", "stac_version", "id", "collection")
# What an item needs to be valid.
_BASELINE = (
    *("geometry", "bbox", "links", "assets"),
    *("properties.datetime", "properties.start_datetime", "properties.end_datetime"),
)
_MEMBERS = frozenset({"type", "stac_version", "stac_extensions", "id", "collection", "geometry", "bbox"})
_CONTAINERS = frozenset({"links", "assets", "properties"})


@dataclass(frozen=True, slots=True)
class Fields:
    """`include` of None is everything. The longer path decides, and of two alike the included one."""

    include: frozenset[Path] | None
    exclude: frozenset[Path]

    def of(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return self._kept(item, ())

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


def from_text(text: str) -> Fields:
    """`a,+b,-c`: included but for those with a minus. Raises ValueError."""
    names = text.split(",") if text else []
    included = [name.lstrip("+ ") for name in names if not name.startswith("-")]
    excluded = [name[1:] for name in names if name.startswith("-")]
    return _fields(included or (None if excluded else []), excluded)


def from_json(value: Any) -> Fields:
    """`{"include": […], "exclude": […]}`. Raises ValueError."""
    if not isinstance(value, dict) or not value.keys() <= {"include", "exclude"}:
        raise ValueError('is not an object with "include" and "exclude"')
    for names in value.values():
        if names is not None and not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise ValueError("has a member that is not an array of texts")
    excluded = value.get("exclude") or []
    # Leaving `include` out means all fields, where some are excluded; an empty one means the baseline.
    everything = "include" not in value and excluded
    return _fields(None if everything else value.get("include") or [], excluded)


def _fields(include: Iterable[str] | None, exclude: Iterable[str]) -> Fields:
    excluded = frozenset(map(_path, exclude))
    if include is None:
        return Fields(None, excluded)
    asked = frozenset(map(_path, include))
    # Only what was asked for by name wins over being excluded.
    unasked = frozenset(map(_path, _IDENTITY if asked else (*_IDENTITY, *_BASELINE))) - excluded
    return Fields(asked | unasked, excluded)


def _path(name: str) -> Path:
    """A name without `properties.` that is not a member of an item is a property's."""
    if not name:
        raise ValueError("has an empty name")
    head, _, rest = name.partition(".")
    if head in _MEMBERS or head in _CONTAINERS:
        return (head, *rest.split(".")) if rest else (head,)
    return ("properties", *name.split("."))
