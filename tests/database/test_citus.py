"""The SQL of decisions/0018, run as it stands there."""

import asyncio
import re
from pathlib import Path

import httpx
import pytest

from app.database import schema
from app.settings import Settings
from tests.api.serving import serving
from tests.database.fresh import asked, fresh_database, run
from tests.factories import collection, item

DECISION = Path(__file__).parents[2] / "docs" / "decisions" / "0018-citus.md"


def statements() -> list[str]:
    found = re.search(r"```sql\n(.*?)```", DECISION.read_text(), re.S)
    assert found
    return [statement.strip() for statement in found[1].split(";") if statement.strip()]


def test_items_are_distributed_by_id_and_what_they_refer_to_is_everywhere() -> None:
    assert "SELECT create_distributed_table('items', 'id')" in statements()
    everywhere = [statement for statement in statements() if "create_reference_table" in statement]
    assert {re.findall(r"'(\w+)'", statement)[0] for statement in everywhere} == {
        "collections",
        "dictionaries",
        "queryables",
    }


def test_a_distributed_catalogue_is_written_and_searched(database_url: str) -> None:
    if not asked(database_url, "SELECT count(*) FROM pg_available_extensions WHERE name = 'citus'"):
        pytest.skip("the extension citus is not on this machine")
    with fresh_database(database_url) as url:
        schema.migrate(url)
        run(url, *statements())
        asyncio.run(write_and_search(url))


async def write_and_search(url: str) -> None:
    async with serving(Settings(database_url=url, writes="open")) as client:
        await fill(client)
        found = (await client.get("/search?collections=things&bbox=0,40,20,60&limit=5")).json()
        assert [feature["id"] for feature in found["features"]] == [f"item {number}" for number in range(19, 14, -1)]
        assert (await client.get("/collections/things/items/item 3")).status_code == 200


async def fill(client: httpx.AsyncClient) -> None:
    assert (await client.post("/collections", json=collection())).status_code == 201
    for number in range(20):
        times = {"datetime": f"2024-01-01T00:00:{number:02}Z"}
        answer = await client.post("/collections/things/items", json=item(f"item {number}", properties=times))
        assert answer.status_code == 201
