"""Sources of each kind, found from their content, and another STAC API: this service itself, over a socket."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn

from app.bulk.load import Loader
from app.bulk.readers import Entry
from app.bulk.readers.sources import Source
from app.bulk.readers.web import DOCUMENT_BYTES, Web
from app.errors import SetupError
from app.main import create_app
from app.settings import Settings
from benchmarks.services import free_port
from tests.bulk.website import Website, website
from tests.factories import Document, collection, item, load

pytestmark = pytest.mark.anyio

CATALOG: Document = {"type": "Catalog", "stac_version": "1.1.0", "id": "root", "description": "A root"}
Read = Callable[..., list[Entry]]


@pytest.fixture
def site() -> Iterator[Website]:
    with website() as site:
        yield site


@pytest.fixture
def read() -> Iterator[Read]:
    with Web(pause=0.01) as web:
        yield lambda location, form=None: [
            document
            for entry in Source(str(location), form).entries(web, lambda path: path.open("rb"))
            for document in entry.parsed()
        ]


def ids(found: list[Entry]) -> list[str]:
    assert [entry for entry in found if entry.fault] == []
    return [entry.document["id"] for entry in found]


def link(rel: str, href: str, **members: Any) -> Document:
    return {"rel": rel, "href": href} | members


def page(*names: str, **next_link: Any) -> Document:
    links = [{"rel": "next"} | next_link] if next_link else []
    return {"type": "FeatureCollection", "features": [item(name) for name in names], "links": links}


LINES = orjson.dumps(collection()) + b"\n" + orjson.dumps(item("a")) + b"\n"
BROKEN_LINES = b"{broken\n" + LINES
PRETTY = orjson.dumps(collection(), option=orjson.OPT_INDENT_2)
BOM = b"\xef\xbb\xbf"
DOWN = orjson.dumps(collection(links=[link("item", "a.json")]))


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("x.ndjson", LINES, ["things", "a"]),
        ("x", LINES, ["things", "a"]),
        ("x.json", PRETTY, ["things"]),
        ("x.json", orjson.dumps([item("a"), item("b")]), ["a", "b"]),
        ("x.geojson", orjson.dumps(page("a", "b")), ["a", "b"]),
        ("x.geojson", orjson.dumps(page("a", href="b.json")), ["a"]),
        ("x.json", DOWN, ["things", "a"]),
        ("x.txt", DOWN, ["things", "a"]),
        ("x.json", BOM + DOWN, ["things", "a"]),
        ("x.json", orjson.dumps(CATALOG | {"links": [link("item", "a.json")]}), ["a"]),
        ("x.json", orjson.dumps(CATALOG | {"links": []}), []),
        ("x.json", DOWN + b"\n" + orjson.dumps(item("b")), ["things", "b"]),
    ],
)
async def test_format_is_found_from_the_content(
    tmp_path: Path, site: Website, read: Read, name: str, content: bytes, found: list[str]
) -> None:
    (tmp_path / "a.json").write_bytes(orjson.dumps(item("a")))
    (tmp_path / name).write_bytes(content)
    assert ids(read(tmp_path / name)) == found
    site.pages |= {"/a.json": item("a"), f"/{name}": content}
    if b"next" not in content:
        assert ids(read(f"{site.url}/{name}")) == found


async def test_catalogue_with_byte_order_marks(tmp_path: Path, site: Website, read: Read) -> None:
    pages = {
        "/x.json": BOM + orjson.dumps(CATALOG | {"links": [link("child", "c.json")]}),
        "/c.json": BOM + DOWN,
        "/a.json": BOM + orjson.dumps(item("a")),
    }
    for name, content in pages.items():
        (tmp_path / name[1:]).write_bytes(content)
    site.pages |= pages
    assert ids(read(tmp_path / "x.json")) == ids(read(f"{site.url}/x.json")) == ["things", "a"]


async def test_pages_with_byte_order_marks(site: Website, read: Read) -> None:
    site.pages |= {
        "/i": BOM + orjson.dumps(page("a", href="/i?page=2")),
        "/i?page=2": BOM + orjson.dumps(page("b")),
    }
    assert ids(read(f"{site.url}/i")) == ["a", "b"]


async def test_catalogue_that_is_too_large_is_refused_and_not_taken_for_a_document(
    tmp_path: Path, site: Website, read: Read
) -> None:
    content = DOWN[:-1] + b" " * DOCUMENT_BYTES + DOWN[-1:]
    (tmp_path / "x.json").write_bytes(content)
    site.pages["/x.json"] = content
    for location in (tmp_path / "x.json", f"{site.url}/x.json"):
        (refused,) = read(location)
        assert refused.fault == "is larger than 64 MiB"


@pytest.mark.parametrize("head", [b'{"a":', b'{"type":"Catalog","links":[],"a":'])
async def test_document_of_endless_depth_is_refused(tmp_path: Path, read: Read, head: bytes) -> None:
    """The path of each bracket is written anew, which took minutes."""
    (tmp_path / "x.json").write_bytes(head + b"[" * 100_000)
    (refused,) = read(tmp_path / "x.json")
    assert refused.fault == "is not JSON: is nested too deep"


async def test_format_can_be_forced(tmp_path: Path, read: Read) -> None:
    path = tmp_path / "x"
    path.write_bytes(DOWN)
    assert ids(read(path, "json")) == ["things"]
    assert ids(read(path, "ndjson")) == ["things"]
    path.write_bytes(BROKEN_LINES)
    assert [entry.fault is None for entry in read(path, "ndjson")] == [False, True, True]
    for form in ("static", "geoparquet"):
        (refused,) = read(path, form)
        assert str(refused.fault).startswith("is not ")


async def test_folder(tmp_path: Path, read: Read) -> None:
    with pytest.raises(SetupError, match=r"no catalog\.json"):
        Source(str(tmp_path)).check()
    with pytest.raises(SetupError, match="nothing of the format static"):
        read(tmp_path, "static")
    (tmp_path / "collection.json").write_bytes(PRETTY)
    assert ids(read(tmp_path)) == ["things"]
    (tmp_path / "catalog.json").write_bytes(orjson.dumps(CATALOG | {"links": []}))
    assert ids(read(tmp_path)) == []


async def test_nothing_of_that_name(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="there is no file"):
        Source(str(tmp_path / "x")).check()
    Source("-").check()
    Source("https://example.com/x").check()


@pytest.mark.parametrize(("path", "fault"), [("/missing", "is answered with 404"), ("/x", "is not JSON")])
async def test_url_without_documents(site: Website, read: Read, path: str, fault: str) -> None:
    site.pages["/x"] = b"<html>"
    (refused,) = read(site.url + path)
    assert fault in str(refused.fault)


async def test_nobody_listens(read: Read) -> None:
    port = free_port()
    (refused,) = read(f"http://127.0.0.1:{port}/catalog.json")
    assert refused.place == f"http://127.0.0.1:{port}/catalog.json"
    assert "after 5 attempts" in str(refused.fault)


async def test_next_links_by_get_and_post(site: Website, read: Read) -> None:
    bodies: list[Any] = []

    def posted(body: Any) -> Document:
        bodies.append(body)
        return (
            page("d") if body.get("token") == 2 else page("c", href="/s", method="POST", body={"token": 2}, merge=True)
        )

    site.pages |= {
        "/i": page("a", href="/i?page=2"),
        "/i?page=2": page("b", href="/s", method="POST", body={"limit": 1, "token": 1}, headers={"X-Key": "k"}),
        "POST /s": posted,
    }
    site.failures = {"/i?page=2": [503, "drop"], "POST /s": ["drop"]}
    found = read(f"{site.url}/i")
    assert ids(found) == ["a", "b", "c", "d"]
    assert bodies[-2:] == [{"limit": 1, "token": 1}, {"limit": 1, "token": 2}]
    assert found[1].place == f"{site.url}/i?page=2, document 1"
    assert found[3].place == f"POST {site.url}/s, page 4, document 1"
    assert "k" in [headers.get("x-key") for headers in site.headers]


@pytest.mark.parametrize(
    ("second", "fault"),
    [
        (page("b", href="/i"), "links to a next page that was read before"),
        (page("b", href="file:///etc/passwd"), "is not on the web"),
        (page("b", href="/i", method="DELETE"), "has a next link with the method DELETE"),
        (page("b", href=1), "has a next link that cannot be followed"),
        (page("b", href="/s", method="POST", body=[1], merge=True), "has a next link that cannot be followed"),
        (page("b", href="/missing"), "is answered with 404"),
        ([], "is not a page"),
        ({"links": []}, "is not a page of items"),
        (b"<html>", "is not JSON"),
    ],
    ids=["cycle", "file", "method", "no href", "no object to merge", "missing", "list", "no features", "no JSON"],
)
async def test_broken_page_is_told_behind_the_items_before_it(
    site: Website, read: Read, second: Any, fault: str
) -> None:
    site.pages |= {"/i": page("a", href="/i?page=2"), "/i?page=2": second}
    found = read(f"{site.url}/i")
    *good, refused = found
    assert fault in str(refused.fault)
    assert refused.place.startswith(site.url)
    assert ids(good) == (["a", "b"] if isinstance(second, dict) and second.get("features") else ["a"])


@pytest.mark.parametrize(
    "second", [{"links": []}, {"collections": None}, {"collections": 1}, {"collections": {"a": 1}}]
)
async def test_page_without_collections_is_told_behind_those_before_it(site: Website, read: Read, second: Any) -> None:
    site.pages |= {
        "/": CATALOG | {"conformsTo": [], "links": [link("data", "/collections")]},
        "/collections": {"collections": [collection()], "links": [link("next", "/collections?page=2")]},
        "/collections/things/items?limit=250": page("a"),
        "/collections?page=2": second,
    }
    *good, refused = read(f"{site.url}/")
    assert ids(good) == ["things", "a"]
    assert refused.place == f"{site.url}/collections?page=2"
    assert refused.fault == "is not a list of collections: it has no collections"


async def test_collection_whose_items_are_not_on_the_web_does_not_end_the_list(site: Website, read: Read) -> None:
    odd = collection("odd", links=[link("items", "s3://bucket/items")])
    site.pages |= {
        "/collections": {"collections": [odd, collection()], "links": []},
        "/collections/things/items?limit=250": page("a"),
    }
    refused, *good = sorted(read(f"{site.url}/collections"), key=lambda entry: entry.fault is None)
    assert ids(good) == ["odd", "things", "a"]
    assert refused.place == f"{site.url}/collections/odd"
    assert refused.fault == "has a link to 's3://bucket/items', which is not on the web"


async def test_links_whose_relation_is_no_text_are_passed_by(site: Website, read: Read) -> None:
    site.pages |= {
        "/c": CATALOG | {"links": [link("child", "/d"), {"rel": ["data"], "href": "/e"}]},
        "/d": collection(),
    }
    assert ids(read(f"{site.url}/c")) == ["things"]


@pytest.fixture
def other(settings: Settings) -> Iterator[str]:
    """The service itself, as somebody else's API."""
    server = uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_level="warning", ws="none"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


async def test_another_api(loader: Loader, other: str, read: Read) -> None:
    things = [item(f"{number:04}", properties={"number": number}) for number in range(600)]
    await load(loader, collection(), *things, collection("a/b"), item("one", "a/b"), collection("empty"))
    for path in ("", "/", "/collections"):
        found = read(other + path)
        assert sorted(ids(found)) == sorted(["a/b", "one", "empty", "things", *(thing["id"] for thing in things)])
        owners = [entry.document["id"] for entry in found if entry.document["type"] == "Collection"]
        assert owners == ["a/b", "empty", "things"]
    assert len(ids(read(f"{other}/collections/things"))) == 601
    assert len(ids(read(f"{other}/collections/things?"))) == 601
    assert len(ids(read(f"{other}/collections/things/items?limit=100"))) == 600
    assert len(ids(read(f"{other}/search?filter=number<250&limit=100"))) == 250
    assert ids(read(f"{other}/collections/a%2Fb/items/one")) == ["one"]


async def test_missing_collection_of_another_api(other: str, read: Read) -> None:
    (refused,) = read(f"{other}/collections/nothing")
    assert refused.fault == "is answered with 404 Not Found: there is no collection 'nothing'"
