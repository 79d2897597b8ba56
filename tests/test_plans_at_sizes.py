"""The script that looks at plans at several sizes: what it refuses, and a run of it on a small catalogue."""

from pathlib import Path
from typing import Any

import pytest

from app.database.fragment import sql
from benchmarks.plans import __main__ as command
from benchmarks.plans.__main__ import Seen, faults, grows
from benchmarks.plans.shapes import Shape, shapes


def node(kind: str, rows: int, *below: dict[str, Any], removed: int = 0) -> dict[str, Any]:
    found: dict[str, Any] = {"Node Type": kind, "Actual Rows": rows, "Actual Loops": 1, "Plans": list(below)}
    return found if below else found | {"Relation Name": "items", "Rows Removed by Filter": removed}


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (node("Limit", 10, node("Index Scan", 10)), []),
        (node("Limit", 10, node("Index Scan", 10, removed=90)), []),
        (node("Limit", 10, node("Index Scan", 10, removed=91)), ["reads 101 rows, more than 100"]),
        (node("Limit", 10, node("Seq Scan", 10)), ["scans the table"]),
        (node("Limit", 10, node("Seq Scan", 0) | {"Actual Loops": 0}), []),
        (node("Sort", 10, node("Append", 5000, node("Index Scan", 5))), ["sorts 5,000 rows, more than 1,000"]),
    ],
    ids=str,
)
def test_a_plan_that_does_not_follow_its_page_is_a_fault(plan: dict[str, Any], expected: list[str]) -> None:
    assert faults(Shape("any", sql("SELECT"), 100), plan) == expected


def test_more_pages_in_a_larger_catalogue_are_a_fault() -> None:
    assert not grows(Seen(100, 10, 1), Seen(400, 10, 1))
    assert grows(Seen(100, 10, 1), Seen(401, 10, 1))


def test_a_small_run_finds_no_fault_and_writes_each_plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = command.main(["--items", "60000", "--into", str(tmp_path)])
    assert (status, capsys.readouterr().err.strip()) == (0, "")
    table = (tmp_path / "README.md").read_text()
    plans = {path.name: path.read_text() for path in (tmp_path / "60000").iterdir()}
    assert len(plans) == len(shapes())
    assert all("Buffers: shared" in plan and "Execution Time" in plan for plan in plans.values())
    assert "items_cell_time" in plans["newest-of-a-box.txt"]
    assert "items_space_time" in plans["newest-of-a-small-box.txt"]
    assert "| newest of a box |" in table
