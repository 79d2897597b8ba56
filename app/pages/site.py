"""Whose pages these are, and which hrefs of documents become links on them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode, urljoin, urlsplit

Thumbnails = Literal["own", "all"]

_LINKED = ("http", "https", "s3")
# What browsers drop or turn round before they read a URL.
_DISGUISE = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True, slots=True)
class Site:
    """`base` is the URL of the landing page without its closing slash, `thumbnails` whose images pages show."""

    base: str
    title: str
    description: str
    thumbnails: Thumbnails = "own"

    def local(self, url: str) -> str:
        """A URL of this service without its host: a page follows whichever host it was asked at."""
        if url == self.base or url.startswith((self.base + "/", self.base + "?")):
            return (urlsplit(self.base).path + url[len(self.base) :]) or "/"
        return url

    def path(self, path: str) -> str:
        return self.local(self.base + path)

    def link(self, href: Any, document: str) -> str | None:
        """What a page links to for an href in the document at this URL; None for what no page may lead to."""
        if not isinstance(href, str) or not href or _DISGUISE.search(href) or href != href.strip():
            return None
        try:
            found = urljoin(document, href.replace(" ", "%20"))
            parts = urlsplit(found)
        except ValueError:
            return None
        return self.local(found) if parts.scheme in _LINKED and parts.netloc else None

    def image(self, href: Any, document: str) -> str | None:
        """The same for an image that is shown, which the browser fetches without being asked."""
        found = self.link(href, document)
        if found is None or found.startswith("s3:"):
            return None
        return found if found.startswith("/") or self.thumbnails == "all" else None


def origins(images: Iterable[str | None]) -> list[str]:
    """Of images of other hosts, each once: what a content security policy has to let in."""
    parts = (urlsplit(image) for image in images if image and not image.startswith("/"))
    # An origin that is not plain could end the policy's rule and begin another.
    return sorted({f"{p.scheme}://{p.netloc}" for p in parts if re.fullmatch(r"[A-Za-z0-9.:-]+", p.netloc)})


def with_query(url: str, without: tuple[str, ...] = (), **more: str) -> str:
    """The URL with some parameters left out and others set."""
    head, _, query = url.partition("?")
    kept = [pair for pair in query.split("&") if pair and pair.partition("=")[0] not in (*without, *more)]
    pairs = "&".join([*kept, *([urlencode(more)] if more else [])])
    return f"{head}?{pairs}" if pairs else head
