"""Each example of the document at /api is sent to the demo, and answered; those of searches find something."""

from collections.abc import AsyncIterator, Iterator
from itertools import chain
from pathlib import Path
from typing import Any

import httpx
import pytest

from app import demo
from app.bulk.load import Loader
from app.demo import aerial, rasters, sentinel2
from app.settings import Settings
from tests.api.writing import writing
from tests.factories import Document, load

pytestmark = pytest.mark.anyio

# Which ones there are, the document cannot know.
PLACES = {"collection_id": "demo-cogs", "item_id": "20240731-nw", "asset": "red"}
# What is written, or deleted: every other operation reads.
WRITES = ("Transaction", "Collection Transaction")
# The parameters and bodies of these say which files.
OF_FILES = ("Mosaics", "Cubes", "Pictures")
SEARCHES = {("get", "/search"), ("post", "/search"), ("get", "/collections/{collection_id}/items")}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    static = tmp_path_factory.mktemp("static")
    rasters.write(static / rasters.ID)
    return static


@pytest.fixture
async def filled(settings: Settings, loader: Loader, files: Path) -> AsyncIterator[httpx.AsyncClient]:
    await load(loader, *chain(demo.collections(), rasters.items(), sentinel2.items(300), list(aerial.items())[:5]))
    async with writing(settings, static_dir=files) as client:
        yield client


def operations(paths: Document) -> Iterator[tuple[str, str, Document]]:
    for path, described in paths.items():
        for method, operation in described.items():
            yield method, path, operation


def query(operation: Document) -> dict[str, Any]:
    """All examples at once, as the page at /docs sends them."""
    given = {one["name"]: one["example"] for one in operation.get("parameters", ()) if "example" in one}
    return {name: ",".join(map(str, value)) if isinstance(value, list) else str(value) for name, value in given.items()}


def bodies(operation: Document) -> Iterator[tuple[str, str, Any]]:
    """Name, media type, and value of each."""
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        assert "example" not in content
        for name, example in content["examples"].items():
            yield name, media_type, example["value"]


async def test_parameters(filled: httpx.AsyncClient) -> None:
    paths = (await filled.get("/api")).json()["paths"]
    with_examples = set()
    for method, path, operation in operations(paths):
        if method != "get" or operation["tags"][0] in OF_FILES:
            continue
        given = query(operation)
        answer = await filled.get(path.format(**PLACES), params=given)
        assert answer.status_code == 200, (path, given, answer.text)
        if (method, path) in SEARCHES:
            assert len(answer.json()["features"]) == int(given["limit"]), path
        if given:
            with_examples.add(path)
    assert with_examples >= {"/search", "/collections", "/collections/{collection_id}/items", "/aggregate"}


async def test_bodies_of_questions(filled: httpx.AsyncClient) -> None:
    paths = (await filled.get("/api")).json()["paths"]
    asked = 0
    for method, path, operation in operations(paths):
        if "requestBody" not in operation or operation["tags"][0] in WRITES:
            continue
        for name, media_type, value in bodies(operation):
            assert (method, media_type) == ("post", "application/json")
            answer = await filled.post(path.format(**PLACES), json=value)
            assert answer.status_code == 200, (path, name, answer.text)
            asked += 1
            if (method, path) in SEARCHES:
                assert 0 < len(answer.json()["features"]) <= value["limit"], name
    assert asked >= 10


async def test_bodies_of_changes(filled: httpx.AsyncClient) -> None:
    """In an order in which each has what it changes."""
    described = list(operations((await filled.get("/api")).json()["paths"]))
    changed = []
    for asked in ("post", "put", "patch"):
        for method, path, operation in described:
            if method != asked or operation["tags"][0] not in WRITES:
                continue
            place = {"collection_id": "a-collection", "item_id": "an-item"}
            for name, media_type, value in bodies(operation):
                headers = {"Content-Type": media_type}
                answer = await filled.request(method, path.format(**place), json=value, headers=headers)
                repeated = answer.status_code == 409 and media_type == "application/geo+json"
                assert answer.is_success or repeated, (method, path, name, answer.text)
            changed.append((method, path))
    items = "/collections/{collection_id}/items"
    assert {("post", items), ("post", "/collections"), ("put", f"{items}/{{item_id}}")} <= set(changed)
    assert len(changed) == 7


async def test_nothing_is_made_up_for_parameters_that_are_objects(filled: httpx.AsyncClient) -> None:
    """The page fills in members of its own where a schema says, in whatever way, that it is of objects."""
    (described,) = [
        one
        for one in (await filled.get("/api")).json()["paths"]["/search"]["get"]["parameters"]
        if one["name"] == "intersects"
    ]
    assert described["content"]["application/json"]["schema"].keys().isdisjoint({"type", "properties", "example"})
