"""Free text: which words a text has to hold."""

from app.database.fragment import Fragment, Parameter, join, sql

# As the columns that hold the words are made (app.database.tables). Punctuation is space: PostgreSQL would read
# `sentinel-2` as a number below zero, and `a/b.tif` as the path of a file.
_SPACES = r"""'!"#$%&''()*+,-./:;<=>?@[\]^_`{|}~', repeat(' ', 32)"""


def matches(vector: Fragment, terms: tuple[str, ...]) -> Fragment:
    """Whether one of the terms is there, whatever its case; the words of a term in a row."""
    return sql("(", vector, " @@ (", join(" || ", map(_phrase, terms)), "))")


def _phrase(term: str) -> Fragment:
    lower = sql("lower(", Parameter(term, "text"), ' COLLATE "und-x-icu")')
    return sql("phraseto_tsquery('simple', translate(", lower, f", {_SPACES}))")
