"""A real browser before a real server. Without Chromium these tests are skipped."""

import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Error, Page, Request, async_playwright

from app.bulk.load import Loader
from app.main import create_app
from app.settings import Settings
from tests.api.serving import running
from tests.factories import Document, box, collection, item, load

_NAMES = ("chromium", "chromium-browser", "google-chrome")
Open = Callable[..., Awaitable[Page]]


# Not for the session: an async fixture keeps its event loop for all the tests it lasts, and with it the processes of
# `anyio.to_process`, which end with the test that first asked for one.
@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    chromium = next(filter(None, map(shutil.which, _NAMES)), None)
    if chromium is None:
        pytest.skip(f"there is no Chromium: none of {', '.join(_NAMES)} is installed")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield browser
        await browser.close()


# A grey PNG of one pixel.
_PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010800000000" + "3a7e9b55"
    "0000000a49444154789c636800000082008177cd72b6" + "0000000049454e44ae426082"
)


def documents() -> list[Document]:
    def thumbnail(href: str) -> Document:
        return {"href": href, "type": "image/png", "roles": ["thumbnail"]}

    data: Document = {
        "href": "https://data.example/x.tif",
        "type": "image/tiff; application=geotiff",
        "roles": ["data"],
    }
    near = [
        item(
            f"near-{n:02}",
            geometry=box(5 + n, 45, 6 + n, 46),
            properties={"eo:cloud_cover": n * 5.0, "datetime": f"2024-07-{n + 1:02}T10:00:00Z", "title": f"Near {n}"},
            assets={
                "data": data,
                "small": thumbnail("/static/pixel.png"),
                "far": thumbnail("https://far.example/x.png"),
            },
            links=[{"rel": "license", "href": "https://license.example", "title": "Licence"}],
        )
        for n in range(15)
    ]
    sides = [
        [[[178, -2], [180, -2], [180, 2], [178, 2], [178, -2]]],
        [[[-180, -2], [-177, -2], [-177, 2], [-180, 2], [-180, -2]]],
    ]
    crossing = {"type": "MultiPolygon", "coordinates": sides}
    return [
        collection("things", title="Near things", description="## What\n\nThings *near* you.", keywords=["near"]),
        *near,
        collection("dateline", title="Around the date line"),
        item("crossing", "dateline", geometry=crossing, bbox=[178, -2, -177, 2]),
        item("nowhere", "dateline", geometry=None),
    ]


@pytest.fixture
async def site(settings: Settings, loader: Loader, tmp_path: Path) -> AsyncIterator[str]:
    await load(loader, *documents())
    (tmp_path / "pixel.png").write_bytes(_PIXEL)
    with running(create_app(settings.model_copy(update={"static_dir": tmp_path, "count_wait": 20.0}))) as url:
        yield url


@pytest.fixture
async def opened(browser: Browser, site: str) -> AsyncIterator[Open]:
    """Opens a page. At the end nothing may have been said on the console, or asked of another host."""
    contexts: list[BrowserContext] = []
    complaints: list[str] = []

    def said(message: ConsoleMessage) -> None:
        # The browser itself tells of answers that are no success.
        if "responded with a status of 4" not in message.text:
            complaints.append(f"{message.type}: {message.text}")

    def failed(error: Error) -> None:
        complaints.append(str(error))

    def asked(request: Request) -> None:
        if not request.url.startswith(site):
            complaints.append(f"asked {request.url}")

    async def open_page(path: str, width: int = 1280, scheme: str = "light", scripts: bool = True) -> Page:
        context = await browser.new_context(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
            java_script_enabled=scripts,
            base_url=site,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = await context.new_page()
        page.on("console", said)
        page.on("pageerror", failed)
        page.on("request", asked)
        await page.goto(path)
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []
