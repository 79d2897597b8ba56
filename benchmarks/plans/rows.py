"""A catalogue of any size, made in SQL: many equal collections, and those that are hard.

- `c1` to `c20`: footprints of about a degree all over the world, ten years, instants of their own.
- `tied`: a fifth of all items, all at one instant.
- `periods`: a twentieth, each of an interval; one of all years.
- `small`: 100 items.
"""

from app.database.fragment import Parameter, sql
from app.database.pool import Database

SMALL = 100

_COLLECTIONS = """INSERT INTO collections
    (id, content, extent, document, envelope, first_datetime, last_datetime, first_start, last_end, lag)
    SELECT id, '{}', '{}', '{}', ST_MakeEnvelope(-180, -90, 180, 90, 4326),
        '2014-01-01Z', '2024-01-01Z', '2014-01-01Z', '2024-01-01Z',
        CASE id WHEN 'periods' THEN interval '3652 days' ELSE interval '0' END
    FROM unnest(ARRAY(SELECT 'c' || n FROM generate_series(1, 20) AS n) || '{tied,periods,small}') AS i (id)"""
# Rows of small items, in front of their SELECT and behind it: each in the cell that app.stac.cells says.
WITH_CELLS = (
    """INSERT INTO items
    (id, collection, geometry, datetime, start_datetime, end_datetime, properties, content, cell)
    SELECT made.*, (floor(ST_XMin(geometry))::int + 400) / 10 + 100 * ((floor(ST_YMin(geometry))::int + 400) / 10)
    FROM (""",
    ") AS made (id, collection, geometry, datetime, start_datetime, end_datetime, properties, content)",
)
_ITEMS = """SELECT k.id || '-' || n, k.key,
        ST_Expand(ST_SetSRID(ST_Point((hashint8(n) & 2147483647) % 35900 / 100.0 - 179.5,
            (hashint8(n * 3 + 1) & 2147483647) % 17000 / 100.0 - 85), 4326), 0.45),
        s.instant, s.instant, CASE WHEN k.id <> 'periods' THEN s.instant WHEN n = 1 THEN '2024-01-01Z'
            ELSE least(s.instant + interval '16 days', '2024-01-01Z') END,
        jsonb_build_object('eo:cloud_cover', (hashint8(n * 7 + 3) & 2147483647) % 1000000 / 10000.0,
            'title', CASE n % 20000 WHEN 7 THEN 'rare scene' ELSE 'scene' END), '\\x7b7d'::bytea
    FROM (SELECT id, key FROM collections WHERE id LIKE """
_INSTANT = """) AS k CROSS JOIN LATERAL (SELECT n, CASE k.id WHEN 'tied' THEN timestamptz '2020-01-01Z'
        ELSE CASE WHEN k.id = 'periods' AND n = 1 THEN timestamptz '2014-01-01Z' ELSE timestamptz '2014-01-01Z'
            + (hashint8(n * 11 + 5) & 2147483647) * interval '0.1469 seconds' END END AS instant
        FROM generate_series("""
_SERIES = ") AS numbered (n)) AS s"


async def fill(database: Database, items: int) -> None:
    """`items` in all. The database has the schema, and loses what it holds."""
    await database.execute(sql("TRUNCATE collections RESTART IDENTITY CASCADE"))
    await database.execute(sql(_COLLECTIONS))
    tied, periods = items // 5, items // 20
    spread = (items - tied - periods - SMALL) // 20
    for pattern, count in (("c%", spread), ("tied", tied), ("periods", periods), ("small", SMALL)):
        parts = (Parameter(pattern, "text"), _INSTANT, "1, ", Parameter(count, "bigint"), _SERIES)
        await database.execute(sql(WITH_CELLS[0], _ITEMS, *parts, WITH_CELLS[1]))
    await database.execute(sql("VACUUM (FREEZE, ANALYZE) items, collections"))
