"""The pages: what each template is told. A page is made of the JSON answer of the same URL."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from app.pages import documents, snippets, values
from app.pages.files import FILES
from app.pages.map import drawn
from app.pages.site import Site, origins, with_query
from app.pages.values import listed, members, text, texts
from app.stac import lists

_environment = Environment(
    loader=PackageLoader("app.pages"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_MOST_BOXES = 12


@dataclass(frozen=True, slots=True)
class Page:
    """`origins` are the other hosts that images on it come from."""

    body: bytes
    origins: list[str]


@dataclass(frozen=True, slots=True)
class Failure:
    """Of a request: the status, what went wrong, and the parameter at fault."""

    status: int
    phrase: str
    description: str
    parameter: str | None = None


@dataclass(frozen=True, slots=True)
class Form:
    """What a search was asked: the parameters as they were sent, and the collections one can choose from."""

    action: str
    given: Mapping[str, str]
    collection: str | None = None
    choices: list[tuple[str, str]] = field(default_factory=list)
    failure: Failure | None = None

    def value(self, name: str) -> str:
        return self.given.get(name, "")

    def error(self, name: str) -> str | None:
        failed = self.failure is not None and self.failure.parameter == name
        return self.failure.description if failed and self.failure is not None else None

    @property
    def chosen(self) -> list[str]:
        return [name for name in lists.listed(self.given.get("collections", "")) if name]

    @property
    def boxes(self) -> list[tuple[str, str]] | None:
        """The collections to tick, with what they are called; None where there are too many for that."""
        if len(self.choices) > _MOST_BOXES:
            return None
        known = {name for name, _ in self.choices}
        return [*self.choices, *((name, name) for name in self.chosen if name not in known)]

    @property
    def hidden(self) -> list[tuple[str, str]]:
        """What was asked and has no field: another search of the form keeps it."""
        return [(name, value) for name, value in self.given.items() if name in ("ids", "intersects", "query", "fields")]


def landing(site: Site, document: dict[str, Any], collections: Iterable[dict[str, Any]], more: bool) -> Page:
    shown = [documents.collection(site, one) for one in collections]
    return _page(
        "landing.html",
        site,
        site.base + "/",
        images=[one.image for one in shown],
        description=values.markdown(document.get("description")),
        collections=shown,
        more=more,
        map=drawn([footprint for one in shown for footprint in one.footprints]),
        snippets=snippets.of_landing(site.base + "/", shown[0].id if shown else None),
    )


def collections(site: Site, document: dict[str, Any], given: Mapping[str, str], failure: Failure | None = None) -> Page:
    shown = [documents.collection(site, members(one)) for one in listed(document.get("collections"))]
    url = documents.href_of(document, "self") or f"{site.base}/collections"
    return _page(
        "collections.html",
        site,
        url,
        images=[one.image for one in shown],
        form=Form(site.path("/collections"), given, failure=failure),
        collections=shown,
        matched=document.get("numberMatched"),
        **_neighbours(site, document),
        map=drawn([footprint for one in shown for footprint in one.footprints]),
        snippets=[]
        if failure
        else snippets.of_collections(_plain(url), site.base + "/", given, [one.id for one in shown]),
    )


def collection(site: Site, document: dict[str, Any]) -> Page:
    view = documents.collection(site, document)
    return _page(
        "collection.html",
        site,
        view.url,
        images=[view.image],
        collection=view,
        map=drawn(view.footprints),
        snippets=snippets.of_collection(view.url, site.base + "/", view.id, view.bands),
    )


def items(site: Site, document: dict[str, Any], form: Form) -> Page:
    shown = [documents.item(site, members(one)) for one in listed(document.get("features"))]
    url = documents.href_of(document, "self") or site.base + form.action
    asked = dict(form.given)
    if form.collection is not None:
        asked["collections"] = form.collection
    bands = shown[0].bands if shown else None
    return _page(
        "items.html",
        site,
        url,
        images=[one.image for one in shown],
        form=form,
        items=shown,
        matched=document.get("numberMatched"),
        **_neighbours(site, document),
        map=documents.map_of(shown, _asked_box(form)),
        snippets=[] if form.failure else snippets.of_items(_plain(url), site.base + "/", asked, bands),
    )


def item(site: Site, document: dict[str, Any]) -> Page:
    view = documents.item(site, document)
    return _page(
        "item.html",
        site,
        view.url,
        images=[view.image],
        item=view,
        map=documents.map_of([view]),
        snippets=snippets.of_item(view.url, view.bands),
    )


def document(site: Site, found: dict[str, Any], url: str, title: str) -> Page:
    """Of any other answer: its members, as they are."""
    described = values.markdown(found.get("description"))
    uris = [text(uri) for uri in listed(found.get("conformsTo"))]
    schema = members(found.get("properties")) if "$schema" in found else {}
    functions = listed(found.get("functions"))
    return _page(
        "document.html",
        site,
        url,
        title=title,
        description=described,
        uris=uris,
        functions=[_function(members(one)) for one in functions],
        schema=[(name, text(members(one).get("title")), _kind(members(one))) for name, one in schema.items()],
        members=[] if uris or schema or functions else values.table(found, without=("links", "description", "title")),
        snippets=snippets.of_document(_plain(url)),
    )


def failure(site: Site, failed: Failure) -> Page:
    return _page("failure.html", site, site.base + "/", failure=failed)


def _page(template: str, site: Site, url: str, images: Iterable[str | None] = (), **told: Any) -> Page:
    text = _environment.get_template(template).render(
        site=site,
        json=site.local(with_query(url, f="json")),
        file=lambda name: site.path(f"/pages/{FILES[name].name}"),
        **told,
    )
    return Page(text.encode(errors="replace"), origins(images))


def _neighbours(site: Site, document: dict[str, Any]) -> dict[str, str | None]:
    found = {name: documents.href_of(document, name) for name in ("prev", "next")}
    return {name: site.local(href) if href else None for name, href in found.items()}


def _plain(url: str) -> str:
    """As a program asks: without what says that a page is meant."""
    return with_query(url, without=("f", "token"))


def _asked_box(form: Form) -> list[float] | None:
    try:
        return [float(number) for number in form.value("bbox").split(",")] if form.value("bbox") else None
    except ValueError:
        return None


def _kind(schema: dict[str, Any]) -> str:
    if choices := listed(schema.get("enum")):
        return ", ".join(str(choice) for choice in choices)
    kind = schema.get("type")
    said = " or ".join(str(one) for one in kind) if isinstance(kind, list) else text(kind)
    bounds = [f"{sign} {schema[name]}" for name, sign in (("minimum", "≥"), ("maximum", "≤")) if name in schema]
    return " ".join([said or text(schema.get("$ref")).rpartition("/")[2].removesuffix(".json"), *bounds])


def _function(described: dict[str, Any]) -> tuple[str, str, str, str]:
    """Its name, the kinds of its arguments and of what it returns, and what it does."""
    kinds = [" or ".join(texts(members(one).get("type"))) for one in listed(described.get("arguments"))]
    returns = " or ".join(texts(described.get("returns")))
    return text(described.get("name")), ", ".join(kinds), returns, text(described.get("description"))


def _grouped(number: Any) -> str:
    return f"{number:,}" if isinstance(number, int) else str(number)


_environment.filters["grouped"] = _grouped
_environment.tests["markup"] = lambda value: isinstance(value, Markup)
