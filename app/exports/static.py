"""A static catalogue: a folder for each collection, and in it one for each item, as STAC's best practices have it.

It is self-contained: its links are relative, and none leads to the service. `catalog.json` is written last.
"""

import re
from collections.abc import Iterable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson

from app.catalog import Catalog, StoredCollection, StoredItem
from app.exports import pages
from app.stac import document as documents
from app.stac.search import Search

_ODD = re.compile(r"[^A-Za-z0-9._-]")
_NAME_LENGTH = 120
# No name begins with a dot.
_WAITING = ".links"
_JSON = "application/json"
_GEOJSON = "application/geo+json"


async def write(catalog: Catalog, search: Search, folder: Path, root: dict[str, Any]) -> None:
    """The items of a search below `folder`, which is made; `root` is the catalogue without its links.

    Collections that are made meanwhile are left out, and their items with them. Raises NotFound for a collection that
    does not exist.
    """
    found = [collection async for collection in pages.collections(catalog, search.collections)]
    names = {collection.id: name_of(collection.id) for collection in found}
    _make_folders(folder, names.values())
    async for page in pages.items(catalog, search):
        _write_items(folder, names, [item for item in page if item.collection in names])
    for collection in found:
        _write_collection(folder / names[collection.id], collection)
    children = [_link("child", f"./{name}/collection.json", _JSON) for name in names.values()]
    links = [_link("root", "./catalog.json", _JSON), *children]
    members = {"type": "Catalog", "stac_version": "1.1.0"} | root | {"links": links}
    (folder / "catalog.json").write_bytes(orjson.dumps(members))


def _make_folders(folder: Path, names: Iterable[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).mkdir()


def name_of(identity: str) -> str:
    """A name for a file: the id, or where it has other than plain characters, or is long, what is left and a digest."""
    plain = _ODD.sub("_", identity)[:_NAME_LENGTH].strip(".")
    if plain == identity and not plain.endswith(".json"):
        return plain
    return f"{plain}-{blake2b(identity.encode(), digest_size=6).hexdigest()}"


def _write_items(folder: Path, names: dict[str, str], page: list[StoredItem]) -> None:
    links = _joined(
        _link("root", "../../catalog.json", _JSON),
        _link("parent", "../collection.json", _JSON),
        _link("collection", "../collection.json", _JSON),
    )
    for item in page:
        owner, name = folder / names[item.collection], name_of(item.id)
        path = owner / name / f"{name}.json"
        # One that is moved back in the order of the search meanwhile comes again.
        if not (path.exists() and documents.parse(path.read_bytes())["id"] == item.id):
            path.parent.mkdir()
            # Its collection may have millions: they wait in a file.
            with (owner / _WAITING).open("ab") as waiting:
                waiting.write(b"," + _joined(_link("item", f"./{name}/{name}.json", _GEOJSON)))
        path.write_bytes(documents.splice(item.content, links))


def _write_collection(folder: Path, collection: StoredCollection) -> None:
    links = _joined(_link("root", "../catalog.json", _JSON), _link("parent", "../catalog.json", _JSON))
    head, tail = documents.splice(collection.content, links + b"\0", b',"extent":' + collection.extent).split(b"\0")
    with (folder / "collection.json").open("wb") as file:
        file.write(head)
        waiting = folder / _WAITING
        if waiting.exists():
            with waiting.open("rb") as stream:
                while part := stream.read(1 << 20):
                    file.write(part)
            waiting.unlink()
        file.write(tail)


def _link(rel: str, href: str, media_type: str) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media_type}


def _joined(*links: dict[str, str]) -> bytes:
    return orjson.dumps(links)[1:-1]
