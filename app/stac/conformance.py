"""What the service can do, as the URIs that say so. The landing page, /conformance and the README come from here."""

CQL2_CLASSES = (
    *("cql2-text", "cql2-json", "basic-cql2", "advanced-comparison-operators"),
    *("case-insensitive-comparison", "accent-insensitive-comparison"),
    *("basic-spatial-functions", "basic-spatial-functions-plus", "spatial-functions", "temporal-functions"),
    *("array-functions", "property-property", "functions", "arithmetic"),
)
CONFORMANCE: dict[str, str] = {
    "STAC API Core": "https://api.stacspec.org/v1.0.0/core",
    "STAC API Collections": "https://api.stacspec.org/v1.0.0/collections",
    "STAC API Features": "https://api.stacspec.org/v1.0.0/ogcapi-features",
    "STAC API Item Search": "https://api.stacspec.org/v1.0.0/item-search",
    "STAC API Sort, on search": "https://api.stacspec.org/v1.1.0/item-search#sort",
    # What clients that do not know 1.1.0 look for, pystac-client among them.
    "STAC API Sort 1.0, on search": "https://api.stacspec.org/v1.0.0/item-search#sort",
    "STAC API Sort, on items": "https://api.stacspec.org/v1.1.0/ogcapi-features#sort",
    "STAC API Sortables, of search": "https://api.stacspec.org/v1.1.0/item-search#sortables",
    "STAC API Fields, on search": "https://api.stacspec.org/v1.0.0/item-search#fields",
    "STAC API Fields, on items": "https://api.stacspec.org/v1.0.0/ogcapi-features#fields",
    "STAC API Query, on search": "https://api.stacspec.org/v1.0.0/item-search#query",
    "STAC API Query, on items": "https://api.stacspec.org/v1.0.0/ogcapi-features#query",
    "STAC API Collection Search": "https://api.stacspec.org/v1.0.0-rc.1/collection-search",
    "STAC API Free-Text, on collections": "https://api.stacspec.org/v1.0.0-rc.1/collection-search#free-text",
    "STAC API Filter, on collections": "https://api.stacspec.org/v1.0.0-rc.1/collection-search#filter",
    "STAC API Query, on collections": "https://api.stacspec.org/v1.0.0-rc.1/collection-search#query",
    "STAC API Sort, on collections": "https://api.stacspec.org/v1.1.0/collection-search#sort",
    "STAC API Fields, on collections": "https://api.stacspec.org/v1.0.0-rc.1/collection-search#fields",
    "OGC API Common Simple Query": "http://www.opengis.net/spec/ogcapi-common-2/1.0/conf/simple-query",
    "STAC API Free-Text, on search": "https://api.stacspec.org/v1.0.0-rc.1/item-search#free-text",
    "STAC API Free-Text, on items": "https://api.stacspec.org/v1.0.0-rc.1/ogcapi-features#free-text",
    "STAC API Filter": "https://api.stacspec.org/v1.0.0/item-search#filter",
    "OGC API Features Filter": "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/filter",
    "OGC API Features Features Filter": "http://www.opengis.net/spec/ogcapi-features-3/1.0/conf/features-filter",
    **{f"CQL2 {name}": f"http://www.opengis.net/spec/cql2/1.0/conf/{name}" for name in CQL2_CLASSES},
    "Aggregation": "https://api.stacspec.org/v0.3.0/aggregation",
    "Aggregation, filtered": "https://api.stacspec.org/v0.3.0/aggregation#filter",
    "Aggregation, queried": "https://api.stacspec.org/v0.3.0/aggregation#query",
    "OGC API Features Sortables": "http://www.opengis.net/spec/ogcapi-features-5/1.0/conf/sortables",
    "OGC API Features Core": "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/core",
    "OGC API Features OpenAPI 3.0": "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/oas30",
    "OGC API Features HTML": "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/html",
    "OGC API Features GeoJSON": "http://www.opengis.net/spec/ogcapi-features-1/1.0/conf/geojson",
}
WRITES: dict[str, str] = {
    "STAC API Transaction": "https://api.stacspec.org/v1.0.0/ogcapi-features/extensions/transaction",
    "STAC API Collection Transaction": "https://api.stacspec.org/v1.0.0/collections/extensions/transaction",
}


def advertised(writes: bool) -> list[str]:
    return [*CONFORMANCE.values(), *(WRITES.values() if writes else ())]
