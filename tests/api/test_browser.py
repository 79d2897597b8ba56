"""The files of STAC Browser, and what tells them of the catalogue; tests/clients has them in a browser."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest

from app.settings import Settings
from tests.api.assertions import assert_error
from tests.api.serving import serving

pytestmark = pytest.mark.anyio

PAGE = "<!doctype html><title>STAC Browser</title>"


@pytest.fixture
async def browser(settings: Settings, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    (tmp_path / "index.html").write_text(PAGE)
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "app.js").write_text("1;")
    changed = {"browser_dir": tmp_path, "catalog_title": "My </script> 🛰", "root_path": "/stac"}
    async with serving(settings.model_copy(update=changed)) as client:
        yield client


async def test_the_page_and_its_files(browser: httpx.AsyncClient) -> None:
    page = await browser.get("/stac/browser/")
    assert (page.status_code, page.text) == (200, PAGE)
    assert page.headers["content-type"].startswith("text/html")
    assert "script-src 'self';" in page.headers["content-security-policy"]
    assert (await browser.get("/stac/browser/js/app.js")).text == "1;"
    assert_error(await browser.get("/stac/browser/js/none.js"), 404)


async def test_a_file_that_is_known_is_not_sent_again(browser: httpx.AsyncClient) -> None:
    for path in ("/stac/browser/", "/stac/browser/js/app.js", "/stac/browser/config.js"):
        first = await browser.get(path)
        again = await browser.get(path, headers={"If-None-Match": first.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")
        head = await browser.head(path)
        assert (head.status_code, head.headers["etag"]) == (200, first.headers["etag"])


async def test_the_path_without_a_slash_leads_to_the_page(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/stac/browser", headers={"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example"})
    assert (answer.status_code, answer.headers["location"]) == (307, "https://a.example/stac/browser/")


async def test_it_is_told_of_this_catalogue(browser: httpx.AsyncClient) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "a.example"}
    answer = await browser.get("/stac/browser/config.js", headers=headers)
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["cache-control"] == "no-cache"
    said = orjson.loads(answer.content.removeprefix(b"window.STAC_BROWSER_CONFIG = ").partition(b";\n")[0])
    landing = (await browser.get("/stac/", headers=headers)).json()
    assert said["catalogUrl"] == next(link["href"] for link in landing["links"] if link["rel"] == "root")
    assert said["catalogTitle"] == "My </script> 🛰"


async def test_without_the_setting_there_is_nothing(settings: Settings) -> None:
    async with serving(settings) as client:
        for path in ("/browser", "/browser/", "/browser/config.js"):
            assert_error(await client.get(path), 404)
