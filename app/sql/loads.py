"""Statements about how far loads of files have come, so that one that was interrupted can go on."""

from app.database.fragment import Fragment, Parameter, sql


def find(digests: list[bytes], locations: list[str]) -> Fragment:
    """The loads of these files, as they are now or as they were, the one that came furthest last."""
    return sql(
        "SELECT digest, location, mode, entries, documents, finished, report::text FROM loads WHERE digest = ANY(",
        Parameter(digests, "bytea[]"),
        ") OR location = ANY(",
        Parameter(locations, "text[]"),
        ") ORDER BY updated",
    )


def mark(load: tuple[bytes, str, str], point: tuple[int, int], finished: bool, report: bytes) -> Fragment:
    """`load` is the digest, the location and the mode; `point` the entries done, and the documents of the next one."""
    digest, location, mode = load
    entries, documents = point
    return sql(
        "INSERT INTO loads (digest, location, mode, entries, documents, finished, report) VALUES (",
        Parameter(digest, "bytea"),
        ", ",
        Parameter(location, "text"),
        ", ",
        Parameter(mode, "text"),
        ", ",
        Parameter(entries, "bigint"),
        ", ",
        Parameter(documents, "bigint"),
        ", ",
        Parameter(finished, "boolean"),
        ", ",
        Parameter(report, "jsonb"),
        ") ON CONFLICT (digest) DO UPDATE SET (mode, entries, documents, finished, report, updated) = (EXCLUDED.mode,",
        " EXCLUDED.entries, EXCLUDED.documents, EXCLUDED.finished, EXCLUDED.report, now())",
    )


def forget(locations: list[str]) -> Fragment:
    return sql("DELETE FROM loads WHERE location = ANY(", Parameter(locations, "text[]"), ")")
