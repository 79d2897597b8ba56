"""Which properties have an index, for `upesi index`."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "property_indexes",
        sa.Column("key", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("property", sa.Text(collation="C"), nullable=False, comment="its index is items_property_{key}"),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("key", name="property_indexes_pkey"),
        sa.UniqueConstraint("property", name="property_indexes_property_key"),
    )


def downgrade() -> None:
    # The indexes are of no use to a version that does not know them.
    op.execute(
        "DO $$ DECLARE name text; BEGIN FOR name IN SELECT c.relname FROM property_indexes p"
        " JOIN pg_class c ON c.relname = 'items_property_' || p.key AND c.relkind = 'i'"
        " LOOP EXECUTE format('DROP INDEX %I', name); END LOOP; END $$"
    )
    op.drop_table("property_indexes")
