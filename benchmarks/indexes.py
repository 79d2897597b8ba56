"""Searches by a property with an index and without, and by words, in one run, on a million rows that SQL makes.

    python -m benchmarks.indexes postgresql://user@/database

The database is emptied, and migrated before. Medians of five runs, with generic plans, of the statements alone.
"""

import argparse
import asyncio
import statistics
import time
from typing import Any

import orjson

from app import indexing
from app.database import schema
from app.database.fragment import Parameter, sql
from app.database.pool import Database
from app.errors import TimedOut
from app.sql import items
from app.stac.search import Search
from benchmarks.plans.rows import WITH_CELLS

PROPERTY = "eo:cloud_cover"
ROWS, RUNS, LIMIT_SECONDS = 1_000_000, 5, 30
BOXES: dict[str, list[float] | None] = {"": None, ", 1° box": [8, 48, 9, 49], ", 60° box": [-30, -10, 30, 50]}

_COLLECTIONS = """INSERT INTO collections
    (id, content, extent, document, envelope, first_datetime, last_datetime, first_start, last_end)
    SELECT 'c' || n, '{}', '{}', '{}', ST_MakeEnvelope(-180, -90, 180, 90, 4326),
        '2014-01-01Z', '2024-12-31Z', '2014-01-01Z', '2024-12-31Z' FROM generate_series(1, 10) AS numbered (n)"""
_ITEMS = """SELECT 'i' || n, 1 + n % 10,
        ST_Expand(ST_SetSRID(ST_Point(n * 7919 % 35900 / 100.0 - 179.5, n * 104729 % 17000 / 100.0 - 85), 4326), 0.4),
        at, at, at, jsonb_build_object('datetime', at, 'platform', 'sentinel-2a', 'proj:epsg', 32632, 'gsd', 10,
            'eo:cloud_cover', (hashint8(n) & 2147483647) % 1000000 / 10000.0,
            'description', repeat('as real items ', 29),
            'title', concat_ws(' ', CASE WHEN n % 4 > 0 THEN 'scene' END, CASE WHEN share < 100 THEN 'tenth' END,
                CASE WHEN share < 10 THEN 'percent' END, CASE WHEN share < 1 THEN 'permille' END,
                CASE WHEN n = 500000 THEN 'once' END, CASE WHEN n % 10 = 1 THEN 'second' END,
                CASE WHEN n % 10 BETWEEN 1 AND 8 THEN 'elsewhere' END,
                CASE WHEN at < '2014-03-03' THEN 'oldest' END, CASE WHEN at < '2023-09-01' THEN 'older' END)), ''::bytea
    FROM (SELECT n, (hashint8(n * 31 + 7) & 2147483647) % 1000 AS share,
        timestamptz '2014-01-01Z' + n * 7919 % 3600 * interval '1 day' + n * interval '0.1 s' AS at
        FROM generate_series(1, """


def searches() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name, box in BOXES.items():
        where = {} if box is None else {"bbox": box}
        found[f"sort by cloud cover{name}"] = where | {"sortby": PROPERTY}
        for below, share in ((20, "20 %"), (1, "1 %"), (0.01, "0.01 %")):
            condition = {"op": "<", "args": [{"property": PROPERTY}, below]}
            found[f"cloud cover < {below} ({share}){name}"] = where | {"filter": condition}
    return found


def searches_by_words() -> dict[str, dict[str, Any]]:
    shares = {
        "scene": "75 %",
        "tenth": "10 %",
        "percent": "1 %",
        "permille": "0.1 %",
        "once": "one",
        "none": "none",
        "oldest": "1.7 %, the oldest",
        "older": "98 %, none of the newest",
        "elsewhere": "80 %, none in c1",
        "second": "10 %, all in c2",
    }
    places: dict[str, dict[str, Any]] = {
        "": {},
        ", 60° box": {"bbox": BOXES[", 60° box"]},
        ", in c1": {"collections": ["c1"]},
    }
    return {
        f"q={word} ({share}){name}": where | {"q": [word]}
        for name, where in places.items()
        for word, share in shares.items()
    }


async def fill(database: Database) -> None:
    await database.execute(sql("TRUNCATE collections RESTART IDENTITY CASCADE"))
    await database.execute(sql(_COLLECTIONS))
    rows = sql(_ITEMS, Parameter(ROWS, "bigint"), ") AS numbered (n)) AS timed")
    await database.execute(sql(WITH_CELLS[0], rows, WITH_CELLS[1]))
    await database.execute(sql("VACUUM ANALYZE items, collections"))


async def timed(database: Database, body: dict[str, Any], indexes: set[str]) -> tuple[float, list[str]]:
    """Milliseconds, and the ids of the page."""
    query = items.page(Search.from_body(orjson.dumps(body)), 11, indexes)
    laps, ids = [], []
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        try:
            ids = [row["id"] for row in await database.fetch(query)]
        except TimedOut:
            return LIMIT_SECONDS * 1000, []
        laps.append((time.perf_counter() - start) * 1000)
    return statistics.median(laps[1:]), ids


async def main(url: str, keep: bool) -> None:
    async with Database.opened(url, size=1, query_timeout=None) as database:
        if not keep:
            await fill(database)
        await indexing.add(database, PROPERTY)
    async with Database.opened(url, size=1, query_timeout=LIMIT_SECONDS) as database:
        print("| search, limit 10 | without ms | with ms | ratio |\n| --- | --- | --- | --- |")
        for name, body in searches().items():
            without, expected = await timed(database, body, set())
            having, found = await timed(database, body, {PROPERTY})
            assert not expected or found == expected, name
            print(f"| {name} | {without:,.1f} | {having:,.1f} | {without / having:,.1f} |")
        print("\n| search, limit 10 | ms |\n| --- | --- |")
        for name, body in searches_by_words().items():
            took, _ = await timed(database, body, set())
            print(f"| {name} | {took:,.1f} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("url", help="a database that may be emptied")
    parser.add_argument("--keep", action="store_true", help="measure what is there already")
    arguments = parser.parse_args()
    schema.migrate(arguments.url)
    asyncio.run(main(arguments.url, arguments.keep))
