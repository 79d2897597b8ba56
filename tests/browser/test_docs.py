"""The page at /docs: what it has filled in is sent by a press of its button, and answered."""

import pytest
from playwright.async_api import expect

from tests.browser.conftest import Open

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("method", "path"),
    [
        *(("get", path) for path in ("/", "/search", "/collections", "/aggregate", "/queryables")),
        *(("post", path) for path in ("/search", "/collections-search", "/aggregate")),
    ],
)
async def test_what_is_filled_in_can_be_sent(opened: Open, method: str, path: str) -> None:
    page = await opened("/docs")
    operation = page.locator(f".opblock-{method}").filter(has=page.locator(f'[data-path="{path}"]'))
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    await expect(operation.locator(".live-responses-table tbody .response-col_status").first).to_have_text("200")
