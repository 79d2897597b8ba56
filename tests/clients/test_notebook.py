"""The notebook of the raster side runs from its first cell to its last, and shows what comes out."""

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

from tests.clients.conftest import Demo
from tests.processes import ROOT

NOTEBOOK = ROOT / "docs" / "pixels.ipynb"


def notebook() -> NotebookNode:
    node: NotebookNode = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    return node


def shown(notebook: NotebookNode) -> list[str]:
    """What its cells print and show, as text; of a picture that it is one."""
    found = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    # What libraries warn of is not what the notebook shows.
    outputs = [output for output in found if output.get("name") != "stderr"]
    assert {output.output_type for output in outputs} == {"stream", "execute_result"}
    return [output.text if output.output_type == "stream" else output.data["text/plain"] for output in outputs]


def test_the_notebook_shows_what_comes_out(demo: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CATALOGUE", demo.url)
    told, ran = notebook(), notebook()
    for cell in ran.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    # What a cell prints in two goes may come as one output or two.
    NotebookClient(ran, timeout=300, coalesce_streams=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert len(shown(ran)) > 5
    assert shown(ran) == shown(told)
    assert any("image/png" in output.get("data", {}) for cell in ran.cells for output in cell.get("outputs", ()))
    assert (tmp_path / "ndvi.tif").is_file()
