"""Statements on the statistics of properties, which `app.stac.statistics` has the meaning of."""

from collections.abc import Iterable, Mapping

from app.database.fragment import Fragment, Parameter, sql
from app.sql import visibility
from app.stac import document as documents
from app.stac.access import Visible
from app.stac.statistics import TEXTS_AT_MOST, Statistic, Type

Statistics = Mapping[int, Mapping[str, Statistic]]


def widen(statistics: Statistics, stored: str, behind: str) -> Fragment:
    """Make what is known of the collections, by their keys, hold for more items: a part of the statement that writes
    them, behind the part of that name, where the part `stored` has any.

    A row is locked only if it grows, and rows are locked in one order, behind the items and the collections.
    """
    return sql(
        "INSERT INTO queryables AS q (collection, name, types, members, minimum, maximum, texts)",
        " SELECT found.* FROM jsonb_to_recordset(",
        Parameter(documents.dump(list(_rows(statistics))), "jsonb"),
        ") AS found (collection int, name text, types int, members int, minimum numeric, maximum numeric, texts jsonb)",
        _GROWING,
        " AND EXISTS (SELECT FROM ",
        stored,
        ") AND (SELECT count(*) FROM ",
        behind,
        ") >= 0",
        " ORDER BY found.collection, found.name",
        _GROWN,
        "CASE WHEN count(*) <= ",
        Parameter(TEXTS_AT_MOST, "int"),
        " THEN coalesce(jsonb_agg(either.text), '[]') END",
        " FROM (SELECT DISTINCT jsonb_array_elements_text(q.texts || EXCLUDED.texts) AS text) AS either) END",
    )


def _rows(statistics: Statistics) -> Iterable[dict[str, object]]:
    for collection, properties in statistics.items():
        for name, each in properties.items():
            yield {
                "collection": collection,
                "name": name,
                "types": each.types,
                "members": each.members,
                "minimum": each.minimum,
                "maximum": each.maximum,
                # To PostgreSQL a null inside of jsonb is another thing than NULL.
                **({} if each.texts is None else {"texts": sorted(each.texts)}),
            }


_GROWING = """ LEFT JOIN queryables known ON known.collection = found.collection AND known.name = found.name
    WHERE (known.name IS NULL
        OR known.types | found.types <> known.types OR known.members | found.members <> known.members
        OR least(known.minimum, found.minimum) IS DISTINCT FROM known.minimum
        OR greatest(known.maximum, found.maximum) IS DISTINCT FROM known.maximum
        OR known.texts IS NOT NULL AND (known.texts @> found.texts) IS NOT TRUE)"""
_GROWN = """ ON CONFLICT (collection, name) DO UPDATE SET
    types = q.types | EXCLUDED.types,
    members = q.members | EXCLUDED.members,
    minimum = least(q.minimum, EXCLUDED.minimum),
    maximum = greatest(q.maximum, EXCLUDED.maximum),
    texts = CASE WHEN q.texts IS NOT NULL AND EXCLUDED.texts IS NOT NULL THEN (
        SELECT """


def unknown(names: list[str], collection: str | None, visible: Visible = None) -> Fragment:
    """Which of the names no item has, of a collection or of all. `a.b` may be a step into `a`."""
    firsts = [name.partition(".")[0] for name in names]
    return sql(
        "SELECT asked.name FROM unnest(",
        Parameter(names, "text[]"),
        ", ",
        Parameter(firsts, "text[]"),
        ") AS asked (name, first) WHERE ",
        *(
            sql(_is_no_row(f"q.name = asked.{column}", collection, visible), end)
            for column, end in (("name", " AND "), ("first", ""))
        ),
        " ORDER BY asked.name",
    )


def unordered(names: list[str], collection: str | None, visible: Visible = None) -> Fragment:
    """Which of the names are of properties that hold arrays or objects."""
    return sql(
        "SELECT asked.name FROM unnest(",
        Parameter(names, "text[]"),
        ") AS asked (name) WHERE NOT ",
        _is_no_row(f"q.name = asked.name AND q.types & {Type.ARRAY | Type.OBJECT} <> 0", collection, visible),
        " ORDER BY asked.name",
    )


def _is_no_row(condition: str, collection: str | None, visible: Visible) -> Fragment:
    """One row of the index for each name, however many collections have it."""
    if collection is None:
        seen = visibility.of_key("q.collection", visible)
        key = sql() if seen is None else sql(" AND ", seen)
    else:
        key = sql(" AND q.collection = (SELECT c.key ", _named(collection, visible), ")")
    return sql("((SELECT 1 FROM queryables q WHERE ", condition, key, " LIMIT 1) IS NULL)")


def _named(collection: str, visible: Visible, joined: str = "") -> Fragment:
    seen = visibility.of_collection(visible)
    named = sql("FROM collections c", joined, " WHERE c.id = ", Parameter(collection, "text"))
    return named if seen is None else sql(named, " AND ", seen)


# `texts` comes as an array of arrays, those of the collections.
def of_collection(collection: str, visible: Visible = None) -> Fragment:
    return sql(
        "SELECT q.name, q.types, q.members, q.minimum, q.maximum,"
        " CASE WHEN q.texts IS NOT NULL THEN jsonb_build_array(q.texts)::text END AS texts"
        " ",
        _named(collection, visible, joined=" JOIN queryables q ON q.collection = c.key"),
    )


def of_all(visible: Visible = None) -> Fragment:
    """What is known of the collections together."""
    seen = visibility.of_key("q.collection", visible)
    return sql(
        "SELECT q.name, bit_or(q.types) AS types, bit_or(q.members) AS members, min(q.minimum) AS minimum,"
        " max(q.maximum) AS maximum, CASE WHEN bool_and(q.texts IS NOT NULL) THEN jsonb_agg(DISTINCT q.texts)::text END"
        " AS texts FROM queryables q",
        sql() if seen is None else sql(" WHERE ", seen),
        " GROUP BY q.name",
    )
