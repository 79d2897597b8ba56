"""Which hrefs of documents become links and pictures, and how URLs are changed."""

import pytest

from app.pages.site import Site, origins, with_query

ITEM = "https://stac.test/api/collections/c/items/i"
SITE = Site("https://stac.test/api", "Title", "Description")


@pytest.mark.parametrize(
    ("href", "link"),
    [
        ("https://far.test/a.tif", "https://far.test/a.tif"),
        ("s3://bucket/a.tif", "s3://bucket/a.tif"),
        ("../../../static/a b.tif", "/api/static/a%20b.tif"),
        ("https://stac.test/api", "/api"),
        ("https://stac.test/apiary", "https://stac.test/apiary"),
        ("javascript:alert(1)", None),
        ("java\tscript:alert(1)", None),
        (" https://far.test", None),
        ("\\\\far.test\\a", None),
        ("file:///etc/passwd", None),
        ("data:text/html,x", None),
        ("https://[", None),
        ("", None),
        (None, None),
        (7, None),
    ],
)
def test_links(href: object, link: str | None) -> None:
    assert SITE.link(href, ITEM) == link


@pytest.mark.parametrize(
    ("href", "own", "all_"),
    [
        ("../../../static/a.png", "/api/static/a.png", "/api/static/a.png"),
        ("https://far.test/a.png", None, "https://far.test/a.png"),
        ("s3://bucket/a.png", None, None),
    ],
)
def test_pictures_of_other_hosts_are_asked_for_only_where_that_is_wanted(
    href: str, own: str | None, all_: str | None
) -> None:
    assert SITE.image(href, ITEM) == own
    assert Site(SITE.base, "", "", "all").image(href, ITEM) == all_


def test_origins_cannot_end_a_policy() -> None:
    images = ["https://b.test/1", "https://a.test:8/1", "https://a.test:8/2", "/own.png", None, "https://a;x/1"]
    assert origins(images) == ["https://a.test:8", "https://b.test"]


@pytest.mark.parametrize(
    ("url", "without", "more", "expected"),
    [
        ("http://a/?x=1&f=html", ("f",), {}, "http://a/?x=1"),
        ("http://a/?f=html", ("f",), {}, "http://a/"),
        ("http://a/?f=html&x=%20", (), {"f": "json"}, "http://a/?x=%20&f=json"),
        ("http://a/", (), {"f": "json"}, "http://a/?f=json"),
    ],
)
def test_parameters_are_taken_out_and_set(
    url: str, without: tuple[str, ...], more: dict[str, str], expected: str
) -> None:
    assert with_query(url, without, **more) == expected
