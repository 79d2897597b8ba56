"""Which files may be opened, and what GDAL opens for the href of an asset.

An href is text that whoever wrote the item chose. GDAL would take it for much more than a URL: `/vsicurl/…`,
`/etc/passwd`, `WMS:…`, a whole VRT. So what is opened is never the href, but a path or a URL made from its parts.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from app.assets.href import Rules, ruled
from app.errors import Forbidden, InvalidMetadata
from app.stac.asset import asset_of

# An item is served at …/collections/{c}/items/{i}, and relative hrefs of files beside the service lead to …/static/.
_SERVICE = "https://upesi.invalid"
_STATIC = "/static/"
_PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")
_PORTS = {"http": 80, "https": 443}
_BUCKETS = {"s3": "/vsis3/", "gs": "/vsigs/"}


@dataclass(frozen=True, slots=True)
class File:
    """What GDAL opens, and the options of its configuration for this file alone. Either may hold secrets."""

    name: str = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Sources:
    """What may be opened.

    `hosts` are those of URLs, `example.com` or `example.com:8443`; None is any host, bucket and local file, for those
    who open their own files. `static_dir` is what the service hands out at /static, `asset_dir` one more folder.
    `rules` are those of `app.assets.href`.
    """

    hosts: frozenset[str] | None = frozenset()
    static_dir: Path | None = None
    asset_dir: Path | None = None
    rules: Rules = field(default_factory=dict)

    @classmethod
    def anything(cls, static_dir: Path | None = None, rules: Rules | None = None) -> "Sources":
        return cls(None, static_dir, rules=rules or {})

    @property
    def are_none(self) -> bool:
        """Whether nothing at all may be opened."""
        return self.hosts == frozenset() and self.static_dir is None and self.asset_dir is None

    def locate(self, item: Mapping[str, Any], key: str) -> str:
        """What GDAL opens for an asset: a path or a URL. Raises NotFound, InvalidMetadata, Forbidden."""
        return self.opened(self.href(item, key), item, key)

    def href(self, item: Mapping[str, Any], key: str) -> str:
        """That of an asset as the operator has it, which a signer may sign. Raises NotFound, InvalidMetadata."""
        href = asset_of(item, key).get("href")
        if not isinstance(href, str) or not href or re.search(r"[\x00-\x20\x7f\\]", href):
            raise InvalidMetadata("the href is not a URL", _place(item, key))
        return ruled(href, self.rules)

    def opened(self, href: str, item: Mapping[str, Any], key: str) -> str:
        """What GDAL opens for an href of an asset. Raises Forbidden, which does not repeat a signature."""
        found = self._located(href, item)
        if found is None:
            told = str(asset_of(item, key).get("href"))[:200]
            raise Forbidden(f"{_place(item, key)}: {told!r} is not among what this service may open", "assets")
        return found

    def _located(self, href: str, item: Mapping[str, Any]) -> str | None:
        if self.hosts is None and (plain := _own_path(href)) is not None:
            return plain
        try:
            parts = urlsplit(urljoin(_self_url(item), href))
            port = parts.port
        except ValueError:
            return None
        if f"{parts.scheme}://{parts.netloc}" == _SERVICE:
            relative = unquote(parts.path.removeprefix(_STATIC))
            return _inside(self.static_dir, relative) if parts.path.startswith(_STATIC) else None
        if parts.scheme == "file" and parts.netloc in ("", "localhost"):
            return self._local(unquote(parts.path))
        if parts.scheme in _BUCKETS and self.hosts is None:
            return _BUCKETS[parts.scheme] + parts.netloc + unquote(parts.path)
        return self._remote(parts, port)

    def _local(self, path: str) -> str | None:
        if self.hosts is None:
            return path
        return _inside(self.asset_dir, path) or _inside(self.static_dir, path)

    def _remote(self, parts: SplitResult, port: int | None) -> str | None:
        host = parts.hostname or ""
        if parts.scheme not in _PORTS or parts.username is not None or not _PLAIN_HOST.fullmatch(host):
            return None
        if self.hosts is not None and not self.admits(host, port or _PORTS[parts.scheme]):
            return None
        # Quoted anew, so that nothing in it means something to GDAL that it does not mean to a web server.
        path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._")
        query = f"?{quote(parts.query, safe='/%:@!$&()*+,;=~-._?')}" if parts.query else ""
        return f"{parts.scheme}://{parts.netloc}{path}{query}"

    def admits(self, host: str, port: int) -> bool:
        """Whether a connection may be made there."""
        if self.hosts is None:
            return True
        host = host.lower()
        return f"{host}:{port}" in self.hosts or (port in _PORTS.values() and host in self.hosts)


def _place(item: Mapping[str, Any], key: str) -> str:
    return f"item {item.get('id')!r}, assets.{key}"


def _self_url(item: Mapping[str, Any]) -> str:
    collection, name = (quote(str(item.get(member)), safe="") for member in ("collection", "id"))
    return f"{_SERVICE}/collections/{collection}/items/{name}"


def _own_path(href: str) -> str | None:
    """A path of one's own machine, or what GDAL calls one."""
    return href if href.startswith("/") else None


def _inside(folder: Path | None, path: str) -> str | None:
    """The path of a file in a folder, links followed; None for what is outside of it."""
    if folder is None:
        return None
    # As texts, since this is done for each file of a cube.
    root = os.path.realpath(folder)
    try:
        found = os.path.realpath(os.path.join(root, path))
    except (OSError, ValueError):
        return None
    return found if found.startswith(os.path.join(root, "")) else None
