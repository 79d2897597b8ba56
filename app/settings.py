"""The settings: one frozen object, read once from `UPESI_*` variables and then passed, never a global."""

import json
import os
import re
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

from platformdirs import user_data_path
from pydantic import (
    BeforeValidator,
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from app.errors import SetupError
from app.limits.client import Network, network
from app.limits.rate import PATTERN

# What app.stac.access reads.
_SCOPE = re.compile("stac:(read|write|create|update|delete)(:.+)?")

_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d{1,5})?")
_LAST_PORT = 65_535
# Of the settings that a bare installation cannot follow: what has to be installed, and a module of it.
_EXTRAS = {
    "rate_limit_redis": ("redis", "redis.asyncio"),
    "traces": ("otel", "opentelemetry.exporter.otlp.proto.http"),
}


def default_data_dir() -> Path:
    """Where the embedded cluster lives when nothing is said.

    Root cannot run PostgreSQL and its home folder is closed to other users, so its cluster is kept in /var/lib.
    """
    return Path("/var/lib/upesi") if os.geteuid() == 0 else user_data_path("upesi")


def _parts(value: object) -> object:
    """Of a text with commas."""
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _urls(text: object) -> object:
    """A comma between the hosts of one URL is no end of it."""
    if not isinstance(text, str):
        return text
    urls = re.split(r",\s*(?=\w+://)", text) if text else []
    if not all(re.match("postgres(ql)?://", url) for url in urls):
        raise ValueError("each is a URL that begins with postgresql://")
    return urls


def _networks(value: object) -> object:
    return tuple(network(part) for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _object(text: object) -> object:
    """Of a text that is JSON."""
    try:
        return json.loads(text) if isinstance(text, str) else text
    except ValueError:
        raise ValueError("is not JSON") from None


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="UPESI_", frozen=True, extra="ignore", hide_input_in_errors=True)

    database_url: Annotated[
        str | None,
        Field(
            description="A PostGIS database; without it the embedded cluster is used",
            pattern="^postgres(ql)?://",
            repr=False,  # it may have a password in it
        ),
    ] = None
    read_database_urls: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_urls),
        Field(
            description="Streaming replicas that answer reads, separated by commas; writes go to the primary",
            repr=False,
        ),
    ] = ()
    read_lag: Annotated[
        PositiveFloat,
        Field(description="Seconds a replica may be behind the primary; one further behind is not read from"),
    ] = 10.0
    prepared_statements: Annotated[
        bool,
        Field(description="Whether statements are prepared; `false` behind a pooler that knows them not"),
    ] = True
    data_dir: Annotated[Path, Field(description="Folder of the embedded cluster and of the demo's files")] = Field(
        default_factory=default_data_dir
    )
    pool_size: Annotated[PositiveInt, Field(description="Database connections of each worker, at most")] = 10
    database_wait: Annotated[
        NonNegativeFloat, Field(description="Seconds a service that starts waits for a database that does not answer")
    ] = 30.0
    query_timeout: Annotated[
        PositiveFloat,
        Field(description="Seconds a query may run before it is cancelled and answered with 504"),
    ] = 30.0
    default_limit: Annotated[PositiveInt, Field(description="Items on a page when the request names no limit")] = 10
    max_limit: Annotated[
        PositiveInt, Field(description="Items on a page at most; a larger limit is served as this one")
    ] = 1000
    count_limit: Annotated[
        NonNegativeInt,
        Field(description="A search is counted as far as this for `numberMatched`, and without it beyond; 0 is never"),
    ] = 10_000
    count_wait: Annotated[
        NonNegativeFloat,
        Field(description="Seconds a page whose items are there may wait for its count; then it goes without"),
    ] = 0.05
    max_body_bytes: Annotated[PositiveInt, Field(description="Size of a request body at most")] = 5_000_000
    request_timeout: Annotated[
        PositiveFloat,
        Field(description="Seconds from a request to the begin of its answer; then it is answered with 504, or 408"),
    ] = 60.0
    max_concurrent: Annotated[PositiveInt, Field(description="Requests a worker answers at a time; others wait")] = 32
    max_waiting: Annotated[
        NonNegativeInt, Field(description="Requests that wait in each worker, at most; more are answered with 503")
    ] = 1000
    max_wait: Annotated[
        PositiveFloat,
        Field(description="Seconds a request may wait for its turn; one that would wait longer is 503 at once"),
    ] = 5.0
    rate_limit: Annotated[
        str | None,
        Field(description="Requests of one client, such as `100/minute` (second, hour); more are 429", pattern=PATTERN),
    ] = None
    rate_limit_redis: Annotated[
        SecretStr | None,
        Field(description="URL of a Redis in which processes share the rate limit; else each has its own"),
    ] = None
    trusted_proxies: Annotated[
        tuple[Network, ...],
        NoDecode,
        BeforeValidator(_networks),
        Field(description="Networks, separated by commas, whose proxies are believed what address a client has"),
    ] = ()
    validate_queryables: Annotated[
        bool, Field(description="Whether a filter or an order that names a property no item has is an error")
    ] = False
    catalog_id: Annotated[str, Field(description="`id` of the landing page", min_length=1)] = "upesi"
    catalog_title: Annotated[str, Field(description="`title` of the landing page", min_length=1)] = "Upesi"
    catalog_description: Annotated[str, Field(description="`description` of the landing page", min_length=1)] = (
        "A SpatioTemporal Asset Catalog served by Upesi."
    )
    public_url: Annotated[
        str | None,
        Field(
            description="URL the service is reached under; without it links follow the request",
            pattern=r"^https?://[^/?#\s]+(/[^?#\s]*)?$",
        ),
    ] = None
    root_path: Annotated[
        str,
        Field(description="Path prefix a proxy removes before it asks the service", pattern="^(/.*[^/])?$"),
    ] = ""
    trust_proxy: Annotated[
        bool, Field(description="Whether links follow the `Forwarded` and `X-Forwarded-*` headers")
    ] = True
    cors_origins: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_parts),
        Field(description="Origins a browser may call from, separated by commas"),
    ] = ("*",)
    cors_origin_regex: Annotated[
        re.Pattern[str] | None, Field(description="Other origins a browser may call from, as a regular expression")
    ] = None
    cors_credentials: Annotated[
        bool, Field(description="Whether a browser sends cookies and logins along; the origins must be named then")
    ] = False
    cors_max_age: Annotated[NonNegativeInt, Field(description="Seconds a browser remembers what it may do")] = 600
    static_dir: Annotated[
        Path | None,
        Field(
            description="Folder served at `/static`, with range requests, for local assets; hrefs `../../../static/…` "
            "of items are told whole"
        ),
    ] = None
    asset_hosts: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_parts),
        Field(description="Hosts whose files the service opens for pictures and cubes, separated by commas"),
    ] = ()
    asset_dir: Annotated[
        Path | None, Field(description="Folder whose files the service opens for pictures and cubes, by `file://`")
    ] = None
    raster_workers: Annotated[PositiveInt, Field(description="Processes of each worker that read pixels, at most")] = 2
    raster_memory: Annotated[PositiveInt, Field(description="Megabytes of data each of these may have", ge=512)] = 2048
    raster_timeout: Annotated[
        PositiveFloat, Field(description="Seconds a picture or a cube may take before it is answered with 504")
    ] = 60.0
    cube_pixels: Annotated[PositiveInt, Field(description="Pixels of a cube over HTTP at most")] = 25_000_000
    mosaic_items: Annotated[PositiveInt, Field(description="Items of a mosaic or a cube over HTTP at most")] = 1000
    thumbnails: Annotated[
        Literal["own", "all"],
        Field(description="Whose images pages show: `own` of this host alone, `all` of any, which browsers then ask"),
    ] = "own"
    browser_dir: Annotated[
        Path | None, Field(description="Folder of STAC Browser as `make browser` builds it, served at `/browser`")
    ] = None
    reads: Annotated[
        Literal["open", "token"],
        Field(description="Who may read public collections: whoever reaches the service, or who has a key or a token"),
    ] = "open"
    writes: Annotated[
        Literal["off", "open", "token"],
        Field(
            description="Who may change the catalogue over HTTP: nobody, whoever reaches it, or who has a key or a "
            "token with the right"
        ),
    ] = "off"
    oidc_issuer: Annotated[
        str | None,
        Field(description="The `iss` of the JSON Web Tokens that are taken, a URL", pattern="^https?://[^/@]+(/.*)?$"),
    ] = None
    oidc_audience: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_parts),
        Field(description="The `aud` of tokens for this service, separated by commas", validate_default=True),
    ] = ()
    oidc_jwks_url: Annotated[
        str | None,
        Field(
            description="Where the issuer's keys are; without it its OpenID discovery document says so",
            pattern="^https?://",
        ),
    ] = None
    oidc_scope_claims: Annotated[
        tuple[str, ...],
        NoDecode,
        BeforeValidator(_parts),
        Field(description="The claims of a token that hold scopes, or the steps to one such as `realm_access.roles`"),
    ] = ("scope", "scp")
    oidc_scopes: Annotated[
        dict[str, str],
        NoDecode,
        BeforeValidator(_object),
        Field(description="What the issuer's own scopes and roles stand for, as a JSON object: its name, our scopes"),
    ] = {}
    require_if_match: Annotated[
        bool, Field(description="Whether PUT, PATCH and DELETE without `If-Match` are answered with 428")
    ] = False
    keep_timestamps: Annotated[
        bool, Field(description="Whether the service sets `created` and `updated` of what is written over HTTP")
    ] = False
    validation: Annotated[
        Literal["off", "core", "extensions"],
        Field(description="What a document must meet to be stored: its columns, STAC too, its extensions too"),
    ] = "core"
    schema_dir: Annotated[
        Path | None,
        Field(description="Folder of the JSON Schemas of extensions, each found by its `$id`", validate_default=True),
    ] = None
    href_rules: Annotated[
        dict[str, str],
        NoDecode,
        BeforeValidator(_object),
        Field(
            description="Prefixes of asset hrefs and what stands in their place, as a JSON object; each ends with `/`"
        ),
    ] = {}

    signers: Annotated[
        SecretStr | None,
        Field(description="Who may read assets where: a JSON list of signers, or the path of a TOML file"),
    ] = None
    metrics: Annotated[
        str,
        Field(
            description="Where Prometheus finds metrics: `off`, `on` at `/metrics`, or an address such as "
            "`127.0.0.1:9090`",
            pattern=r"^(off|on|[^\s/]+:\d{1,5})$",
        ),
    ] = "off"
    traces: Annotated[
        Literal["off", "otlp"],
        Field(description="Whether traces are sent, to where `OTEL_EXPORTER_OTLP_ENDPOINT` says"),
    ] = "off"
    log_format: Annotated[Literal["text", "json"], Field(description="Log for people, or an object a line")] = "text"
    access_log: Annotated[bool, Field(description="Whether each request is a line in the log")] = False
    stop_timeout: Annotated[
        PositiveInt, Field(description="Seconds that requests, and then the pool, have to end when the service stops")
    ] = 10

    def servers(self, primary: str) -> list[str]:
        """The URLs of the database: that of its primary, which may be the embedded one, and those of its replicas."""
        return [primary, *self.read_database_urls]

    def check(self) -> None:
        """That this machine has what a service is told to use. Raises SetupError, which names the variable."""
        for name in ("static_dir", "asset_dir", "browser_dir"):
            folder: Path | None = getattr(self, name)
            if folder is not None and not folder.is_dir():
                raise SetupError(f"UPESI_{name.upper()}: there is no folder {str(folder)!r}")
        for name, (extra, module) in _EXTRAS.items():
            if getattr(self, name) != type(self).model_fields[name].default:
                try:
                    import_module(module)
                except ImportError:
                    raise SetupError(f"UPESI_{name.upper()} needs the extra: pip install 'upesi[{extra}]'") from None

    @field_validator("rate_limit_redis")
    @classmethod
    def _is_of_redis(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None and not url.get_secret_value().startswith(("redis://", "rediss://", "unix://")):
            raise ValueError("is no URL that begins with redis://, rediss:// or unix://")
        return url

    @field_validator("metrics")
    @classmethod
    def _has_a_port(cls, address: str) -> str:
        if ":" in address and int(address.rpartition(":")[2]) > _LAST_PORT:
            raise ValueError(f"ports end at {_LAST_PORT}")
        return address

    @field_validator("asset_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise ValueError(f"{host!r} is no host such as example.com or example.com:8443")
        return tuple(host.lower() for host in hosts)

    @field_validator("href_rules")
    @classmethod
    def _ends_where_a_name_does(cls, rules: dict[str, str]) -> dict[str, str]:
        for prefix in (part for rule in rules.items() for part in rule):
            if not prefix.endswith("/") or "://" not in prefix:
                raise ValueError(f"{prefix!r} is no prefix such as s3://bucket/ or https://host/")
        return rules

    @field_validator("oidc_audience")
    @classmethod
    def _is_said_with_an_issuer(cls, audience: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        """An issuer has tokens for many services, each of which could use those that it is sent."""
        if info.data.get("oidc_issuer") is not None and not audience:
            raise ValueError("UPESI_OIDC_ISSUER needs the audience of the tokens that are for this service")
        return audience

    @field_validator("oidc_scopes")
    @classmethod
    def _mean_something(cls, meanings: dict[str, str]) -> dict[str, str]:
        for scope in (scope for scopes in meanings.values() for scope in scopes.split()):
            if not _SCOPE.fullmatch(scope):
                raise ValueError(f"{scope!r} is no scope such as stac:read or stac:write:COLLECTION")
        return meanings

    @field_validator("cors_credentials")
    @classmethod
    def _is_for_named_origins(cls, credentials: bool, info: ValidationInfo) -> bool:
        if credentials and "*" in info.data.get("cors_origins", ()):
            raise ValueError("any site could act for its visitors: name the UPESI_CORS_ORIGINS instead of *")
        return credentials

    @field_validator("schema_dir")
    @classmethod
    def _is_there_where_needed(cls, folder: Path | None, info: ValidationInfo) -> Path | None:
        if info.data.get("validation") == "extensions" and (folder is None or not folder.is_dir()):
            raise ValueError("UPESI_VALIDATION=extensions needs a folder with the schemas")
        return folder
