"""Private collections, and the keys of those who may see and change them."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.add_column(
        "collections",
        sa.Column(
            "private",
            sa.Boolean,
            nullable=False,
            server_default=sa.text("false"),
            comment="hidden from who has no right",
        ),
    )
    op.create_index("collections_private", "collections", ["key"], postgresql_where=sa.text("private"))
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text, nullable=False, comment="what it is listed and revoked by"),
        sa.Column("name", sa.Text, nullable=False, comment="what it is for"),
        sa.Column("digest", sa.LargeBinary, nullable=False, comment="SHA-256 of the key"),
        sa.Column("actions", sa.ARRAY(sa.Text), nullable=False),
        sa.Column("collections", sa.ARRAY(sa.Text), comment="ids; all where NULL"),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.Column("expires", sa.DateTime(timezone=True)),
        sa.Column("revoked", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="api_keys_pkey"),
        sa.UniqueConstraint("digest", name="api_keys_digest_key"),
    )


def downgrade() -> None:
    op.drop_table("api_keys")
    op.drop_index("collections_private", "collections")
    op.drop_column("collections", "private")
