"""The signers an operator names, in `UPESI_SIGNERS`: a JSON list, or the path of a TOML file with `[[signers]]`.

A value of a secret may be `env:NAME`, the environment variable that has it. No failure told here has a value in it.
"""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PositiveInt,
    SecretStr,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from app.assets.sas import PlanetaryComputer
from app.assets.signing import Anonymous, Bearer, PasswordFile, PasswordGrant, Rule, Signer, Signers
from app.errors import SetupError
from app.settings import Settings

_HOST = re.compile(r"(\*\.)?[a-z0-9_-]+(\.[a-z0-9_-]+)*(:\d{1,5})?|\[[0-9a-f:]+\](:\d{1,5})?|(s3|gs)://[a-z0-9._-]+")
_VARIABLE = "env:"
# Of a signature of version 4, in seconds: a week.
_LONGEST = 604_800
_CDSE_TOKENS = "https://identity.dataspace.copernicus.eu/auth/realms/CDSE/protocol/openid-connect/token"


def _host(name: str) -> str:
    if not _HOST.fullmatch(name.lower()):
        raise ValueError("is no host, *.host or s3://bucket")
    if name.startswith("*.") and name.count(".") < 2:
        raise ValueError("is too many hosts: a * stands for names below a domain, as in *.example.com")
    return name.lower()


def _from_environment(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(_VARIABLE):
        return value
    name = value.removeprefix(_VARIABLE)
    if not os.environ.get(name):
        raise ValueError(f"the environment variable {name} is not set")
    return os.environ[name]


Host = Annotated[str, AfterValidator(_host)]
Secret = Annotated[SecretStr, BeforeValidator(_from_environment), Field(min_length=1)]
Url = Annotated[str, Field(pattern=r"^https?://[^/?#@\s]+(/[^?#\s]*)?$")]


class _Said(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    hosts: Annotated[frozenset[Host], Field(min_length=1)]
    collections: frozenset[str] = frozenset()
    serve: bool = False
    allow_http: bool = False

    def signer(self) -> Signer:
        raise NotImplementedError

    def rule(self) -> Rule:
        return Rule(self.signer(), self.hosts, self.collections, self.serve, self.allow_http)


class _Unserved(_Said):
    """Acts by headers alone, of which an href has none."""

    serve: Literal[False] = False


class AnonymousSaid(_Unserved):
    type: Literal["anonymous"]

    def signer(self) -> Signer:
        return Anonymous()


class BearerSaid(_Unserved):
    type: Literal["bearer"]
    token: Secret

    def signer(self) -> Signer:
        return Bearer(self.token)


class EarthdataSaid(_Unserved):
    type: Literal["earthdata"]
    hosts: frozenset[Host] = frozenset({"*.earthdatacloud.nasa.gov", "*.earthdata.nasa.gov"})
    token: Secret | None = None
    netrc: Path | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "EarthdataSaid":
        if (self.token is None) == (self.netrc is None):
            raise ValueError("needs a token or a netrc, and not both")
        return self

    def signer(self) -> Signer:
        return Bearer(self.token) if self.token is not None else PasswordFile((self.netrc or Path()).expanduser())


class PlanetaryComputerSaid(_Said):
    type: Literal["planetary-computer"]
    hosts: frozenset[Host] = frozenset({"*.blob.core.windows.net"})
    token_url: Url = "https://planetarycomputer.microsoft.com/api/sas/v1/token"
    subscription_key: Secret | None = None

    def signer(self) -> Signer:
        return PlanetaryComputer(self.token_url, self.subscription_key)


class S3Said(_Said):
    type: Literal["s3", "requester-pays"]
    access_key_id: str | None = None
    secret_access_key: Secret | None = None
    session_token: Secret | None = None
    profile: str | None = None
    region: Annotated[str, Field(pattern="^[a-z0-9-]+$")] = "us-east-1"
    endpoint: Url | None = None
    virtual_hosted: bool = False
    expires: Annotated[PositiveInt, Field(le=_LONGEST)] = 3600

    @model_validator(mode="after")
    def _whole_keys(self) -> "S3Said":
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("needs access_key_id and secret_access_key, or neither")
        if self.access_key_id is not None and self.profile is not None:
            raise ValueError("needs keys or a profile, and not both")
        return self

    def signer(self) -> Signer:
        s3 = _s3()
        keys = None
        if self.access_key_id is not None and self.secret_access_key is not None:
            keys = s3.Keys(self.access_key_id, self.secret_access_key, self.session_token)
        signer: Signer = s3.S3(
            keys,
            self.region,
            self.endpoint,
            self.virtual_hosted,
            requester_pays=self.type == "requester-pays",
            seconds=self.expires,
            profile=self.profile,
        )
        return signer


class CdseSaid(_Unserved):
    """The downloads of the Copernicus Data Space."""

    type: Literal["cdse"]
    hosts: frozenset[Host] = frozenset({"download.dataspace.copernicus.eu", "zipper.dataspace.copernicus.eu"})
    username: str
    password: Secret
    client_id: str = "cdse-public"
    token_url: Url = _CDSE_TOKENS

    def signer(self) -> Signer:
        return PasswordGrant(self.token_url, self.username, self.password, self.client_id)


class CdseS3Said(_Said):
    """The S3 of the Copernicus Data Space."""

    type: Literal["cdse-s3"]
    hosts: frozenset[Host] = frozenset({"s3://eodata", "eodata.dataspace.copernicus.eu"})
    access_key_id: str
    secret_access_key: Secret
    endpoint: Url = "https://eodata.dataspace.copernicus.eu"
    expires: Annotated[PositiveInt, Field(le=_LONGEST)] = 3600

    def signer(self) -> Signer:
        s3 = _s3()
        keys = s3.Keys(self.access_key_id, self.secret_access_key)
        signer: Signer = s3.S3(keys, "default", self.endpoint, seconds=self.expires)
        return signer


_SIGNERS = TypeAdapter(
    list[
        Annotated[
            AnonymousSaid | BearerSaid | EarthdataSaid | PlanetaryComputerSaid | S3Said | CdseSaid | CdseS3Said,
            Field(discriminator="type"),
        ]
    ]
)


def signers(settings: Settings) -> Signers:
    """Raises SetupError, which names the signer and the member that is wrong."""
    if settings.signers is None:
        return Signers()
    text = settings.signers.get_secret_value().strip()
    said = _listed(text) if text.startswith("[") else _of_file(Path(text).expanduser())
    try:
        return Signers([found.rule() for found in _SIGNERS.validate_python(said)])
    except ValidationError as error:
        faults = [_told(fault["loc"], fault["msg"]) for fault in error.errors(include_url=False, include_input=False)]
        raise SetupError(f"UPESI_SIGNERS: {'; '.join(faults)}") from None


def _told(place: tuple[int | str, ...], message: str) -> str:
    number, *names = place or (0,)
    where = ".".join(str(name) for name in names)
    return f"signer {int(number) + 1}{', ' + where if where else ''}: {message.removeprefix('Value error, ')}"


def _listed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        raise SetupError("UPESI_SIGNERS: is not JSON") from None


def _of_file(path: Path) -> Any:
    try:
        document = tomllib.loads(path.read_text())
    except OSError as error:
        raise SetupError(f"UPESI_SIGNERS: is no JSON list, and no file that can be read: {error.strerror}") from None
    except ValueError:
        # The reason may quote the file.
        raise SetupError(f"UPESI_SIGNERS: {path} is not TOML") from None
    if set(document) != {"signers"}:
        raise SetupError(f"UPESI_SIGNERS: {path} is no file of [[signers]] alone")
    return document["signers"]


def _s3() -> Any:
    try:
        from app.assets import s3
    except ImportError:
        raise SetupError("UPESI_SIGNERS: signing for S3 needs botocore: pip install 'upesi[signing]'") from None
    return s3
