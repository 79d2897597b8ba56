"""Schemathesis asks a real service for all that the OpenAPI document describes, and for what it forbids: no answer is
a 5xx, and each is one that the document knows. UPESI_TEST_EXAMPLES is how many requests an operation gets at most,
beside those that follow from an answer; with UPESI_TEST_COVERAGE all bounds of all parameters are asked for too."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import orjson
import pytest

from app.bulk.load import Loader
from tests.factories import Document, collection, item, load
from tests.processes import running

pytestmark = pytest.mark.anyio
SCHEMATHESIS, UPESI = (Path(sys.executable).with_name(name) for name in ("schemathesis", "upesi"))
EXAMPLES = os.environ.get("UPESI_TEST_EXAMPLES", "8")
PHASES = "fuzzing,stateful" + (",coverage" if "UPESI_TEST_COVERAGE" in os.environ else "")
# A schema cannot say all that makes a filter or an item valid: what it allows may be refused.
CHECKS = ("--checks", "all", "--exclude-checks", "positive_data_acceptance")
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
DOCUMENTS = (collection(), item(), *(item(f"item {number}", properties={"number": number}) for number in range(20)))


@pytest.fixture
def asked(request: pytest.FixtureRequest, database_url: str, loader: Loader) -> Iterator[tuple[str, list[str]]]:
    """The URL of a service that takes changes, and what a caller has to send to it."""
    del loader  # which empties the tables first, those of the keys too
    if request.param == "open":
        with running(database_url, UPESI_WRITES="open") as url:
            yield url, []
        return
    command = [str(UPESI), "token", "create", "all", "--allow", "write", "--allow", "read"]
    environment = os.environ | {"UPESI_DATABASE_URL": database_url}
    key = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()
    with running(database_url, UPESI_WRITES="token", UPESI_READS="token", UPESI_RATE_LIMIT="100000/second") as url:
        yield url, ["--header", f"Authorization: Bearer {key}"]


def run(url: str, folder: Path, *options: str) -> tuple[str, Document, set[str]]:
    """What it says to people, what to programs, and the operations that answered with what they are for."""
    summary, events = folder / "summary.json", folder / "events.ndjson"
    command = [str(SCHEMATHESIS), "--config-file", str(CONFIGURATION), "run", f"{url}/api"]
    extent = ["--phases", PHASES, "--max-examples", EXAMPLES, *CHECKS]
    manner = ["--seed", "1", "--no-shrink", "--continue-on-failure", "--no-color", "--report", "json,ndjson"]
    paths = ["--report-json-path", str(summary), "--report-ndjson-path", str(events)]
    done = subprocess.run(
        [*command, *extent, *manner, *paths, *options], cwd=folder, capture_output=True, text=True, check=False
    )
    assert summary.is_file(), done.stdout + done.stderr
    return done.stdout, orjson.loads(summary.read_bytes()), set(_answered(events))


def _answered(events: Path) -> Iterator[str]:
    for line in events.read_bytes().splitlines():
        recorder = orjson.loads(line).get("ScenarioFinished", {}).get("recorder", {})
        for exchange in recorder.get("interactions", {}).values():
            if exchange["response"] and exchange["response"]["status_code"] < 300:
                yield recorder["label"]


@pytest.mark.parametrize("asked", ["open", "token"], indirect=True)
async def test_every_answer_is_one_that_the_document_knows(
    asked: tuple[str, list[str]], loader: Loader, tmp_path: Path
) -> None:
    await load(loader, *DOCUMENTS)
    url, options = asked
    async with httpx.AsyncClient(base_url=url) as client:
        described = (await client.get("/api")).json()["paths"]
    said, summary, answered = await asyncio.to_thread(run, url, tmp_path, *options)
    assert (summary["failures"], summary["errors"], summary["exit_code"]) == ([], [], 0), said
    operations = sum(len(methods.keys() - {"parameters"}) for methods in described.values())
    assert summary["operations"]["tested"] == operations, said
    assert summary["complete"]
    # The others are refused all they are asked for: nothing that is made up is a valid item.
    assert len(answered) > operations / 3
    async with httpx.AsyncClient(base_url=url) as client:
        assert (await client.get("/_mgmt/health")).json()["status"] == "UP"
