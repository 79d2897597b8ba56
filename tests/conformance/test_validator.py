"""stac-api-validator, the validator of the STAC API specification, against a real server."""

import subprocess
import sys
from pathlib import Path

import orjson
import pytest

from tests.factories import box

# The client is synchronous, and the server is another process; the fixtures alone run in an event loop.
pytestmark = pytest.mark.usefixtures("anyio_backend")

RUNNER = Path(__file__).with_name("run_validator.py")
# Best practices of stac-check, not of the specification: link titles, and what the elevation items are made to be.
KNOWN_ADVICE = {
    "Links in catalogs and collections should always have a 'title' field",
    "Please avoid setting the datetime field to null, many clients search on this field",
}
CLASSES = ["core", "collections", "features", "item-search"]
GEOMETRY = orjson.dumps(box(100.0, 0.0, 103.0, 3.0)).decode()


@pytest.mark.parametrize("collection", ["optical", "elevation"])
def test_the_validator_finds_no_error(catalogue: str, collection: str) -> None:
    classes = [argument for name in CLASSES for argument in ("--conformance", name)]
    arguments = ["--root-url", catalogue, "--collection", collection, "--geometry", GEOMETRY, *classes]
    run = subprocess.run(
        [sys.executable, str(RUNNER), *arguments, "--validate-pagination", "--log-level", "WARNING"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Errors: none" in run.stdout
    assert "not run" not in run.stdout, "a part of the validation was left out"
    assert advice(run.stdout) <= KNOWN_ADVICE


def advice(output: str) -> set[str]:
    """The warnings, without the URLs they are about."""
    listed = output.partition("Warnings:")[2].partition("Errors:")[0].splitlines()
    warnings = (line.removeprefix("- ").split("recommendations: ")[-1].rstrip(",") for line in listed)
    return {warning for warning in warnings if warning.strip()}
