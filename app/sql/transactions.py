"""Statements that change or delete what is there, item by item: lock, then write.

A collection is locked before its items, in share where it only has to stay, alone where it goes. Its extent grows
last, by a lock that goes together with the shared one, so that nobody waits for each other in a circle.
"""

from app.database.fragment import Fragment, Parameter, sql


def lock_items(collection: str, ids: list[str]) -> Fragment:
    """Returns the rows of the items that are there, which others can read meanwhile, and not write."""
    return sql(
        "SELECT i.id, i.collection, i.content, i.dictionary FROM items i JOIN collections c ON c.key = i.collection",
        " WHERE c.id = ",
        Parameter(collection, "text"),
        " AND i.id = ANY(",
        Parameter(ids, "text[]"),
        # In the order of the clauses: the collection first.
        ") ORDER BY i.id FOR KEY SHARE OF c FOR NO KEY UPDATE OF i",
    )


def delete_item(collection: str, item_id: str) -> Fragment:
    """Returns a row where there was one. The extent of the collection stays as it is."""
    return sql(
        "DELETE FROM items i USING collections c WHERE c.key = i.collection AND c.id = ",
        Parameter(collection, "text"),
        " AND i.id = ",
        Parameter(item_id, "text"),
        " RETURNING i.id",
    )


def lock_collection(collection: str) -> Fragment:
    """Against other changes; items can be written meanwhile."""
    return sql("SELECT 1 FROM collections WHERE id = ", Parameter(collection, "text"), " FOR NO KEY UPDATE")


def lock_collection_alone(collection: str) -> Fragment:
    """Against everything but reading: whoever writes an item of it waits."""
    return sql("SELECT 1 FROM collections WHERE id = ", Parameter(collection, "text"), " FOR UPDATE")


def any_item(collection: str) -> Fragment:
    return sql(
        "SELECT 1 FROM items i JOIN collections c ON c.key = i.collection WHERE c.id = ",
        Parameter(collection, "text"),
        " LIMIT 1",
    )


def delete_items(collection: str) -> Fragment:
    return sql(
        "DELETE FROM items i USING collections c WHERE c.key = i.collection AND c.id = ",
        Parameter(collection, "text"),
    )


def delete_collection(collection: str) -> Fragment:
    """Its dictionaries go with it."""
    return sql("DELETE FROM collections WHERE id = ", Parameter(collection, "text"))
