"""The pages as people use them: by mouse, keyboard and touch, in the dark, on a telephone, without scripts."""

from urllib.parse import parse_qs, urlsplit

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Page, expect

from tests.browser.conftest import Open

pytestmark = pytest.mark.anyio

PATHS = [
    *("/", "/collections", "/collections/things", "/collections/things/items?limit=4", "/search?limit=5"),
    *(
        "/collections/things/items/near-03",
        "/collections/dateline/items/crossing",
        "/collections/dateline/items/nowhere",
    ),
    *("/search?bbox=1,2", "/search?ids=none", "/nothing", "/conformance", "/queryables", "/functions"),
]


def asked(page: Page) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}


@pytest.mark.parametrize("path", PATHS)
async def test_everybody_can_use_it(opened: Open, path: str) -> None:
    """axe-core finds nothing, on a wide screen in light and on a narrow one in dark; nothing is cut off."""
    for width, scheme in ((1280, "light"), (360, "dark")):
        page = await opened(path, width, scheme)
        found = await Axe().run(page)
        told = [f"{one['id']}: {one['nodes'][0]['html']}" for one in found.response["violations"]]
        assert told == [], (width, scheme)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await expect(page.locator("h1")).to_have_count(1)


@pytest.mark.parametrize("path", ["/collections/things", "/collections/things/items/near-03"])
async def test_tables_are_read_on_a_telephone_without_scrolling_them(opened: Open, path: str) -> None:
    page = await opened(path, width=360)
    for table in await page.locator(".scroll").all():
        assert await table.evaluate("one => one.scrollWidth <= one.clientWidth")


async def test_dark_is_dark(opened: Open) -> None:
    async def brightness(scheme: str) -> int:
        page = await opened("/", scheme=scheme)
        colour = await page.evaluate("getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(","))

    assert await brightness("light") > 600
    assert await brightness("dark") < 150


async def test_the_map_is_not_seen_through_a_thumbnail(opened: Open) -> None:
    page = await opened("/collections/things/items")
    picture = page.locator(".thumbnail img").first
    assert await picture.evaluate("one => getComputedStyle(one).backgroundColor") != "rgba(0, 0, 0, 0)"


async def test_from_the_landing_page_to_an_item(opened: Open) -> None:
    page = await opened("/")
    await page.get_by_role("link", name="Near things").first.click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Near things")
    await page.get_by_role("link", name="Browse the items").click()
    await expect(page.get_by_role("status")).to_have_text("15 items found, 10 on this page")
    await page.get_by_role("link", name="Next").click()
    await expect(page.locator(".card")).to_have_count(5)
    await page.get_by_role("link", name="Previous").click()
    await page.get_by_role("link", name="Near 14").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Near 14")
    await expect(page.get_by_role("table", name="Assets").get_by_role("row")).to_have_count(4)
    assert await page.evaluate("document.querySelector('.picture img').naturalWidth") == 1
    await page.get_by_label("Breadcrumb").get_by_role("link", name="Collections").click()
    await expect(page.locator(".card")).to_have_count(2)


async def test_a_search(opened: Open) -> None:
    page = await opened("/search")
    await page.get_by_label("Near things").check()
    await page.get_by_label("From").fill("2024-07-03")
    await page.get_by_label("To", exact=True).fill("2024-07-10")
    await page.get_by_label("Filter").fill("eo:cloud_cover < 40")
    await page.get_by_role("button", name="Search", exact=True).click()
    await expect(page.get_by_role("status")).to_have_text("6 items found")
    assert asked(page) == {
        "collections": "things",
        "datetime": "2024-07-03T00:00:00Z/2024-07-10T23:59:59.999999Z",
        "filter": "eo:cloud_cover < 40",
    }
    await expect(page.get_by_label("From")).to_have_value("2024-07-03")
    await page.get_by_role("link", name="Clear").click()
    await expect(page.get_by_role("status")).to_have_text("17 items found, 10 on this page")


async def test_a_box_is_drawn(opened: Open) -> None:
    page = await opened("/search?collections=things&limit=15")
    pen = page.get_by_role("button", name="Draw a box")
    await pen.click()
    await expect(pen).to_have_attribute("aria-pressed", "true")
    third = await page.locator(".world a[href$='near-03'] path").bounding_box()
    sixth = await page.locator(".world a[href$='near-06'] path").bounding_box()
    assert third is not None
    assert sixth is not None
    await page.mouse.move(third["x"] + third["width"] / 2, third["y"] + 2)
    await page.mouse.down()
    await page.mouse.move(sixth["x"], sixth["y"] + 5, steps=5)
    await page.mouse.move(sixth["x"] + sixth["width"] / 2, sixth["y"] + sixth["height"] - 2, steps=5)
    await page.mouse.up()
    await expect(pen).to_have_attribute("aria-pressed", "false")
    west, south, east, north = map(float, (await page.get_by_label("Box").input_value()).split(","))
    assert (west, east) == pytest.approx((8.5, 11.5), abs=0.1)
    assert 45 < south < north < 46
    await page.get_by_role("button", name="Search", exact=True).click()
    await expect(page.get_by_role("status")).to_have_text("4 items found")
    await expect(page.locator(".shape.asked")).to_have_count(1)


async def test_a_box_across_the_antimeridian_is_drawn(opened: Open) -> None:
    page = await opened("/collections/dateline/items")
    await page.get_by_role("button", name="Draw a box").click()
    shape = await page.locator(".world .shape").bounding_box()
    assert shape is not None
    await page.mouse.move(shape["x"] + 3, shape["y"] + 3)
    await page.mouse.down()
    await page.mouse.move(shape["x"] + shape["width"] - 3, shape["y"] + shape["height"] - 3, steps=4)
    await page.mouse.up()
    west, _, east, _ = map(float, (await page.get_by_label("Box").input_value()).split(","))
    assert (west, east) == pytest.approx((178, -177), abs=0.2)
    await page.get_by_role("button", name="Search", exact=True).click()
    await expect(page.locator(".card")).to_have_count(1)


async def test_the_map_is_moved(opened: Open) -> None:
    page = await opened("/collections/things/items/near-03")
    world = page.locator(".world")

    async def view() -> list[float]:
        return [float(number) for number in (await world.get_attribute("viewBox") or "").split()]

    first = await view()
    await page.get_by_role("button", name="Zoom in").click()
    assert (await view())[2] == pytest.approx(first[2] / 2)
    await page.keyboard.press("ArrowRight")
    await page.keyboard.press("ArrowUp")
    middle = await view()
    assert middle[0] > first[0] + first[2] / 4
    assert middle[1] < first[1] + first[3] / 4
    await page.get_by_role("button", name="Show all").click()
    assert await view() == first
    held = await world.bounding_box()
    assert held is not None
    await page.mouse.move(held["x"] + 200, held["y"] + 150)
    await page.mouse.down()
    await page.mouse.move(held["x"] + 300, held["y"] + 150, steps=5)
    await page.mouse.up()
    assert (await view())[0] == pytest.approx(first[0] - first[2] * 100 / held["width"], rel=0.05)
    assert page.url.endswith("near-03")


async def test_a_footprint_leads_to_its_item(opened: Open) -> None:
    page = await opened("/collections/things/items?limit=15")
    await page.locator(".card").nth(4).hover()
    await expect(page.locator(".world .shape.lit")).to_have_count(1)
    await page.locator(".world a[href$='near-05'] path").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Near 5")


async def test_footprints_on_both_sides_of_the_antimeridian_are_one_on_the_map(opened: Open) -> None:
    page = await opened("/collections/dateline/items/crossing")
    shape = await page.locator(".world .shape").bounding_box()
    world = await page.locator(".world").bounding_box()
    assert shape is not None
    assert world is not None
    assert 0.3 * world["width"] < shape["width"] < 0.9 * world["width"]
    assert shape["x"] > world["x"]


async def test_by_keyboard_alone(opened: Open) -> None:
    page = await opened("/collections/things/items?limit=3")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    seen = set()
    for _ in range(60):
        await page.keyboard.press("Tab")
        told: list[str] = await page.evaluate(
            """() => {
                const at = document.activeElement;
                const styles = [getComputedStyle(at), getComputedStyle(at, "::after")];
                const outlined = styles.some((one) => one.outlineStyle !== "none" && one.outlineWidth !== "0px");
                return [at.tagName, at.textContent.trim() || at.name || "", outlined ? "outlined" : "invisible"];
            }"""
        )
        if told[0] == "BODY":
            break
        assert told[2] == "outlined", told
        seen.add(told[1])
    assert {"Near 14", "Next →", "Draw a box", "bbox", "filter", "Copy", "odc-stac"} <= seen
    await page.get_by_text("odc-stac", exact=True).focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("odc.stac.load")).to_be_visible()


async def test_what_is_wrong_is_at_its_field(opened: Open) -> None:
    page = await opened("/search", width=360)
    await page.locator("summary", has_text="Search").click()
    await page.get_by_label("Box").fill("1,2")
    await page.get_by_role("button", name="Search", exact=True).click()
    await expect(page.get_by_role("alert")).to_contain_text("bbox: has 2 numbers")
    await expect(page.get_by_label("Box")).to_have_attribute("aria-invalid", "true")
    await expect(page.get_by_label("Box")).to_be_visible()


async def test_code_is_copied(opened: Open) -> None:
    page = await opened("/search?collections=things&limit=3")
    await page.get_by_role("button", name="Copy").first.click()
    await expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert (await page.evaluate("navigator.clipboard.readText()")).startswith("curl 'http://")


async def test_without_scripts(opened: Open) -> None:
    page = await opened("/search", scripts=False)
    await page.get_by_label("Near things").check()
    await page.get_by_label("Around the date line").check()
    await page.get_by_label("Box").fill("5,45,7.5,46")
    await page.get_by_role("button", name="Search", exact=True).click()
    await expect(page.get_by_role("status")).to_have_text("3 items found")
    assert asked(page) == {"collections": "dateline,things", "bbox": "5,45,7.5,46"}
    await expect(page.locator(".world a")).to_have_count(3)
