"""Free text: which items and collections have a term. https://github.com/stac-api-extensions/freetext-search."""

from app.database import words
from app.database.fragment import Fragment, Parameter, sql

# What the index `items_words` is made of.
ITEM = sql(words.vector("i.id", "i.properties"))

_TERM = words.folded("term")
# Not asked of a term without words: PostgreSQL would send a notice.
_QUERY = f"CASE WHEN to_tsvector('simple', {_TERM}) <> '' THEN phraseto_tsquery('simple', {_TERM}) END"


def _with_each_sigma(queries: str) -> str:
    """How ICU folds a sigma at an end of a word depends on what is beside the word: both forms are asked for."""
    begin, end = "''[\u03c3\u03c2]([^'']+)''", "''([^'']*)[\u03c3\u03c2]''"
    for word, either in (end, "(''\\1\u03c3'' | ''\\1\u03c2'')"), (begin, "(''\u03c3\\1'' | ''\u03c2\\1'')"):
        queries = f"regexp_replace({queries}, '{word}', '{either}', 'g')"
    return queries


_QUERIES = _with_each_sigma(f"string_agg('(' || ({_QUERY})::text || ')', ' | ')")


def matches(vector: Fragment, terms: tuple[str, ...]) -> Fragment:
    """True for a vector that has one of the terms, whose words follow each other; a term without words finds nothing.

    The query is made once in a statement, whatever number of terms it has.
    """
    return sql(
        vector,
        " @@ (SELECT ",
        _QUERIES,
        "::tsquery FROM unnest(",
        Parameter(terms, "text[]"),
        ") AS term)",
    )
