"""stac-api-validator, the validator of the STAC API specification, against a real server."""

import re
import subprocess
import sys
from pathlib import Path

import httpx
import orjson
import pytest

from tests.factories import box, item

# The client is synchronous, and the server is another process; the fixtures alone run in an event loop.
pytestmark = pytest.mark.usefixtures("anyio_backend")

RUNNER = Path(__file__).with_name("run_validator.py")
# Best practices of stac-check, not of the specification: link titles, and what the elevation items are made to be.
KNOWN_ADVICE = {
    "Links in catalogs and collections should always have a 'title' field",
    "Please avoid setting the datetime field to null, many clients search on this field",
}
# The identity of an item is sent with any fields, as the extension allows.
EXTRA_FIELDS = re.compile(r"response contained extra fields \[('(type|stac_version|id|collection|properties)'(, )?)+\]")
CLASSES = ["core", "collections", "features", "item-search", "filter"]
# Checked where each item has a datetime and the property that is asked for.
OF_PROPERTIES = [f"{path}#{name}" for path in ("item-search", "features") for name in ("sort", "fields", "query")]
QUERY = {
    **dict.fromkeys(("eq", "neq", "lt", "lte", "gt", "gte"), "20"),
    "starts-with": "Sce",
    "ends-with": "ene",
    "contains": "cen",
}
GEOMETRY = orjson.dumps(box(100.0, 0.0, 103.0, 3.0)).decode()


@pytest.mark.parametrize("collection", ["optical", "elevation"])
def test_the_validator_finds_no_error(catalogue: str, collection: str) -> None:
    chosen = CLASSES + (OF_PROPERTIES if collection == "optical" else [])
    classes = [argument for name in chosen for argument in ("--conformance", name)]
    arguments = ["--root-url", catalogue, "--collection", collection, "--geometry", GEOMETRY, *classes]
    arguments += ["--fields-nested-property", "properties.title"]
    arguments += ["--query-comparison-field", "eo:cloud_cover", "--query-substring-field", "title"]
    arguments += [part for name, value in QUERY.items() for part in (f"--query-{name}-value", value)]
    arguments += ["--query-in-field", "instruments", "--query-in-values", "tirs,oli"]
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
    assert {text for text in advice(run.stdout) if not EXTRA_FIELDS.search(text)} <= KNOWN_ADVICE


def test_the_validator_can_write(catalogue: str) -> None:
    """It starts with deleting its item and expects 204, as if it were there; so it is."""
    left = item("S2A_47XNF_20230423_0_L2A", "optical")
    assert httpx.post(f"{catalogue}/collections/optical/items", json=left).status_code == httpx.codes.CREATED
    arguments = ["--root-url", catalogue, "--collection", "optical", "--geometry", GEOMETRY]
    arguments += ["--conformance", "core", "--conformance", "features", "--conformance", "transaction"]
    run = subprocess.run(
        [sys.executable, str(RUNNER), *arguments, "--transaction-collection", "optical", "--log-level", "WARNING"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Errors: none" in run.stdout


def advice(output: str) -> set[str]:
    """The warnings, without the URLs they are about."""
    listed = output.partition("Warnings:")[2].partition("Errors:")[0].splitlines()
    warnings = (line.removeprefix("- ").split("recommendations: ")[-1].rstrip(",") for line in listed)
    return {warning for warning in warnings if warning.strip()}
