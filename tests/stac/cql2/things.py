"""Items to filter: each kind of value, place and time that an operator treats in its own way."""

from tests.factories import Document, box, point

PROPERTIES: dict[str, Document] = {
    "one": {"n": 1, "m": 1},
    "half": {"n": 2.5, "m": 3},
    "minus": {"n": -3, "m": "-3"},
    "zero": {"n": 0, "m": None},
    "huge": {"n": 10**400, "big": 1e299},
    "digit": {"n": "1", "m": "1"},
    "yes": {"n": True, "b": True},
    "no": {"n": None, "b": False},
    "list": {"n": [1], "b": "true"},
    "alpha": {"t": "alpha", "u": "beta"},
    "Alpha": {"t": "ÁLPHA", "u": "ÁLPHA"},
    "street": {"t": "straße", "u": 5},
    "sign": {"t": "100%_\\", "u": "'; DROP TABLE items; --"},
    "day": {"d": "2020-01-01", "e": "2020-01-31"},
    "noon": {"d": "2020-01-01T12:00:00Z", "e": "2020-01-01T15:00:00.1234567+02:00"},
    "leap": {"d": "2020-02-29T23:59:60z", "e": None},
    "never": {"d": "2023-02-29", "e": "2020-01-01T00:00:00+16:00"},
    "year0": {"d": "0000-01-01", "e": "2020-13-01T00:00:00Z"},
    "local": {"d": "2020-01-01T12:00:00", "e": "tomorrow"},
    "xy": {"a": ["x", "y"], "c": ["y", "x", "x"]},
    "x": {"a": ["x"], "c": ["x", 1, None]},
    "empty": {"a": [], "c": "x"},
    "numbers": {"a": [1, 2.5], "c": [[1], {"x": 1}]},
    "deep": {"a": [[1, 2]], "c": [[1, 2], 3]},
    "dates": {"a": ["2020-01-01", "2020-01-01T12:00:00.500z", "x"]},
    "printed": {"footprint": box(0, 0, 10, 10), "k": {"m": point(1, 1)}},
    "broken": {"footprint": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]]}},
    "dots": {"k.l": 1, "k": {"l": 2, "m": {"n": 3}}, "eo:cover": 4},
    "nested": {"k": {"l": 2}, "it's \"$1\"; --": 5, "id": 6},
}  # fmt: skip

PLACES: dict[str, Document | None] = {
    "nowhere": None,
    "point": point(5, 5),
    "corner": point(10, 10),
    "square": box(0, 0, 10, 10),
    "small": box(2, 2, 3, 3),
    "beside": box(10, 0, 20, 10),
    "across": box(5, 5, 15, 15),
    "line": {"type": "LineString", "coordinates": [[-5, 5], [15, 5]]},
    "date line": {"type": "MultiPoint", "coordinates": [[179, 0], [-179, 0]]},
    "mixed": {"type": "GeometryCollection", "geometries": [point(50, 50), box(60, 60, 61, 61)]},
}

TIMES: dict[str, tuple[str, str]] = {
    "before": ("2019-01-01T00:00:00Z", "2019-06-01T00:00:00Z"),
    "meets": ("2019-06-01T00:00:00Z", "2020-01-01T00:00:00Z"),
    "overlaps": ("2019-06-01T00:00:00Z", "2020-03-01T00:00:00Z"),
    "finished": ("2019-06-01T00:00:00Z", "2020-06-01T00:00:00Z"),
    "contains": ("2019-06-01T00:00:00Z", "2021-01-01T00:00:00Z"),
    "starts": ("2020-01-01T00:00:00Z", "2020-03-01T00:00:00Z"),
    "equals": ("2020-01-01T00:00:00Z", "2020-06-01T00:00:00Z"),
    "started": ("2020-01-01T00:00:00Z", "2021-01-01T00:00:00Z"),
    "during": ("2020-02-01T00:00:00Z", "2020-03-01T00:00:00Z"),
    "finishes": ("2020-03-01T00:00:00Z", "2020-06-01T00:00:00Z"),
    "overlapped": ("2020-03-01T00:00:00Z", "2021-01-01T00:00:00Z"),
    "met": ("2020-06-01T00:00:00Z", "2021-01-01T00:00:00Z"),
    "after": ("2021-01-01T00:00:00Z", "2021-06-01T00:00:00Z"),
}  # fmt: skip
