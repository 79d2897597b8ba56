"""Statements that put items and collections in place, one or many at a time."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Literal

from app.database.fragment import Fragment, Parameter, join, sql
from app.sql import envelopes, queryables
from app.sql.queryables import Statistics
from app.stac.collection import CheckedCollection
from app.stac.extent import Times
from app.stac.statistics import of_properties

Mode = Literal["insert", "upsert"]

# What is written of an item, with the type of each column.
COLUMNS = {
    "id": "text",
    "collection": "int",
    "geometry": "geometry",
    "cell": "smallint",
    "datetime": "timestamptz",
    "start_datetime": "timestamptz",
    "end_datetime": "timestamptz",
    "properties": "jsonb",
    "content": "bytea",
    "dictionary": "int",
}
_COLUMNS = ", ".join(COLUMNS)
_IDENTITY = ("id", "collection", "dictionary")

Row = tuple[object, ...]


def keys(collections: list[str]) -> Fragment:
    """The keys of the collections, which are kept from being deleted until the transaction ends."""
    return sql(
        "SELECT id, key FROM collections WHERE id = ANY(",
        Parameter(collections, "text[]"),
        ") ORDER BY key FOR KEY SHARE",
    )


def newest_dictionaries(collections: list[str]) -> Fragment:
    """Of each of the collections that exist; NULL where it has none. `parted` is whether its envelope has two parts."""
    return sql(
        f"SELECT c.id, c.key, coalesce({envelopes.IS_PARTED}, FALSE) AS parted, d.key AS dictionary, d.content",
        " FROM collections c LEFT JOIN LATERAL (",
        "SELECT key, content FROM dictionaries WHERE collection = c.key ORDER BY key DESC LIMIT 1) AS d ON TRUE",
        " WHERE c.id = ANY(",
        Parameter(collections, "text[]"),
        ")",
    )


def add_dictionary(collection: int, content: bytes) -> Fragment:
    return sql(
        "INSERT INTO dictionaries (collection, content) VALUES (",
        Parameter(collection, "int"),
        ", ",
        Parameter(content, "bytea"),
        ") RETURNING key",
    )


# app.database.content.mark
_MARK = "substring(d.content FROM 5 FOR 4)"


def hold_dictionaries(dictionaries: list[int]) -> Fragment:
    """Those that are there, with their marks, which are kept from being dropped until the transaction ends."""
    return sql(
        "SELECT d.key, d.collection, ",
        _MARK,
        " AS mark FROM dictionaries d WHERE d.key = ANY(",
        Parameter(dictionaries, "int[]"),
        ") ORDER BY d.key FOR KEY SHARE",
    )


def otherwise_compressed(rows: Sequence[Row]) -> Fragment:
    """Of these items, the ones that are there with another dictionary, or with one where these have none."""
    given = dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))
    return sql(
        "SELECT i.id, i.collection, i.content, i.dictionary FROM unnest(",
        join(", ", (sql(Parameter(list(given[name]), f"{COLUMNS[name]}[]")) for name in _IDENTITY)),
        ") AS given (id, collection, dictionary) JOIN items i USING (id, collection)",
        " WHERE i.dictionary IS DISTINCT FROM given.dictionary",
    )


def store(rows: Sequence[Row], mode: Mode) -> Fragment:
    """Put items in place and widen the extents and the queryables of their collections, in one statement.

    Returns the collection's key, the id, whether it is new, and the newest dictionary of the collection, for each item
    that was written: an item that is there already is left as it is when inserting, and when it is the same. Rows are
    locked in one order everywhere (items by id, then collections by key, then queryables), so that writers cannot wait
    for each other in a circle; and a collection is locked only when its extent grows. Dictionaries are held first: an
    item is not stored with one that was dropped.
    """
    columns = zip(*rows, strict=True)
    given = join(
        ", ",
        (sql(Parameter(list(column), f"{type_}[]")) for column, type_ in zip(columns, COLUMNS.values(), strict=True)),
    )
    return sql(
        "WITH held AS (",
        hold_dictionaries(sorted({row[-1] for row in rows if isinstance(row[-1], int)})),
        "), stored AS (INSERT INTO items (",
        _COLUMNS,
        ") SELECT ",
        _COLUMNS,
        " FROM unnest(",
        given,
        ") AS given (",
        _COLUMNS,
        ") WHERE dictionary IS NULL OR dictionary IN (SELECT key FROM held)",
        ' ORDER BY id COLLATE "C", collection ON CONFLICT (id, collection) ',
        _UPDATE if mode == "upsert" else "DO NOTHING",
        _STORED,
        _GROWN,
        _widened(parted=True),
        ", described AS (",
        queryables.widen(_statistics(rows), "stored", behind="widened"),
        ") SELECT s.collection, s.id, s.new, d.newest FROM stored s JOIN (SELECT g.collection,"
        " (SELECT max(key) FROM dictionaries WHERE collection = g.collection) AS newest FROM grown g) AS d"
        " USING (collection)",
    )


def insert(name: str, row: Row, mark: bytes | None, statistics: Statistics, *, parted: bool) -> Fragment:
    """What `store` does for one item when inserting, at two thirds of its cost: of one there is no least or greatest to
    look for. The statistics are those of its properties, or none where they widen nothing.

    Nothing is stored where the collection, by its name and its key, or the dictionary, by its key and its mark, is
    gone. Both are held before anything else is locked, as `store` has it of `keys`. Nor is anything where the envelope
    of the collection has two parts, unless `parted` says that it has, or the item: to look for the narrowest costs a
    tenth of the statement.
    """
    members = [Parameter(value, type_) for value, type_ in zip(row, COLUMNS.values(), strict=True)]
    given = dict(zip(COLUMNS, members, strict=True))
    described: tuple[str | Fragment, ...] = ()
    if statistics:
        described = ", described AS (", queryables.widen(statistics, "stored", behind="widened"), ")"
    with_it: tuple[str | Fragment | Parameter, ...] = ()
    if mark is not None:
        named = (given["dictionary"], f" AND {_MARK} = ", Parameter(mark, "bytea"))
        with_it = " JOIN dictionaries d ON d.collection = c.key AND d.key = ", *named
    return sql(
        "WITH held AS (SELECT FROM collections c",
        *with_it,
        " WHERE c.key = ",
        given["collection"],
        " AND c.id = ",
        Parameter(name, "text"),
        "" if parted else f" AND ({envelopes.IS_PARTED}) IS NOT TRUE",
        " FOR KEY SHARE), stored AS (INSERT INTO items (",
        _COLUMNS,
        ") SELECT ",
        join(", ", map(sql, members)),
        " FROM held ON CONFLICT (id, collection) DO NOTHING",
        _STORED,
        _GROWN_BY_ONE,
        _widened(parted=parted),
        *described,
        " SELECT s.collection, s.id, s.new,"
        " (SELECT max(key) FROM dictionaries d WHERE d.collection = s.collection) AS newest FROM stored s",
    )


def _statistics(rows: Sequence[Row]) -> Statistics:
    properties: defaultdict[int, list[bytes]] = defaultdict(list)
    for row in rows:
        given: dict[str, Any] = dict(zip(COLUMNS, row, strict=True))
        properties[given["collection"]].append(given["properties"])
    return {collection: of_properties(texts) for collection, texts in properties.items()}


_UPDATE = """DO UPDATE SET
    (geometry, cell, datetime, start_datetime, end_datetime, properties, content, dictionary, updated) =
    (EXCLUDED.geometry, EXCLUDED.cell, EXCLUDED.datetime, EXCLUDED.start_datetime, EXCLUDED.end_datetime,
    EXCLUDED.properties, EXCLUDED.content, EXCLUDED.dictionary, now())
    WHERE (items.content, items.dictionary) IS DISTINCT FROM (EXCLUDED.content, EXCLUDED.dictionary)"""

_STORED = " RETURNING id, collection, geometry, datetime, start_datetime, end_datetime, (xmax = 0) AS new), "
# Intervals in seconds, not in days: a day has no fixed length where clocks are put forward.
_GROWN = sql(
    "grown AS (SELECT s.*, ",
    envelopes.narrowest("ST_Collect(s.between, s.across)"),
    " AS envelope FROM (SELECT collection, ST_SetSRID((ST_Extent(geometry)",
    f" FILTER (WHERE NOT {envelopes.from_end_to_end('geometry')}))::geometry, 4326) AS between,",
    f" ST_Collect(geometry) FILTER (WHERE {envelopes.from_end_to_end('geometry')}) AS across,",
    """
            min(datetime) AS first_datetime, max(datetime) AS last_datetime,
            min(start_datetime) AS first_start, max(end_datetime) AS last_end,
            greatest(max(extract(epoch FROM datetime - start_datetime)), 0) * interval '1 second' AS lead,
            greatest(max(extract(epoch FROM end_datetime - datetime)), 0) * interval '1 second' AS lag
        FROM stored GROUP BY collection) AS s
    )""",
)
_GROWN_BY_ONE = """grown AS (
        SELECT collection, geometry AS envelope,
            datetime AS first_datetime, datetime AS last_datetime,
            start_datetime AS first_start, end_datetime AS last_end,
            greatest(extract(epoch FROM datetime - start_datetime), 0) * interval '1 second' AS lead,
            greatest(extract(epoch FROM end_datetime - datetime), 0) * interval '1 second' AS lag
        FROM stored
    )"""
_LOCKED = """, locked AS (
        SELECT g.* FROM collections c JOIN grown g ON g.collection = c.key
        WHERE NOT coalesce(ST_Covers(c.envelope, g.envelope), g.envelope IS NULL)
            OR c.last_datetime IS NULL
            OR g.first_datetime < c.first_datetime OR g.last_datetime > c.last_datetime
            OR g.first_start < c.first_start OR g.last_end > c.last_end OR g.lead > c.lead OR g.lag > c.lag
        ORDER BY c.key FOR NO KEY UPDATE OF c
    )"""
_WIDENED = """,
            first_datetime = least(c.first_datetime, l.first_datetime),
            last_datetime = greatest(c.last_datetime, l.last_datetime),
            first_start = least(c.first_start, l.first_start),
            last_end = greatest(c.last_end, l.last_end),
            lead = greatest(c.lead, l.lead),
            lag = greatest(c.lag, l.lag)
        FROM locked l WHERE l.collection = c.key RETURNING c.key
    )"""


def _widened(*, parted: bool) -> Fragment:
    both = "ST_Collect(c.envelope, l.envelope)"
    envelope = envelopes.narrowest(both) if parted else f"ST_Envelope({both})"
    return sql(_LOCKED, ", widened AS (UPDATE collections c SET envelope = ", envelope, _WIDENED)


def store_collection(collection: CheckedCollection, mode: Mode) -> Fragment:
    """Returns a row where the collection was written, with whether it is new."""
    return sql(
        "INSERT INTO collections (id, content, extent, document, declared_area, declared_times) VALUES (",
        Parameter(collection.id, "text"),
        ", ",
        Parameter(collection.content, "bytea"),
        ", ",
        Parameter(collection.extent, "bytea"),
        ", ",
        Parameter(collection.document, "jsonb"),
        ", ",
        Parameter(collection.area, "geometry"),
        ", ",
        _multirange(collection.times),
        ") ON CONFLICT (id) ",
        _UPDATE_COLLECTION if mode == "upsert" else "DO NOTHING",
        " RETURNING (xmax = 0) AS new",
    )


def same_collection(collection: CheckedCollection) -> Fragment:
    """Returns a row where it is there as it is."""
    return sql(
        "SELECT FROM collections WHERE (id, content, extent) = (",
        Parameter(collection.id, "text"),
        ", ",
        Parameter(collection.content, "bytea"),
        ", ",
        Parameter(collection.extent, "bytea"),
        ")",
    )


_UPDATE_COLLECTION = """DO UPDATE SET
    (content, extent, document, declared_area, declared_times, updated) = (EXCLUDED.content, EXCLUDED.extent,
    EXCLUDED.document, EXCLUDED.declared_area, EXCLUDED.declared_times, now())
    WHERE (collections.content, collections.extent) IS DISTINCT FROM (EXCLUDED.content, EXCLUDED.extent)"""


def _multirange(times: tuple[Times, ...]) -> Fragment:
    """Closed intervals, where NULL is an open end, as PostgreSQL's ranges have it."""
    return sql(
        "(SELECT range_agg(tstzrange(declared.first, declared.last, '[]')) FROM unnest(",
        Parameter([start for start, _ in times], "timestamptz[]"),
        ", ",
        Parameter([end for _, end in times], "timestamptz[]"),
        ") AS declared (first, last))",
    )


def analyze() -> Fragment:
    """Without it the planner knows nothing of a table that was just filled.

    A table that is being vacuumed or given an index is left out: autovacuum, or `upesi index add`, does so behind it.
    Waiting for an index would be a deadlock, since its build waits for all statements that are older than its end.
    """
    return sql("ANALYZE (SKIP_LOCKED) items, collections")
