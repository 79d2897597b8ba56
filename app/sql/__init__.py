"""Search → SQL. Pure: the word `await` does not occur here."""

from app.sql import aggregations, collections, conditions, indexed, items, loading, queryables, transactions

__all__ = ["aggregations", "collections", "conditions", "indexed", "items", "loading", "queryables", "transactions"]
