"""Small documents, valid and easy to vary."""

from collections.abc import Iterable
from typing import Any

from app.bulk.load import Loader
from app.bulk.readers import Entry

Document = dict[str, Any]


def collection(collection_id: str = "things", **members: Any) -> Document:
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": collection_id,
        "description": "Things to test with",
        "license": "other",
        "extent": {
            "spatial": {"bbox": [[-180.0, -90.0, 180.0, 90.0]]},
            "temporal": {"interval": [["2000-01-01T00:00:00Z", None]]},
        },
        "links": [],
    } | members


def item(item_id: str = "thing", collection_id: str = "things", **members: Any) -> Document:
    """`properties` are merged; a `geometry` comes with its `bbox`, unless one is given."""
    properties = {"datetime": "2024-07-16T12:00:00Z"} | members.pop("properties", {})
    geometry = members.pop("geometry", point(10.0, 50.0))
    document = {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": item_id,
        "collection": collection_id,
        "geometry": geometry,
        "bbox": _bbox(geometry),
        "properties": properties,
        "links": [],
        "assets": {"data": {"href": "https://data.example.com/data.tif", "roles": ["data"]}},
    } | members
    return {name: value for name, value in document.items() if name != "bbox" or value is not None}


def point(longitude: float, latitude: float) -> Document:
    return {"type": "Point", "coordinates": [longitude, latitude]}


def box(west: float, south: float, east: float, north: float) -> Document:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [ring]}


async def load(loader: Loader, *documents: Document) -> None:
    await loader.load(as_entries(documents))
    await loader.finish()


def as_entries(documents: Iterable[Document]) -> Iterable[Entry]:
    return (Entry(f"document {number}", document) for number, document in enumerate(documents, start=1))


def _bbox(geometry: Document | None) -> list[float] | None:
    if geometry is None:
        return None
    positions = list(_positions(geometry))
    longitudes, latitudes = [p[0] for p in positions], [p[1] for p in positions]
    west, east = min(longitudes), max(longitudes)
    if east - west >= 360:
        west, east = -180.0, 180.0
    return [_on_globe(west), min(latitudes), _on_globe(east), max(latitudes)]


def _on_globe(longitude: float) -> float:
    """West may be greater than east then."""
    return longitude + (360 if longitude < -180 else -360 if longitude > 180 else 0)


def _positions(geometry: Document) -> Iterable[list[float]]:
    if geometry["type"] == "GeometryCollection":
        for member in geometry["geometries"]:
            yield from _positions(member)
    else:
        yield from _leaves(geometry["coordinates"])


def _leaves(coordinates: Any) -> Iterable[list[float]]:
    if isinstance(coordinates[0], int | float):
        yield coordinates
    else:
        for part in coordinates:
            yield from _leaves(part)
