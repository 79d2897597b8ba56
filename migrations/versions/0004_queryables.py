"""What the items of each collection have in their properties."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "queryables",
        sa.Column("collection", sa.Integer, nullable=False),
        sa.Column("name", sa.Text(collation="C"), nullable=False, comment="of a property"),
        sa.Column("types", sa.Integer, nullable=False, comment="flags of app.stac.statistics.Type"),
        sa.Column("members", sa.Integer, nullable=False, comment="the same, of what is inside arrays"),
        sa.Column("minimum", sa.Numeric, comment="of the numbers"),
        sa.Column("maximum", sa.Numeric),
        sa.Column("texts", JSONB, comment="all of them, where they are few"),
        sa.PrimaryKeyConstraint("collection", "name", name="queryables_pkey"),
        sa.ForeignKeyConstraint(
            ["collection"], ["collections.key"], name="queryables_collection_fkey", ondelete="CASCADE"
        ),
    )
    op.create_index("queryables_name", "queryables", ["name"])
    op.execute(_FILL)


def downgrade() -> None:
    op.drop_table("queryables")


# The flags as they were at this revision. What is in doubt is a text and no time. Which texts there are stays unknown,
# and so is not promised: to sort all of a large table takes longer than a migration should.
_LEAP_YEAR = "([0-9]{2}(0[48]|[2468][048]|[13579][26])|([02468][048]|[13579][26])00)"
_DAY = (
    "(?!0000)([0-9]{4}-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
    f"|{_LEAP_YEAR}-02-29)"
)
_HOUR = "[Tt]([01][0-9]|2[0-3]):[0-5][0-9]:([0-5][0-9]|60)([.][0-9]+)?([Zz]|[+-](0[0-9]|1[0-5]):[0-5][0-9])"
_TYPE = """CASE jsonb_typeof(v.value)
    WHEN 'null' THEN 1 WHEN 'boolean' THEN 2 WHEN 'array' THEN 64 WHEN 'object' THEN 128
    WHEN 'number' THEN CASE WHEN v.value::text ~ '^-?[0-9]+$' THEN 4 ELSE 8 END
    ELSE CASE WHEN v.value #>> '{}' ~ '^DAY_AND_HOUR$' THEN 32 ELSE 16 END END""".replace("DAY_AND_HOUR", _DAY + _HOUR)
_FILL = """INSERT INTO queryables (collection, name, types, members, minimum, maximum)
    SELECT i.collection, v.name, bit_or(TYPE), coalesce(bit_or(CASE WHEN jsonb_typeof(v.value) = 'array'
            THEN (SELECT bit_or(TYPE) FROM jsonb_array_elements(v.value) AS v (value)) END), 0),
        min(CASE WHEN jsonb_typeof(v.value) = 'number' THEN v.value::numeric END),
        max(CASE WHEN jsonb_typeof(v.value) = 'number' THEN v.value::numeric END)
    FROM items i CROSS JOIN jsonb_each(i.properties) AS v (name, value)
    WHERE octet_length(v.name) <= 1000 GROUP BY i.collection, v.name""".replace("TYPE", _TYPE)
