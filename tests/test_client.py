"""The commands for items of any catalogue, as a user runs them."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from app.cli import app
from app.errors import SetupError, UpesiError
from tests import factories
from tests.bulk.website import website

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


def test_item_from_standard_input() -> None:
    item = factories.item(assets={"data": {"href": "https://bucket.s3.amazonaws.com/[bold]" + "x" * 200}})
    told = run("href", "-", "data", "--prefer", "s3", stdin=json.dumps(item))
    assert told == "s3://bucket/[bold]" + "x" * 200 + "\n"


@pytest.mark.parametrize(
    ("documents", "says"),
    [
        ([], "is not JSON"),
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
