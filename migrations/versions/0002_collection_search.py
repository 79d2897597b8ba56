"""What collections are searched by: their members, their area and times, their words."""

from typing import Any

import orjson
import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import JSONB, TSTZMULTIRANGE, TSVECTOR

from app.stac import extent
from app.stac.item import searchable

revision = "0002"
down_revision = "0001"

_GEOMETRY = Geometry("GEOMETRY", srid=4326, spatial_index=False)
_WORDS = (
    "left(id || ' ' || coalesce(document ->> 'title', '') || ' ' || coalesce(document ->> 'description', '') || ' ' ||"
    " coalesce(document ->> 'keywords', ''), 100000)"
)
_TIMES = """CASE WHEN first_start IS NULL THEN declared_times
    ELSE tstzmultirange(tstzrange(first_start, last_end, '[]')) END"""
_FILL = sa.text("""UPDATE collections SET document = CAST(:document AS jsonb),
    declared_area = CAST(:area AS geometry),
    declared_times = (SELECT range_agg(tstzrange(declared.first, declared.last, '[]'))
        FROM unnest(CAST(:first AS timestamptz[]), CAST(:last AS timestamptz[])) AS declared (first, last))
    WHERE key = :key""")


def upgrade() -> None:
    op.add_column(
        "collections", sa.Column("document", JSONB, comment="all members but links and extent: what filters read")
    )
    op.add_column("collections", sa.Column("declared_area", _GEOMETRY, comment="all boxes of extent"))
    op.add_column("collections", sa.Column("declared_times", TSTZMULTIRANGE, comment="all intervals of extent"))
    # Not compressed: a filter or an order reads it of all collections, in a third of the time.
    op.execute("ALTER TABLE collections ALTER COLUMN document SET STORAGE EXTERNAL")
    _fill()
    op.alter_column("collections", "document", nullable=False)
    _add_generated("area", _GEOMETRY, "coalesce(envelope, declared_area)")
    _add_generated("times", TSTZMULTIRANGE(), _TIMES)
    _add_generated("words", TSVECTOR(), _vector())
    op.create_index("collections_area", "collections", ["area"], postgresql_using="gist")
    op.create_index("collections_words", "collections", ["words"], postgresql_using="gin")


def downgrade() -> None:
    for column in ("words", "times", "area", "declared_times", "declared_area", "document"):
        op.drop_column("collections", column)


def _vector() -> str:
    """Signs that lead PostgreSQL's parser to numbers, hosts and paths are spaces, and ICU folds the case."""
    text = _WORDS
    for sign in "+-./<&@~":
        text = f"replace({text}, '{sign}', ' ')"
    return f"""to_tsvector('simple', lower(upper({text} COLLATE "und-x-icu")))"""


def _add_generated(name: str, type_: sa.types.TypeEngine[Any], expression: str) -> None:
    op.add_column("collections", sa.Column(name, type_, sa.Computed(expression, persisted=True)))


def _fill() -> None:
    """From the texts that are served."""
    connection = op.get_bind()
    for key, content, declared in connection.execute(sa.text("SELECT key, content, extent FROM collections")).all():
        members = orjson.loads(content)
        del members["links"]
        extents = orjson.loads(declared)
        times = extent.declared_times(extents)
        area = extent.declared_area(extents)
        values = {
            "key": key,
            "document": searchable(members).decode(),
            "area": None if area is None else area.hex(),
            "first": [first for first, _ in times],
            "last": [last for _, last in times],
        }
        connection.execute(_FILL, values)
