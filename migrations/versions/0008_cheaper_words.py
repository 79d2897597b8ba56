"""The words of items at three quarters of the cost, and none to be counted.

PostgreSQL's parser looks for the name of a host behind each underscore. ANALYZE made the words of 30,000 items to
describe what no plan asks for, two seconds behind each load.
"""

from alembic import op

revision = "0008"
down_revision = "0007"

_TEXTS = 'strict $.** ? (@.type() == "string" && !(@ like_regex "^[0-9]{4}-[0-9]{2}-[0-9]{2}T"))'
_BEFORE = "+-./<&@~"


def upgrade() -> None:
    _create("_" + _BEFORE)
    op.execute("ALTER INDEX items_words ALTER COLUMN 1 SET STATISTICS 0")


def downgrade() -> None:
    _create(_BEFORE)


def _create(signs: str) -> None:
    op.drop_index("items_words", "items")
    op.execute(f"CREATE INDEX items_words ON items USING gin (({_vector(signs)}))")


def _vector(signs: str) -> str:
    texts = (
        "CASE WHEN octet_length(properties::text) < 300000"
        f" THEN jsonb_path_query_array(properties, '{_TEXTS}')::text ELSE '[]' END"
    )
    listed = f"('[' || jsonb_object(ARRAY['', id])::text || ', ' || {texts} || ']')"
    for sign in signs:
        listed = f"replace({listed}, '{sign}', ' ')"
    return f"""jsonb_to_tsvector('simple', lower(upper({listed} COLLATE "und-x-icu"))::jsonb, '["string"]')"""
