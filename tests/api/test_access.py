"""Who is let in, and what is said to who is not."""

import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import httpx
import pytest
from openapi_spec_validator import validate
from pydantic import ValidationError

from app.access import keys
from app.api.links import OPENAPI
from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from app.settings import Settings
from app.stac.access import Grant
from tests.access.issuing import AUDIENCE, Site, issuing
from tests.api.assertions import assert_error
from tests.api.serving import serving
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio

THINGS = "/collections/things"
OPEN = ["/", "/conformance", "/api", "/docs"]
CLOSED = ["/collections", THINGS, f"{THINGS}/items", f"{THINGS}/items/thing", "/search", "/queryables", "/functions"]
REALM = 'Bearer realm="upesi"'


@pytest.fixture
async def filled(database: Database, loader: Loader) -> Database:
    await load(loader, collection("things"), collection("others"), item(), item("other", "others"))
    return database


@pytest.fixture
async def client(settings: Settings, filled: Database) -> AsyncIterator[httpx.AsyncClient]:
    assert await filled.fetch(sql("SELECT 1 FROM items"))
    async with serving(settings.model_copy(update={"writes": "token"})) as client:
        yield client


@pytest.fixture
def site() -> Iterator[Site]:
    with issuing() as found:
        yield found


def with_issuer(settings: Settings, site: Site, **others: Any) -> Settings:
    return settings.model_copy(update={"oidc_issuer": site.url, "oidc_audience": (AUDIENCE,), **others})


async def key(database: Database, *names: str, of: list[str] | None = None, ends: datetime | None = None) -> str:
    _, text = await keys.create(database, "test", Grant.of_names(names, of), ends)
    return text.get_secret_value()


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


async def test_changes_need_a_right(client: httpx.AsyncClient, filled: Database) -> None:
    new = item("new")
    refusal = await client.post(f"{THINGS}/items", json=new)
    assert_error(refusal, 401)
    assert refusal.headers["www-authenticate"] == REALM
    for grant, status in ((["read"], 403), (["update", "delete"], 403), (["create"], 201)):
        answer = await client.post(f"{THINGS}/items", json=new, headers=bearer(await key(filled, *grant)))
        assert answer.status_code == status, answer.text
    others = await client.put(
        "/collections/others/items/other", json={}, headers=bearer(await key(filled, "write", of=["things"]))
    )
    assert_error(others, 403)
    assert others.headers["www-authenticate"] == (f'{REALM}, error="insufficient_scope", scope="stac:update:others"')


@pytest.mark.parametrize(
    ("method", "path", "action", "done"),
    [
        ("POST", f"{THINGS}/items", "create", 201),
        ("PUT", f"{THINGS}/items/thing", "update", 204),
        ("PATCH", f"{THINGS}/items/thing", "update", 204),
        ("DELETE", f"{THINGS}/items/thing", "delete", 204),
        ("PATCH", THINGS, "update", 204),
        ("DELETE", f"{THINGS}?cascade=true", "delete", 204),
    ],
)
async def test_each_change_has_its_action(
    client: httpx.AsyncClient, filled: Database, method: str, path: str, action: str, done: int
) -> None:
    body = (
        None if method == "DELETE" else {"title": "x"} if method == "PATCH" else item("new" if done == 201 else "thing")
    )
    for name in sorted({"read", "create", "update", "delete"} - {action}):
        assert_error(await client.request(method, path, json=body, headers=bearer(await key(filled, name))), 403)
    answer = await client.request(method, path, json=body, headers=bearer(await key(filled, action, of=["things"])))
    assert answer.status_code == done, answer.text


async def test_what_a_body_names_needs_a_right_too(client: httpx.AsyncClient, filled: Database) -> None:
    limited = bearer(await key(filled, "create", of=["mine"]))
    assert (await client.post("/collections", json=collection("mine"), headers=limited)).status_code == 201
    for name in ("theirs", "things"):
        assert_error(await client.post("/collections", json=collection(name), headers=limited), 403)
    several = {"collections": [collection("mine"), collection("theirs")]}
    assert_error(await client.post("/collections", json=several, headers=limited), 403)
    assert_error(await client.get("/collections/theirs"), 404)
    bulk = {"items": {"a": item("a")}, "method": "upsert"}
    creator = bearer(await key(filled, "create"))
    assert_error(await client.post(f"{THINGS}/bulk_items", json=bulk, headers=creator), 403)
    assert (
        await client.post(f"{THINGS}/bulk_items", json=bulk | {"method": "insert"}, headers=creator)
    ).status_code == 200
    writer = bearer(await key(filled, "write"))
    assert (await client.post(f"{THINGS}/bulk_items", json=bulk, headers=writer)).status_code == 200


async def test_nothing_of_a_body_is_read_before_the_right_to_send_it(client: httpx.AsyncClient) -> None:
    read = []

    async def body() -> AsyncIterator[bytes]:
        read.append(1)
        yield b"{}"

    assert_error(await client.post(f"{THINGS}/items", content=body()), 401)
    assert read == []


@pytest.mark.parametrize("reads", ["open", "token"])
async def test_a_key_is_sent_in_either_header(settings: Settings, filled: Database, reads: str) -> None:
    text = await key(filled, "read")
    async with serving(settings.model_copy(update={"reads": reads})) as client:
        for headers in (bearer(text), {"X-API-Key": text}, {"Authorization": f"bearer  {text} "}):
            answer = await client.get("/search", headers=headers)
            assert answer.status_code == 200, answer.text
            assert answer.headers["cache-control"] == "private"
            assert "Authorization, X-API-Key" in answer.headers["vary"]


async def test_reads_can_be_closed(settings: Settings, filled: Database, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    async with serving(settings.model_copy(update={"reads": "token", "static_dir": tmp_path})) as client:
        known = bearer(await key(filled, "read", of=["nothing"]))
        for path in OPEN:
            assert (await client.get(path)).status_code == 200
        for path in [*CLOSED, "/static/a.txt"]:
            for method in ("GET", "HEAD"):
                refusal = await client.request(method, path)
                assert (refusal.status_code, refusal.headers["www-authenticate"]) == (401, REALM)
                assert (await client.request(method, path, headers=known)).status_code == 200
        assert_error(await client.post("/search", json={}), 401)
        assert (await client.options("/search")).status_code == 204


async def test_pages_of_a_closed_service_tell_a_browser_so(settings: Settings, filled: Database) -> None:
    sent = await key(filled, "read")
    async with serving(settings.model_copy(update={"reads": "token"})) as client:
        client.headers["Accept"] = "text/html"
        landing, refused = await client.get("/"), await client.get("/collections")
        assert (landing.status_code, refused.status_code) == (200, 401)
        assert refused.headers["WWW-Authenticate"] == REALM
        for page in (landing, refused):
            assert page.headers["Content-Type"] == "text/html; charset=utf-8"
            assert "/collections/things" not in page.text
        landing, found = [await client.get(path, headers={"X-API-Key": sent}) for path in ("/", "/collections")]
        assert (landing.status_code, found.status_code) == (200, 200)
        for page in (landing, found):
            assert page.headers["Cache-Control"] == "private"
            assert "/collections/things" in page.text


async def test_anybody_reads_what_is_public(client: httpx.AsyncClient) -> None:
    for path in [*OPEN, *CLOSED]:
        answer = await client.get(path)
        assert answer.status_code == 200
        assert "cache-control" not in answer.headers
        assert ("Authorization" in answer.headers.get("vary", "")) == (path in CLOSED)


@pytest.mark.parametrize("text", ["upesi_", "upesi_0_1", "upesi_" + "a" * 100_000, "upesi_' OR 1=1 --"])
async def test_no_key_is_made_up(client: httpx.AsyncClient, text: str) -> None:
    for headers in (bearer(text), {"X-API-Key": text}):
        refusal = await client.get("/search", headers=headers)
        assert_error(refusal, 401)
        assert refusal.headers["www-authenticate"].startswith(f'{REALM}, error="invalid_token"')
        assert text not in refusal.text + refusal.headers["www-authenticate"]


@pytest.mark.parametrize("authorization", ["Basic dTpw", "Bearer", "Bearer eyJhbGciOiJSUzI1NiJ9.e30.x", "Negotiate x"])
async def test_what_is_for_a_proxy_is_passed_over(client: httpx.AsyncClient, authorization: str) -> None:
    headers = {"Authorization": authorization, "X-API-Key": "of-the-gateway"}
    assert (await client.get("/search", headers=headers)).status_code == 200
    refusal = await client.delete(f"{THINGS}/items/thing", headers=headers)
    assert (refusal.status_code, refusal.headers["www-authenticate"]) == (401, REALM)


async def test_a_key_beside_the_token_of_a_proxy(client: httpx.AsyncClient, filled: Database) -> None:
    headers = {"Authorization": "Bearer of-the-proxy", "X-API-Key": await key(filled, "delete")}
    assert (await client.delete(f"{THINGS}/items/thing", headers=headers)).status_code == 204


async def test_a_key_ends(client: httpx.AsyncClient, filled: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    text = await key(filled, "read", ends=datetime.now(UTC) + timedelta(seconds=0.5))
    assert (await client.get("/search", headers=bearer(text))).status_code == 200
    revoked, revocable = await keys.create(filled, "test", Grant.of_names(["read"]), None)
    headers = bearer(revocable.get_secret_value())
    assert (await client.get("/search", headers=headers)).status_code == 200
    await keys.revoke(filled, revoked.id)
    start = monotonic()
    monkeypatch.setattr(keys, "monotonic", lambda: start + keys.SECONDS)
    assert_error(await client.get("/search", headers=headers), 401)
    monkeypatch.setattr(keys, "datetime", _Later)
    assert "expired" in assert_error(await client.get("/search", headers=bearer(text)), 401)["description"]


class _Later(datetime):
    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return datetime.now(tz) + timedelta(seconds=1)


async def test_a_key_is_nowhere_but_with_its_owner(filled: Database, caplog: pytest.LogCaptureFixture) -> None:
    made, secret = await keys.create(filled, "test", Grant.of_names(["read"]), None)
    text = secret.get_secret_value()
    (row,) = await filled.fetch(sql("SELECT * FROM api_keys"))
    assert text.removeprefix("upesi_")[:8] == row["id"] == made.id
    assert row["digest"] == keys.digest_of(text)
    assert text.rpartition("_")[2] not in repr(dict(row)) + repr(made) + repr(secret) + caplog.text
    assert len(bytes.fromhex(text.rpartition("_")[2])) == 32


@pytest.mark.usefixtures("filled")
async def test_tokens_of_an_issuer(settings: Settings, site: Site) -> None:
    async with serving(with_issuer(settings, site, reads="token", writes="token")) as client:
        assert (await client.get("/search", headers=bearer(site.token()))).status_code == 200
        cases: list[tuple[dict[str, Any], int]] = [
            ({}, 403),
            ({"scope": "openid stac:read"}, 403),
            ({"scope": "stac:delete:others"}, 403),
            ({"roles": ["stac:delete"]}, 403),
            ({"scope": 5, "scp": {"stac:delete": 1}}, 403),
            ({"exp": 1, "scope": "stac:delete"}, 401),
            ({"scp": ["stac:delete:things"]}, 204),
        ]
        for claims, status in cases:
            answer = await client.delete(f"{THINGS}/items/thing", headers=bearer(site.token(**claims)))
            assert answer.status_code == status, answer.text


@pytest.mark.usefixtures("filled")
async def test_the_issuers_own_roles_have_a_meaning(settings: Settings, site: Site) -> None:
    others = {
        "writes": "token",
        "oidc_scope_claims": ("realm_access.roles", "https://a.example/roles"),
        "oidc_scopes": {"stac-admin": "stac:read stac:write", "stac:delete": "stac:read"},
    }
    async with serving(with_issuer(settings, site, **others)) as client:
        for claims, status in (
            ({"scope": "stac:write"}, 403),
            ({"realm_access": {"roles": ["stac:delete"]}}, 403),
            ({"realm_access": ["stac-admin"]}, 403),
            ({"realm_access": {"roles": ["x", "stac-admin"]}}, 204),
            ({"https://a.example/roles": "stac-admin"}, 404),
        ):
            answer = await client.delete(f"{THINGS}/items/thing", headers=bearer(site.token(**claims)))
            assert answer.status_code == status, answer.text


async def test_an_issuer_that_is_away(settings: Settings, filled: Database, site: Site) -> None:
    site.status = 500
    async with serving(with_issuer(settings, site, writes="token")) as client:
        refusal = await client.get("/search", headers=bearer(site.token()))
        assert_error(refusal, 503)
        assert refusal.headers["retry-after"] == "1"
        assert (await client.get("/search")).status_code == 200
        assert (await client.get("/search", headers=bearer(await key(filled, "read")))).status_code == 200


async def test_no_credential_is_told_or_logged(
    settings: Settings, filled: Database, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent = [site.token(exp=1), site.token(kid="unknown"), site.token(), await key(filled, "read"), "upesi_wrong"]
    async with serving(with_issuer(settings, site, writes="token")) as client:
        answers = [await client.get("/search?limit=1", headers=bearer(text)) for text in sent]
    told = "".join(answer.text + repr(answer.headers.multi_items()) for answer in answers) + caplog.text
    assert not any(part in told for text in sent for part in text.split(".") if len(part) > 10)


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize(
    ("others", "reading", "writing"),
    [
        ({}, True, None),
        ({"writes": "open"}, True, True),
        ({"writes": "token"}, True, False),
        ({"reads": "token", "writes": "open"}, False, False),
    ],
)
async def test_the_description_says_what_is_needed(
    settings: Settings, site: Site, others: Any, reading: bool, writing: bool | None
) -> None:
    """`reading` and `writing`: whether it can be done without a credential; None where it cannot be done."""
    async with serving(with_issuer(settings, site, **others)) as client:
        answer = await client.get("/api")
        landing = (await client.get("/")).json()
    assert answer.headers["content-type"] == OPENAPI
    described = answer.json()
    validate(described)
    assert described["components"]["securitySchemes"].keys() == {"apiKey", "bearer", "oidc"}
    paths = described["paths"]
    assert "security" not in paths["/"]["get"]
    assert ({} in paths["/search"]["get"]["security"]) == reading
    assert "401" in paths["/search"]["post"]["responses"]
    post = paths["/collections"].get("post")
    assert (post is None) == (writing is None)
    assert post is None or ({} in post["security"]) == writing
    assert ("auth:schemes" in landing) == ("token" in others.values())
    assert any("transaction" in uri for uri in landing["conformsTo"]) == (writing is not None)


@pytest.mark.parametrize(
    "given",
    [
        {"oidc_issuer": "https://a.example"},
        {"oidc_issuer": "https://user@a.example", "oidc_audience": ("a",)},
        {"oidc_scopes": {"admin": "stac:everything"}},
        {"reads": "off"},
    ],
)
def test_settings_that_cannot_be(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**given)
