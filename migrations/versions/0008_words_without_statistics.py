"""ANALYZE makes the words of 30,000 items to describe what no plan asks for: two seconds, behind each load."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER INDEX items_words ALTER COLUMN 1 SET STATISTICS 0")


def downgrade() -> None:
    op.execute("ALTER INDEX items_words ALTER COLUMN 1 SET STATISTICS -1")
