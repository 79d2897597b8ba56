"""The plans of the searches at several sizes, and whether they follow the page.

    python -m benchmarks.plans                                # 100,000 and 1,000,000 items
    python -m benchmarks.plans --items 100000 10000000

Each size is made in a private database. EXPLAIN (ANALYZE, BUFFERS) of each search goes to a file of its own below
`benchmarks/plans/results`, a table of all to `README.md` there. Exits with 1, and says why, where a search scans the
table, reads or sorts more rows than a small multiple of its page, or touches more pages of the database in a larger
catalogue.
"""

import argparse
import asyncio
import shutil
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from app import indexing
from app.database import embedded, schema
from app.database.fragment import sql
from app.database.pool import Database
from benchmarks.plans import rows
from benchmarks.plans.explain import Plan, buffers, explained, of_items, plan_of, rows_read, sorted_rows
from benchmarks.plans.shapes import CLOUD, PAGE, Shape, shapes

RUNS = 9
# A deeper index is a page more for each stream that descends it.
MORE_BUFFERS = 2
SPARE_BUFFERS = 200


@dataclass(frozen=True)
class Seen:
    """Of a search at one size: pages of 8 kB, rows of `items`, milliseconds (median)."""

    buffers: int
    rows: int
    ms: float


def faults(shape: Shape, plan: Plan) -> list[str]:
    """Why this is no plan that follows the page."""
    scans = of_items(plan)
    found = []
    if any(node["Node Type"] == "Seq Scan" for node in scans):
        found.append("scans the table")
    if (read := rows_read(scans)) > shape.rows:
        found.append(f"reads {read:,} rows, more than {shape.rows:,}")
    if (in_sort := sorted_rows(plan)) > max(shape.rows, 100 * PAGE):
        found.append(f"sorts {in_sort:,} rows, more than {max(shape.rows, 100 * PAGE):,}")
    return found


def grows(small: Seen, large: Seen) -> bool:
    return large.buffers > MORE_BUFFERS * small.buffers + SPARE_BUFFERS


async def look(database: Database, into: Path) -> tuple[dict[str, Seen], list[str]]:
    """What each search costs, and the faults of all; their plans are written into a folder."""
    seen, wrong = {}, []
    for shape in shapes():
        plans = [await plan_of(database, shape.query) for _ in range(RUNS)]
        plan = plans[-1]["Plan"]
        ms = statistics.median(found["Execution Time"] for found in plans)
        seen[shape.name] = Seen(buffers(plan), rows_read(of_items(plan)), ms)
        wrong += [f"{shape.name}: {fault}" for fault in faults(shape, plan)]
        text = await explained(database, shape.query, "BUFFERS")
        (into / f"{shape.name.replace(' ', '-').replace(',', '').replace(chr(39), '')}.txt").write_text(text + "\n")
    return seen, wrong


async def at_size(url: str, items: int, into: Path) -> tuple[dict[str, Seen], list[str]]:
    async with Database.opened(url, size=1, query_timeout=None) as database:
        await database.execute(sql("SET maintenance_work_mem = '512MB'"))
        await rows.fill(database, items)
        await indexing.add(database, CLOUD)
        return await look(database, into)


def main(given: list[str]) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.plans", description=__doc__.splitlines()[0])
    parser.add_argument("--items", type=int, nargs="+", default=[100_000, 1_000_000])
    parser.add_argument("--into", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args(given)
    found: dict[int, dict[str, Seen]] = {}
    wrong: list[str] = []
    for items in sorted(arguments.items):
        folder = Path(tempfile.mkdtemp(prefix="upesi-plans-"))
        folder.chmod(0o755)
        try:
            (arguments.into / str(items)).mkdir(parents=True, exist_ok=True)
            with embedded.running(folder / "data") as url:
                schema.migrate(url)
                found[items], faulty = asyncio.run(at_size(url, items, arguments.into / str(items)))
        finally:
            shutil.rmtree(folder)
        wrong += [f"{items:,} items: {fault}" for fault in faulty]
    least, most = min(found), max(found)
    for name, small in found[least].items():
        if grows(small, found[most][name]):
            wrong.append(
                f"{name}: {small.buffers:,} pages at {least:,} items, {found[most][name].buffers:,} at {most:,}"
            )
    (arguments.into / "README.md").write_text(table(found, given))
    print("\n".join(wrong), file=sys.stderr)
    return 1 if wrong else 0


def table(found: dict[int, dict[str, Seen]], given: list[str]) -> str:
    heads = [f"{items:,}: {unit}" for items in found for unit in ("pages", "rows", "ms")]
    lines = [
        "# Plans",
        "",
        f"    python -m benchmarks.plans {' '.join(given)}".rstrip(),
        "",
        "Pages of 8 kB that a search of 10 items touches, rows of `items` it reads, and the median of its time in the",
        f"database, for catalogues of so many items. {RUNS} runs each, all in memory.",
        "",
        f"| search | {' | '.join(heads)} |",
        f"| --- |{' --- |' * len(heads)}",
    ]
    for name in next(iter(found.values())):
        cells = [
            f"{seen.buffers:,} | {seen.rows:,} | {seen.ms:.2f}" for seen in (each[name] for each in found.values())
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
