"""Cells of the globe and an index on the times of each, for boxes of some degrees."""

from alembic import op

revision = "0010"
down_revision = "0009"

_WEST, _SOUTH = "ST_XMin(geometry)", "ST_YMin(geometry)"
_SIZE = f"greatest(ST_XMax(geometry) - {_WEST}, ST_YMax(geometry) - {_SOUTH})"
_COLUMN = f"(floor(greatest(-360, least(360, {_WEST})))::integer + 400)"
_ROW = f"(floor(greatest(-90, least(90, {_SOUTH})))::integer + 400)"
_CELL = f"""CASE
    WHEN {_SIZE} <= 4 THEN {_COLUMN} / 10 + 100 * ({_ROW} / 10)
    WHEN {_SIZE} <= 16 THEN 10000 + {_COLUMN} / 40 + 100 * ({_ROW} / 40)
    WHEN {_SIZE} > 16 THEN 20000 END"""


def upgrade() -> None:
    # Made by PostgreSQL for the items that are there, and from here on by who writes one, which costs less.
    op.execute(f"ALTER TABLE items ADD COLUMN cell smallint GENERATED ALWAYS AS (coalesce({_CELL}, -1)) STORED")
    op.execute("ALTER TABLE items ALTER COLUMN cell DROP EXPRESSION, ALTER COLUMN cell SET NOT NULL")
    op.execute("COMMENT ON COLUMN items.cell IS 'of the globe: app.stac.cells'")
    op.create_index("items_cell_time", "items", ["cell", "datetime", "tie", "collection"])


def downgrade() -> None:
    op.drop_index("items_cell_time", "items")
    op.drop_column("items", "cell")
