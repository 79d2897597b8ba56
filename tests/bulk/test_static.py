"""Static catalogues, as files and as websites: what is found, in which order, and what is told of the rest."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from app.bulk.readers import Entry
from app.bulk.readers.static import crawl
from app.bulk.readers.web import Web
from tests.bulk.website import Website, website
from tests.factories import Document, collection, item

CATALOG = {"type": "Catalog", "stac_version": "1.1.0", "id": "root", "description": "A root"}


@pytest.fixture
def site() -> Iterator[Website]:
    with website() as site:
        yield site


@pytest.fixture
def web() -> Iterator[Web]:
    with Web(pause=0.01) as web:
        yield web


def link(rel: str, href: str) -> Document:
    return {"rel": rel, "href": href}


def nested() -> dict[str, Document]:
    """A catalogue in a catalogue, with links up and down, and one item linked twice."""
    return {
        "/catalog.json": CATALOG | {"links": [link("self", "./catalog.json"), link("child", "./deep/catalog.json")]},
        "/deep/catalog.json": CATALOG
        | {"links": [link("root", "../catalog.json"), link("child", "../things/collection.json")]},
        "/things/collection.json": collection(
            links=[link("item", f"./{name}.json") for name in "abca"]
            + [link("child", "../catalog.json"), link("child", "./collection.json#here")]
        ),
        **{f"/things/{name}.json": item(name, links=[link("parent", "./collection.json")]) for name in "abc"},
    }


def write(folder: Path, pages: dict[str, Any]) -> None:
    for name, page in pages.items():
        path = folder / name[1:]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page if isinstance(page, bytes) else orjson.dumps(page))


def ids(found: list[Entry]) -> list[str]:
    assert [entry for entry in found if entry.fault] == []
    return [entry.document["id"] for entry in found]


def test_nested_catalogue_of_files(tmp_path: Path, web: Web) -> None:
    """With a cycle, and each document once."""
    write(tmp_path, nested())
    found = list(crawl(str(tmp_path / "catalog.json"), web))
    assert ids(found) == ["things", "a", "b", "c"]
    assert found[1].place == str(tmp_path / "things" / "a.json")


@pytest.mark.parametrize("start", ["./catalog.json", "things/../catalog.json", "things/./collection.json"])
def test_document_is_read_once_however_it_is_named(
    tmp_path: Path, web: Web, monkeypatch: pytest.MonkeyPatch, start: str
) -> None:
    pages = nested()
    pages["/things/collection.json"]["links"] += [link("child", str(tmp_path / "things" / "collection.json"))]
    write(tmp_path, pages)
    monkeypatch.chdir(tmp_path)
    assert ids(list(crawl(start, web))) == ["things", "a", "b", "c"]


def test_collection_comes_before_its_items_wherever_these_are_linked_from(tmp_path: Path, web: Web) -> None:
    pages = nested()
    pages["/catalog.json"]["links"][:0] = [link("item", f"things/{name}.json") for name in "bx"]
    pages["/things/x.json"] = item("x")
    write(tmp_path, pages)
    assert ids(list(crawl(str(tmp_path / "catalog.json"), web))) == ["things", "a", "c", "b", "x"]


def test_nested_catalogue_on_the_web(site: Website, web: Web) -> None:
    site.pages |= nested()
    found = list(crawl(f"{site.url}/catalog.json", web))
    assert ids(found) == ["things", "a", "b", "c"]
    assert found[1].place == f"{site.url}/things/a.json"
    assert sorted(site.asked) == sorted(nested())


def test_document_that_has_moved_is_read_once(site: Website, web: Web) -> None:
    pages = nested()
    pages["/catalog.json"]["links"] += [link("child", "old/collection.json"), link("child", "root")]
    pages["/things/collection.json"]["links"] += [link("item", f"../old/{name}.json") for name in "abcd"]
    site.pages |= pages | {"/root": "/catalog.json", "/old/collection.json": "/things/collection.json"}
    site.pages |= {f"/old/{name}.json": f"/things/{name}.json" for name in "abcd"} | {"/things/d.json": item("d")}
    assert sorted(ids(list(crawl(f"{site.url}/root", web)))) == ["a", "b", "c", "d", "things"]


def test_many_items_are_fetched_side_by_side_and_told_in_order(site: Website, web: Web) -> None:
    names = [f"{number:03}" for number in range(100)]
    site.pages["/c.json"] = collection(links=[link("item", f"{name}.json") for name in names])
    site.pages |= {f"/{name}.json": item(name) for name in names}
    assert ids(list(crawl(f"{site.url}/c.json", web))) == ["things", *names]
    assert 1 < site.most_at_once <= 8


@pytest.mark.parametrize("failures", [[503], [429, 500], ["drop"], ["drop", 502, "drop"]], ids=str)
def test_what_fails_for_a_while_is_asked_again(site: Website, web: Web, failures: list[Any]) -> None:
    site.pages |= nested()
    site.failures["/things/b.json"] = failures.copy()
    assert ids(list(crawl(f"{site.url}/catalog.json", web))) == ["things", "a", "b", "c"]
    assert site.asked.count("/things/b.json") == len(failures) + 1


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ({"/things/b.json": None}, "is answered with 404"),
        ({"/things/b.json": b'{"type": '}, "is not JSON"),
        ({"/things/b.json": b""}, "is not JSON"),
        ({"/deep/catalog.json": None}, "is answered with 404"),
    ],
    ids=["missing item", "half an item", "nothing", "missing child"],
)
def test_broken_document_is_told_with_its_url_and_who_links_to_it(
    site: Website, web: Web, broken: dict[str, Any], fault: str
) -> None:
    site.pages |= nested() | broken
    found = list(crawl(f"{site.url}/catalog.json", web))
    (refused,) = [entry for entry in found if entry.fault]
    (path,) = broken
    assert refused.place == site.url + path
    assert refused.fault is not None
    assert refused.fault.startswith(fault)
    assert f"linked from {site.url}/" in refused.fault
    rest = [entry.document["id"] for entry in found if not entry.fault]
    assert rest == (["things", "a", "c"] if path == "/things/b.json" else [])


def test_what_fails_for_good_is_given_up(site: Website, web: Web) -> None:
    site.pages |= nested()
    site.failures["/things/b.json"] = ["drop"] * 9
    found = list(crawl(f"{site.url}/catalog.json", web))
    (refused,) = [entry for entry in found if entry.fault]
    assert refused.place == f"{site.url}/things/b.json"
    assert "after 5 attempts" in str(refused.fault)
    assert site.asked.count("/things/b.json") == 5


@pytest.mark.parametrize("href", ["file:///etc/passwd", "ftp://example.com/a.json", "s3://bucket/a.json", "http://[/"])
def test_catalogue_on_the_web_leads_to_nothing_else(site: Website, web: Web, href: str) -> None:
    site.pages["/c.json"] = collection(links=[link("item", href), link("item", "a.json")])
    site.pages["/a.json"] = item("a")
    refused, *found = sorted(crawl(f"{site.url}/c.json", web), key=lambda entry: entry.fault is None)
    assert ids(found) == ["things", "a"]
    assert refused.place == href
    assert "linked from" in str(refused.fault)


def test_catalogue_of_files_does_not_lead_to_the_web(tmp_path: Path, site: Website, web: Web) -> None:
    write(tmp_path, {"/c.json": collection(links=[link("item", f"{site.url}/a.json")])})
    found = list(crawl(str(tmp_path / "c.json"), web))
    assert [entry.fault is None for entry in found] == [False, True]
    assert site.asked == []


def test_links_out_of_the_folder_are_followed(tmp_path: Path, web: Web) -> None:
    write(tmp_path, {"/c/c.json": collection(links=[link("item", "../b/a%20b.json")]), "/b/a b.json": item("a")})
    assert ids(list(crawl(str(tmp_path / "c" / "c.json"), web))) == ["things", "a"]


@pytest.mark.parametrize("folder", ["a#b", "a%20b", "a b#c%41"])
def test_folder_of_any_name(tmp_path: Path, web: Web, folder: str) -> None:
    pages = {
        "/c.json": collection(links=[link("item", "./a%20b.json#here"), link("item", "a%23b.json")]),
        "/a b.json": item("a b"),
        "/a#b.json": item("a#b"),
    }
    write(tmp_path / folder, pages)
    assert ids(list(crawl(str(tmp_path / folder / "c.json"), web))) == ["things", "a b", "a#b"]


def test_relative_hrefs_become_absolute(tmp_path: Path, site: Website, web: Web) -> None:
    assets = {"near": {"href": "./a.tif"}, "far": {"href": "https://example.com/a.tif"}, "other": {"href": "s3://b/a"}}
    pages = {
        "/c/c.json": collection(links=[link("item", "./a/a.json"), link("license", "LICENSE")]),
        "/c/a/a.json": item("a", assets=assets, links=[link("derived_from", "../b.json")]),
    }
    write(tmp_path, pages)
    site.pages |= pages
    for base, start in ((str(tmp_path), str(tmp_path / "c" / "c.json")), (site.url, f"{site.url}/c/c.json")):
        owner, thing = [entry.document for entry in crawl(start, web)]
        assert owner["links"][1]["href"] == f"{base}/c/LICENSE"
        assert thing["links"][0]["href"] == f"{base}/c/b.json"
        hrefs = [asset["href"] for asset in thing["assets"].values()]
        assert hrefs == [f"{base}/c/a/a.tif", "https://example.com/a.tif", "s3://b/a"]


@pytest.mark.parametrize(
    ("href", "found"),
    [
        ("/vsicurl/https://example.com/a.tif", "/vsicurl/https://example.com/a.tif"),
        ("//host/a.tif", "//host/a.tif"),
        ("#here", "#here"),
        ("./zarr/", "{folder}/zarr/"),
        ("../a.tif", "{parent}/a.tif"),
    ],
)
def test_hrefs_of_files_that_are_no_relative_paths_are_kept(tmp_path: Path, web: Web, href: str, found: str) -> None:
    write(tmp_path, {"/a.json": item("a", assets={"data": {"href": href}})})
    (entry,) = crawl(str(tmp_path / "a.json"), web)
    expected = found.format(folder=tmp_path, parent=tmp_path.parent)
    assert entry.document["assets"]["data"]["href"] == expected


@pytest.mark.parametrize("links", [None, 1, [1, None, {}, {"rel": "item"}, {"rel": "child", "href": 1}]])
def test_odd_links_do_not_end_the_crawl(tmp_path: Path, web: Web, links: Any) -> None:
    write(tmp_path, {"/c.json": collection() | {"links": links}})
    *faults, found = sorted(crawl(str(tmp_path / "c.json"), web), key=lambda entry: entry.fault is None)
    assert found.document["id"] == "things"
    assert len(faults) == (2 if isinstance(links, list) else 0)


@pytest.mark.parametrize("links", [{}, {"links": None}, {"links": {"item": "a.json"}}], ids=str)
def test_catalogue_without_a_list_of_links_is_told(tmp_path: Path, web: Web, links: Document) -> None:
    pages = nested()
    pages["/catalog.json"]["links"] += [link("child", "odd.json")]
    write(tmp_path, pages | {"/odd.json": CATALOG | links})
    *found, refused = sorted(crawl(str(tmp_path / "catalog.json"), web), key=lambda entry: entry.fault is not None)
    assert ids(found) == ["things", "a", "b", "c"]
    assert refused.place == str(tmp_path / "odd.json")
    assert refused.fault == f"is a catalogue without a list of links, linked from {tmp_path / 'catalog.json'}"


def test_items_in_a_list_are_told_where_nothing_else_leads_to_them(site: Website, web: Web) -> None:
    """As of a collection of an API that a static catalogue links to."""
    both = collection("both", links=[link("items", "both.json"), link("item", "a.json")])
    site.pages |= {
        "/catalog.json": CATALOG | {"links": [link("child", "c.json"), link("child", "b.json")]},
        "/c.json": collection(links=[link("items", "things/items")]),
        "/b.json": both,
        "/a.json": item("a", "both"),
    }
    refused, *found = sorted(crawl(f"{site.url}/catalog.json", web), key=lambda entry: entry.fault is None)
    assert ids(found) == ["things", "both", "a"]
    assert refused.place == f"{site.url}/c.json"
    listed = f"{site.url}/things/items"
    assert refused.fault == f"has its items in a list, which a crawl leaves out: load {listed} as well"


def test_file_that_is_not_there(tmp_path: Path, web: Web) -> None:
    (found,) = crawl(str(tmp_path / "c.json"), web)
    assert found.fault == "cannot be read: No such file or directory"


def test_example_of_the_specification(shared_data: Path, web: Web) -> None:
    found = list(crawl(str(shared_data / "static-catalog" / "catalog.json"), web))
    kinds = [(os.path.basename(entry.place), entry.document["type"]) for entry in found]
    assert sorted(kinds) == [
        ("collection-with-schemas.json", "Collection"),
        ("collection.json", "Collection"),
        ("collection.json", "Collection"),
        ("collectionless-item.json", "Feature"),
        ("proj-example.json", "Feature"),
    ]
