"""Whose request it is, with proxies in between."""

import pytest

from app.limits.client import client, network

INSIDE = (network("10.0.0.0/8"), network("fd00::/8"))


def lines(*pairs: tuple[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in pairs]


@pytest.mark.parametrize(
    ("peer", "headers", "found"),
    [
        ("203.0.113.7", {}, "203.0.113.7"),
        ("203.0.113.7", {"x-forwarded-for": "1.1.1.1"}, "203.0.113.7"),
        ("203.0.113.7", {"forwarded": "for=1.1.1.1"}, "203.0.113.7"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.7"}, "203.0.113.7"),
        ("10.0.0.1", {"x-forwarded-for": "1.1.1.1, 203.0.113.7"}, "203.0.113.7"),
        ("10.0.0.1", {"x-forwarded-for": "1.1.1.1, 203.0.113.7, 10.9.9.9"}, "203.0.113.7"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.7:4711"}, "203.0.113.7"),
        ("10.0.0.1", {"x-forwarded-for": "203.0.113.7, nonsense"}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": ""}, "10.0.0.1"),
        ("10.0.0.1", {"x-forwarded-for": "10.0.0.2, 10.0.0.3"}, "10.0.0.2"),
        ("10.0.0.1", {"forwarded": 'for=1.1.1.1, for="[2001:db8:1:2:3:4:5:6]:80";proto=https'}, "2001:db8:1:2::/64"),
        ("10.0.0.1", {"forwarded": "for=1.1.1.1", "x-forwarded-for": "203.0.113.7"}, "203.0.113.7"),
        ("10.0.0.1", {"forwarded": "for=unknown"}, "10.0.0.1"),
        ("::ffff:10.0.0.1", {"x-forwarded-for": "203.0.113.7"}, "203.0.113.7"),
        ("fd00::1", {"x-forwarded-for": "203.0.113.7"}, "203.0.113.7"),
        (None, {"x-forwarded-for": "203.0.113.7"}, "203.0.113.7"),
        ("2001:db8::1", {}, "2001:db8::/64"),
        ("2001:db8::2", {}, "2001:db8::/64"),
        ("::ffff:203.0.113.7", {}, "203.0.113.7"),
        ("testclient", {}, "testclient"),
    ],
)
def test_client(peer: str | None, headers: dict[str, str], found: str) -> None:
    assert client(peer, lines(*headers.items()), INSIDE) == found


@pytest.mark.parametrize(
    ("name", "written", "added"),
    [
        ("x-forwarded-for", "1.1.1.1", "203.0.113.7"),
        ("x-forwarded-for", "1.1.1.1, 10.0.0.2", "203.0.113.7, 10.0.0.3"),
        ("forwarded", "for=1.1.1.1", "for=203.0.113.7"),
        ("forwarded", 'for="1.1.1.1', 'for="203.0.113.7"'),
    ],
)
def test_a_proxy_that_adds_a_line(name: str, written: str, added: str) -> None:
    assert client("10.0.0.1", lines((name, written), (name, added)), INSIDE) == "203.0.113.7"


@pytest.mark.parametrize("peer", ["10.0.0.1", None])
def test_nobody_is_believed_where_nobody_is_trusted(peer: str | None) -> None:
    assert client(peer, lines(("x-forwarded-for", "203.0.113.7")), ()) == (peer or "")
