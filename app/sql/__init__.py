"""Search → SQL. Pure: the word `await` does not occur here."""

from app.sql import collections, items, loading

__all__ = ["collections", "items", "loading"]
