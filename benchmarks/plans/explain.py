"""The plan of a statement as the service runs it, and what is to be read from it."""

import re
from collections.abc import Iterator
from typing import Any

import orjson

from app.database.fragment import Fragment
from app.database.pool import Database

Plan = dict[str, Any]

# They come in the order of their numbers.
_TYPED = re.compile(r"\$\d+::\w+(?:\[\])?")


async def explained(database: Database, query: Fragment, options: str, *, generic: bool = True) -> str:
    """As EXPLAIN prints it: the plan for the values, or the generic one that a prepared statement runs with."""
    text, values = query.render()
    as_text = ", ".join(f"quote_nullable({parameter}::text)" for parameter in dict.fromkeys(_TYPED.findall(text)))
    async with database.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"SET LOCAL plan_cache_mode = force_{'generic' if generic else 'custom'}_plan")
        literals = await connection.fetchval(f"SELECT array_to_string(ARRAY[{as_text}]::text[], ', ')", *values)
        await connection.execute(f"PREPARE examined AS {text}")
        try:
            rows = await connection.fetch(
                f"EXPLAIN (ANALYZE, TIMING OFF, {options}) EXECUTE examined {f'({literals})' if values else ''}"
            )
        finally:
            await connection.execute("DEALLOCATE examined")
    return "\n".join(row[0] for row in rows)


async def plan_of(database: Database, query: Fragment, *, generic: bool = True) -> Plan:
    """With the times of planning and execution beside the plan."""
    found: Plan = orjson.loads(await explained(database, query, "BUFFERS, FORMAT JSON", generic=generic))[0]
    return found


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def of_items(plan: Plan) -> list[Plan]:
    """What was executed and reads the table of items."""
    return [node for node in nodes(plan) if node.get("Relation Name") == "items" and node["Actual Loops"]]


def rows_read(scans: list[Plan]) -> int:
    """Those a condition removed, too."""
    return sum((node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"] for node in scans)


def buffers(plan: Plan) -> int:
    """Pages of 8 kB, in memory already or not."""
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])


def sorted_rows(plan: Plan) -> int:
    """Of the largest sort: what went into it."""
    sorts = [node for node in nodes(plan) if "Sort" in node["Node Type"] and node["Actual Loops"]]
    return max((node["Plans"][0]["Actual Rows"] * node["Plans"][0]["Actual Loops"] for node in sorts), default=0)
