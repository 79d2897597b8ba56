"""What is checked of a Collection before it is stored."""

from dataclasses import dataclass
from typing import Any

from stac_pydantic import Collection

from app.errors import Fault, InvalidDocument
from app.stac import document as documents
from app.stac import extent
from app.stac.extent import Times
from app.stac.item import of_identity, searchable
from app.stac.validation import CORE, Rules, of_model, refuse

# Written by the server. `item` and `child` lead into the static catalogue a collection came from: here `items` does.
_OF_STAC = {"self", "root", "parent", "items", "item", "child", "aggregate", "aggregations"}
_OF_OGC = {f"http://www.opengis.net/def/rel/ogc/1.0/{name}" for name in ("queryables", "sortables")}
OWNED_LINKS = frozenset(_OF_STAC | _OF_OGC)


@dataclass(frozen=True, slots=True)
class CheckedCollection:
    """`content` is the collection without its extent, links last; `extent` is the extent it declares, as JSON.

    The others are what searches read: `document` all members but links and extent, as JSON; `area` EWKB of the
    declared boxes; `times` the declared intervals.
    """

    id: str
    content: bytes
    extent: bytes
    document: bytes
    area: bytes | None
    times: tuple[Times, ...]


def check_collection(document: Any, rules: Rules = CORE) -> CheckedCollection:
    """STAC Collection 1.0 and 1.1, as strictly as `rules` say. Raises InvalidDocument with all that is wrong."""
    if not isinstance(document, dict):
        raise InvalidDocument("is not a JSON object")
    of_stac = of_model(Collection, _with_overall_box(document)) if rules.core else []
    faults = of_identity(document, "Collection", rules)
    match document.get("extent"):
        case {"spatial": dict(), "temporal": dict()}:
            faults += extent.faults(document["extent"]) if rules.core else []
        case _:
            faults.append(Fault("extent", "is not an object with `spatial` and `temporal`"))
    refuse(of_stac, faults, rules.of_extensions(document))
    return CheckedCollection(
        id=document["id"],
        content=documents.dump_with_links_last(document, OWNED_LINKS, apart="extent"),
        extent=documents.dump_for_page(document["extent"], 3),
        document=searchable({name: value for name, value in document.items() if name not in ("links", "extent")}),
        area=extent.declared_area(document["extent"]),
        times=extent.declared_times(document["extent"]),
    )


def _with_overall_box(document: Any) -> Any:
    """The document with the first of its boxes alone.

    Published collections have boxes that reach out of the overall one, which the model refuses; the extent that is
    served comes from the items anyway.
    """
    match document:
        case {"extent": {"spatial": {"bbox": [list() as overall, *_], **spatial}, **extent}}:
            return document | {"extent": extent | {"spatial": spatial | {"bbox": [overall]}}}
    return document
