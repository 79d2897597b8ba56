"""Items and collections as pages show them. Documents may be of any shape: what is missing is left out."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from app.pages import values
from app.pages.map import Footprint, Map, boxes_of, drawn
from app.pages.site import Site
from app.pages.values import Value, listed, members, text, texts

_IMAGES = ("image/png", "image/jpeg", "image/jpg", "image/webp", "image/gif")
_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".gif")
# What a page says elsewhere, or what leads to where one is.
_SHOWN_ALREADY = frozenset({"self", "root", "parent", "collection", "items", "next", "prev", "alternate", "child"})
_MOST_BANDS = 4


@dataclass(frozen=True, slots=True)
class Asset:
    key: str
    title: str
    media_type: str
    roles: str
    size: str
    href: str
    link: str | None


@dataclass(frozen=True, slots=True)
class Related:
    """A link of a document; `link` is None where no page may lead there."""

    rel: str
    title: str
    href: str
    link: str | None


@dataclass(frozen=True, slots=True)
class ItemView:
    id: str
    title: str
    url: str
    link: str
    collection: str
    collection_link: str | None
    when: str
    description: Markup
    image: str | None
    facts: list[tuple[str, str]]
    properties: list[tuple[str, Value]]
    assets: list[Asset]
    links: list[Related]
    bands: list[str]
    footprint: Footprint
    sketch: Map


@dataclass(frozen=True, slots=True)
class CollectionView:
    id: str
    title: str
    url: str
    link: str
    items: str | None
    description: Markup
    keywords: list[str]
    license: str
    when: str
    providers: list[tuple[str, str, str | None]]
    summaries: list[tuple[str, Value]]
    more: list[tuple[str, Value]]
    item_assets: list[Asset]
    assets: list[Asset]
    links: list[Related]
    bands: list[str]
    footprints: list[Footprint]
    sketch: Map
    image: str | None


def href_of(document: dict[str, Any], rel: str) -> str | None:
    """Where the first link of a relation leads."""
    found = (link for link in listed(document.get("links")) if isinstance(link, dict) and link.get("rel") == rel)
    return next((link["href"] for link in found if isinstance(link.get("href"), str)), None)


def item(site: Site, document: dict[str, Any], url: str | None = None) -> ItemView:
    url = url or href_of(document, "self") or site.base
    properties, name = members(document.get("properties")), text(document.get("id"))
    collection = href_of(document, "collection")
    link = site.local(url)
    footprint = Footprint(name, link, document.get("geometry"), document.get("bbox"))
    return ItemView(
        id=name,
        title=text(properties.get("title")) or name,
        url=url,
        link=link,
        collection=text(document.get("collection")),
        collection_link=site.local(collection) if collection else None,
        when=_when(properties),
        description=values.markdown(properties.get("description")),
        image=_image(site, document, url),
        facts=_facts(properties),
        properties=values.table(properties, without=("title", "description")),
        assets=[_asset(site, key, asset, url) for key, asset in members(document.get("assets")).items()],
        links=_related(site, document, url),
        bands=_bands(document.get("assets")),
        footprint=footprint,
        sketch=sketch(footprint),
    )


def collection(site: Site, document: dict[str, Any]) -> CollectionView:
    url = href_of(document, "self") or site.base
    name, items = text(document.get("id")), href_of(document, "items")
    title, link = text(document.get("title")) or name, site.local(url)
    extent = members(document.get("extent"))
    footprints = [Footprint(title, link, None, box, "collection") for box in boxes_of(extent)]
    return CollectionView(
        id=name,
        title=title,
        url=url,
        link=link,
        items=site.local(items) if items else None,
        description=values.markdown(document.get("description")),
        keywords=texts(document.get("keywords")),
        license=text(document.get("license")),
        when=_extent_in_time(extent),
        providers=[_provider(site, provider, url) for provider in listed(document.get("providers"))],
        summaries=values.table(members(document.get("summaries"))),
        more=values.table(document, without=_MEMBERS),
        item_assets=[_asset(site, key, one, url) for key, one in members(document.get("item_assets")).items()],
        assets=[_asset(site, key, one, url) for key, one in members(document.get("assets")).items()],
        links=_related(site, document, url),
        bands=_bands(document.get("item_assets")),
        footprints=footprints,
        sketch=sketch(*footprints),
        image=_image(site, document, url),
    )


_MEMBERS = (
    *("type", "stac_version", "stac_extensions", "id", "title", "description", "keywords", "license", "extent"),
    *("providers", "summaries", "item_assets", "assets", "links"),
)


def _when(properties: dict[str, Any]) -> str:
    if instant := text(properties.get("datetime")):
        return instant.replace("T", " ").removesuffix("Z")[:16]
    return values.period(properties.get("start_datetime"), properties.get("end_datetime"))


def _extent_in_time(extent: dict[str, Any]) -> str:
    intervals = listed(members(extent.get("temporal")).get("interval"))
    first = intervals[0] if intervals else None
    if not isinstance(first, list) or len(first) != 2 or first == [None, None]:
        return ""
    return values.period(*first)


def _facts(properties: dict[str, Any]) -> list[tuple[str, str]]:
    """What distinguishes an item among its neighbours."""
    facts = []
    cover = properties.get("eo:cloud_cover")
    if isinstance(cover, int | float):
        facts.append(("cloud cover", f"{cover:.3g} %"))
    if isinstance(gsd := properties.get("gsd"), int | float):
        facts.append(("gsd", f"{gsd:g} m"))
    if platform := text(properties.get("platform")):
        facts.append(("platform", platform))
    return facts


def _asset(site: Site, key: str, asset: Any, url: str) -> Asset:
    said = members(asset)
    return Asset(
        key=key,
        title=text(said.get("title")),
        media_type=text(said.get("type")),
        roles=", ".join(texts(said.get("roles"))),
        size=values.size(said.get("file:size")),
        href=text(said.get("href")),
        link=site.link(said.get("href"), url),
    )


def _related(site: Site, document: dict[str, Any], url: str) -> list[Related]:
    found = [members(link) for link in listed(document.get("links"))]
    return [
        Related(rel, text(link.get("title")), text(link.get("href")), site.link(link.get("href"), url))
        for link in found
        if (rel := text(link.get("rel"))) and rel not in _SHOWN_ALREADY and link.get("method", "GET") == "GET"
    ]


def _provider(site: Site, provider: Any, url: str) -> tuple[str, str, str | None]:
    said = members(provider)
    return text(said.get("name")), ", ".join(texts(said.get("roles"))), site.link(said.get("url"), url)


def _image(site: Site, document: dict[str, Any], url: str) -> str | None:
    """The thumbnail, or else an overview that browsers can show, or the preview the service makes."""
    assets = [members(asset) for asset in members(document.get("assets")).values()]
    for role in ("thumbnail", "overview"):
        for asset in assets:
            if role in texts(asset.get("roles")) and _is_shown(asset) and (image := site.image(asset["href"], url)):
                return image
    previews = (members(one) for one in listed(document.get("links")) if members(one).get("rel") == "preview")
    return next((site.image(one["href"], url) for one in previews if _is_shown(one)), None)


def _is_shown(asset: dict[str, Any]) -> bool:
    href, media_type = text(asset.get("href")), text(asset.get("type")).lower()
    return bool(href) and (media_type in _IMAGES or (not media_type and href.lower().endswith(_ENDINGS)))


def _bands(assets: Any) -> list[str]:
    """Assets that are data in a raster format, as far as a few of them."""
    found = [(key, members(asset)) for key, asset in members(assets).items()]
    data = (key for key, asset in found if "data" in texts(asset.get("roles")) and _is_raster(asset))
    return list(data)[:_MOST_BANDS]


def _is_raster(asset: dict[str, Any]) -> bool:
    return text(asset.get("type")).startswith(("image/tiff", "image/jp2", "image/vnd.stac.geotiff"))


def map_of(items: Iterable[ItemView], bbox: list[float] | None = None) -> Map:
    """Of items, with the box they were asked for."""
    asked = [Footprint("the box of the search", None, None, bbox, "asked")] if bbox else []
    return drawn([*(one.footprint for one in items), *asked])


def sketch(*footprints: Footprint) -> Map:
    """Small, for a card: where in the world it is counts more than its outline."""
    return drawn(footprints, least=14)
