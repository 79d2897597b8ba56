"""Items of centuries, found by their own ends."""

import random
from datetime import datetime, timedelta
from typing import Any

import orjson
import pytest

from app.bulk.load import Loader
from app.catalog import Catalog
from app.database.fragment import sql
from app.database.pool import Database
from app.stac.search import Search
from app.stopwatch import Stopwatch
from tests.factories import collection, item, load, point

pytestmark = pytest.mark.anyio

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize("where", [{}, {"bbox": [-180, -90, 180, 90]}, {"bbox": [9, 49, 11, 51]}, {"limit": 1}])
@pytest.mark.parametrize("members", [{}, {"collections": ["first"]}])
async def test_long_intervals_reach_to_their_ends(
    database: Database, loader: Loader, where: dict[str, Any], members: dict[str, Any]
) -> None:
    """PostgreSQL makes intervals of seconds in doubles, which are microseconds short in a few centuries."""
    draw = random.Random(7)
    whole = (datetime.max - datetime.min) // MICROSECOND
    instants = [datetime.min + draw.randrange(whole) * MICROSECOND for _ in range(40)]
    items = []
    for number in range(20):
        start, end = (f"{at.isoformat()}Z" for at in sorted(instants[2 * number : 2 * number + 2]))
        instant = (None, start, end)[number % 3]
        times = {"datetime": instant, "start_datetime": start, "end_datetime": end}
        items.append(item(f"item {number}", "first", geometry=point(10.0, 50.0), properties=times))
    for alone in items:
        await database.execute(sql("TRUNCATE collections CASCADE"))
        await load(loader, collection("first"), alone)
        catalog = Catalog(database, default_limit=10, max_limit=1000)
        properties = alone["properties"]
        for end in (f"../{properties['start_datetime']}", f"{properties['end_datetime']}/.."):
            search = Search.from_body(orjson.dumps({"datetime": end, **where, **members}))
            assert [found.id for found in (await catalog.search(search, Stopwatch())).items] == [alone["id"]], (
                properties,
                end,
            )
