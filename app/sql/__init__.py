"""Search → SQL. Pure: the word `await` does not occur here."""

from app.sql import collections, indexed, items, loading

__all__ = ["collections", "indexed", "items", "loading"]
