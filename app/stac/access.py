"""Who may do what with which collection. Pure: what a caller may is worked out elsewhere, what follows from it here.

A public collection is read by everyone who is let in. A private one is there for those alone who have a right on it,
whichever: an answer to a change has to say what is there, so whoever may change a collection may read it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote, unquote

Action = Literal["read", "create", "update", "delete"]
ACTIONS: tuple[Action, ...] = ("read", "create", "update", "delete")
CHANGES: tuple[Action, ...] = ("create", "update", "delete")
# What scopes and keys name actions by.
NAMES: dict[str, tuple[Action, ...]] = {"write": CHANGES} | {action: (action,) for action in ACTIONS}

# The private collections that are seen beside all public ones; None is every collection.
Visible = tuple[str, ...] | None

_SCOPE = "stac"


@dataclass(frozen=True, slots=True)
class Grant:
    """Actions on collections by their ids; None is all of them, private ones and those to come too."""

    actions: frozenset[Action]
    collections: frozenset[str] | None = None

    @classmethod
    def of_names(cls, names: Iterable[str], collections: Iterable[str] | None = None) -> "Grant":
        """Raises ValueError for a name that is of no action."""
        unknown = [name for name in names if name not in NAMES]
        if unknown:
            raise ValueError(f"{unknown[0]!r} is none of {', '.join(NAMES)}")
        actions = frozenset(action for name in names for action in NAMES[name])
        return cls(actions, None if collections is None else frozenset(collections))

    def holds(self, action: Action, collection: str) -> bool:
        return action in self.actions and (self.collections is None or collection in self.collections)


@dataclass(frozen=True, slots=True)
class Rights:
    """What a caller may do. `shared` is what everyone may who is let in, with the collections they see."""

    grants: tuple[Grant, ...] = ()
    shared: frozenset[Action] = frozenset({"read"})

    def may(self, action: Action, collection: str) -> bool:
        """With a collection that the caller sees, or makes."""
        return action in self.shared or any(grant.holds(action, collection) for grant in self.grants)

    def may_somewhere(self, action: Action) -> bool:
        return action in self.shared or any(action in grant.actions for grant in self.grants)

    @property
    def visible(self) -> Visible:
        named: set[str] = set()
        for grant in self.grants:
            if grant.collections is None:
                return None
            named |= grant.collections
        return tuple(sorted(named))


EVERYTHING = Rights((Grant(frozenset(ACTIONS)),))


def of_scopes(scopes: Iterable[str]) -> tuple[Grant, ...]:
    """What `stac:ACTION` and `stac:ACTION:COLLECTION` allow, the id as it is or percent-encoded.

    Other scopes are for other services.
    """
    found = []
    for scope in scopes:
        service, _, rest = scope.partition(":")
        name, limited, collection = rest.partition(":")
        if service == _SCOPE and name in NAMES and (collection or not limited):
            found.append(Grant.of_names([name], [unquote(collection)] if limited else None))
    return tuple(found)


def scope_of(action: Action, collection: str | None) -> str:
    """The least that would be enough."""
    return f"{_SCOPE}:{action}" if collection is None else f"{_SCOPE}:{action}:{quote(collection, safe='')}"
