"""Collections, dictionaries and items, with the indexes a search needs."""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geometry
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None

_ID = sa.Text(collation="C")
_INSTANT = sa.DateTime(timezone=True)
_GEOMETRY = Geometry("GEOMETRY", srid=4326, spatial_index=False)


def upgrade() -> None:
    op.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    _create_collections()
    _create_dictionaries()
    _create_items()


def downgrade() -> None:
    op.drop_table("items")
    op.drop_table("dictionaries")
    op.drop_table("collections")


def _create_collections() -> None:
    op.create_table(
        "collections",
        sa.Column("key", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("id", _ID, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False, comment="the collection without extent, links last"),
        sa.Column("extent", sa.LargeBinary, nullable=False, comment="the extent it declares, JSON"),
        sa.Column("envelope", _GEOMETRY, comment="a box around all its items"),
        sa.Column("first_datetime", _INSTANT, comment="bounds of items.datetime"),
        sa.Column("last_datetime", _INSTANT),
        sa.Column("first_start", _INSTANT, comment="bounds of the items' intervals"),
        sa.Column("last_end", _INSTANT),
        sa.Column(
            "lead",
            sa.Interval,
            nullable=False,
            server_default=sa.text("'0'"),
            comment="longest from start to datetime",
        ),
        sa.Column(
            "lag",
            sa.Interval,
            nullable=False,
            server_default=sa.text("'0'"),
            comment="longest from datetime to end",
        ),
        sa.Column("created", _INSTANT, nullable=False, server_default=sa.func.now()),
        sa.Column("updated", _INSTANT, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("key", name="collections_pkey"),
        sa.UniqueConstraint("id", name="collections_id_key"),
    )


def _create_dictionaries() -> None:
    op.create_table(
        "dictionaries",
        sa.Column("key", sa.Integer, sa.Identity(always=True), nullable=False),
        sa.Column("collection", sa.Integer, nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False, comment="a zstd dictionary; never changed"),
        sa.Column("created", _INSTANT, nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("key", name="dictionaries_pkey"),
        sa.ForeignKeyConstraint(
            ["collection"], ["collections.key"], name="dictionaries_collection_fkey", ondelete="CASCADE"
        ),
    )
    op.create_index("dictionaries_collection", "dictionaries", ["collection"])


def _create_items() -> None:
    op.create_table(
        "items",
        sa.Column("id", _ID, nullable=False),
        sa.Column("collection", sa.Integer, nullable=False),
        sa.Column("geometry", _GEOMETRY),
        sa.Column("datetime", _INSTANT, nullable=False, comment="what results are sorted by"),
        sa.Column("start_datetime", _INSTANT, nullable=False, comment="the interval that datetime filters test"),
        sa.Column("end_datetime", _INSTANT, nullable=False),
        sa.Column("properties", JSONB, nullable=False, comment="what filters read"),
        sa.Column("content", sa.LargeBinary, nullable=False, comment="the item, links last, zstd"),
        sa.Column("dictionary", sa.Integer, comment="key of what content is compressed with"),
        sa.Column("created", _INSTANT, nullable=False, server_default=sa.func.now()),
        sa.Column("updated", _INSTANT, nullable=False, server_default=sa.func.now()),
        sa.Column(
            "tie",
            sa.Integer,
            sa.Computed("('x' || substr(md5(id), 1, 7))::bit(28)::integer", persisted=True),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", "collection", name="items_pkey"),
        sa.ForeignKeyConstraint(["collection"], ["collections.key"], name="items_collection_fkey"),
    )
    # Content is compressed already; and up to two rows a page stay whole, out of TOAST.
    op.execute("ALTER TABLE items ALTER COLUMN content SET STORAGE EXTERNAL")
    op.execute("ALTER TABLE items SET (toast_tuple_target = 4080)")
    op.create_index("items_space_time", "items", ["collection", "geometry", "datetime", "tie"], postgresql_using="gist")
    op.create_index("items_collection_time", "items", ["collection", "datetime", "tie", "id"])
    op.create_index("items_time", "items", ["datetime", "tie", "id", "collection"])
