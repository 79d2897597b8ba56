"""Every answer as a page: which form is sent, what links to what, and that no document breaks out of its page."""

import re
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib
import httpx
import pytest

from app.api.links import GEOJSON, HTML, JSON, NDJSON
from app.api.negotiation import DOCUMENT, ITEMS, accepted
from app.bulk.load import Loader
from app.database.fragment import sql
from app.database.pool import Database
from app.settings import Settings
from tests.api.assertions import assert_error
from tests.api.serving import serving
from tests.factories import Document, box, collection, item, load

pytestmark = pytest.mark.anyio

# What Chromium, Firefox and Safari send.
BROWSERS = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
]
PAGE = {"Accept": BROWSERS[0]}
ATTACK = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>"


def parsed(answer: httpx.Response) -> Element:
    """The page, which breaks no rule of HTML's syntax."""
    assert answer.headers["content-type"] == "text/html; charset=utf-8", answer.text
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    page: Element = parser.parse(answer.text)
    return page


def text(page: Element) -> str:
    return " ".join("".join(page.itertext()).split())


def attributes(page: Element, name: str) -> list[str]:
    return [value for element in page.iter() if (value := element.get(name)) is not None]


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    await load(
        loader,
        collection("things", title="Many things", description="# Big\n\nof *all* kinds", keywords=["a", "b"]),
        *(item(f"{n:02}", geometry=box(n, 40, n + 2, 42), properties={"n": n, "eo:cloud_cover": n}) for n in range(25)),
        collection("a/b ü", title="Odd & <small>"),
        item("x/y z?", "a/b ü", geometry=None),
    )
    return client


# --- Which form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("accept", "document", "items"),
    [
        ("", None, None),
        ("*/*", None, None),
        ("application/*", None, None),
        ("application/json, text/plain, */*", None, None),  # axios
        ("application/geo+json, application/json", None, None),
        ("application/json, text/html", None, None),
        ("text/html, application/json", None, None),
        ("application/schema+json, text/html;q=0.9", None, None),
        ("image/png", None, None),
        ("text/html", HTML, HTML),
        ("TEXT/HTML ; q=1", HTML, HTML),
        ("text/*", HTML, HTML),
        ("text/html, */*;q=0.1", HTML, HTML),
        ("text/html;q=0.9, application/json;q=0.8", HTML, HTML),
        ("text/html;q=0.5, */*;q=0.8", None, None),
        ("text/html;q=0, */*", None, None),
        ("application/json;q=0, application/geo+json;q=0, text/html;q=0.1", HTML, HTML),
        ("text/html;q=x", None, None),
        (f"{NDJSON};q=0.5, text/html;q=0.4", HTML, NDJSON),
        *((accept, HTML, HTML) for accept in BROWSERS),
    ],
)
def test_accept(accept: str, document: str | None, items: str | None) -> None:
    assert accepted(accept, DOCUMENT) == document
    assert accepted(accept, ITEMS) == items


RICH = ["/", "/collections", "/collections/things", "/collections/things/items", "/collections/things/items/03"]
PLAIN = [
    *("/search", "/conformance", "/api", "/queryables", "/sortables", "/functions", "/aggregations", "/aggregate"),
    *("/collections-queryables", "/collections-sortables", "/collections/things/queryables"),
    *("/collections/things/sortables", "/collections/things/aggregations", "/collections/things/aggregate"),
    "/collections/things/items/03/assets/data/grid",
]


@pytest.mark.parametrize("path", [*RICH, *PLAIN])
async def test_each_path_has_both_forms(filled: httpx.AsyncClient, path: str) -> None:
    for query, headers, html in (
        *(("", {}, False), ("?f=json", PAGE, False), ("", {"Accept": "*/*"}, False)),
        *(("", PAGE, True), ("?f=html", {}, True), ("?f=html", {"Accept": JSON}, True)),
    ):
        answer = await filled.get(path + query, headers=headers)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"].startswith("text/html") == html
        assert "Accept" in answer.headers.get_list("vary", split_commas=True)
        if html and path != "/api":
            parsed(answer)
    assert_error(await filled.get(path, params={"f": "shapefile"}), 400, "f")
    assert (await filled.head(path, headers=PAGE)).headers["content-type"].startswith("text/html")


async def test_documents_and_pages_name_each_other(filled: httpx.AsyncClient) -> None:
    for path in [*RICH, "/search", "/collections/things/items?limit=2", "/collections?limit=1&f=json"]:
        document = (await filled.get(path)).json()
        (link,) = [link for link in document["links"] if link["rel"] == "alternate"]
        page = parsed(await filled.get(link["href"]))
        (back,) = [one for one in page.iter("link") if one.get("rel") == "alternate"]
        again = await filled.get(str(back.get("href")))
        assert again.headers["content-type"] == back.get("type")
        assert parse_qs(urlsplit(link["href"]).query)["f"] == ["html"]


@pytest.mark.parametrize("path", ["/collections/things", "/collections/things/items/03"])
async def test_each_form_has_its_own_tag(filled: httpx.AsyncClient, path: str) -> None:
    plain, page = await filled.get(path), await filled.get(path, headers=PAGE)
    assert plain.headers["etag"] != page.headers["etag"]
    again = await filled.get(path, headers=PAGE | {"If-None-Match": page.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert "Accept" in again.headers.get_list("vary", split_commas=True)
    assert again.headers["content-security-policy"] == page.headers["content-security-policy"]
    other = await filled.get(path, headers=PAGE | {"If-None-Match": plain.headers["etag"]})
    assert other.status_code == 200


async def test_posts_are_answered_in_json(filled: httpx.AsyncClient) -> None:
    for path in ("/search", "/collections-search", "/aggregate"):
        answer = await filled.post(path, json={}, headers=PAGE)
        assert answer.headers["content-type"] in (JSON, GEOJSON)
    assert_error(await filled.post("/search?f=html", json={}), 400, "f")


async def test_there_is_an_icon_for_pages_that_name_none(client: httpx.AsyncClient) -> None:
    icon = await client.get("/favicon.ico")
    assert (icon.status_code, icon.headers["content-type"]) == (200, "image/svg+xml")
    assert icon.text.startswith("<svg")
    again = await client.get("/favicon.ico", headers={"If-None-Match": icon.headers["etag"]})
    assert (again.status_code, again.headers["cache-control"]) == (304, "public, max-age=86400")


async def test_functions_are_a_table(client: httpx.AsyncClient) -> None:
    page = parsed(await client.get("/functions?f=html"))
    heads, *rows = [[text(cell) for cell in row] for row in page.iter("tr")]
    assert heads == ["Name", "Arguments", "Returns", "Description"]
    told = (await client.get("/functions")).json()["functions"]
    assert rows == [
        [
            one["name"],
            ", ".join(argument["type"][0] for argument in one["arguments"]),
            one["returns"][0],
            one["description"],
        ]
        for one in told
    ]
    assert "characters" not in text(page).replace("The number of characters.", "")


# --- What is on them ----------------------------------------------------------------------------------------------


async def test_every_link_within_the_service_leads_somewhere(filled: httpx.AsyncClient) -> None:
    """From the landing page on: every page, packaged file and document that any page names."""
    waiting, seen = ["/"], set()
    while waiting:
        url = waiting.pop()
        answer = await filled.get(url, headers=PAGE, follow_redirects=True)
        assert answer.status_code == 200, url
        if not answer.headers["content-type"].startswith("text/html") or url.startswith("/docs"):
            continue
        page = parsed(answer)
        for href in [*attributes(page, "href"), *attributes(page, "src"), *attributes(page, "action")]:
            target = urlsplit(urljoin(f"http://stac.test{url}", href))
            if target.netloc == "stac.test" and not href.startswith("#"):
                path = target.path + (f"?{target.query}" if target.query else "")
                if path not in seen:
                    seen.add(path)
                    waiting.append(path)
    assert any("token=" in path for path in seen)
    assert {"/docs", "/search", "/collections/a%2Fb%20%C3%BC/items/x%2Fy%20z%3F"} <= seen
    assert len(seen) > 60


async def test_a_page_of_items_has_its_items_and_neighbours(filled: httpx.AsyncClient) -> None:
    page = parsed(await filled.get("/collections/things/items?limit=10", headers=PAGE))
    assert "25 items found, 10 on this page" in text(page)
    names = [text(one) for one in page.iter("span") if one.get("class") == "name"]
    following = next(one for one in page.iter("a") if one.get("rel") == "next")
    second = parsed(await filled.get(str(following.get("href")), headers=PAGE))
    names += [text(one) for one in second.iter("span") if one.get("class") == "name"]
    assert len(set(names)) == 20
    assert any(one.get("rel") == "prev" for one in second.iter("a"))


async def test_descriptions_are_markdown_below_the_headings(filled: httpx.AsyncClient) -> None:
    page = parsed(await filled.get("/collections/things", headers=PAGE))
    assert [text(one) for one in page.iter("h1")] == ["Many things"]
    assert [text(one) for one in page.iter("em")] == ["all"]
    assert "Big" in [text(one) for one in page.iter("h2")]


async def test_a_form_is_redirected_to_the_address_of_its_question(filled: httpx.AsyncClient) -> None:
    query = "collections=things&collections=a%2Fb+%C3%BC&bbox=&datetime=&q=&filter=n+%3E+3&limit="
    answer = await filled.get(f"/search?{query}", headers=PAGE)
    assert answer.status_code == 303
    url = urljoin(str(answer.url), answer.headers["location"])
    assert parse_qs(urlsplit(url).query) == {"collections": ["things,a/b ü"], "filter": ["n > 3"]}
    page = parsed(await filled.get(url, headers=PAGE))
    assert "21 items found" in text(page)
    ticked = [one.get("value") for one in page.iter("input") if one.get("checked") is not None]
    assert sorted(map(str, ticked)) == ["a/b ü", "things"]
    assert_error(await filled.get(f"/search?{query}"), 400)
    assert (await filled.get("/search?bbox=1,2,3,4&bbox=5,6,7,8", headers=PAGE)).status_code == 400


@pytest.mark.parametrize(
    ("path", "name", "value"),
    [
        ("/search", "bbox", "1,2"),
        ("/search", "filter", "n >"),
        ("/search", "limit", "0"),
        ("/search", "datetime", ATTACK),
        ("/collections/things/items", "filter", ATTACK),
        ("/collections", "bbox", ATTACK),
    ],
)
async def test_what_is_wrong_is_said_beside_its_field(
    filled: httpx.AsyncClient, path: str, name: str, value: str
) -> None:
    said = assert_error(await filled.get(path, params={name: value}), 400, name)
    answer = await filled.get(path, params={name: value}, headers=PAGE)
    assert answer.status_code == 400
    page = parsed(answer)
    (error,) = [one for one in page.iter("p") if one.get("class") == "error"]
    assert text(error) == " ".join(said["description"].split())
    (field,) = [one for one in page.iter() if one.get("name") == name]
    assert field.get("aria-invalid") == "true"
    assert str(error.get("id")) in str(field.get("aria-describedby")).split()
    assert (field.get("value") or "".join(field.itertext())) == value
    assert not [one for one in page.iter("script") if one.get("src") is None]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/nothing", 404), ("/collections/none", 404), ("/collections/none/items", 404), ("/?x=1", 400)],
)
async def test_failures_are_pages_with_the_same_words(filled: httpx.AsyncClient, path: str, status: int) -> None:
    said = assert_error(await filled.get(path), status)
    answer = await filled.get(path, headers=PAGE)
    assert answer.status_code == status
    assert said["description"] in text(parsed(answer))
    assert "Accept" in answer.headers.get_list("vary", split_commas=True)


async def test_a_failure_of_the_service_is_a_page(filled: httpx.AsyncClient, database: Database) -> None:
    await database.execute(sql("UPDATE items SET content = 'broken' WHERE id = '03'"))
    answer = await filled.get("/collections/things/items/03", headers=PAGE)
    assert answer.status_code == 500
    assert "its log says more" in text(parsed(answer))


async def test_an_empty_catalogue_has_its_pages(client: httpx.AsyncClient) -> None:
    for path in ("/", "/collections", "/search"):
        parsed(await client.get(path, headers=PAGE))


async def test_numbers_beyond_64_bits_are_written_out(client: httpx.AsyncClient, loader: Loader) -> None:
    large = 2**64 + 1
    await load(loader, collection(summaries={"y": [large]}), item(properties={"n": large, "deep": {"n": large}}))
    for path in ("/collections/things", "/collections/things/items/thing"):
        assert str(large) in text(parsed(await client.get(path, headers=PAGE)))
    for path in ("/", "/collections", "/search"):
        parsed(await client.get(path, headers=PAGE))


# --- Safety -------------------------------------------------------------------------------------------------------

HOSTILE: list[Document] = [
    item(ATTACK, properties={ATTACK: ATTACK, "title": ATTACK, "description": ATTACK, "deep": [{ATTACK: [ATTACK]}]}),
    item(
        "links",
        links=[
            {"rel": "via", "href": "javascript:alert(1)", "title": "v"},
            {"rel": "x", "href": "\tjava\nscript:alert(1)"},
        ],
        assets={
            "a": {"href": "javascript:alert(1)", "roles": ["thumbnail"], "type": "image/png"},
            "b": {"href": "data:text/html,<script>alert(1)</script>"},
            "c": {"href": "https://ok.example/a b.tif"},
            "d": {"href": "s3://bucket/key.tif"},
            "e": {"href": "../relative.tif"},
            "f": {"href": "vbscript:x", "roles": [ATTACK], "title": ATTACK, "type": ATTACK},
            ATTACK: {"href": "https://[broken"},
        },
        properties={
            "description": "[a](javascript:alert(1)) <script>alert(1)</script> ![b](https://track.example/x.png)"
        },
    ),
]


async def test_no_document_breaks_out_of_its_page(client: httpx.AsyncClient, loader: Loader) -> None:
    odd = collection(ATTACK, title=ATTACK, description=ATTACK, keywords=[ATTACK], providers=[{"name": ATTACK}])
    await load(loader, odd, *(one | {"collection": ATTACK} for one in HOSTILE))
    document = (await client.get("/search")).json()
    own = [link["href"] for one in document["features"] for link in one["links"] if link["rel"] in ("self", "parent")]
    for url in [
        "/",
        "/collections",
        "/search",
        "/queryables",
        *own,
        *(f"{url}/items" for url in own if "/items" not in url),
    ]:
        answer = await client.get(url, headers=PAGE)
        assert answer.status_code == 200
        page = parsed(answer)
        assert [one.get("src") for one in page.iter("script")] == [attributes(page, "src")[0]]
        assert not [name for one in page.iter() for name in one.attrib if str(name).startswith("on")]
        for href in [*attributes(page, "href"), *attributes(page, "src")]:
            assert re.match(r"(https?|s3)://|[/#]", href), href
        assert not [src for src in attributes(page, "src") if "//" in src]


async def test_only_hrefs_that_can_be_followed_are_links(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), HOSTILE[1])
    page = parsed(await client.get("/collections/things/items/links", headers=PAGE))
    hrefs = attributes(page, "href")
    assert {"https://ok.example/a%20b.tif", "s3://bucket/key.tif", "/collections/things/relative.tif"} <= set(hrefs)
    assert "javascript:alert(1)" in text(page)
    assert not any("alert" in href for href in hrefs)


@pytest.mark.parametrize("path", [*RICH, "/search", "/conformance", "/search?bbox=1", "/nothing"])
async def test_pages_let_nothing_in_from_elsewhere(filled: httpx.AsyncClient, path: str) -> None:
    answer = await filled.get(path, headers=PAGE)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "img-src 'self';" in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    page = parsed(answer)
    assert not list(page.iter("style"))
    assert not attributes(page, "style")


@pytest.mark.parametrize("thumbnails", ["own", "all"])
@pytest.mark.usefixtures("database")
async def test_images_of_other_hosts(settings: Settings, loader: Loader, thumbnails: str) -> None:
    def thumbnail(href: str) -> Document:
        return {"thumbnail": {"href": href, "type": "image/png", "roles": ["thumbnail"]}}

    await load(
        loader,
        collection(),
        item("a", assets=thumbnail("https://images.example/a.png")),
        item("b", assets=thumbnail("../b.png")),
        item("c", assets=thumbnail("https://x;script-src%20*/c.png")),
    )
    async with serving(settings.model_copy(update={"thumbnails": thumbnails})) as client:
        answer = await client.get("/search", headers=PAGE)
    found = {one.get("src") for one in parsed(answer).iter("img")}
    policy = answer.headers["content-security-policy"]
    assert "/collections/things/b.png" in found
    assert ("https://images.example/a.png" in found) == (thumbnails == "all")
    assert ("img-src 'self' https://images.example;" in policy) == (thumbnails == "all")
    assert policy.count("script-src") == 1


async def test_packaged_files_are_kept_for_ever(filled: httpx.AsyncClient) -> None:
    page = parsed(await filled.get("/", headers=PAGE))
    hrefs = {href for href in [*attributes(page, "href"), *attributes(page, "src")] if href.startswith("/pages/")}
    assert {href.rpartition(".")[2] for href in hrefs} == {"css", "js", "svg"}
    for href in hrefs:
        answer = await filled.get(href)
        assert "immutable" in answer.headers["cache-control"]
        known = await filled.get(href, headers={"If-None-Match": answer.headers["etag"]})
        assert (known.status_code, known.content) == (304, b"")
        assert not re.search(rb"https?://(?!www\.w3\.org/)", answer.content)
    assert_error(await filled.get("/pages/pages.css"), 404)
    assert_error(await filled.get("/pages/..%2Fpages.py"), 404)


PREFIXED: dict[str, Any] = {"public_url": "https://stac.example/api/v1"}


@pytest.mark.usefixtures("database")
async def test_pages_stay_at_the_host_they_were_asked_at(settings: Settings, loader: Loader) -> None:
    await load(loader, collection(), item())
    async with serving(settings.model_copy(update=PREFIXED)) as client:
        for path in ("/", "/collections/things/items/thing", "/search"):
            page = parsed(await client.get(path, headers=PAGE))
            local = [href for href in [*attributes(page, "href"), *attributes(page, "action")] if href[0] == "/"]
            assert local
            assert all(href.startswith("/api/v1/") for href in local)
            assert not [href for href in attributes(page, "href") if href.startswith("https://stac.example")]
