"""Signature Version 4 in the query of a URL: S3, and what speaks its protocol (MinIO, Ceph, Google's XML API).

botocore signs, and finds the credentials of the machine where none are named. It is imported here alone.
"""

import asyncio
import logging
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from botocore.auth import S3SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError
from botocore.session import Session
from pydantic import SecretStr

from app.assets.objects import object_at
from app.assets.signing import Environment, Headers, Signed
from app.errors import Unavailable

# It writes what it signs, and the signature, to its log.
logging.getLogger("botocore.auth").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Keys:
    access_key_id: str
    secret_access_key: SecretStr
    session_token: SecretStr | None = None


@dataclass(frozen=True)
class S3:
    """`endpoint` is that of another service than AWS; `keys` None is what the machine has (environment, profile, role).

    `requester_pays` says in each request that the one whose keys these are pays for it.
    """

    keys: Keys | None = None
    region: str = "us-east-1"
    endpoint: str | None = None
    virtual_hosted: bool = False
    requester_pays: bool = False
    seconds: int = 3600
    profile: str | None = None
    _found: list[Any] = field(default_factory=list, repr=False, compare=False)

    async def href(self, href: str) -> Signed:
        located = self._url(href)
        if located is None:
            return Signed(href)
        credentials = await self._credentials()
        until = datetime.now(UTC) + timedelta(seconds=self.seconds)
        return Signed(self._signed(*located, credentials), until)

    def place(self, href: str) -> str:
        located = self._url(href)
        return href if located is None else located[0]

    async def headers(self, _: str) -> Headers:
        return {}

    async def environment(self, _: str) -> Environment:
        options = {"AWS_REGION": self.region}
        if self.requester_pays:
            options["AWS_REQUEST_PAYER"] = "requester"
        if self.profile is not None:
            options["AWS_PROFILE"] = self.profile
        if self.keys is not None:
            options["AWS_ACCESS_KEY_ID"] = self.keys.access_key_id
            options["AWS_SECRET_ACCESS_KEY"] = self.keys.secret_access_key.get_secret_value()
            if self.keys.session_token is not None:
                options["AWS_SESSION_TOKEN"] = self.keys.session_token.get_secret_value()
        if self.endpoint is not None:
            parts = urlsplit(self.endpoint)
            options["AWS_S3_ENDPOINT"] = parts.netloc + parts.path.rstrip("/")
            options["AWS_HTTPS"] = "YES" if parts.scheme == "https" else "NO"
            options["AWS_VIRTUAL_HOSTING"] = "TRUE" if self.virtual_hosted else "FALSE"
        return options

    def _url(self, href: str) -> tuple[str, str] | None:
        """The URL of an href and its region; None for what is no object, or is signed already."""
        parts = urlsplit(href)
        found = object_at(href)
        if parts.scheme in ("s3", "gs"):
            if found is None:
                return None
            if self.endpoint is None:
                located = replace(found.within(self.region), store="s3")
                return (found.url if found.store == "gs" else located.url), located.region or self.region
            return self._at_endpoint(found.bucket, found.key), self.region
        if any(name.lower() == "x-amz-signature" for name, _ in parse_qsl(parts.query)) or parts.fragment:
            return None
        path = quote(unquote(parts.path), safe="/~")
        url = urlunsplit(parts._replace(path=path))
        return url, (found.region if found is not None and found.region else self.region)

    def _at_endpoint(self, bucket: str, key: str) -> str:
        path = quote(key, safe="/~")
        endpoint = (self.endpoint or "").rstrip("/")
        if not self.virtual_hosted:
            return f"{endpoint}/{bucket}/{path}"
        parts = urlsplit(endpoint)
        return f"{parts.scheme}://{bucket}.{parts.netloc}{parts.path}/{path}"

    def _signed(self, url: str, region: str, credentials: Any) -> str:
        if self.requester_pays:
            parts = urlsplit(url)
            query = [*parse_qsl(parts.query, keep_blank_values=True), ("x-amz-request-payer", "requester")]
            url = urlunsplit(parts._replace(query=urlencode(query, quote_via=quote)))
        request = AWSRequest("GET", url)
        S3SigV4QueryAuth(credentials, "s3", region, expires=self.seconds).add_auth(request)
        return str(request.url)

    async def _credentials(self) -> Any:
        """Frozen, so that a role's keys are of one piece. Raises Unavailable."""
        if self.keys is not None:
            return self._own
        # It reads files and may ask the machine's metadata service.
        return await asyncio.to_thread(self._of_machine)

    @cached_property
    def _own(self) -> Credentials:
        assert self.keys is not None
        token = self.keys.session_token
        return Credentials(
            self.keys.access_key_id,
            self.keys.secret_access_key.get_secret_value(),
            None if token is None else token.get_secret_value(),
        )

    def _of_machine(self) -> Any:
        try:
            if not self._found:
                self._found.append(Session(profile=self.profile).get_credentials())
            credentials = self._found[0]
            frozen = None if credentials is None else credentials.get_frozen_credentials()
        except BotoCoreError as error:
            raise Unavailable(f"there are no AWS credentials: {type(error).__name__}") from None
        if frozen is None:
            raise Unavailable("there are no AWS credentials: none are named, and the machine has none")
        return frozen
