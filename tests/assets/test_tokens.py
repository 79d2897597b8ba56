import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from app.assets.sas import PlanetaryComputer
from app.assets.signing import PasswordGrant, Signed
from app.assets.tokens import Token, now
from app.errors import Unavailable
from tests.bulk.website import Website, website

pytestmark = pytest.mark.anyio
BLOB = "https://acc0unt.blob.core.windows.net/container/a/b.tif"
PATH = "/token/acc0unt/container"


@pytest.fixture
def site() -> Iterator[Website]:
    with website() as site:
        yield site


def answer(seconds: float = 3600, token: Any = "sv=1&sig=s3cr3t%3D") -> dict[str, Any]:
    expires = datetime.now(UTC) + timedelta(seconds=seconds)
    return {"token": token, "msft:expiry": expires.strftime("%Y-%m-%dT%H:%M:%SZ")}


def signer(site: Website) -> PlanetaryComputer:
    return PlanetaryComputer(f"{site.url}/token")


async def test_a_container_has_one_token(site: Website) -> None:
    site.pages = {PATH: answer(), "/token/acc0unt/other": answer(token="sig=other")}
    planetary = signer(site)
    assert (await planetary.href(BLOB)).href == f"{BLOB}?sv=1&sig=s3cr3t%3D"
    assert (await planetary.href(BLOB + "?x=1")).href == f"{BLOB}?x=1&sv=1&sig=s3cr3t%3D"
    assert (await planetary.href(BLOB.replace("container", "other"))).href.endswith("?sig=other")
    assert site.asked == [PATH, "/token/acc0unt/other"]


async def test_many_at_once_ask_once(site: Website) -> None:
    site.pages = {PATH: answer()}
    planetary = signer(site)
    signed = await asyncio.gather(*(planetary.href(BLOB) for _ in range(50)))
    assert len(set(signed)) == 1
    assert site.asked == [PATH]


async def test_a_failure_is_that_of_all_who_wait(site: Website) -> None:
    site.pages = {PATH: answer()}
    site.failures = {PATH: [500]}
    planetary = signer(site)
    failed = await asyncio.gather(*(planetary.href(BLOB) for _ in range(10)), return_exceptions=True)
    assert [type(error) for error in failed] == [Unavailable] * 10
    assert site.asked == [PATH]
    assert "sig=" in (await planetary.href(BLOB)).href


async def test_one_who_leaves_takes_the_answer_from_nobody(site: Website) -> None:
    site.pages = {PATH: answer()}
    planetary = signer(site)
    leaving, staying = asyncio.create_task(planetary.href(BLOB)), asyncio.create_task(planetary.href(BLOB))
    await asyncio.sleep(0)
    leaving.cancel()
    assert "sig=" in (await staying).href
    assert site.asked == [PATH]


async def test_a_token_is_renewed_before_it_ends(site: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages = {PATH: answer(3600)}
    planetary = signer(site)
    await planetary.href(BLOB)
    start = now()
    monkeypatch.setattr("app.assets.tokens.now", lambda: start + timedelta(minutes=54))
    await planetary.href(BLOB)
    assert len(site.asked) == 1
    monkeypatch.setattr("app.assets.tokens.now", lambda: start + timedelta(minutes=56))
    site.failures = {PATH: [503]}
    assert "sig=" in (await planetary.href(BLOB)).href
    assert len(site.asked) == 2
    site.pages = {PATH: answer(7200, "sig=new")}
    assert (await planetary.href(BLOB)).href == f"{BLOB}?sig=new"


async def test_what_has_ended_is_not_used(site: Website, monkeypatch: pytest.MonkeyPatch) -> None:
    site.pages = {PATH: answer(3600)}
    planetary = signer(site)
    await planetary.href(BLOB)
    start = now()
    monkeypatch.setattr("app.assets.tokens.now", lambda: start + timedelta(minutes=61))
    site.failures = {PATH: [503]}
    with pytest.raises(Unavailable):
        await planetary.href(BLOB)


@pytest.mark.parametrize("seconds", [20, 200, 3600, -5])
def test_a_short_life_is_used_for_half_of_it(seconds: int) -> None:
    token = Token.until(SecretStr("x"), now() + timedelta(seconds=seconds))
    left = (token.expires - token.renew).total_seconds()
    assert left == pytest.approx(max(0, min(300, seconds / 2)), abs=1)


async def test_a_container_without_a_token_is_left_as_it_is(site: Website) -> None:
    planetary = signer(site)
    for _ in range(3):
        assert await planetary.href(BLOB) == Signed(BLOB)
    assert site.asked == [PATH]


@pytest.mark.parametrize(
    "href",
    [
        BLOB + "?sv=1&sig=theirs",
        "https://acc0unt.blob.core.windows.net/",
        "https://acc0unt.blob.core.windows.net/../secret/b.tif",
        "https://acc0unt.blob.core.windows.net/con%2Ftainer/b.tif",
        "https://a.b.blob.core.windows.net/container/b.tif",
        "https://data.example.com/container/b.tif",
    ],
)
async def test_what_is_not_signed(site: Website, href: str) -> None:
    assert await signer(site).href(href) == Signed(href)
    assert site.asked == []


ANSWERS = [
    *(b"not JSON s3cr3t", [], {}),
    *(answer(token=None), answer(token="a b"), answer(token="s3cr3t\n")),
    answer() | {"msft:expiry": "soon"},
]


@pytest.mark.parametrize("page", ANSWERS)
async def test_an_answer_without_a_token(site: Website, page: Any) -> None:
    site.pages = {PATH: page}
    with pytest.raises(Unavailable) as caught:
        await signer(site).href(BLOB)
    assert "s3cr3t" not in str(caught.value)


async def test_nobody_answers() -> None:
    with website() as site:
        planetary = signer(site)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await planetary.href(BLOB)


async def test_password_grant(site: Website) -> None:
    forms: list[Any] = []

    def token(form: Any) -> Any:
        forms.append(form)
        return {"access_token": "b34rer", "expires_in": 600}

    site.pages = {"POST /token": token}
    grant = PasswordGrant(f"{site.url}/token", "user", SecretStr("s3cr3t&=ü"), "public")
    assert await grant.headers("https://download.example.com/a") == {"Authorization": "Bearer b34rer"}
    assert await grant.environment("https://download.example.com/a") == {
        "GDAL_HTTP_AUTH": "BEARER",
        "GDAL_HTTP_BEARER": "b34rer",
    }
    assert site.asked == ["POST /token"]
    assert "s3cr3t" not in repr(grant)
    assert forms == [
        {"grant_type": ["password"], "client_id": ["public"], "username": ["user"], "password": ["s3cr3t&=ü"]}
    ]
