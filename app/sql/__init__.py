"""Search → SQL. Pure: the word `await` does not occur here."""

from app.sql import aggregations, collections, indexed, items, loading, queryables

__all__ = ["aggregations", "collections", "indexed", "items", "loading", "queryables"]
