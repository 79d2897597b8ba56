"""Rights and the scopes that say them."""

import pytest

from app.settings import _SCOPE
from app.stac.access import ACTIONS, CHANGES, EVERYTHING, NAMES, Action, Grant, Rights, of_scopes, scope_of


@pytest.mark.parametrize(
    ("scopes", "grants"),
    [
        ("", ()),
        ("openid profile stac stac: stac:own stac:read: read stack:read stac:READ", ()),
        ("stac:read", (Grant(frozenset({"read"})),)),
        ("stac:write", (Grant(frozenset(CHANGES)),)),
        ("stac:delete:things", (Grant(frozenset({"delete"}), frozenset({"things"})),)),
        ("stac:read:a:b", (Grant(frozenset({"read"}), frozenset({"a:b"})),)),
        ("stac:read:a%20%2F%C3%BC", (Grant(frozenset({"read"}), frozenset({"a /ü"})),)),
    ],
)
def test_scopes(scopes: str, grants: tuple[Grant, ...]) -> None:
    assert of_scopes(scopes.split()) == grants


@pytest.mark.parametrize("collection", [None, "things", "a b/ü:%", "*"])
def test_the_scope_that_is_asked_for_is_enough(collection: str | None) -> None:
    for action in ACTIONS:
        (grant,) = of_scopes([scope_of(action, collection)])
        assert grant.holds(action, collection or "any")
        assert grant.collections == (None if collection is None else {collection})
        assert _SCOPE.fullmatch(scope_of(action, collection))


@pytest.mark.parametrize("name", NAMES)
def test_settings_know_the_scopes_there_are(name: str) -> None:
    assert _SCOPE.fullmatch(f"stac:{name}")
    assert of_scopes([f"stac:{name}"])


@pytest.mark.parametrize(
    ("rights", "visible"),
    [
        (Rights(), ()),
        (Rights(of_scopes(["stac:read:b", "stac:delete:a"])), ("a", "b")),
        (Rights(of_scopes(["stac:read:b", "stac:create"])), None),
        (EVERYTHING, None),
    ],
)
def test_any_right_on_a_collection_shows_it(rights: Rights, visible: tuple[str, ...] | None) -> None:
    assert rights.visible == visible


@pytest.mark.parametrize(
    ("scopes", "action", "collection", "may"),
    [
        ([], "read", "x", True),
        ([], "create", "x", False),
        (["stac:write:x"], "update", "x", True),
        (["stac:write:x"], "update", "y", False),
        (["stac:create:x", "stac:delete:y"], "delete", "x", False),
        (["stac:delete"], "delete", "x", True),
    ],
)
def test_what_may_be_done(scopes: list[str], action: Action, collection: str, may: bool) -> None:
    assert Rights(of_scopes(scopes)).may(action, collection) == may


def test_no_other_name_is_an_action() -> None:
    with pytest.raises(ValueError, match="'admin' is none of write, read, create, update, delete"):
        Grant.of_names(["read", "admin"])
