"""Free text: which items and collections have a term. https://github.com/stac-api-extensions/freetext-search."""

from app.database import words
from app.database.fragment import Fragment, Parameter, sql

# What the index `items_words` is made of.
ITEM = sql(words.vector("i.id", "i.properties"))

_TERM = words.folded("term")
# Not asked of a term without words: PostgreSQL would send a notice.
_QUERY = f"CASE WHEN to_tsvector('simple', {_TERM}) <> '' THEN phraseto_tsquery('simple', {_TERM}) END"


def matches(vector: Fragment, terms: tuple[str, ...]) -> Fragment:
    """True for a vector that has one of the terms, whose words follow each other; a term without words finds nothing.

    The query is made once in a statement, whatever number of terms it has.
    """
    return sql(
        vector,
        " @@ (SELECT string_agg('(' || (",
        _QUERY,
        ")::text || ')', ' | ')::tsquery FROM unnest(",
        Parameter(terms, "text[]"),
        ") AS term)",
    )
