"""The words of a document, as SQL: an index is made of them, and free text (app/sql/free_text.py) asks for them.

PostgreSQL's parser takes `-9` for a number, `a.b` for a host and `a/b` for a path. Without the characters that lead it
there, it cuts at all ASCII punctuation: `sentinel-2` and `Sentinel 2` are alike.
"""

_SIGNS = "+-./<&@~"
# ICU folds all of Unicode whatever locale the cluster has. Both ways, for letters such as ß that differ in one.
_FOLDED = 'lower(upper({} COLLATE "und-x-icu"))'
_TIME = "^[0-9]{4}-[0-9]{2}-[0-9]{2}T"
_TEXTS = f'strict $.** ? (@.type() == "string" && !(@ like_regex "{_TIME}"))'
# PostgreSQL refuses a row with more than 1 MB of words. Texts of this size have less, whatever they are made of.
_LARGEST = 300_000


def folded(text: str) -> str:
    """A text of words that the parser finds, in one case."""
    for sign in _SIGNS:
        text = f"replace({text}, '{sign}', ' ')"
    return _FOLDED.format(text)


def vector(id_: str, document: str) -> str:
    """A tsvector of an id and of all texts in a jsonb document that are no times: immutable, as an index wants it.

    It is made of a list of texts, not of one text: no phrase goes on from one to the next. A document beyond what a
    tsvector can hold gives its id alone.
    """
    texts = (
        f"CASE WHEN octet_length({document}::text) < {_LARGEST}"
        f" THEN jsonb_path_query_array({document}, '{_TEXTS}')::text ELSE '[]' END"
    )
    # Behind each underscore the parser looks for the name of a host, which takes a quarter of the time of all of this.
    listed = f"replace(('[' || jsonb_object(ARRAY['', {id_}])::text || ', ' || {texts} || ']'), '_', ' ')"
    return f"jsonb_to_tsvector('simple', ({folded(listed)})::jsonb, '[\"string\"]')"
