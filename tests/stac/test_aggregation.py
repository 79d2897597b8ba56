"""The parameters of the Aggregation extension."""

from typing import Any

import orjson
import pytest

from app.errors import InvalidRequest
from app.stac.aggregation import AGGREGATE_PARAMETERS, AGGREGATIONS, Aggregate, Aggregation, described
from app.stac.search import Search

GEOHASH = "centroid_geohash_grid_frequency"


def test_both_ways_of_asking_are_one_request() -> None:
    query = {
        "aggregations": f"total_count,{GEOHASH},total_count",
        f"{GEOHASH}_precision": "4",
        "datetime_frequency_interval": "day",
        "collections": "things",
        "bbox": "0,0,1,1",
    }
    body = query | {
        "aggregations": ["total_count", GEOHASH, "total_count"],
        f"{GEOHASH}_precision": 4.0,
        "collections": ["things"],
        "bbox": [0, 0, 1, 1],
    }
    asked = Aggregate.from_query(query)
    assert asked == Aggregate.from_body(orjson.dumps(body))
    assert asked.search == Search.from_body(b'{"collections": ["things"], "bbox": [0, 0, 1, 1]}')
    assert asked.aggregations == (Aggregation("total_count", 0, "day"), Aggregation(GEOHASH, 4, "day"))


@pytest.mark.parametrize(("name", "precision"), [(GEOHASH, 1), ("grid_geotile_frequency", 0), ("total_count", 0)])
def test_what_is_not_said(name: str, precision: int) -> None:
    assert Aggregate.from_body(orjson.dumps({"aggregations": name})).aggregations == (Aggregation(name, precision),)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"aggregations": []}', b'{"aggregations": null}'])
def test_nothing_may_be_asked(body: bytes) -> None:
    assert Aggregate.from_body(body).aggregations == ()


def test_a_collection_of_the_path_is_the_only_one() -> None:
    assert Aggregate.from_body(b"{}", "things").search.collections == ("things",)
    with pytest.raises(InvalidRequest, match="does not contain 'things'"):
        Aggregate.from_query({"collections": "others"}, "things")


@pytest.mark.parametrize(
    ("body", "parameter", "reason"),
    [
        (
            {"aggregations": ["total_count", "nothing"]},
            "aggregations",
            "'nothing': known are total_count, datetime_min",
        ),
        ({"aggregations": [["total_count"]]}, "aggregations", "array of texts"),
        ({"aggregations": {"total_count": 1}}, "aggregations", "array of texts"),
        ({"aggregations": ["total_count\0"]}, "aggregations", "array of texts"),
        ({"datetime_frequency_interval": "decade"}, "datetime_frequency_interval", "none of year, quarter, month"),
        ({"datetime_frequency_interval": ["year"]}, "datetime_frequency_interval", "none of"),
        ({f"{GEOHASH}_precision": 0}, f"{GEOHASH}_precision", "0 is not a whole number from 1 to 12"),
        ({f"{GEOHASH}_precision": 13}, f"{GEOHASH}_precision", "from 1 to 12"),
        ({f"{GEOHASH}_precision": 1.5}, f"{GEOHASH}_precision", "whole number"),
        ({f"{GEOHASH}_precision": True}, f"{GEOHASH}_precision", "whole number"),
        ({f"{GEOHASH}_precision": "4"}, f"{GEOHASH}_precision", "whole number"),
        ({f"{GEOHASH}_precision": 10**40}, f"{GEOHASH}_precision", "whole number"),
        ({"grid_geotile_frequency_precision": 30}, "grid_geotile_frequency_precision", "from 0 to 29"),
        ({"grid_geohex_frequency_precision": -1}, "grid_geohex_frequency_precision", "from 0 to 15"),
        ({"bbox": [0, 0, 1, 1], "intersects": {}}, "intersects", "exclude each other"),
        ({"limit": 10}, "limit", "unknown parameter"),
        ({"sortby": "id"}, "sortby", "unknown parameter"),
        ({"fields": "id"}, "fields", "unknown parameter"),
        ({"token": "a"}, "token", "unknown parameter"),
        ({"filter": "a ="}, "filter", "filter"),
    ],
)
def test_refused(body: Any, parameter: str, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason) as refused:
        Aggregate.from_body(orjson.dumps(body) if 10**40 not in body.values() else str(body).replace("'", '"').encode())
    assert refused.value.parameter == parameter


@pytest.mark.parametrize("precision", ["", "x", "1.5", "0", "13", "9" * 50, "٤"])
def test_refused_in_a_query_string(precision: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        Aggregate.from_query({f"{GEOHASH}_precision": precision})
    assert refused.value.parameter == f"{GEOHASH}_precision"


def test_the_parameters_are_those_of_a_search_and_its_own() -> None:
    own = {name for name in AGGREGATE_PARAMETERS if name.startswith(("aggregations", "centroid_", "grid_"))}
    assert own | {"datetime_frequency_interval"} == {
        *("aggregations", "datetime_frequency_interval"),
        *(f"{name}_precision" for name in AGGREGATIONS if name.startswith(("centroid_", "grid_geo"))),
    }
    assert {"bbox", "intersects", "datetime", "ids", "collections", "filter"} < AGGREGATE_PARAMETERS


def test_each_aggregation_is_described() -> None:
    assert [about["name"] for about in described()] == list(AGGREGATIONS)
    assert described()[0] == {"name": "total_count", "data_type": "integer"}
    assert described()[3] == {
        "name": "datetime_frequency",
        "data_type": "frequency_distribution",
        "frequency_distribution_data_type": "datetime",
    }
