"""What was measured, as JSON, as a table in the README, and as plots."""

import json
import os
import platform
import statistics
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from html import escape
from math import log10
from pathlib import Path
from typing import Any

from benchmarks.peers import PGSTAC
from benchmarks.services import UPESI

_MORE_IS_BETTER = {"req/s", "items/s", "share"}
_BEGIN, _END = "<!-- results: written by python -m benchmarks -->", "<!-- end of results -->"
_COLOURS = ("#1b7f5c", "#c4582a", "#4a6fa5", "#8a6bb1")


@dataclass(frozen=True)
class Row:
    """One figure of each service, in each round. The bar is of the ratio of Upesi's to stac-fastapi-pgstac's."""

    name: str
    unit: str
    rounds: dict[str, list[float]]
    bar: float | None = None
    failed: dict[str, int] = field(default_factory=dict)

    def figure(self, service: str) -> float | None:
        figures = self.rounds.get(service)
        return statistics.median(figures) if figures else None

    def ratio(self, service: str) -> float | None:
        """The median of the rounds' ratios: what disturbs a round disturbs both."""
        ours, theirs = self.rounds.get(UPESI), self.rounds.get(service)
        if service == UPESI or not ours or not theirs or not all(theirs):
            return None
        return statistics.median(one / other for one, other in zip(ours, theirs, strict=True))

    def met(self) -> bool | None:
        ratio = self.ratio(PGSTAC)
        if self.bar is None or ratio is None:
            return None
        return ratio >= self.bar if self.unit in _MORE_IS_BETTER else ratio <= self.bar

    def wanted(self) -> str:
        return "" if self.bar is None else f"{'≥' if self.unit in _MORE_IS_BETTER else '≤'} {self.bar:g}"


@dataclass(frozen=True)
class Part:
    """The rows of a part, and `lines` of a figure by depth for a plot, where it has one."""

    name: str
    title: str
    rows: list[Row]
    lines: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Circumstances:
    date: str
    hardware: str
    load: str
    versions: list[str]
    command: str
    items: int
    gigabytes: float

    @classmethod
    def now(cls, versions: list[str], command: str, items: int, size: int) -> "Circumstances":
        gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        return cls(
            date=f"{datetime.now(UTC):%Y-%m-%d}",
            hardware=f"{os.cpu_count()} cores, {gigabytes:.0f} GiB, {platform.system()} {platform.machine()}",
            load=f"{os.getloadavg()[1]:.1f}",
            versions=[*versions, f"Python {platform.python_version()}"],
            command=command,
            items=items,
            gigabytes=round(size / 1e9, 2),
        )


def write(folder: Path, part: Part, circumstances: Circumstances) -> None:
    """`results/<part>.json` and its plots, and the section of the README made of all parts that are there."""
    results = folder / "results"
    results.mkdir(parents=True, exist_ok=True)
    document = {
        "part": part.name,
        "title": part.title,
        "circumstances": asdict(circumstances),
        "rows": [_as_json(row) for row in part.rows],
        **({"lines": {name: _rounded(line) for name, line in part.lines.items()}} if part.lines else {}),
    }
    (results / f"{part.name}.json").write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    if any(row.ratio(service) for row in part.rows for service in row.rounds):
        (results / f"{part.name}.svg").write_text(_ratios(part))
    if part.lines:
        (results / f"{part.name}-by-depth.svg").write_text(_by_depth(part))
    _write_readme(folder)


def _as_json(row: Row) -> dict[str, Any]:
    ratios = {service: ratio for service in row.rounds if (ratio := row.ratio(service)) is not None}
    return {
        "name": row.name,
        "unit": row.unit,
        "rounds": {service: _rounded(figures) for service, figures in row.rounds.items()},
        "ratios": {service: float(f"{ratio:.4g}") for service, ratio in ratios.items()},
        "bar": row.bar,
        "met": row.met(),
        "failed": row.failed,
    }


def _rounded(figures: list[float]) -> list[float]:
    return [float(f"{figure:.4g}") for figure in figures]


def _write_readme(folder: Path) -> None:
    file = folder / "README.md"
    text = file.read_text() if file.exists() else f"# Benchmarks\n\n{_BEGIN}\n{_END}\n"
    before, _, rest = text.partition(_BEGIN)
    after = rest.partition(_END)[2]
    found = [json.loads(path.read_text()) for path in (folder / "results").glob("*.json")]
    order = ["load", "search", "reads", "walk", "collections", "writes", "limit"]
    found.sort(key=lambda part: order.index(part["part"]))
    sections = "\n".join(_section(part) for part in found)
    file.write_text(f"{before}{_BEGIN}\n\n{sections}\n{_END}{after}")


def _section(part: dict[str, Any]) -> str:
    where, name = part["circumstances"], part["part"]
    plots = [
        f"![{part['title']}](results/{plot}.svg)\n"
        for plot, wanted in ((name, any(row["ratios"] for row in part["rows"])), (f"{name}-by-depth", "lines" in part))
        if wanted
    ]
    text = (
        f"### {part['title']}\n\n`{where['command']}`, {where['date']}, {where['items']:,} items "
        f"({where['gigabytes']:g} GB of JSON), {where['hardware']}, load average {where['load']} before. "
        f"{', '.join(where['versions'])}.\n\n{table([_from_json(row) for row in part['rows']])}"
    )
    return "\n".join([text, *plots])


def _from_json(row: dict[str, Any]) -> Row:
    return Row(row["name"], row["unit"], row["rounds"], row["bar"], row["failed"])


def table(rows: Sequence[Row]) -> str:
    """Markdown: a column for each service, a ratio for each but Upesi, then the bar and whether it is met."""
    services = list(dict.fromkeys(service for row in rows for service in row.rounds))
    others = [service for service in services if service != UPESI]
    barred = any(row.met() is not None for row in rows)
    head = ["", "unit", *services, *(f"ratio to {name}" for name in others), *(("bar", "met") if barred else ())]
    lines = [head, ["---"] * 2 + ["---:"] * (len(head) - 2)]
    for row in rows:
        cells = [row.name, row.unit, *(_cell(row, service) for service in services)]
        cells += [_number(row.ratio(service)) for service in others]
        if barred:
            cells += [row.wanted(), {True: "yes", False: "**no**", None: ""}[row.met()]]
        lines.append(cells)
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(row: Row, service: str) -> str:
    failed = row.failed.get(service)
    return _number(row.figure(service)) + (f" ({failed} failed)" if failed else "")


def _number(figure: float | None) -> str:
    if figure is None:
        return "-"
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.1f}" if figure >= 10 else f"{figure:.2f}"


def _ratios(part: Part) -> str:
    """Bars on a logarithmic scale: how many times better Upesi is. The stroke across a bar is the one to reach."""
    rows = [row for row in part.rows if any(row.ratio(service) for service in row.rounds)]
    services = list(dict.fromkeys(service for row in rows for service in row.rounds if row.ratio(service)))
    left, wide, thick = 330, 460, 12
    tall = thick * len(services) + 10
    marks: list[str] = []

    def x(times: float) -> float:
        return left + wide * (log10(min(max(times, 0.1), 1000)) + 1) / 4

    for power in range(-1, 4):
        at, bottom = x(10.0**power), 40 + tall * len(rows)
        marks.append(f'<line x1="{at:.1f}" y1="30" x2="{at:.1f}" y2="{bottom}" stroke="#ddd"/>')
        marks.append(f'<text x="{at:.1f}" y="24" text-anchor="middle">{10.0**power:g} x</text>')
    for number, row in enumerate(rows):
        top = 40 + number * tall
        marks.append(
            f'<text x="{left - 8}" y="{top + tall / 2}" text-anchor="end">{escape(row.name)}, {row.unit}</text>'
        )
        upside = row.unit in _MORE_IS_BETTER
        for place, service in enumerate(services):
            if (ratio := row.ratio(service)) is None:
                continue
            start, end = sorted((x(1), x(ratio if upside else 1 / ratio if ratio else 1000)))
            box = f'x="{start:.1f}" y="{top + place * thick}" width="{end - start:.1f}" height="{thick - 2}"'
            marks.append(f'<rect {box} fill="{_COLOURS[place]}"/>')
        if row.bar is not None:
            at = x(row.bar if upside else 1 / row.bar)
            marks.append(f'<line x1="{at:.1f}" y1="{top - 3}" x2="{at:.1f}" y2="{top + tall - 8}" stroke="#000"/>')
    title = f"{part.title}: times better than {', '.join(services)}"
    return _svg(
        title,
        marks + _legend([f"better than {name}" for name in services], 50 + tall * len(rows)),
        70 + tall * len(rows),
    )


def _by_depth(part: Part) -> str:
    left, wide, high, top = 60, 720, 260, 40
    highest = max(figure for line in part.lines.values() for figure in line)
    marks: list[str] = []
    for place, line in enumerate(part.lines.values()):
        points = " ".join(
            f"{left + wide * n / max(len(line) - 1, 1):.1f},{top + high * (1 - figure / highest):.1f}"
            for n, figure in enumerate(line)
        )
        marks.append(f'<polyline points="{points}" fill="none" stroke="{_COLOURS[place]}" stroke-width="2"/>')
    marks.append(f'<text x="{left - 6}" y="{top + 4}" text-anchor="end">{highest:.0f} ms</text>')
    marks.append(f'<text x="{left - 6}" y="{top + high}" text-anchor="end">0</text>')
    last = max(len(line) for line in part.lines.values())
    marks.append(f'<text x="{left + wide}" y="{top + high + 16}" text-anchor="end">page {last}</text>')
    return _svg(part.title, marks + _legend(list(part.lines), top + high + 30), top + high + 50)


def _legend(names: Sequence[str], y: float) -> list[str]:
    marks = []
    for place, name in enumerate(names):
        marks.append(f'<rect x="{60 + place * 240}" y="{y}" width="12" height="12" fill="{_COLOURS[place]}"/>')
        marks.append(f'<text x="{78 + place * 240}" y="{y + 10}">{escape(name)}</text>')
    return marks


def _svg(title: str, marks: Sequence[str], height: float) -> str:
    style = 'font-family="sans-serif" font-size="11"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="820" height="{height:.0f}" {style}>'
    return "\n".join(
        [head, f"<title>{escape(title)}</title>", '<rect width="100%" height="100%" fill="#fff"/>', *marks, "</svg>\n"]
    )


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
