"""STAC Browser in Chromium, as `make browser` builds it, over the demo: pages, pictures, footprints and searches."""

import asyncio
import base64
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect, sync_playwright

from tests.clients.conftest import Demo
from tests.pgstac import execute
from tests.processes import ROOT, running

BUILT = ROOT / ".browser" / "dist"
CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.skipif(not (BUILT / "index.html").is_file(), reason="STAC Browser is not built: make browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not on this machine"),
]
# What the page asks of the web: the tiles of a base map, and the schema that queryables name for geometries.
ELSEWHERE = re.compile(r"^https://(tile\.openstreetmap|geojson)\.org/")
TILE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
MILLISECONDS = 30_000


@pytest.fixture(scope="module")
def url(demo: Demo, files: Path) -> Iterator[str]:
    """Of the demo that collection whose files there are."""
    others = "collection IN (SELECT key FROM collections WHERE id <> 'demo-cogs')"
    asyncio.run(execute(demo.database_url, (f"DELETE FROM items WHERE {others}",)))  # noqa: S608 -- a constant
    asyncio.run(execute(demo.database_url, ("DELETE FROM collections WHERE id <> 'demo-cogs'",)))
    with running(demo.database_url, UPESI_STATIC_DIR=str(files), UPESI_BROWSER_DIR=str(BUILT)) as url:
        yield url


@pytest.fixture
def page() -> Iterator[Page]:
    """A page that has had no error in the end."""
    faults: list[str] = []

    def elsewhere(route: Route) -> None:
        if "geojson" in route.request.url:
            route.fulfill(json={"type": "object"})
        else:
            route.fulfill(body=TILE, content_type="image/png")

    with sync_playwright() as playwright:
        arguments = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 1300, "height": 1000})
        page.set_default_timeout(MILLISECONDS)
        page.route(ELSEWHERE, elsewhere)
        page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        yield page
        browser.close()
    assert faults == []


def open_at(page: Page, url: str, path: str) -> None:
    page.goto(f"{url}/browser/#/{path}")


def test_the_catalogue_leads_to_its_collections(page: Page, url: str) -> None:
    page.goto(f"{url}/browser")
    assert page.url.startswith(f"{url}/browser/#/")
    page.get_by_text("Demo: scenes with pixels").first.click()
    expect(page).to_have_url(re.compile(re.escape(f"{url}/browser/#/collections/demo-cogs")))
    expect(page.get_by_role("heading", name="Demo: scenes with pixels")).to_be_visible(timeout=MILLISECONDS)


def test_it_has_its_styles(page: Page, url: str) -> None:
    open_at(page, url, "")
    header = page.locator("#stac-browser header").first
    header.wait_for()
    assert "flex" in page.locator(".btn-group").first.evaluate("part => getComputedStyle(part).display")
    sheets = page.evaluate("[...document.styleSheets].reduce((sum, sheet) => sum + sheet.cssRules.length, 0)")
    assert sheets > 1000


def test_a_collection_shows_its_items_with_thumbnails_and_footprints(page: Page, url: str) -> None:
    open_at(page, url, "collections/demo-cogs")
    first = page.locator(".items .card").first
    expect(first).to_contain_text("20241004-nw", timeout=MILLISECONDS)
    first.locator("img").wait_for()
    page.wait_for_function("document.querySelector('.items .card img').naturalWidth > 0")
    expect(page.locator("canvas").first).to_be_visible(timeout=MILLISECONDS)


def test_an_item_shows_its_thumbnail_and_assets(page: Page, url: str) -> None:
    open_at(page, url, "collections/demo-cogs/items/20240731-nw")
    expect(page.get_by_role("heading", name="20240731-nw")).to_be_visible(timeout=MILLISECONDS)
    expect(page.get_by_text("Red reflectance").first).to_be_visible(timeout=MILLISECONDS)
    expect(page.locator("canvas").first).to_be_visible(timeout=MILLISECONDS)


def test_a_search_filters_by_a_queryable(page: Page, url: str) -> None:
    open_at(page, url, "search")
    page.get_by_role("tab", name="Search for Items").click()
    form = page.get_by_role("tabpanel").filter(has_text="Item IDs")
    form.get_by_role("button", name="Add filter").click()
    form.locator(".dropdown-item", has_text="eo:cloud_cover").click()
    row = form.locator(".queryable-row")
    row.get_by_role("button").nth(1).click()
    row.get_by_text("less than", exact=True).click()
    row.locator("input").first.fill("3")
    row.locator("input").first.press("Tab")
    with page.expect_response(f"{url}/search") as answered:
        form.get_by_role("button", name="Submit").click()
    assert [item["id"] for item in answered.value.json()["features"]] == ["20240731-sw"]
    expect(page.locator(".items .card")).to_have_count(1, timeout=MILLISECONDS)


def test_a_search_sorts(page: Page, url: str) -> None:
    open_at(page, url, "search")
    page.get_by_role("tab", name="Search for Items").click()
    form = page.get_by_role("tabpanel").filter(has_text="Item IDs")
    form.locator("#sort2").locator("xpath=ancestor::div[contains(@class, 'multiselect')][1]").click()
    form.locator(".multiselect__option", has_text="ID").filter(visible=True).first.click()
    with page.expect_response(f"{url}/search") as answered:
        form.get_by_role("button", name="Submit").click()
    ids = [item["id"] for item in answered.value.json()["features"]]
    assert ids == sorted(ids)
    assert ids[0] == "20240512-ne"
