"""What the documents say of the code is so."""

import re
from pathlib import Path

import pytest

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
