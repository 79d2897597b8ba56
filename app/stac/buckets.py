"""Buckets of the Aggregation extension: frequencies by key, in the shape they are served in."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import h3.api.basic_int as h3

from app.errors import InvalidRequest
from app.stac.aggregation import CLOUD_COVER, HISTOGRAM_WIDTH, Aggregate, Aggregation, data_types, key_type
from app.stac.interval import format_instant

Bucket = dict[str, Any]
# The most frequent of each aggregation; what is beyond them is in its `overflow`.
BUCKETS_AT_MOST = 10_000
# Different places that are mapped to H3 cells here and not in the database.
PLACES_AT_MOST = 500_000


def aggregated(
    asked: Aggregate, total: int, bounds: tuple[datetime | None, datetime | None], counted: Sequence[Mapping[str, int]]
) -> list[dict[str, Any]]:
    """Each aggregation as it is served. `counted` are the frequencies by key, of each one that has any, in turn."""
    single = {"count": total, "earliest": _instant(bounds[0]), "latest": _instant(bounds[1])}
    frequencies = iter(counted)
    return [
        {"name": each.name, "data_type": data_types(each.kind)["data_type"], "value": single[each.kind]}
        if each.kind in single
        else _distribution(each, next(frequencies), total)
        for each in asked.aggregations
    ]


def _instant(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)


def _distribution(asked: Aggregation, frequencies: Mapping[str, int], total: int) -> dict[str, Any]:
    """`overflow` are the items in none of its buckets: those without a value too."""
    if asked.kind == "geohex":
        if len(frequencies) > PLACES_AT_MOST:
            raise InvalidRequest(
                f"{asked.name}: more than {PLACES_AT_MOST:,} places: narrow the search down", "aggregations"
            )
        frequencies = _cells(frequencies, asked.precision)
    kept = Counter(dict(Counter(frequencies).most_common(BUCKETS_AT_MOST)))
    shape = _SHAPES.get(asked.kind, _by_frequency)
    buckets = [{"data_type": key_type(asked.kind), **bucket} for bucket in shape(kept)]
    return {
        "name": asked.name,
        "data_type": "frequency_distribution",
        "overflow": total - sum(kept.values()),
        "buckets": buckets,
    }


def _cells(positions: Mapping[str, int], resolution: int) -> Counter[str]:
    """H3 cells of places written `longitude latitude`. 1 µs each."""
    found: Counter[int] = Counter()
    for place, frequency in positions.items():
        longitude, latitude = place.split(" ")
        found[h3.latlng_to_cell(float(latitude), float(longitude), resolution)] += frequency
    return Counter({h3.int_to_str(cell): frequency for cell, frequency in found.items()})


def _by_frequency(frequencies: Counter[str]) -> list[Bucket]:
    ordered = sorted(frequencies.items(), key=lambda bucket: (-bucket[1], bucket[0]))
    return [{"key": key, "frequency": frequency} for key, frequency in ordered]


def _by_time(frequencies: Counter[str]) -> list[Bucket]:
    return [{"key": key, "frequency": frequencies[key]} for key in sorted(frequencies)]


def _ranges(frequencies: Counter[str]) -> list[Bucket]:
    """All of them, those without an item too. The key of a frequency is the number of the range."""
    return [_range(start, end, frequencies[str(number)]) for number, (start, end) in enumerate(CLOUD_COVER)]


def _histogram(frequencies: Counter[str]) -> list[Bucket]:
    starts = sorted(int(key) for key in frequencies)
    return [
        {"key": str(start), "frequency": frequencies[str(start)], "from": start, "to": start + HISTOGRAM_WIDTH}
        for start in starts
    ]


def _range(start: int | None, end: int | None, frequency: int) -> Bucket:
    key = "-".join("*" if bound is None else f"{bound}.0" for bound in (start, end))
    bounds = {"from": start, "to": end}
    return {"key": key, "frequency": frequency} | {name: bound for name, bound in bounds.items() if bound is not None}


_SHAPES: Mapping[str, Callable[[Counter[str]], list[Bucket]]] = {
    "interval": _by_time,
    "ranges": _ranges,
    "histogram": _histogram,
}
