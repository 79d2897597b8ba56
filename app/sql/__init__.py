"""Search → SQL. Pure: the word `await` does not occur here."""

from app.sql import (
    aggregations,
    collections,
    compacting,
    conditions,
    indexed,
    items,
    loading,
    loads,
    pgstac,
    queryables,
    transactions,
)

__all__ = [
    "aggregations",
    "collections",
    "compacting",
    "conditions",
    "indexed",
    "items",
    "loading",
    "loads",
    "pgstac",
    "queryables",
    "transactions",
]
