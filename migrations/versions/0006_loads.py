"""How far loads have come, so that one that was interrupted can go on."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "loads",
        sa.Column("digest", sa.LargeBinary, nullable=False, comment="of the file's path, size, time and head"),
        sa.Column("location", sa.Text, nullable=False),
        sa.Column("mode", sa.Text, nullable=False),
        sa.Column("entries", sa.BigInteger, nullable=False, comment="of the file, stored or refused"),
        sa.Column("documents", sa.BigInteger, nullable=False, comment="of the next entry, which is a list"),
        sa.Column("finished", sa.Boolean, nullable=False, comment="this file, and not yet those behind it"),
        sa.Column("report", JSONB, nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        sa.PrimaryKeyConstraint("digest", name="loads_pkey"),
    )


def downgrade() -> None:
    op.drop_table("loads")
