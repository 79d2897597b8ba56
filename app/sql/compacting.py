"""Statements that compress items anew, while others read and write them."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from app.database.fragment import Fragment, Parameter, sql

# An item in the order of time: its datetime, tie and id.
Behind = tuple[datetime, int, str]


def collections(names: list[str]) -> Fragment:
    """Those of these names, all where there are none."""
    named = (" WHERE id = ANY(", Parameter(names, "text[]"), ")") if names else ()
    return sql("SELECT id, key FROM collections", *named, " ORDER BY id")


def sample(collection: int, amount: int) -> Fragment:
    """Items of the collection at random: `tie` is a digest of the id."""
    return sql(
        "SELECT content, dictionary FROM items WHERE collection = ",
        Parameter(collection, "int"),
        " ORDER BY tie, id LIMIT ",
        Parameter(amount, "int"),
    )


def window(collection: int, behind: Behind, amount: int) -> Fragment:
    """The items behind this one in the order of items_collection_time, and what they are compressed with."""
    instant, tie, name = behind
    return sql(
        "SELECT datetime, tie, id, dictionary FROM items WHERE collection = ",
        Parameter(collection, "int"),
        " AND (datetime, tie, id) > (",
        Parameter(instant, "timestamptz"),
        ", ",
        Parameter(tie, "int"),
        ", ",
        Parameter(name, "text"),
        ") ORDER BY datetime, tie, id LIMIT ",
        Parameter(amount, "int"),
    )


def lock(collection: int, names: Sequence[str]) -> Fragment:
    """Those of the items that nobody else writes now, as they are now."""
    return sql(
        "SELECT id, content, dictionary FROM items WHERE collection = ",
        Parameter(collection, "int"),
        " AND id = ANY(",
        Parameter(list(names), "text[]"),
        ") ORDER BY id FOR NO KEY UPDATE SKIP LOCKED",
    )


def rewrite(collection: int, dictionary: int, contents: Mapping[str, bytes]) -> Fragment:
    """Of items that are locked, by their ids. `updated` stays, since what is served does."""
    return sql(
        "UPDATE items SET (content, dictionary) = (given.content, ",
        Parameter(dictionary, "int"),
        ") FROM unnest(",
        Parameter(list(contents), "text[]"),
        ", ",
        Parameter(list(contents.values()), "bytea[]"),
        ") AS given (id, content) WHERE items.id = given.id AND items.collection = ",
        Parameter(collection, "int"),
    )


def hold_replaced(collection: int) -> Fragment:
    """Dictionaries of the collection whose successor is an hour old, against writers who are about to use them.

    Readers and loads may have fetched rows an instant before they were rewritten, or items prepared with what was the
    newest then: within the hour they are done.
    """
    return sql(
        "SELECT d.key FROM dictionaries d WHERE d.collection = ",
        Parameter(collection, "int"),
        " AND EXISTS (SELECT FROM dictionaries s WHERE s.collection = d.collection AND s.key > d.key",
        " AND s.created < now() - interval '1 hour') ORDER BY d.key FOR UPDATE OF d",
    )


def drop_unused(dictionaries: list[int]) -> Fragment:
    """Of dictionaries that are held, those that no item refers to."""
    return sql(
        "DELETE FROM dictionaries WHERE key = ANY(",
        Parameter(dictionaries, "int[]"),
        ") AND NOT EXISTS (SELECT FROM items WHERE items.collection = dictionaries.collection",
        " AND items.dictionary = dictionaries.key) RETURNING key",
    )
