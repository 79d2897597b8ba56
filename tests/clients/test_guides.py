"""The guides and the README do what they say: their commands and programs are run, in order, and print what is shown.

A block of `sh` or `python` is run, as the reader would who has `upesi` in the path, and the block of `text` behind it
is what it prints, where `…` stands for anything. A comment `<!-- not run: why -->` in front of a block exempts it.
"""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import orjson
import pytest

from app.demo import rasters
from tests.clients.conftest import Demo
from tests.pgstac import execute, place_for_pgstac, pypgstac
from tests.processes import ROOT

GUIDES = ROOT / "docs"
NAMES = ("start", "load", "python", "operate", "tune")
ADDRESS = "http://127.0.0.1:8080"
PGSTAC = "postgresql://stac@localhost/pgstac"
# What shows progress in a terminal.
_BAR = "━"
_BLOCK = re.compile(r"(?:<!-- not run: (?P<why>[^>]+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S)


@dataclass(frozen=True)
class Step:
    kind: str
    text: str
    prints: str | None


def steps(document: str) -> Iterator[Step]:
    blocks = list(_BLOCK.finditer(document))
    for block, following in zip_longest(blocks, blocks[1:]):
        if block["kind"] in ("sh", "python") and block["why"] is None:
            prints = following["text"] if following is not None and following["kind"] == "text" else None
            yield Step(block["kind"], block["text"], prints)


def check(document: Path, folder: Path, database_url: str, places: dict[str, str]) -> None:
    """`places` are the addresses in the document, and those that stand for them here."""
    found = list(steps(document.read_text()))
    assert found
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "UPESI_DATABASE_URL": database_url,
        "COLUMNS": "120",
    }
    for step in found:
        text = step.text
        for told, here in places.items():
            text = text.replace(told, here)
        said = ran(step.kind, text, folder, environment)
        for told, here in places.items():
            said = said.replace(here, told)
        if step.prints is not None:
            assert re.fullmatch(pattern(step.prints), said), f"{text}\n{said}"


def ran(kind: str, text: str, folder: Path, environment: dict[str, str]) -> str:
    command = ["bash", "-euo", "pipefail", "-c", text] if kind == "sh" else [sys.executable, "-c", text]
    done = subprocess.run(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{text}\n{done.stdout}"
    return "\n".join(line for line in done.stdout.splitlines() if _BAR not in line).strip()


def pattern(prints: str) -> str:
    return r"[\s\S]*?".join(re.escape(part) for part in prints.strip().split("…"))


@pytest.mark.parametrize("name", NAMES)
def test_a_guide_does_what_it_says(name: str, demo: Demo, tmp_path: Path) -> None:
    check(GUIDES / f"{name}.md", tmp_path, demo.database_url, {ADDRESS: demo.url})


def test_the_programs_of_the_readme_run(demo: Demo, tmp_path: Path) -> None:
    check(ROOT / "README.md", tmp_path, demo.database_url, {ADDRESS: demo.url})


def test_the_guide_from_pgstac_does_what_it_says(demo: Demo, tmp_path: Path) -> None:
    """With the items of the demo in a database of pgstac."""
    with place_for_pgstac(demo.database_url) as made:
        url = made("0.10.0")
        for name, documents in (("collections", [rasters.collection()]), ("items", list(rasters.items()))):
            path = tmp_path / f"{name}.ndjson"
            path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
            pypgstac(url, "load", name, path)
        asyncio.run(execute(demo.database_url, ("TRUNCATE collections CASCADE",)))
        check(GUIDES / "pgstac.md", tmp_path, demo.database_url, {PGSTAC: url})


def test_every_document_with_commands_is_among_them() -> None:
    with_commands = {path.stem for path in GUIDES.glob("*.md") if any(steps(path.read_text()))}
    assert with_commands == {*NAMES, "pgstac"}
