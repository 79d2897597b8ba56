"""What of a question goes into a snippet. That they run is in tests/clients/test_snippets.py."""

import ast

import pytest

from app.pages import snippets

ROOT = "http://stac.test/"


def of_items(query: dict[str, str], bands: list[str] | None, url: str = ROOT + "search") -> dict[str, str]:
    return {one.title: one.code for one in snippets.of_items(url, ROOT, query, bands)}


@pytest.mark.parametrize(
    ("query", "argument"),
    [
        ({"collections": "a,b"}, "collections=['a', 'b']"),
        ({"bbox": "1,2,3,4"}, "bbox=[1.0, 2.0, 3.0, 4.0]"),
        ({"query": '{"n": {"lt": 3}}'}, "query={'n': {'lt': 3}}"),
        ({"filter": "n < 3"}, "filter_lang='cql2-text'"),
        ({"filter": "{}", "filter-lang": "cql2-json"}, "filter_lang='cql2-json'"),
        ({"limit": "7"}, "max_items=7"),
        ({"f": "html"}, "max_items=10"),
        ({"filter": "a = 'it''s'"}, '''filter="a = 'it\'\'s'"'''),
    ],
)
def test_arguments_of_pystac_client(query: dict[str, str], argument: str) -> None:
    assert f"    {argument},\n" in of_items(query, ["red"])["pystac-client"]


@pytest.mark.parametrize(
    "query",
    [
        {"filter": "a = '\"; import os\n'"},
        {"collections": "');print(1)#"},
        {"q": "') and __import__('os')", "fields": "id"},
        {"datetime": "\\"},
    ],
)
def test_nothing_that_is_asked_becomes_a_program(query: dict[str, str]) -> None:
    for title, code in of_items(query, ["red"]).items():
        if title != "curl":
            calls = [one.func for one in ast.walk(ast.parse(code)) if isinstance(one, ast.Call)]
            assert {call.id for call in calls if isinstance(call, ast.Name)} == {"print"}


def test_pixels_are_loaded_of_whole_items_where_there_are_some() -> None:
    told = of_items({"fields": "id"}, ["red", "nir"])
    assert "fields='id'" in told["pystac-client"]
    assert "search.items_as_dicts()" in told["pystac-client"]
    assert "fields" not in told["odc-stac"]
    assert "bands=['red', 'nir'], chunks={}" in told["odc-stac"]
    assert "bands" not in of_items({}, [])["odc-stac"]
    assert list(of_items({}, None)) == ["curl", "pystac-client"]


def test_what_pystac_client_has_no_parameter_for_is_asked_by_its_url() -> None:
    code = of_items({"q": "red", "fields": "id"}, ["red"], ROOT + "search?q=red&fields=id")["pystac-client"]
    assert "ItemCollection.from_file('http://stac.test/search?q=red')" in code


@pytest.mark.parametrize(
    ("url", "command"),
    [
        (ROOT, "curl http://stac.test/\n"),
        (ROOT + "search?a=1&b=2", "curl 'http://stac.test/search?a=1&b=2'\n"),
        (ROOT + "search?a={[1]}", "curl 'http://stac.test/search?a=%7B%5B1%5D%7D'\n"),
        (ROOT + "search?a='$(id)'", """curl 'http://stac.test/search?a='"'"'$(id)'"'"''\n"""),
    ],
)
def test_curl_asks_for_one_url(url: str, command: str) -> None:
    assert snippets.of_document(url)[0].code == command


def test_a_catalogue_without_collections_has_no_pixels() -> None:
    assert [one.title for one in snippets.of_landing(ROOT, None)] == ["curl", "pystac-client"]
    assert [one.title for one in snippets.of_collections(ROOT, ROOT, {}, [])] == ["curl", "pystac-client"]
    assert "collections=['a']" in snippets.of_collections(ROOT, ROOT, {}, ["a", "b"])[-1].code
