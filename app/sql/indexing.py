"""Statements that make, drop and list the indexes of properties, and that tell which collections are large."""

from app.database.fragment import Fragment, Parameter, sql
from app.sql import properties
from app.sql.indexed import columns, name

# One at a time in a database: the second would wait for the first, and the first for the second.
_LOCK = 7_501_873_226


def listed() -> Fragment:
    """Each property that has or shall have an index; `valid` is NULL where there is none."""
    return sql(
        "SELECT p.key, p.property, p.created, x.indisvalid AS valid, pg_relation_size(x.indexrelid) AS bytes,"
        " EXISTS (SELECT 1 FROM pg_stat_progress_create_index b WHERE b.index_relid = x.indexrelid) AS building"
        " FROM property_indexes p LEFT JOIN (pg_index x JOIN pg_class c ON c.oid = x.indexrelid)"
        " ON x.indrelid = 'items'::regclass AND c.relname = 'items_property_' || p.key ORDER BY p.property"
    )


def large(share: float) -> Fragment:
    """The ids of the collections that have so much of all items, from 0 to 1, as the last ANALYZE found them."""
    return sql(
        "SELECT c.id FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace"
        " JOIN pg_stats s ON (s.schemaname, s.tablename, s.attname) = (n.nspname, t.relname, 'collection')"
        " CROSS JOIN unnest(s.most_common_vals::text::int[], s.most_common_freqs) AS common (key, share)"
        " JOIN collections c ON c.key = common.key"
        " WHERE t.oid = 'items'::regclass AND NOT s.inherited AND common.share >= ",
        Parameter(share, "float4"),
    )


def lock() -> Fragment:
    return sql(f"SELECT pg_try_advisory_lock({_LOCK}) AS got")


def is_sortable(property_: str) -> Fragment:
    """A row, if an item has a number or a text there."""
    value = properties.named(property_)
    return sql(
        "SELECT 1 FROM items i WHERE ",
        properties.number(value),
        " IS NOT NULL OR ",
        properties.text_to_sort(value),
        " IS NOT NULL LIMIT 1",
    )


def some_names() -> Fragment:
    """Of properties, from a few items of each collection."""
    return sql(
        "SELECT DISTINCT jsonb_object_keys(i.properties) AS name FROM collections c CROSS JOIN LATERAL"
        " (SELECT properties FROM items WHERE collection = c.key LIMIT 20) AS i ORDER BY 1 LIMIT 1000"
    )


def register(property_: str) -> Fragment:
    """The key of the property, new or not."""
    return sql(
        "INSERT INTO property_indexes (property) VALUES (",
        Parameter(property_, "text"),
        ") ON CONFLICT (property) DO UPDATE SET property = EXCLUDED.property RETURNING key",
    )


def forget(key: int) -> Fragment:
    return sql("DELETE FROM property_indexes WHERE key = ", Parameter(key, "int"))


def create(key: int, property_: str) -> Fragment:
    """Not in a transaction. Raises ValueError for a name that cannot be written as a constant."""
    return sql(f"CREATE INDEX CONCURRENTLY {name(key)} ON items ", columns(property_))


def drop(key: int) -> Fragment:
    """Not in a transaction."""
    return sql(f"DROP INDEX CONCURRENTLY IF EXISTS {name(key)}")


def analyze() -> Fragment:
    """What an index on an expression holds, the planner learns by this alone."""
    return sql("ANALYZE items")
