"""The benchmark itself: it starts, compares answers before it times them, and writes down what it found."""

import json
import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from app.demo import sentinel2
from benchmarks import __main__ as command
from benchmarks import agreement, catalogue, cpu, parts, profiled, report
from benchmarks.requests import Scenario
from tests.conftest import SHARED_DATA

SCENARIO = Scenario("any", [])
FOLLOWED = {"links": [{"rel": "next"}]}
CLOUDY = Scenario("by cloud cover", [], sorted_by="eo:cloud_cover")


def page(*items: tuple[str, str, float]) -> dict[str, Any]:
    features = [{"id": id, "properties": {"datetime": at, "eo:cloud_cover": cloud}} for id, at, cloud in items]
    return {"type": "FeatureCollection", "features": features}


@pytest.mark.parametrize(
    ("expected", "found", "same"),
    [
        (page(("a", "2", 0), ("b", "1", 0)), page(("a", "2", 0), ("b", "1", 0)), True),
        (page(("a", "2", 0), ("b", "1", 0)), page(("b", "1", 0), ("a", "2", 0)), False),
        (page(("a", "2", 0), ("b", "1", 0)), page(("a", "2", 0)), False),
        (page(("a", "2", 0), ("b", "2", 0), ("c", "1", 0)), page(("b", "2", 0), ("a", "2", 0), ("c", "1", 0)), True),
        (page(("a", "2", 0), ("b", "2", 0), ("c", "1", 0)), page(("a", "2", 0), ("x", "2", 0), ("c", "1", 0)), False),
        (page(("a", "2", 0), ("c", "1", 0)), page(("a", "2", 0), ("x", "1", 0)), True),  # the page ends in a tie
        (page(("a", "1.000Z", 0)), page(("a", "1Z", 0)), True),
        ({"collections": [{"id": "a"}, {"id": "b"}]}, {"collections": [{"id": "b"}, {"id": "a"}]}, True),
        ({"collections": [{"id": "a"}]}, {"collections": []}, False),
        ({"collections": [{"id": "a"}], **FOLLOWED}, {"collections": [{"id": "b"}], **FOLLOWED}, True),
        ({"collections": [{"id": "a"}], **FOLLOWED}, {"collections": [{"id": "b"}]}, False),
        ({"collections": [{"id": "a"}], **FOLLOWED}, {"collections": [], **FOLLOWED}, False),
        ({"type": "Feature", "id": "a"}, {"type": "Feature", "id": "b"}, False),
        ({"type": "Catalog", "id": "a"}, {"type": "Catalog", "id": "b"}, True),
    ],
)
def test_answers_agree_where_the_order_is_defined(expected: dict[str, Any], found: dict[str, Any], same: bool) -> None:
    assert agreement.same(expected, found, SCENARIO) is same


def test_the_sorted_property_is_part_of_the_order() -> None:
    expected, found = page(("a", "1", 0), ("b", "1", 5)), page(("b", "1", 5), ("a", "1", 0))
    assert agreement.same(expected, found, SCENARIO)
    assert not agreement.same(expected, found, CLOUDY)


@pytest.mark.parametrize(
    ("unit", "ours", "theirs", "bar", "ratio", "met"),
    [
        ("req/s", [200, 300, 100], [10, 10, 10], 20, 20, True),
        ("req/s", [190, 300, 100], [10, 10, 10], 20, 19, False),
        ("p99 ms", [1, 1, 1], [10, 20, 5], 0.1, 0.1, True),
        ("MB", [7], [10], 0.6, 0.7, False),
        ("MB", [7], [10], None, 0.7, None),
    ],
)
def test_a_bar_is_met_by_the_median_of_the_ratios(
    unit: str, ours: list[float], theirs: list[float], bar: float | None, ratio: float, met: bool | None
) -> None:
    row = report.Row("x", unit, {"Upesi": ours, "stac-fastapi-pgstac": theirs}, bar)
    assert row.ratio("stac-fastapi-pgstac") == ratio
    assert row.met() is met


def test_a_service_without_a_figure_has_no_ratio() -> None:
    alone = report.Row("x", "req/s", {"Upesi": [1.0]}, 20)
    assert alone.met() is None
    assert "| x | req/s | 1.00 |" in report.table([alone])
    both = report.Row("y", "req/s", {"Upesi": [40.0], "stac-fastapi-pgstac": [1.0]}, 20, {"stac-fastapi-pgstac": 3})
    text = report.table([alone, both])
    assert "| x | req/s | 1.00 | - | - | ≥ 20 |  |" in text
    assert "| y | req/s | 40.0 | 1.00 (3 failed) | 40.0 | ≥ 20 | yes |" in text


@pytest.mark.parametrize("real", [False, True])
def test_the_same_catalogue_each_time(tmp_path: Path, real: bool) -> None:
    if real and not SHARED_DATA.exists():
        pytest.skip("real metadata is not beside the project")
    made = [catalogue.of_templates(SHARED_DATA, 700) if real else catalogue.made_up(700) for _ in range(2)]
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    one, two = (catalogue.write(each, folder) for each, folder in zip(made, folders, strict=True))
    assert one.items.read_bytes() == two.items.read_bytes()
    documents = [json.loads(line) for line in one.items.read_bytes().splitlines()]
    assert one.count == len(documents) == len({item["id"] for item in documents}) == 700
    assert {item["collection"] for item in documents} == {collection["id"] for collection in made[0].collections}
    assert sum(item["collection"] == made[0].small for item in documents) == 300
    assert {item["collection"] for item in one.sample} == {made[0].large}


def test_slim_items_are_the_same_but_small() -> None:
    whole, slim = (list(made.items) for made in (catalogue.made_up(400), catalogue.slim(catalogue.made_up(400))))
    assert [item["id"] for item in slim] == [item["id"] for item in whole]
    for one, other in zip(slim, whole, strict=True):
        assert one["geometry"] == other["geometry"]
        assert one["properties"].items() <= other["properties"].items()
        assert one["properties"]["datetime"] == other["properties"]["datetime"]
        assert len(one["assets"]) == 1
        assert len(json.dumps(one)) < 1500


def test_a_real_item_is_moved_as_a_whole() -> None:
    model = {
        "id": "m",
        "bbox": [10.0, 50.0, 12.0, 51.0],
        "geometry": {"type": "Polygon", "coordinates": [[[10, 50], [12, 50], [12, 51], [10, 50]]]},
        "properties": {
            "datetime": "2001-01-01T00:00:00Z",
            "start_datetime": "2000-01-01T00:00:00Z",
            "gsd": 1,
            "eo:cloud_cover": 0.0,
        },
    }
    for number, made in enumerate(islice(sentinel2.items(200), 200)):
        west, south, east, north = (item := catalogue.moved(model, made, number))["bbox"]
        assert -180 <= west < east <= 180
        assert -90 <= south < north <= 90
        assert (round(east - west, 5), round(north - south, 5)) == (2, 1)
        assert item["geometry"]["coordinates"][0][0] == [west, south]
        assert item["properties"] == {
            "datetime": made["properties"]["datetime"],
            "eo:cloud_cover": made["properties"]["eo:cloud_cover"],
            "gsd": 1,
        }


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_a_small_run_writes_tables_json_and_plots(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text(
        "# Before\n\n<!-- results: written by python -m benchmarks -->\nold\n<!-- end of results -->\n\nAfter.\n"
    )
    small = ["--made-up", "--items", "600", "--seconds", "1", "--rounds", "1", "--pages", "3", "--no-peer"]
    command.main([*small, "--into", str(tmp_path)])
    said, text = capsys.readouterr().out, (tmp_path / "README.md").read_text()
    assert text.startswith("# Before\n")
    assert text.endswith("<!-- end of results -->\n\nAfter.\n")
    assert "old" not in text
    for name in parts.PARTS:
        document = json.loads((tmp_path / "results" / f"{name}.json").read_text())
        assert document["circumstances"]["items"] == 600
        assert document["rows"]
        for row in document["rows"]:
            assert row["rounds"]["Upesi"][0] > 0
            assert f"| {row['name']} | {row['unit']} |" in text
            assert row["name"] in said
    assert len(json.loads((tmp_path / "results" / "walk.json").read_text())["lines"]["Upesi"]) == 3
    assert (tmp_path / "results" / "limit.svg").read_text().count("<rect") > 3
    assert "](results/walk-by-depth.svg)" in text


def test_samples_count_for_the_innermost_place_that_is_known() -> None:
    stacks = [
        "run (uvicorn/main.py:61);Runner.run (asyncio/runners.py:86) 2",
        "Runner.run (asyncio/runners.py:86);get_search (app/api/search.py:20);page (app/sql/items.py:3);f (re.py:1) 3",
        "get_search (app/api/search.py:20);Database.decoded (app/database/pool.py:9);decode (zstd.py:2) 1",
        "post_search (app/api/search.py:20);Search.from_body (app/stac/search.py:9) 1",
        "post_search (app/api/search.py:20);splice (app/stac/document.py:9) 2",
        "main (elsewhere.py:1) 1",
    ]
    assert profiled.shares(stacks) == {
        "make the statement": 0.3,
        "event loop": 0.2,
        "write the answer": 0.2,
        "decompress items": 0.1,
        "read the question": 0.1,
        "other": 0.1,
    }
    assert profiled.shares([]) == {}


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_the_cpu_time_of_requests(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.argv", ["cpu", "--items", "400", "--seconds", "1", "--rounds", "1"])
    cpu.main()
    *_, newest, small, large, one, landing = (
        [*map(str.strip, line.split("|"))] for line in capsys.readouterr().out.splitlines()
    )
    for row in (newest, small, large, one):
        assert all(float(figure) > 0 for figure in row[2:7])
    assert float(landing[2]) > 0
    assert landing[4:7] == ["", "", ""]


def test_an_unknown_part_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command.main(["serach"])
    assert "serach" in capsys.readouterr().err
