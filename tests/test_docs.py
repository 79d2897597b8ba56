"""What the documents say of the code is so."""

import os
import re
import subprocess
import sys
from http import HTTPStatus
from importlib.metadata import version
from pathlib import Path

import pytest

from app import errors
from app.errors import UpesiError
from app.stac.conformance import CONFORMANCE

ROOT = Path(__file__).parents[1]
ARCHITECTURE = (ROOT / "docs" / "architecture.md").read_text()


@pytest.mark.parametrize("path", sorted((ROOT / "app").iterdir()), ids=lambda path: path.name)
def test_every_room_is_in_the_architecture(path: Path) -> None:
    if path.name not in ("__init__.py", "__pycache__"):
        assert re.search(rf"\b{re.escape(path.stem)}\b", ARCHITECTURE)


def test_every_file_named_in_the_architecture_is_there() -> None:
    named = re.findall(r"`((?:app|tests|docs)/[\w./-]+)`", ARCHITECTURE)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("document", [ROOT / "README.md", *sorted(ROOT.glob("docs/**/*.md"))], ids=lambda p: p.name)
def test_links_between_documents(document: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", document.read_text())
    assert [target for target in targets if not (document.parent / target).exists()] == []


def test_decisions_are_numbered_and_have_their_parts() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(path.name[:4]) for path in decisions] == list(range(1, len(decisions) + 1))
    for path in decisions:
        assert re.findall(r"^## (\w+)", path.read_text(), re.M) == ["Context", "Decision", "Consequences"]


def test_conformance_uris_are_classes_and_not_requirements() -> None:
    assert all("/req/" not in uri for uri in CONFORMANCE.values())
    assert len(set(CONFORMANCE.values())) == len(CONFORMANCE)


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    """Strictly: a page that is not in the menu, or a link or an anchor that leads nowhere, is one."""
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    decisions = (tmp_path / "decisions" / "index.html").read_text()
    assert "0001-anchors-of-the-nearest-neighbour-scan" in decisions


def kinds(error: type[UpesiError]) -> set[tuple[HTTPStatus, str]]:
    below = (kinds(kind) for kind in error.__subclasses__() if kind.__module__ == errors.__name__)
    return {(error.status, error.code)}.union(*below)


def test_every_error_has_a_row() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", (ROOT / "docs" / "errors.md").read_text(), re.M)
    # The one that no class is for: a method that a path has not.
    expected = {(int(status), code) for status, code in kinds(UpesiError)} | {(405, "MethodNotAllowed")}
    assert {(int(status), code) for status, code in rows} == expected
    assert rows == sorted(rows, key=lambda row: int(row[0]))


def test_versions_of_clients_are_those_that_are_tested() -> None:
    rows = re.findall(r"^\| ([\w-]+) \| ([\d., ]+) \|", (ROOT / "docs" / "clients.md").read_text(), re.M)
    assert len(rows) == 8
    assert [(name, told) for name, told in rows if version(name) not in told.split(", ")] == []
