"""Objects of a bucket under all the names they have: `s3://` and `gs://`, and the URLs of AWS and Google."""

import re
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import SplitResult, quote, unquote, urlsplit

_REGION = r"(?P<region>[a-z]{2,3}(?:-[a-z]+)+-\d+)"
_AWS = re.compile(rf"(?:(?P<bucket>.+)\.)?s3(?:[.-](?:dualstack\.)?{_REGION})?\.amazonaws\.com(?:\.cn)?")
_GOOGLE = re.compile(r"(?:(?P<bucket>.+)\.)?storage\.googleapis\.com")
_GOOGLE_OTHER = "storage.cloud.google.com"
_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,221}")


@dataclass(frozen=True, slots=True)
class Object:
    """`key` is the name itself, without percent-encoding; `region` is that of AWS, where it is known."""

    store: Literal["s3", "gs"]
    bucket: str
    key: str
    region: str | None = None

    @property
    def uri(self) -> str:
        return f"{self.store}://{self.bucket}/{self.key}"

    @property
    def url(self) -> str:
        """Of Google, or of AWS: a bucket with a dot has no certificate as a host, and needs its region in the path."""
        path = quote(self.key, safe="/~")
        if self.store == "gs":
            return f"https://storage.googleapis.com/{self.bucket}/{path}"
        suffix = ".cn" if (self.region or "").startswith("cn-") else ""
        host = f"s3.{self.region}.amazonaws.com{suffix}" if self.region else "s3.amazonaws.com"
        return f"https://{host}/{self.bucket}/{path}" if "." in self.bucket else f"https://{self.bucket}.{host}/{path}"

    def within(self, region: str | None) -> "Object":
        """The same with a region, unless its own is known."""
        return self if self.region or not region or self.store != "s3" else replace(self, region=region)


def object_at(href: str) -> Object | None:
    """The object an href names, or None for what is in no bucket of AWS or Google.

    A signed URL has no other name.
    """
    try:
        parts = urlsplit(href)
        host, plain = (parts.hostname or "").lower(), _plain(parts)
    except ValueError:
        return None
    if parts.scheme in ("s3", "gs"):
        # The host of these is a bucket, and all behind it is the key, `?` and `#` too.
        bucket, _, key = href.partition("://")[2].partition("/")
        return _named("s3" if parts.scheme == "s3" else "gs", bucket, key, None)
    if parts.scheme not in ("http", "https") or parts.query or parts.fragment or not plain:
        return None
    path = unquote(parts.path).removeprefix("/")
    if found := _AWS.fullmatch(host):
        return _named("s3", *_in_path(found["bucket"], path), found["region"])
    if found := _GOOGLE.fullmatch(host):
        return _named("gs", *_in_path(found["bucket"], path), None)
    return _named("gs", *_in_path(None, path), None) if host == _GOOGLE_OTHER else None


def _plain(parts: SplitResult) -> bool:
    return parts.username is None and parts.port in (None, 80, 443)


def _in_path(bucket: str | None, path: str) -> tuple[str, str]:
    if bucket is not None:
        return bucket, path
    name, _, key = path.partition("/")
    return name, key


def _named(store: Literal["s3", "gs"], bucket: str, key: str, region: str | None) -> Object | None:
    return Object(store, bucket, key, region) if key and _BUCKET.fullmatch(bucket) else None
