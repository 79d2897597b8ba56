"""Which collections are there for a caller: the one condition of every statement that reads collections or items.

Where nothing is hidden there is no condition, so that the text and the plan of a search are those of a catalogue that
has no private collections.
"""

from app.database.fragment import Fragment, Parameter, sql
from app.stac.access import Visible


def of_collection(visible: Visible) -> Fragment | None:
    """Over `collections c`."""
    if visible is None:
        return None
    return sql("(NOT c.private OR c.id = ANY(", Parameter(visible, "text[]"), "))")


def of_key(column: str, visible: Visible) -> Fragment | None:
    """The same on a key, where no collections are joined: those that are hidden are read once, by an index."""
    if visible is None:
        return None
    hidden = sql("SELECT hidden.key FROM collections hidden WHERE hidden.private AND hidden.id <> ALL(")
    return sql(f"{column} NOT IN (", hidden, Parameter(visible, "text[]"), "))")


def any_private() -> Fragment:
    """A row, if there is a private collection."""
    return sql("SELECT 1 FROM collections WHERE private LIMIT 1")


def change(collection: str, private: bool) -> Fragment:
    """Returns a row where there is such a collection."""
    return sql(
        "UPDATE collections SET private = ",
        Parameter(private, "boolean"),
        " WHERE id = ",
        Parameter(collection, "text"),
        " RETURNING id",
    )


def of_one(collection: str) -> Fragment:
    return sql("SELECT private FROM collections WHERE id = ", Parameter(collection, "text"))


def private() -> Fragment:
    return sql("SELECT id FROM collections WHERE private ORDER BY id")
