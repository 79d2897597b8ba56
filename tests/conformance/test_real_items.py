"""Real metadata of real catalogues: loaded whole, and served as it came."""

from pathlib import Path
from typing import Any

import httpx
import orjson
import pystac
import pytest
import shapely
from pystac_client import Client
from shapely.geometry import shape
from stac_pydantic.api import Collection, Item, ItemCollection

from app.bulk.load import Loader
from app.stac.collection import OWNED_LINKS as COLLECTION_LINKS
from app.stac.document import without_links
from app.stac.item import OWNED_LINKS as ITEM_LINKS
from tests.api.assertions import valid
from tests.factories import Document, load

# The client is synchronous, and the server is another process; the fixtures alone run in an event loop.
pytestmark = pytest.mark.usefixtures("anyio_backend")

COLLECTIONS = {"sentinel-2-l2a": 300, "landsat-c2-l2": 60, "naip": 300}


def read(path: Path) -> list[Document]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
async def real(server: str, loader: Loader, shared_data: Path) -> str:
    await load(loader, *read(shared_data / "collections.ndjson"))
    for name in COLLECTIONS:
        await load(loader, *read(shared_data / f"{name}.ndjson"))
    return server


@pytest.mark.parametrize(("name", "count"), COLLECTIONS.items())
def test_real_items_come_back_as_they_went_in(real: str, shared_data: Path, name: str, count: int) -> None:
    sent = {document["id"]: without_links(document, ITEM_LINKS) for document in read(shared_data / f"{name}.ndjson")}
    response = httpx.get(f"{real}/collections/{name}/items", params={"limit": 1000})
    served = {item["id"]: without_links(item, ITEM_LINKS) for item in valid(response, ItemCollection)["features"]}
    assert len(served) == count
    assert served == sent
    for item_id in list(sent)[::30]:
        item = valid(httpx.get(f"{real}/collections/{name}/items/{item_id}"), Item)
        assert without_links(item, ITEM_LINKS) == sent[item_id]


def test_real_collections_come_back_with_the_extent_of_their_items(real: str, shared_data: Path) -> None:
    for sent in read(shared_data / "collections.ndjson"):
        served = valid(httpx.get(f"{real}/collections/{sent['id']}"), Collection)
        extent = served.pop("extent")
        assert without_links(served, COLLECTION_LINKS) == without_links(_without(sent, "extent"), COLLECTION_LINKS)
        geometries = [shape(item["geometry"]) for item in read(shared_data / f"{sent['id']}.ndjson")]
        assert extent["spatial"]["bbox"] == [pytest.approx(shapely.total_bounds(geometries))]


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(("name", "count"), COLLECTIONS.items())
def test_pystac_client_finds_all_of_them(real: str, name: str, count: int, method: str) -> None:
    search = Client.open(real).search(method=method, collections=[name], limit=37)
    items = list(search.items_as_dicts())
    assert len(items) == len({item["id"] for item in items}) == count
    for item in items[::20]:
        core_only: dict[str, Any] = item | {"stac_extensions": []}
        pystac.Item.from_dict(core_only).validate()


def test_a_real_item_is_found_by_its_own_place_and_time(real: str, shared_data: Path) -> None:
    client = Client.open(real)
    for name in COLLECTIONS:
        for item in read(shared_data / f"{name}.ndjson")[::25]:
            search = client.search(
                collections=[name], intersects=item["geometry"], datetime=item["properties"]["datetime"]
            )
            assert item["id"] in {found.id for found in search.items()}


def _without(document: Document, member: str) -> Document:
    return {name: value for name, value in document.items() if name != member}
