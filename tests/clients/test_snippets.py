"""The snippets of the pages, run as they stand there: what a reader copies works, and finds what the page shows."""

import json
import os
from pathlib import Path

import html5lib
import httpx
import pytest

from tests.clients.conftest import Demo
from tests.clients.test_guides import ran

HERE = "20240731-sw"
POINT = json.dumps({"type": "Point", "coordinates": [10.33, 46.91]})
ALL = ["curl", "pystac-client", "odc-stac"]
# A page, what it is asked, the snippets on it, and what each of them prints part of.
PAGES: list[tuple[str, dict[str, str], list[str], str]] = [
    ("/", {}, ALL, ""),
    ("/collections", {}, ALL, ""),
    ("/collections", {"q": "aerial", "bbox": "36,-2,37,-1"}, ALL, ""),
    ("/collections/demo-cogs", {}, ALL, ""),
    ("/collections/demo-cogs/items", {"filter": "eo:cloud_cover < 3", "sortby": "-eo:cloud_cover"}, ALL, HERE),
    ("/search", {"collections": "demo-cogs", "limit": "3", "datetime": "2024-07-31T00:00:00Z/.."}, ALL, ""),
    ("/search", {"ids": HERE, "intersects": POINT}, ALL, HERE),
    ("/search", {"query": '{"eo:cloud_cover": {"lt": 3}}', "collections": "demo-cogs"}, ALL, HERE),
    ("/search", {"ids": HERE, "fields": "id,assets"}, ALL, HERE),
    ("/search", {"ids": HERE, "q": "demo", "filter-lang": "cql2-text"}, ALL, HERE),
    ("/search", {"ids": "none"}, ["curl", "pystac-client"], ""),
    (f"/collections/demo-cogs/items/{HERE}", {}, ["curl", "pystac", "odc-stac"], ""),
    ("/conformance", {}, ["curl"], "conformsTo"),
    ("/collections/demo-cogs/queryables", {}, ["curl"], "eo:cloud_cover"),
    (f"/collections/demo-cogs/items/{HERE}/assets/red/grid", {}, ["curl"], "EPSG:32632"),
]


def snippets(url: str, query: dict[str, str]) -> dict[str, str]:
    answer = httpx.get(url, params=query, headers={"Accept": "text/html"}, timeout=60)
    assert answer.status_code == httpx.codes.OK, answer.text
    page = html5lib.parse(answer.text, namespaceHTMLElements=False)
    return {one.attrib["aria-label"]: "".join(one.itertext()) for one in page.iter("pre") if "data-copy" in one.attrib}


@pytest.mark.parametrize(("path", "query", "titles", "told"), PAGES, ids=lambda value: str(value)[:40])
def test_snippets_of_a_page(
    demo: Demo, tmp_path: Path, path: str, query: dict[str, str], titles: list[str], told: str
) -> None:
    found = snippets(demo.url + path, query)
    assert list(found) == titles
    for title, code in found.items():
        said = ran("sh" if title == "curl" else "python", code, tmp_path, dict(os.environ))
        if title == "odc-stac":
            assert "<xarray.Dataset" in said
            assert "Data variables:\n    *empty*" not in said
        else:
            assert bool(said) is (title == "curl" or query.get("ids") != "none")
            assert told in said


def test_the_pixels_that_a_snippet_loads_are_there(demo: Demo, tmp_path: Path) -> None:
    code = snippets(f"{demo.url}/collections/demo-cogs/items/{HERE}", {})["odc-stac"]
    said = ran("python", code + "print(int((data.red > 0).sum()))\n", tmp_path, dict(os.environ))
    assert int(said.splitlines()[-1]) > 50_000
