"""UTM squares on the globe: enough of the projection for the demo, so that it needs no library for it."""

from dataclasses import dataclass
from math import asin, atan2, cos, cosh, degrees, sin, sinh
from typing import Any

Point = tuple[float, float]

# Krüger's series on WGS 84 up to n³, which is exact to less than a millimetre inside a zone.
_FLATTENING = 1 / 298.257223563
_N = _FLATTENING / (2 - _FLATTENING)
_RADIUS = 0.9996 * 6378137.0 / (1 + _N) * (1 + _N**2 / 4 + _N**4 / 64)
_BETA = (_N / 2 - 2 * _N**2 / 3 + 37 * _N**3 / 96, _N**2 / 48 + _N**3 / 15, 17 * _N**3 / 480)
_DELTA = (2 * _N - 2 * _N**2 / 3 - 2 * _N**3, 7 * _N**2 / 3 - 8 * _N**3 / 5, 56 * _N**3 / 15)


@dataclass(frozen=True, slots=True)
class Utm:
    zone: int
    south: bool = False

    @property
    def epsg(self) -> int:
        return (32700 if self.south else 32600) + self.zone

    def lonlat(self, easting: float, northing: float) -> Point:
        """Degrees. In zones 1 and 60 the longitude may lie beyond ±180: `footprint` sees to that."""
        xi = (northing - (10_000_000 if self.south else 0)) / _RADIUS
        eta = (easting - 500_000) / _RADIUS
        north, east = xi, eta
        for order, beta in enumerate(_BETA, start=1):
            north -= beta * sin(2 * order * xi) * cosh(2 * order * eta)
            east -= beta * cos(2 * order * xi) * sinh(2 * order * eta)
        conformal = asin(sin(north) / cosh(east))
        latitude = conformal + sum(delta * sin(2 * order * conformal) for order, delta in enumerate(_DELTA, start=1))
        return self.zone * 6 - 183 + degrees(atan2(sinh(east), cos(north))), degrees(latitude)

    def corners(self, west: float, south: float, east: float, north: float) -> tuple[Point, Point, Point, Point]:
        """Counterclockwise from the upper left."""
        return (
            self.lonlat(west, north),
            self.lonlat(west, south),
            self.lonlat(east, south),
            self.lonlat(east, north),
        )


def footprint(corners: tuple[Point, ...]) -> tuple[dict[str, Any], list[float]]:
    """The geometry and bbox of a convex shape, cut in two at the antimeridian (RFC 7946, 3.1.9 and 5.2)."""
    ring = _within_reach([(round(longitude, 6), round(latitude, 6)) for longitude, latitude in corners])
    longitudes, latitudes = [point[0] for point in ring], [point[1] for point in ring]
    south, north = min(latitudes), max(latitudes)
    west, east = min(longitudes), max(longitudes)
    if east <= 180:
        return {"type": "Polygon", "coordinates": [_closed(ring)]}, [west, south, east, north]
    parts = [[_closed(_west_of_180(ring))], [_closed(_east_of_180(ring))]]
    return {"type": "MultiPolygon", "coordinates": parts}, [west, south, round(east - 360, 6), north]


def _within_reach(ring: list[Point]) -> list[Point]:
    """The ring turned by 360° where needed: it starts between -180 and 180, and may end beyond 180."""
    west = min(longitude for longitude, _ in ring)
    turn = 360 if west < -180 else -360 if west >= 180 else 0
    return [(round(longitude + turn, 6), latitude) for longitude, latitude in ring] if turn else ring


def _west_of_180(ring: list[Point]) -> list[Point]:
    return [point for point in _with_crossings(ring) if point[0] <= 180]


def _east_of_180(ring: list[Point]) -> list[Point]:
    return [(round(longitude - 360, 6), latitude) for longitude, latitude in _with_crossings(ring) if longitude >= 180]


def _with_crossings(ring: list[Point]) -> list[Point]:
    points = []
    for (lon, lat), (next_lon, next_lat) in zip(ring, ring[1:] + ring[:1], strict=True):
        points.append((lon, lat))
        if (lon - 180) * (next_lon - 180) < 0:
            points.append((180.0, round(lat + (next_lat - lat) * (180 - lon) / (next_lon - lon), 6)))
    return points


def _closed(ring: list[Point]) -> list[list[float]]:
    return [list(point) for point in (*ring, ring[0])]
