from typing import Any

import pytest

from app.assets.href import resolved
from app.assets.objects import Object, object_at
from app.errors import InvalidMetadata, NotFound
from tests import factories

SELF = "https://stac.example.com/collections/c/items/i"

OBJECTS = [
    ("s3://bucket/a/b c.tif", "s3", "bucket", "a/b c.tif", None),
    ("s3://bucket/a?b#c", "s3", "bucket", "a?b#c", None),
    ("https://bucket.s3.amazonaws.com/a/b%20c.tif", "s3", "bucket", "a/b c.tif", None),
    ("https://bucket.s3.us-west-2.amazonaws.com/a", "s3", "bucket", "a", "us-west-2"),
    ("https://bucket.s3-us-west-2.amazonaws.com/a", "s3", "bucket", "a", "us-west-2"),
    ("https://s3.us-west-2.amazonaws.com/bucket/a", "s3", "bucket", "a", "us-west-2"),
    ("https://s3.amazonaws.com/with.dots/a", "s3", "with.dots", "a", None),
    ("https://with.dots.s3.dualstack.eu-central-1.amazonaws.com/a", "s3", "with.dots", "a", "eu-central-1"),
    ("https://bucket.s3.cn-north-1.amazonaws.com.cn/a", "s3", "bucket", "a", "cn-north-1"),
    ("https://BUCKET.S3.us-gov-west-1.amazonaws.com:443/a", "s3", "bucket", "a", "us-gov-west-1"),
    ("gs://bucket/a", "gs", "bucket", "a", None),
    ("https://storage.googleapis.com/bucket/a", "gs", "bucket", "a", None),
    ("https://bucket.storage.googleapis.com/a", "gs", "bucket", "a", None),
    ("https://storage.cloud.google.com/bucket/a", "gs", "bucket", "a", None),
]


@pytest.mark.parametrize(("href", "store", "bucket", "key", "region"), OBJECTS)
def test_names_of_an_object(href: str, store: Any, bucket: str, key: str, region: str | None) -> None:
    found = object_at(href)
    assert found == Object(store, bucket, key, region)
    assert object_at(found.uri) == Object(store, bucket, key)
    assert object_at(found.url) == found


@pytest.mark.parametrize(
    "href",
    [
        "https://bucket.s3.amazonaws.com.evil.example/a",
        "https://s3.amazonaws.com@evil.example/bucket/a",
        "https://u:p@bucket.s3.amazonaws.com/a",
        "https://bucket.s3.amazonaws.com/a?X-Amz-Signature=1",
        "https://bucket.s3.amazonaws.com:9000/a",
        "https://bucket.s3.amazonaws.com/",
        "s3://bucket",
        "s3:///key",
        "s3://bu@cket/key",
        "https://[bad/a",
        "https://data.example.com/a",
        "./a",
        "https://s3.amazonaws.com:99999/bucket/a",
        "s3://bucket:x/a",
    ],
)
def test_what_is_in_no_bucket(href: str) -> None:
    assert object_at(href) is None


def test_key_is_encoded_in_the_url() -> None:
    assert Object("s3", "bucket", "a b/ü+?#%.tif").url == (
        "https://bucket.s3.amazonaws.com/a%20b/%C3%BC%2B%3F%23%25.tif"
    )


def with_asset(href: Any, links: Any = None, properties: Any = None, **asset: Any) -> dict[str, Any]:
    links = [{"rel": "self", "href": SELF}] if links is None else links
    return factories.item(assets={"data": {"href": href} | asset}, links=links, properties=properties or {})


ABSOLUTE = [
    ("https://a.example/b.tif", None, "https://a.example/b.tif"),
    ("s3://bucket/b.tif", None, "s3://bucket/b.tif"),
    ("./b.tif", None, "https://stac.example.com/collections/c/items/b.tif"),
    ("../b.tif?x=1", None, "https://stac.example.com/collections/c/b.tif?x=1"),
    ("/b.tif", "s3://bucket/x/item.json", "https://stac.example.com/b.tif"),
    ("//other.example/b.tif", None, "https://other.example/b.tif"),
]


@pytest.mark.parametrize(("href", "source", "expected"), ABSOLUTE)
def test_below_the_self_link(href: str, source: str | None, expected: str) -> None:
    assert resolved(with_asset(href), "data", source=source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("/data/c/i.json", "file:///data/c/b.tif"),
        ("/data/c d/i.json", "file:///data/c%20d/b.tif"),
        ("https://a.example/c/i.json?x", "https://a.example/c/b.tif"),
        ("s3://bucket/c/i.json", "s3://bucket/c/b.tif"),
    ],
)
@pytest.mark.parametrize("links", [[], [{"rel": "self", "href": "./i.json"}], [{"rel": "self"}, 7]])
def test_below_where_the_item_was_read(source: str, expected: str, links: list[Any]) -> None:
    assert resolved(with_asset("./b.tif", links), "data", source=source) == expected


@pytest.mark.parametrize("href", [None, 7, "", "a\nb", "https://[a/b", "./b.tif"])
def test_what_cannot_be_resolved(href: Any) -> None:
    with pytest.raises(InvalidMetadata) as caught:
        resolved(with_asset(href, links=[]), "data")
    assert caught.value.parameter == "assets.data.href"


def test_no_such_asset() -> None:
    with pytest.raises(NotFound, match="it has data"):
        resolved(with_asset("a"), "B04")


ALTERNATES = {"s3": {"href": "s3://mirror/b.tif"}, "local": {"href": "file:///b.tif"}, "odd": 3}
URL, URI = "https://bucket.s3.eu-west-1.amazonaws.com/b.tif", "s3://bucket/b.tif"
STORAGE = {
    "storage:schemes": {"aws": {"platform": "https://{bucket}.s3.{region}.amazonaws.com", "region": "eu-west-1"}}
}

PREFERRED = [
    (with_asset("https://a.example/b.tif", alternate=ALTERNATES), "s3", "s3://mirror/b.tif"),
    (with_asset("https://a.example/b.tif", alternate=ALTERNATES), "local", "file:///b.tif"),
    (with_asset("https://a.example/b.tif", alternate=ALTERNATES), "file", "file:///b.tif"),
    (with_asset("https://a.example/b.tif", alternate=[{"href": URI}]), "s3", URI),
    (with_asset("https://a.example/b.tif", alternate={"s3": {"href": "../b.tif"}}), "s3", SELF[:-8] + "/b.tif"),
    (with_asset(URL), "s3", URI),
    (with_asset(URL), "https", URL),
    (with_asset(URI), "https", "https://bucket.s3.amazonaws.com/b.tif"),
    (with_asset(URI, **{"storage:region": "eu-west-1"}), "https", URL),
    (with_asset(URI, properties={"storage:region": "eu-west-1"}), "https", URL),
    (with_asset(URI, properties=STORAGE, **{"storage:refs": ["aws"]}), "https", URL),
    (with_asset(URI, **{"storage:region": "evil.example/"}), "https", "https://bucket.s3.amazonaws.com/b.tif"),
    (with_asset("gs://bucket/b.tif"), "https", "https://storage.googleapis.com/bucket/b.tif"),
    (with_asset("https://storage.googleapis.com/bucket/b.tif"), "gs", "gs://bucket/b.tif"),
    # There is none: the asset's own.
    (with_asset(URL), "gs", URL),
    (with_asset("https://a.example/b.tif"), "s3", "https://a.example/b.tif"),
    (with_asset("https://a.example/b.tif", alternate="s3"), "s3", "https://a.example/b.tif"),
]


@pytest.mark.parametrize(("item", "prefer", "expected"), PREFERRED)
def test_the_preferred_place(item: dict[str, Any], prefer: str, expected: str) -> None:
    assert resolved(item, "data", prefer=prefer) == expected


def test_an_alternate_that_is_wrong_is_told_with_its_place() -> None:
    item = with_asset("https://a.example/b.tif", alternate={"s3": {"href": 7}})
    assert resolved(item, "data") == "https://a.example/b.tif"
    with pytest.raises(InvalidMetadata, match=r"assets\.data\.alternate\.s3\.href"):
        resolved(item, "data", prefer="s3")


RULES = {
    "s3://bucket/": "https://mirror.example/",
    "s3://bucket/deep/": "https://deep.example/x/",
    "https://stac.example.com/collections/": "https://files.example/",
}


@pytest.mark.parametrize(
    ("href", "expected"),
    [
        ("s3://bucket/a/b.tif", "https://mirror.example/a/b.tif"),
        ("s3://bucket/deep/b.tif", "https://deep.example/x/b.tif"),
        ("s3://bucket2/b.tif", "s3://bucket2/b.tif"),
        ("./b.tif", "https://files.example/c/items/b.tif"),
    ],
)
def test_rules_of_the_operator(href: str, expected: str) -> None:
    assert resolved(with_asset(href), "data", rules=RULES) == expected
    assert resolved(with_asset(href), "data", rules=RULES, prefer="s3") == expected
