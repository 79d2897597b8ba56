"""Statements on the keys of the API."""

from datetime import datetime

from app.database.fragment import Fragment, Parameter, sql
from app.stac.access import Grant

_LISTED = "id, name, actions, collections, created, expires, revoked"


def insert(key: str, name: str, digest: bytes, grant: Grant, expires: datetime | None) -> Fragment:
    collections = None if grant.collections is None else sorted(grant.collections)
    return sql(
        "INSERT INTO api_keys (id, name, digest, actions, collections, expires) VALUES (",
        Parameter(key, "text"),
        ", ",
        Parameter(name, "text"),
        ", ",
        Parameter(digest, "bytea"),
        ", ",
        Parameter(sorted(grant.actions), "text[]"),
        ", ",
        Parameter(collections, "text[]"),
        ", ",
        Parameter(expires, "timestamptz"),
        f") RETURNING {_LISTED}",
    )


def listed() -> Fragment:
    return sql("SELECT ", _LISTED, " FROM api_keys ORDER BY created, id")


def found(digest: bytes) -> Fragment:
    """The key with this digest, if it is not revoked."""
    return sql(
        "SELECT actions, collections, expires FROM api_keys WHERE revoked IS NULL AND digest = ",
        Parameter(digest, "bytea"),
    )


def revoke(key: str) -> Fragment:
    """Returns a row where there is such a key; the first time counts."""
    return sql(
        "UPDATE api_keys SET revoked = coalesce(revoked, now()) WHERE id = ", Parameter(key, "text"), " RETURNING id"
    )
