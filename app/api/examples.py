"""What /docs begins with: values that any catalogue answers, and bodies to change.

tests/api/test_examples.py sends each of them, and tests/browser/test_docs.py presses the button below them.
"""

from typing import Any

Examples = dict[str, dict[str, Any]]

# A page of whatever there is. What narrows a search is left empty, but for a box and a time that show their form.
PARAMETERS: dict[str, Any] = {
    "bbox": [-180, -90, 180, 90],
    "datetime": "1970-01-01T00:00:00Z/..",
    "limit": 3,
    "aggregations": ["total_count", "datetime_min", "datetime_max", "datetime_frequency"],
}

_NEWEST = [{"field": "properties.datetime", "direction": "desc"}]
_CLEAR = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 20]}
_EUROPE = {"type": "Polygon", "coordinates": [[[-10, 36], [30, 36], [30, 60], [-10, 60], [-10, 36]]]}


def _examples(**values: Any) -> Examples:
    """By what they show; a name is its words joined by `_`."""
    return {name: {"summary": name.replace("_", " ").capitalize(), "value": value} for name, value in values.items()}


SEARCH = _examples(
    newest={"limit": 3, "sortby": _NEWEST},
    place_and_time={"bbox": [-10, 36, 30, 60], "datetime": "2018-01-01T00:00:00Z/..", "limit": 3},
    geometry={"intersects": _EUROPE, "limit": 3},
    filter_by_CQL2={"filter-lang": "cql2-json", "filter": _CLEAR, "limit": 3},
    query={"query": {"eo:cloud_cover": {"lt": 20}}, "limit": 3},
    some_members={"fields": {"include": ["id", "properties.datetime"], "exclude": ["assets", "links"]}, "limit": 3},
)
COLLECTIONS = _examples(
    first_ones={"limit": 3, "sortby": [{"field": "id", "direction": "asc"}]},
    place_and_time={"bbox": [-10, 36, 30, 60], "datetime": "2018-01-01T00:00:00Z/..", "limit": 3},
    filter_by_CQL2={"filter-lang": "cql2-json", "filter": {"op": "isNull", "args": [{"property": "sci:doi"}]}},
)
AGGREGATE = _examples(
    counts_by_month={"aggregations": ["total_count", "datetime_frequency"]},
    a_grid={"aggregations": ["centroid_geohash_grid_frequency"], "bbox": [-10, 36, 30, 60]},
)
# Of the demo: which collections and assets there are, only an operator knows.
_SUMMER = {"collections": ["demo-cogs"], "datetime": "2024-07-31T00:00:00Z/2024-07-31T23:59:59Z"}
MOSAIC = _examples(of_the_demo=_SUMMER | {"asset": "red"})
CUBE = _examples(of_the_demo=_SUMMER | {"assets": ["red"], "point": [10.35, 46.92], "edge_size": 64})

_ITEM: dict[str, Any] = {
    "type": "Feature",
    "stac_version": "1.1.0",
    "id": "an-item",
    "geometry": {"type": "Point", "coordinates": [36.8, -1.3]},
    "bbox": [36.8, -1.3, 36.8, -1.3],
    "properties": {"datetime": "2024-07-31T10:25:52Z"},
    "links": [],
    "assets": {"data": {"href": "https://example.com/data.tif", "roles": ["data"]}},
}
_COLLECTION: dict[str, Any] = {
    "type": "Collection",
    "stac_version": "1.1.0",
    "id": "a-collection",
    "description": "What is in it.",
    "license": "CC-BY-4.0",
    "extent": {"spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [["2024-01-01T00:00:00Z", None]]}},
    "links": [],
}
ITEM = _examples(an_item=_ITEM)
ITEMS = ITEM | _examples(several_items={"type": "FeatureCollection", "features": [_ITEM | {"id": "another-item"}]})
BULK = _examples(insert_or_replace={"items": {"an-item": _ITEM}, "method": "upsert"})
COLLECTION = _examples(a_collection=_COLLECTION)
# Of an item and of a collection.
MERGE = _examples(one_member={"title": "Another title"})
OPERATIONS = _examples(one_operation=[{"op": "add", "path": "/title", "value": "Another title"}])
