import re
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo

from app.settings import Settings, default_data_dir

CONFIGURATION = Path(__file__).parents[1] / "docs" / "configuration.md"
# What depends on the machine is told in words.
IN_WORDS = {"data_dir": "`/var/lib/upesi` for root, else the user's data folder, such as `~/.local/share/upesi`"}


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def variable(field: str) -> str:
    return f"UPESI_{field.upper()}"


def row(name: str, field: FieldInfo) -> str:
    return f"| `{variable(name)}` | {IN_WORDS.get(name) or default(field.default)} | {field.description} |"


def default(value: Any) -> str:
    match value:
        case None | "" | ():
            return "not set"
        case bool():
            return f"`{str(value).lower()}`"
        case ():
            return "not set"
        case tuple():
            return f"`{','.join(value)}`"
    return f"`{value}`"


def test_documentation_has_a_row_for_each_setting() -> None:
    rows = [line for line in CONFIGURATION.read_text().splitlines() if line.startswith("| `UPESI_")]
    assert rows == [row(name, field) for name, field in Settings.model_fields.items()]


@pytest.mark.parametrize("name", Settings.model_fields)
def test_each_setting_is_described(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert "|" not in description


GIVEN = [
    ("database_url", "postgresql://u@h/d", "postgresql://u@h/d"),
    ("database_url", "postgres://u@h/d", "postgres://u@h/d"),
    ("read_database_urls", "", ()),
    ("read_database_urls", "postgresql://u@a,b/d", ("postgresql://u@a,b/d",)),
    ("read_database_urls", "postgresql://u@a/d, postgres://u@b,c/d", ("postgresql://u@a/d", "postgres://u@b,c/d")),
    ("read_lag", "0.5", 0.5),
    ("prepared_statements", "false", False),
    ("data_dir", "/data", Path("/data")),
    ("pool_size", "3", 3),
    ("database_wait", "0.5", 0.5),
    ("query_timeout", "0.5", 0.5),
    ("default_limit", "20", 20),
    ("max_limit", "500", 500),
    ("count_limit", "0", 0),
    ("count_wait", "0.5", 0.5),
    ("max_body_bytes", "1000", 1000),
    ("request_timeout", "5", 5.0),
    ("max_concurrent", "8", 8),
    ("max_waiting", "0", 0),
    ("max_wait", "0.5", 0.5),
    ("rate_limit", "100/minute", "100/minute"),
    ("rate_limit_redis", "redis://cache", SecretStr("redis://cache")),
    ("trusted_proxies", "10.0.0.0/8, ::1", (ip_network("10.0.0.0/8"), ip_network("::1/128"))),
    ("trusted_proxies", "", ()),
    ("validate_queryables", "true", True),
    ("catalog_id", "my", "my"),
    ("catalog_title", "My 🛰", "My 🛰"),
    ("catalog_description", "It is mine.", "It is mine."),
    ("public_url", "https://stac.example.com/api", "https://stac.example.com/api"),
    ("root_path", "/stac/v1", "/stac/v1"),
    ("root_path", "", ""),
    ("trust_proxy", "false", False),
    ("cors_origins", "https://a.example", ("https://a.example",)),
    ("asset_hosts", "a.example, b.example:8443,", ("a.example", "b.example:8443")),
    ("asset_hosts", "Data.Example", ("data.example",)),
    ("asset_dir", "/assets", Path("/assets")),
    ("raster_workers", "3", 3),
    ("raster_memory", "1024", 1024),
    ("raster_timeout", "10", 10.0),
    ("cube_pixels", "1000", 1000),
    ("mosaic_items", "10", 10),
    ("cors_origins", "https://a.example, https://b.example", ("https://a.example", "https://b.example")),
    ("cors_origin_regex", r"https://.*\.example", re.compile(r"https://.*\.example")),
    ("cors_credentials", "false", False),
    ("cors_max_age", "0", 0),
    ("static_dir", "/files", Path("/files")),
    ("thumbnails", "all", "all"),
    ("browser_dir", "/browser", Path("/browser")),
    ("reads", "token", "token"),
    ("writes", "open", "open"),
    ("writes", "token", "token"),
    ("oidc_issuer", "https://id.example/realms/a", "https://id.example/realms/a"),
    ("oidc_audience", "https://stac.example, other", ("https://stac.example", "other")),
    ("oidc_jwks_url", "https://id.example/keys", "https://id.example/keys"),
    ("oidc_scope_claims", "realm_access.roles", ("realm_access.roles",)),
    ("oidc_scopes", '{"admin": "stac:read stac:write:a"}', {"admin": "stac:read stac:write:a"}),
    ("require_if_match", "true", True),
    ("keep_timestamps", "true", True),
    ("validation", "off", "off"),
    ("schema_dir", "/schemas", Path("/schemas")),
    ("href_rules", '{"s3://a/": "https://b/"}', {"s3://a/": "https://b/"}),
    ("signers", "/etc/signers.toml", SecretStr("/etc/signers.toml")),
    ("metrics", "on", "on"),
    ("metrics", "[::1]:9090", "[::1]:9090"),
    ("traces", "otlp", "otlp"),
    ("log_format", "json", "json"),
    ("access_log", "true", True),
    ("stop_timeout", "30", 30),
]


# What one setting asks of another.
BESIDE = {"oidc_issuer": ("oidc_audience", "https://stac.example")}


@pytest.mark.parametrize(("name", "text", "value"), GIVEN)
def test_variable_is_read(monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object) -> None:
    if name in BESIDE:
        monkeypatch.setenv(variable(BESIDE[name][0]), BESIDE[name][1])
    monkeypatch.setenv(variable(name), text)
    assert getattr(Settings(), name) == value


def test_the_table_above_has_each_setting() -> None:
    assert {name for name, _, _ in GIVEN} == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("database_url", "mysql://u@h/d"),
        ("database_url", "u@h/d"),
        ("read_database_urls", "replica"),
        ("read_database_urls", "postgresql://u@a/d,mysql://u@b/d"),
        ("read_lag", "0"),
        ("prepared_statements", "perhaps"),
        ("pool_size", "0"),
        ("pool_size", "many"),
        ("query_timeout", "-1"),
        ("query_timeout", "nan"),
        ("default_limit", "0"),
        ("max_limit", "-5"),
        ("count_limit", "-1"),
        ("count_wait", "-0.1"),
        ("max_body_bytes", "5MB"),
        ("request_timeout", "0"),
        ("max_concurrent", "0"),
        ("max_waiting", "-1"),
        ("max_wait", "0"),
        ("rate_limit", "100"),
        ("rate_limit", "0/minute"),
        ("rate_limit", "5/day"),
        ("trusted_proxies", "proxy.example"),
        ("cors_origin_regex", "("),
        ("cors_credentials", "true"),
        ("cors_max_age", "-1"),
        ("metrics", "yes"),
        ("metrics", "/metrics"),
        ("traces", "on"),
        ("log_format", "xml"),
        ("stop_timeout", "0"),
        ("validate_queryables", "perhaps"),
        ("catalog_id", ""),
        ("catalog_title", ""),
        ("catalog_description", ""),
        ("public_url", "stac.example.com"),
        ("public_url", "ftp://stac.example.com"),
        ("root_path", "stac"),
        ("root_path", "/"),
        ("root_path", "/stac/"),
        ("trust_proxy", "perhaps"),
        ("reads", "off"),
        ("writes", "everyone"),
        ("oidc_issuer", "id.example"),
        ("oidc_jwks_url", "keys"),
        ("oidc_scopes", '{"admin": "everything"}'),
        ("require_if_match", "perhaps"),
        ("keep_timestamps", "perhaps"),
        ("validation", "strict"),
        ("href_rules", '{"https://a.example": "https://b.example/"}'),
        ("href_rules", "s3://a/=https://b/"),
        ("oidc_scopes", "admin"),
        ("oidc_scopes", "[1]"),
        ("rate_limit_redis", "cache:6379"),
        ("metrics", "127.0.0.1:65536"),
        ("asset_hosts", "https://a.example"),
        ("asset_hosts", "a.example/b"),
        ("public_url", "https://"),
        ("public_url", "https://stac.example.com/?a=b"),
        ("href_rules", '{"/a/": "https://b.example/"}'),
    ],
)
def test_bad_value_is_refused_under_its_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(variable(name), text)
    with pytest.raises(ValidationError) as failure:
        Settings()
    assert [error["loc"] for error in failure.value.errors()] == [(name,)]


@pytest.mark.parametrize("folder", [None, "/nowhere"])
def test_extensions_are_checked_with_a_folder_of_schemas(monkeypatch: pytest.MonkeyPatch, folder: str | None) -> None:
    monkeypatch.setenv("UPESI_VALIDATION", "extensions")
    if folder is not None:
        monkeypatch.setenv("UPESI_SCHEMA_DIR", folder)
    with pytest.raises(ValidationError, match="needs a folder with the schemas") as failure:
        Settings()
    assert [error["loc"] for error in failure.value.errors()] == [("schema_dir",)]


def test_settings_are_frozen() -> None:
    settings = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.__setattr__("pool_size", 5)


def test_other_variables_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPESI_TEST_DATABASE_URL", "x")
    monkeypatch.setenv("POOL_SIZE", "5")
    assert Settings().pool_size == 10


def test_name_in_small_letters_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("upesi_pool_size", "7")
    assert Settings().pool_size == 7


@pytest.mark.parametrize(("user", "folder"), [(0, "/var/lib/upesi"), (1000, "upesi")])
def test_data_directory_follows_the_user(monkeypatch: pytest.MonkeyPatch, user: int, folder: str) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert str(default_data_dir()).endswith(folder)
    assert (default_data_dir() == Path("/var/lib/upesi")) == (user == 0)
    assert Settings().data_dir == default_data_dir()


def test_no_secret_is_in_what_settings_look_like(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPESI_DATABASE_URL", "postgresql://u:hidden@h/d")
    monkeypatch.setenv("UPESI_RATE_LIMIT_REDIS", "redis://:hidden@h")
    assert "hidden" not in repr(Settings())
    monkeypatch.setenv("UPESI_DATABASE_URL", "mysql://u:hidden@h/d")
    with pytest.raises(ValidationError) as failure:
        Settings()
    assert "hidden" not in str(failure.value)
