"""What `make audit` asks about and `make sbom` lists is what the lock has, with the digests."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UV = Path(sys.executable).with_name("uv")
# Of each kind: one the service cannot be without, one of an extra, and one that another brings.
WITHIN = {"asyncpg", "rasterio", "starlette"}


def exported(target: str, to: Path) -> str:
    """By the first command of the target, as it stands in the Makefile."""
    found = re.search(rf"^{target}:.*\n\t\.venv/bin/uv (.+)$", (ROOT / "Makefile").read_text(), re.M)
    assert found is not None
    words = shlex.split(found[1])
    words[words.index("--output-file") + 1] = str(to)
    subprocess.run([UV, *words], cwd=ROOT, check=True)
    return to.read_text()


@pytest.fixture(autouse=True)
def installed() -> None:
    if not UV.exists():
        pytest.skip("uv is beside Python where `make install` has made the environment")


def test_each_package_that_is_audited_has_its_digest(tmp_path: Path) -> None:
    text = re.sub(r" \\\n\s*", " ", exported("audit", tmp_path / "requirements.txt"))
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    assert [line for line in lines if " --hash=sha256:" not in line] == []
    names = {re.split(r"[=\[]", line)[0] for line in lines}
    assert names > WITHIN
    assert not names & {"upesi", "pytest"}


def test_the_bill_of_materials_has_each_package(tmp_path: Path) -> None:
    bill = json.loads(exported("sbom", tmp_path / "sbom.json"))
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.5")
    components = {component["name"]: component for component in bill["components"]}
    assert components.keys() > WITHIN
    assert all(re.match(r"pkg:pypi/[\w.-]+@\S+$", components[name]["purl"]) for name in WITHIN)
