"""Where an asset is: absolute, the place one prefers, and as the operator has it. Nothing is opened.

The other places are those of https://github.com/stac-extensions/alternate-assets, and the other name of an object:
`s3://bucket/key` and `gs://bucket/key` have URLs, and the URLs of AWS and Google are objects.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from app.assets.objects import object_at
from app.errors import InvalidMetadata
from app.stac.asset import asset_of

# From prefixes to prefixes; each ends with `/`.
Rules = Mapping[str, str]
_NO_RULES: Rules = {}


def resolved(
    item: Mapping[str, Any],
    asset: str,
    *,
    prefer: str | None = None,
    rules: Rules = _NO_RULES,
    source: str | None = None,
) -> str:
    """The absolute href of the asset with this key, of an item as a JSON object.

    A relative href is below the item's self link, or else below `source`, the URL or path the item was read from.
    `prefer` names an alternate, or a scheme: the first place with it is taken, or one that has it under its other name
    (s3 and https, gs and https); where there is none, the asset's own href. Rules come last.

    Raises NotFound for no such asset, InvalidMetadata for an href that cannot be resolved.
    """
    found = asset_of(item, asset)
    place = f"assets.{asset}"
    href = None if prefer is None else _preferred(item, found, place, prefer, source)
    return ruled(href or absolute(found.get("href"), item, f"{place}.href", source), rules)


def absolute(href: Any, item: Mapping[str, Any], place: str, source: str | None = None) -> str:
    """Raises InvalidMetadata."""
    if not isinstance(href, str) or not href or any(ord(character) < 32 for character in href):
        raise InvalidMetadata("is no href", place)
    try:
        if urlsplit(href).scheme:
            return href
        base = _base(item, source)
        if base is None:
            raise InvalidMetadata(f"{href!r} is relative, and the item has no self link", place)
        # urljoin knows no buckets, and joins to an s3:// as to nothing.
        scheme = urlsplit(base).scheme
        if scheme in ("http", "https", "file"):
            return urljoin(base, href)
        return scheme + urljoin(base.replace(scheme, "http", 1), href).removeprefix("http")
    except ValueError:
        raise InvalidMetadata(f"{href!r} is no URL", place) from None


def ruled(href: str, rules: Rules) -> str:
    """The href with the longest prefix that a rule names replaced."""
    named = max((prefix for prefix in rules if href.startswith(prefix)), key=len, default=None)
    return href if named is None else rules[named] + href[len(named) :]


def path_of(href: str) -> Path | None:
    """The path of a `file://` URL of this machine, None for others."""
    parts = urlsplit(href)
    return Path(unquote(parts.path)) if parts.scheme == "file" and parts.netloc in ("", "localhost") else None


def url_of(location: str) -> str:
    """A URL as it is, a path as a `file://` URL."""
    return location if urlsplit(location).scheme else "file://" + quote(str(Path(location).absolute()))


def _base(item: Mapping[str, Any], source: str | None) -> str | None:
    links = item.get("links")
    for link in links if isinstance(links, list) else ():
        if isinstance(link, Mapping) and link.get("rel") == "self":
            href = link.get("href")
            if isinstance(href, str) and urlsplit(href).scheme:
                return href
    return None if source is None else url_of(source)


def _preferred(
    item: Mapping[str, Any], asset: Mapping[str, Any], place: str, prefer: str, source: str | None
) -> str | None:
    places = [
        (name, absolute(told.get("href"), item, f"{at}.href", source), _region(item, told))
        for name, at, told in _places(asset, place)
    ]
    for name, href, _ in places:
        if name == prefer or urlsplit(href).scheme == prefer:
            return href
    for _, href, region in places:
        found = object_at(href)
        if found is not None and prefer in ("https", found.store):
            return found.within(region).url if prefer == "https" else found.uri
    return None


def _places(asset: Mapping[str, Any], place: str) -> Iterator[tuple[str | None, str, Mapping[str, Any]]]:
    """The asset and its alternates, which are an object, or a list in the first version."""
    yield None, place, asset
    alternates = asset.get("alternate")
    if isinstance(alternates, list):
        alternates = dict(enumerate(alternates))
    for name, alternate in alternates.items() if isinstance(alternates, Mapping) else ():
        if isinstance(alternate, Mapping):
            yield str(name), f"{place}.alternate.{name}", {**asset, **alternate}


def _region(item: Mapping[str, Any], asset: Mapping[str, Any]) -> str | None:
    """As https://github.com/stac-extensions/storage has it, 1.0 or the first scheme of 2.0."""
    properties = item.get("properties")
    properties = properties if isinstance(properties, Mapping) else {}
    schemes, names = properties.get("storage:schemes"), asset.get("storage:refs")
    name = names[0] if isinstance(names, list) and names else names
    scheme = schemes.get(name) if isinstance(schemes, Mapping) and isinstance(name, str) else None
    for region in (
        scheme.get("region") if isinstance(scheme, Mapping) else None,
        asset.get("storage:region"),
        properties.get("storage:region"),
    ):
        if isinstance(region, str) and region.replace("-", "").isalnum():
            return region
    return None
