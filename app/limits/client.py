"""Who asks: the address of the client, behind proxies that are trusted to say it."""

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network

_FOR = re.compile(r'for=(?:"([^"]*)"|([^;,\s]*))', re.IGNORECASE)
# Of IPv6 addresses a client has as many as it likes, in a network of this size.
_OF_ONE_CLIENT = 64


def network(text: str) -> Network:
    """Raises ValueError."""
    return ip_network(text.strip(), strict=False)


def client(peer: str | None, headers: Iterable[tuple[bytes, bytes]], trusted: tuple[Network, ...]) -> str:
    """The address of who asks, or its /64; empty where there is none, as on a unix socket without a proxy.

    Each proxy adds whom it saw at the end, some in a line of their own, and anybody can write what stands before that:
    so the headers are read from their end, as far as those are trusted who wrote them. `Forwarded` is read where there
    is no `X-Forwarded-For`: most proxies add to the latter, and let through what a client writes in the former.
    """
    address = peer or ""
    if trusted and (peer is None or _is_of(address, trusted)):
        for named in reversed(_named(headers)):
            if (found := _address(named)) is None:
                break
            address = found
            if not _is_of(address, trusted):
                break
    return _grouped(address)


def _named(headers: Iterable[tuple[bytes, bytes]]) -> list[str]:
    lines: dict[bytes, list[str]] = {b"x-forwarded-for": [], b"forwarded": []}
    for name, value in headers:
        if name in lines:
            lines[name].append(value.decode("latin-1"))
    if lines[b"x-forwarded-for"]:
        return ",".join(lines[b"x-forwarded-for"]).split(",")
    return [quoted or plain for line in lines[b"forwarded"] for quoted, plain in _FOR.findall(line)]


def _address(text: str) -> str | None:
    """Of `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` and `[2001:db8::1]:80`."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        return str(ip_address(text))
    except ValueError:
        return None


@lru_cache(maxsize=1024)
def _is_of(address: str, trusted: tuple[Network, ...]) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        parsed = parsed.ipv4_mapped
    return any(parsed in network for network in trusted)


@lru_cache(maxsize=4096)
def _grouped(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped:
            return str(parsed.ipv4_mapped)
        return str(ip_network((parsed.packed[: _OF_ONE_CLIENT // 8] + bytes(8), _OF_ONE_CLIENT)))
    return address
