"""Footprints that went on beyond longitude ±180, within it: parted there, and what is beyond moved by 360.

Whoever writes one of them meanwhile waits, and nobody else.
"""

import shapely
import sqlalchemy as sa
from alembic import op
from shapely.geometry.base import BaseGeometry

from app.stac import cells
from app.stac.geometry import Footprint, misplaced, to_ewkb

revision = "0011"
down_revision = "0010"

_ROWS = 1000
# Only a collection whose box goes beyond has such items, and the index in space finds those.
_ITEMS = sa.text(
    """SELECT CAST(i.ctid AS text) AS at, ST_AsBinary(i.geometry) AS shape
    FROM collections c JOIN items i ON i.collection = c.key
    WHERE (ST_XMin(c.envelope) < -180 OR ST_XMax(c.envelope) > 180)
        AND (i.geometry && ST_MakeEnvelope(180, -91, 360, 91, 4326)
            OR i.geometry && ST_MakeEnvelope(-360, -91, -180, 91, 4326))
        AND (ST_XMin(i.geometry) < -180 OR ST_XMax(i.geometry) > 180)
    ORDER BY i.id, i.collection FOR NO KEY UPDATE OF i"""
)
# Where it is in the table: by its key, a planner without statistics may look through the whole collection for each.
_PLACE = sa.text(
    "UPDATE items SET geometry = CAST(:shape AS geometry), cell = :cell WHERE ctid = CAST(CAST(:at AS text) AS tid)"
)
_ENVELOPES = sa.text(
    """SELECT key, ST_AsBinary(envelope) AS shape FROM collections
    WHERE ST_XMin(envelope) < -180 OR ST_XMax(envelope) > 180 ORDER BY key FOR NO KEY UPDATE"""
)
_ENCLOSE = sa.text(
    "UPDATE collections SET envelope = ST_Collect(CAST(:east AS geometry), CAST(:west AS geometry)) WHERE key = :key"
)


def upgrade() -> None:
    connection = op.get_bind()
    for rows in connection.execute(_ITEMS, execution_options={"yield_per": _ROWS}).partitions():
        placed = [_placed(shapely.from_wkb(row.shape)) for row in rows]
        changes = [
            {"at": row.at, "shape": found.ewkb().hex(), "cell": cells.of_item(found.bounds)}
            for row, found in zip(rows, placed, strict=True)
        ]
        connection.execute(_PLACE, changes)
    for row in connection.execute(_ENVELOPES).all():
        # The part that ends at 180 is the first.
        parts = sorted(_parts(shapely.from_wkb(row.shape)), key=lambda part: part.bounds[2], reverse=True)
        east, west = [*(to_ewkb(part).hex() for part in parts), None][:2]
        connection.execute(_ENCLOSE, {"key": row.key, "east": east, "west": west})


def downgrade() -> None:
    """The version before reads them where they are now."""


def _placed(shape: BaseGeometry) -> Footprint:
    return Footprint(shape, shape.bounds, None).stored()


def _parts(box: BaseGeometry) -> list[BaseGeometry]:
    if misplaced(box.bounds):
        # Around what is of no globe, and stays there, and all that may have been moved.
        west, south, east, north = box.bounds
        return [shapely.box(min(west, -180), south, max(east, 180), north)]
    return [part.envelope for part in shapely.get_parts(_placed(box).shape)]
