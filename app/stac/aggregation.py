"""The Aggregation extension 0.3.0: what can be asked of all items of a search together.

https://github.com/stac-api-extensions/aggregation. Names and parameters beyond it are those of Earth Search.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from app.errors import InvalidRequest
from app.stac import parameters
from app.stac.lists import listed
from app.stac.search import SEARCH_PARAMETERS, Search

Kind = Literal[
    "count",
    "earliest",
    "latest",
    "collection",
    "interval",
    "term",
    "ranges",
    "histogram",
    "geohash",
    "geotile",
    "geohex",
]


@dataclass(frozen=True, slots=True)
class Definition:
    """`source` is the property that a term, ranges or a histogram are of."""

    kind: Kind
    source: str | None = None


# The grid_ names are what the centroid_ ones were called first; clients still send them.
AGGREGATIONS: Mapping[str, Definition] = {
    "total_count": Definition("count"),
    "datetime_min": Definition("earliest"),
    "datetime_max": Definition("latest"),
    "datetime_frequency": Definition("interval"),
    "collection_frequency": Definition("collection"),
    "cloud_cover_frequency": Definition("ranges", "eo:cloud_cover"),
    "platform_frequency": Definition("term", "platform"),
    "grid_code_frequency": Definition("term", "grid:code"),
    "sun_elevation_frequency": Definition("histogram", "view:sun_elevation"),
    "sun_azimuth_frequency": Definition("histogram", "view:sun_azimuth"),
    "off_nadir_frequency": Definition("histogram", "view:off_nadir"),
    "centroid_geohash_grid_frequency": Definition("geohash"),
    "centroid_geohex_grid_frequency": Definition("geohex"),
    "centroid_geotile_grid_frequency": Definition("geotile"),
    "grid_geohash_frequency": Definition("geohash"),
    "grid_geohex_frequency": Definition("geohex"),
    "grid_geotile_frequency": Definition("geotile"),
}

SINGLE: frozenset[Kind] = frozenset({"count", "earliest", "latest"})
INTERVALS = ("year", "quarter", "month", "week", "day", "hour", "minute", "second")
INTERVAL_PARAMETER = "datetime_frequency_interval"
# Least, which is the default too, and greatest.
_PRECISIONS: Mapping[Kind, tuple[int, int]] = {"geohash": (1, 12), "geohex": (0, 15), "geotile": (0, 29)}
PRECISION_PARAMETERS: Mapping[str, tuple[int, int]] = {
    f"{name}_precision": _PRECISIONS[definition.kind]
    for name, definition in AGGREGATIONS.items()
    if definition.kind in _PRECISIONS
}
_OWN = frozenset({"aggregations", INTERVAL_PARAMETER, *PRECISION_PARAMETERS})
# What says which page, in which order and with which members, says nothing about all items together.
AGGREGATE_PARAMETERS = SEARCH_PARAMETERS - {"fields", "limit", "sortby", "token"} | _OWN

# From, which belongs to it, to, which does not. None is open.
CLOUD_COVER: tuple[tuple[int | None, int | None], ...] = ((None, 5), (5, 15), (15, 40), (40, None))
HISTOGRAM_WIDTH = 5


@dataclass(frozen=True, slots=True)
class Aggregation:
    """One aggregation that is asked for. `precision` is that of a grid, `interval` that of datetimes."""

    name: str
    precision: int = 0
    interval: str = "month"

    @property
    def kind(self) -> Kind:
        return AGGREGATIONS[self.name].kind

    @property
    def source(self) -> str | None:
        return AGGREGATIONS[self.name].source


@dataclass(frozen=True, slots=True)
class Aggregate:
    """Aggregations of all items that a search finds, in the order they are asked for in."""

    search: Search
    aggregations: tuple[Aggregation, ...]

    @property
    def frequencies(self) -> tuple[Aggregation, ...]:
        return tuple(asked for asked in self.aggregations if asked.kind not in SINGLE)

    @classmethod
    def from_query(cls, query: Mapping[str, str], collection: str | None = None) -> "Aggregate":
        """From a query string, of a collection's path where one is named. Raises InvalidRequest."""
        values = parameters.of_query(query)
        if "aggregations" in query:
            values["aggregations"] = listed(query["aggregations"])
        for name in PRECISION_PARAMETERS.keys() & query.keys():
            values[name] = parameters.read(name, parameters.whole, query[name])
        return cls._from_values(values, collection)

    @classmethod
    def from_body(cls, body: bytes, collection: str | None = None) -> "Aggregate":
        """From a JSON body. Raises InvalidRequest."""
        return cls._from_values(parameters.of_body(body, AGGREGATE_PARAMETERS), collection)

    @classmethod
    def _from_values(cls, values: Mapping[str, Any], collection: str | None) -> "Aggregate":
        names = parameters.texts(values, "aggregations") or ()
        for name in names:
            if name not in AGGREGATIONS:
                known = ", ".join(AGGREGATIONS)
                raise InvalidRequest(f"aggregations: unknown aggregation {name!r}: known are {known}", "aggregations")
        interval = _interval(values.get(INTERVAL_PARAMETER, "month"))
        precisions = {name: _precision(values, name) for name in PRECISION_PARAMETERS}
        searched = {name: value for name, value in values.items() if name not in _OWN}
        return cls(
            Search.from_values(searched, collection),
            tuple(Aggregation(name, precisions.get(f"{name}_precision", 0), interval) for name in names),
        )


def described() -> list[dict[str, str]]:
    """Each aggregation as /aggregations lists it."""
    return [{"name": name, **data_types(definition.kind)} for name, definition in AGGREGATIONS.items()]


def data_types(kind: Kind) -> dict[str, str]:
    if kind in SINGLE:
        return {"data_type": "integer" if kind == "count" else "datetime"}
    return {"data_type": "frequency_distribution", "frequency_distribution_data_type": key_type(kind)}


def key_type(kind: Kind) -> str:
    """What the keys of the buckets are."""
    return _KEY_TYPES.get(kind, "string")


_KEY_TYPES: Mapping[Kind, str] = {"interval": "datetime", "ranges": "numeric", "histogram": "numeric"}


def _interval(value: Any) -> str:
    if value not in INTERVALS:
        raise InvalidRequest(
            f"{INTERVAL_PARAMETER}: {value!r} is none of {', '.join(INTERVALS)}",
            INTERVAL_PARAMETER,
        )
    return str(value)


def _precision(values: Mapping[str, Any], name: str) -> int:
    least, greatest = PRECISION_PARAMETERS[name]
    value = values.get(name, least)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= greatest:
        raise InvalidRequest(f"{name}: {value!r} is not a whole number from {least} to {greatest}", name)
    return value
