"""The commands for items of any catalogue, as a user runs them."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.errors import SetupError, UpesiError
from tests import factories
from tests.bulk.website import Website, website
from tests.raster.web import web

runner = CliRunner()


def run(*arguments: str, stdin: str | None = None) -> str:
    """Its standard output; what fails raises as in the command."""
    result = runner.invoke(app, list(arguments), input=stdin, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_grid_of_an_item_in_a_file(tmp_path: Path) -> None:
    item = factories.item(assets={"data": {"href": "./b.tif", "proj:epsg": 32633}})
    (tmp_path / "item.json").write_text(json.dumps(item))
    (tmp_path / "collection.json").write_text(json.dumps({"item_assets": {"data": {"nodata": "nan"}}}))
    told = json.loads(
        run("grid", str(tmp_path / "item.json"), "data", "--collection", str(tmp_path / "collection.json"))
    )
    assert told["href"] == f"file://{tmp_path}/b.tif"
    assert told["grid"]["code"] == "EPSG:32633"
    assert told["grid"]["nodata"] == "nan"
    assert told["reader"]["driver"] == "GTiff"


def test_href_of_an_item_on_the_web(monkeypatch: pytest.MonkeyPatch) -> None:
    with website() as site:
        site.pages["/c/item.json"] = factories.item(assets={"data": {"href": "./b.tif"}})
        assert run("href", f"{site.url}/c/item.json", "data") == f"{site.url}/c/b.tif\n"
        monkeypatch.setenv("UPESI_HREF_RULES", json.dumps({f"{site.url}/": "https://near.example/"}))
        assert run("href", f"{site.url}/c/item.json", "data") == "https://near.example/c/b.tif\n"


def test_an_item_that_is_not_there_is_named_once() -> None:
    with website() as site, pytest.raises(SetupError) as raised:
        run("href", f"{site.url}/item.json", "data")
    assert str(raised.value) == f"{site.url}/item.json: is answered with 404 Not Found"


def test_item_from_standard_input() -> None:
    item = factories.item(assets={"data": {"href": "https://bucket.s3.amazonaws.com/[bold]" + "x" * 200}})
    told = run("href", "-", "data", "--prefer", "s3", stdin=json.dumps(item))
    assert told == "s3://bucket/[bold]" + "x" * 200 + "\n"


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        ([], "there is no item"),
        ([factories.collection()], "there is no item"),
        ([factories.item("a"), factories.item("b")], "there is more than one item"),
        (["{"], "JSON"),
        ([factories.item(assets={})], "there is no asset 'data'"),
        ([factories.item(assets={"data": {"href": "./b.tif"}})], "is relative, and the item has no self link"),
    ],
)
def test_what_is_no_item(documents: list[Any], says: str) -> None:
    stdin = "\n".join(part if isinstance(part, str) else json.dumps(part) for part in documents)
    with pytest.raises((SetupError, UpesiError), match=says):
        run("grid", "-", "data", stdin=stdin)


def api(site: Website, method: str = "POST") -> list[Any]:
    """An API with a search by this method that finds three items on two pages; what it is asked comes into the list."""
    asked: list[Any] = []
    found = [factories.item(name) for name in ("a", "b", "c")]
    link = {"rel": "search", "href": "./search", "type": "application/geo+json", "method": method}
    following = {"rel": "next", "href": f"{site.url}/search?token=2", "method": "POST", "merge": True}
    following |= {"body": {"token": "2"}}

    def page(features: list[Any], links: list[Any]) -> Callable[[Any], Any]:
        def answer(body: Any) -> Any:
            asked.append(body)
            return {"type": "FeatureCollection", "features": features, "links": links}

        return answer

    site.pages["/"] = {"type": "Catalog", "conformsTo": [], "links": [link, {"rel": "data", "href": "./collections"}]}
    site.pages["POST /search"] = page(found[:2], [following])
    site.pages["POST /search?token=2"] = page(found[2:], [])
    return asked


def test_search_of_an_api() -> None:
    with website() as site:
        asked = api(site)
        options = ("--bbox", "5,45,15,55", "-c", "x", "-c", "y", "--datetime", "2024-01-01T00:00:00Z/..")
        told = run("search", f"{site.url}/", *options, "--filter", "eo:cloud_cover < 20", "--sortby", "-datetime, a b")
        assert [json.loads(line)["id"] for line in told.splitlines()] == ["a", "b", "c"]
        first, second = asked
        assert first == {
            "bbox": [5, 45, 15, 55],
            "collections": ["x", "y"],
            "datetime": "2024-01-01T00:00:00Z/..",
            "filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]},
            "filter-lang": "cql2-json",
            "sortby": [{"field": "datetime", "direction": "desc"}, {"field": "a b", "direction": "asc"}],
        }
        assert second == first | {"token": "2"}


def test_as_many_items_as_are_asked_for(tmp_path: Path) -> None:
    with website() as site:
        asked = api(site)
        run(
            "search", f"{site.url}/", "--max-items", "2", "--format", "itemcollection", "--to", str(tmp_path / "a.json")
        )
        assert len(asked) == 1
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["type"] == "FeatureCollection"
    assert [item["id"] for item in document["features"]] == ["a", "b"]


def test_an_api_that_is_searched_by_get() -> None:
    query = "bbox=5.0%2C45.0%2C15.0%2C55.0&sortby=-id%2C%2Bdatetime&fields=id%2C-assets"
    with website() as site:
        api(site, "GET")
        page = {"type": "FeatureCollection", "features": [factories.item("a")], "links": []}
        site.pages[f"/search?{query}"] = page
        options = ("--bbox", "5,45,15,55", "--sortby", "-id,datetime", "--fields", "id,-assets")
        told = run("search", f"{site.url}/", *options)
        assert json.loads(told)["id"] == "a"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--bbox", "a"), "bbox"),
        (("--filter", "a <"), "filter"),
        (("--filter", "{"), "filter"),
        (("--query", "{"), "query"),
        (("--limit", "many"), "limit"),
        ((), "is answered with 404"),
    ],
)
def test_a_search_that_cannot_be(arguments: tuple[str, ...], says: str) -> None:
    with website() as site, pytest.raises((SetupError, UpesiError), match=says):
        run("search", f"{site.url}/", *arguments)


class Refusing(BaseHTTPRequestHandler):
    """Says why, in JSON."""

    body = b""

    def do_GET(self) -> None:
        self.send_response(400)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b'{"code":"x","description":"bbox: has 3 numbers"}', "400 Bad Request: bbox: has 3 numbers$"),
        (b'{"detail":"no\\u001b[2Jsuch"}', r"400 Bad Request: no \[2Jsuch$"),
        (b'{"detail":[{"loc":["bbox"]}]}', "400 Bad Request$"),
        (b"[1]", "400 Bad Request$"),
        (b"{", "400 Bad Request$"),
        (b"", "400 Bad Request$"),
    ],
)
def test_the_reason_of_a_refusal(monkeypatch: pytest.MonkeyPatch, body: bytes, says: str) -> None:
    monkeypatch.setattr(Refusing, "body", body)
    with web(Refusing) as port, pytest.raises((SetupError, UpesiError), match=says):
        run("search", f"http://127.0.0.1:{port}/")


def test_a_site_without_a_search() -> None:
    with website() as site:
        site.pages["/"] = factories.item()
        with pytest.raises(SetupError, match="it is no landing page of a STAC API"):
            run("search", f"{site.url}/")


def test_items_before_a_page_that_fails_are_written(tmp_path: Path) -> None:
    with website() as site:
        api(site)
        site.pages["POST /search?token=2"] = {"nothing": 1}
        with pytest.raises(SetupError, match="page 2: is not a page of items"):
            run("search", f"{site.url}/", "--to", str(tmp_path / "a.ndjson"))
    assert len((tmp_path / "a.ndjson").read_text().splitlines()) == 2


def test_a_search_with_a_token_of_its_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with website() as site:
        signer = {"type": "bearer", "hosts": [site.url.partition("//")[2]], "token": "s3cr3t", "allow_http": True}
        monkeypatch.setenv("UPESI_SIGNERS", json.dumps([signer]))
        api(site)
        run("search", f"{site.url}/")
        assert [headers["authorization"] for headers in site.headers] == ["Bearer s3cr3t"] * 3


def test_search_and_download(tmp_path: Path) -> None:
    with website() as site:
        api(site)
        site.pages["/data.tif"] = b"pixels"
        found = run("search", f"{site.url}/").replace("https://data.example.com", site.url)
        result = runner.invoke(app, ["download", "-", "--to", str(tmp_path)], input=found, catch_exceptions=False)
        assert result.exit_code == 0
        assert "3 items: 3 files new, 0 there already, 0 failed." in result.output
        assert (tmp_path / "things/c/data.tif").read_bytes() == b"pixels"
        del site.pages["/data.tif"]
        (tmp_path / "things/c/data.tif").unlink()
        again = runner.invoke(app, ["download", "-", "--to", str(tmp_path)], input=found, catch_exceptions=False)
        assert again.exit_code == 1
        assert "failed: things/c, data: is answered with 404 Not Found" in again.output
        assert "3 items: 0 files new, 2 there already, 1 failed." in again.output


def test_download_of_a_static_catalogue(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "i").mkdir(parents=True)
    (source / "i" / "a.tif").write_bytes(b"pixels")
    (source / "i" / "i.json").write_text(json.dumps(factories.item(assets={"a": {"href": "./a.tif"}})))
    links = [{"rel": "item", "href": "./i/i.json"}]
    (source / "collection.json").write_text(json.dumps(factories.collection(links=links)))
    run("download", str(source), "--to", str(tmp_path / "to"))
    assert (tmp_path / "to/things/thing/a.tif").read_bytes() == b"pixels"


def test_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    signer = {"type": "s3", "hosts": ["s3://bucket"], "access_key_id": "a", "secret_access_key": "s3cr3t"}
    monkeypatch.setenv("UPESI_SIGNERS", json.dumps([signer]))
    item = json.dumps(factories.item(assets={"data": {"href": "s3://bucket/a.tif"}}))
    told = run("href", "-", "data", "--sign", stdin=item)
    assert "X-Amz-Signature=" in told
    assert "s3cr3t" not in told
    assert run("href", "-", "data", stdin=item) == "s3://bucket/a.tif\n"
