"""An index on the words of items, for free text."""

from alembic import op

revision = "0003"
down_revision = "0002"

_TEXTS = 'strict $.** ? (@.type() == "string" && !(@ like_regex "^[0-9]{4}-[0-9]{2}-[0-9]{2}T"))'


def upgrade() -> None:
    op.execute(f"CREATE INDEX items_words ON items USING gin (({_vector()}))")


def downgrade() -> None:
    op.drop_index("items_words", "items")


def _vector() -> str:
    texts = (
        "CASE WHEN octet_length(properties::text) < 300000"
        f" THEN jsonb_path_query_array(properties, '{_TEXTS}')::text ELSE '[]' END"
    )
    listed = f"('[' || jsonb_object(ARRAY['', id])::text || ', ' || {texts} || ']')"
    for sign in "+-./<&@~":
        listed = f"replace({listed}, '{sign}', ' ')"
    return f"""jsonb_to_tsvector('simple', lower(upper({listed} COLLATE "und-x-icu"))::jsonb, '["string"]')"""
