"""What a database of pgstac holds: https://github.com/stac-utils/pgstac/tree/v0.10.0/src/pgstac/sql.

Items are read as they are stored, and put together here: pgstac's own functions take milliseconds for an item.
"""

from app.database.fragment import Fragment, Parameter, sql


def state() -> Fragment:
    """Whether there are items, and whether they may name an earlier base item, as they may since 0.10."""
    return sql(
        "SELECT to_regclass('pgstac.items') IS NOT NULL AS here,",
        " to_regclass('pgstac.base_items') IS NOT NULL AS versioned",
    )


def collections(only: str | None) -> Fragment:
    """By id, as texts of JSON: `content`, and `base_item`, which is what all items have in common."""
    one = Parameter(only, "text")
    return sql(
        "SELECT id, content::text, base_item::text FROM pgstac.collections WHERE ",
        one,
        " IS NULL OR id = ",
        one,
        " ORDER BY id",
    )


def base_items(collection: str) -> Fragment:
    """The earlier ones, and the one that is, by the number that an item names it with, the first one first."""
    return sql(
        "SELECT id, base_item::text FROM pgstac.base_items WHERE collection = ",
        Parameter(collection, "text"),
        " ORDER BY id",
    )


def items(collection: str) -> Fragment:
    """As texts of JSON, in the order of its partitions. GeoJSON of PostGIS has 15 decimals, and this has all."""
    return sql(
        "SELECT id, ST_AsBinary(geometry) AS geometry, content::text FROM pgstac.items WHERE collection = ",
        Parameter(collection, "text"),
    )
