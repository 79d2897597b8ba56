"""Statements on collections."""

from app.database.fragment import Fragment, Parameter, sql
from app.stac.collection_search import CollectionSearch

_ROW = """SELECT c.id, c.content, c.extent, ST_XMin(c.envelope) AS west, ST_YMin(c.envelope) AS south,
 ST_XMax(c.envelope) AS east, ST_YMax(c.envelope) AS north, c.first_start, c.last_end FROM collections c"""


def page(search: CollectionSearch, rows: int) -> Fragment:
    way = "DESC" if search.backward else "ASC"
    behind = sql() if search.after is None else _behind(search.after, search.backward)
    return sql(_ROW, behind, f" ORDER BY c.id {way} LIMIT ", Parameter(rows, "int"))


def _behind(after: str, backward: bool) -> Fragment:
    return sql(" WHERE c.id ", "<" if backward else ">", " ", Parameter(after, "text"))


def one(collection: str) -> Fragment:
    return sql(_ROW, " WHERE c.id = ", Parameter(collection, "text"))


def exists(collection: str) -> Fragment:
    return sql("SELECT 1 FROM collections c WHERE c.id = ", Parameter(collection, "text"))
