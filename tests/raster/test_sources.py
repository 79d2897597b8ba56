"""What of an href is opened, and what never is."""

from pathlib import Path

import pytest

from app.errors import Forbidden, InvalidMetadata
from app.raster.sources import Sources
from tests.factories import item

ALLOWED = frozenset({"data.example.com", "other.example.com:8443"})


def located(href: object, sources: Sources) -> str:
    return sources.locate(item("a b", assets={"data": {"href": href}}), "data")


@pytest.fixture
def folders(tmp_path: Path) -> Sources:
    for name in ("static", "assets", "secret"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.tif").touch()
    (tmp_path / "static" / "link.tif").symlink_to(tmp_path / "secret" / "a.tif")
    return Sources(ALLOWED, tmp_path / "static", tmp_path / "assets")


@pytest.mark.parametrize(
    ("href", "opened"),
    [
        ("https://data.example.com/a.tif", "https://data.example.com/a.tif"),
        ("http://DATA.example.com:80/a.tif?sig=x%2Fy&b=c", "http://DATA.example.com:80/a.tif?sig=x%2Fy&b=c"),
        ("https://other.example.com:8443/é.tif", "https://other.example.com:8443/%C3%A9.tif"),
        ("https://data.example.com/a.tif#x", "https://data.example.com/a.tif"),
        ("https://data.example.com/a|b{c}", "https://data.example.com/a%7Cb%7Bc%7D"),
    ],
)
def test_allowed_hosts(href: str, opened: str) -> None:
    assert located(href, Sources(ALLOWED)) == opened


def test_folders(folders: Sources, tmp_path: Path) -> None:
    assert located("../../../static/a.tif", folders) == str(tmp_path / "static" / "a.tif")
    assert located(f"file://{tmp_path}/assets/a.tif", folders) == str(tmp_path / "assets" / "a.tif")
    assert located(f"file://localhost{tmp_path}/static/a.tif", folders) == str(tmp_path / "static" / "a.tif")


@pytest.mark.parametrize(
    "href",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://data.example.com:9/a.tif",
        "https://other.example.com/a.tif",
        "https://data.example.com@169.254.169.254/a.tif",
        "https://user:password@data.example.com/a.tif",
        "https://data.example.com.evil.example/a.tif",
        "https://data.example.com,evil/a.tif",
        "file:///etc/passwd",
        "file://elsewhere/etc/passwd",
        "/etc/passwd",
        "../../../static/../secret/a.tif",
        "../../../static/%2e%2e/secret/a.tif",
        "../../../static/link.tif",
        "../../../static/",
        "../../../etc/passwd",
        "/vsicurl/http://169.254.169.254/",
        "/vsicurl?url=http://169.254.169.254/",
        "/vsizip//etc/passwd",
        "/static//vsicurl/http://169.254.169.254/",
        "vsicurl/http://169.254.169.254/",
        "zip+http://data.example.com/a.zip!a.tif",
        "s3://bucket/a.tif",
        "gs://bucket/a.tif",
        "ftp://data.example.com/a.tif",
        "WMS:http://169.254.169.254/",
        "GTIFF_DIR:1:/etc/passwd",
        "<VRTDataset/>",
        "http://[::1/a.tif",
        "http://data.example.com:99999/",
        "\\\\server\\share",
        "//169.254.169.254/a.tif",
    ],
)
def test_what_is_not_opened(folders: Sources, href: str) -> None:
    with pytest.raises((Forbidden, InvalidMetadata)):
        located(href, folders)


@pytest.mark.parametrize("href", [None, 1, "", "https://data.example.com/a b", "https://data.example.com/\n", "a\0b"])
def test_what_is_no_href(href: object) -> None:
    with pytest.raises(InvalidMetadata, match=r"assets\.data: the href is not a URL"):
        located(href, Sources(ALLOWED))


def test_nothing_is_allowed_where_nothing_is_said(tmp_path: Path) -> None:
    for href in ("https://data.example.com/a.tif", "../../../static/a.tif", f"file://{tmp_path}/a.tif"):
        with pytest.raises(Forbidden):
            located(href, Sources())


def test_rules_come_before_what_is_allowed() -> None:
    rules = {"s3://bucket/": "https://data.example.com/bucket/"}
    assert located("s3://bucket/a.tif", Sources(ALLOWED, rules=rules)) == "https://data.example.com/bucket/a.tif"


def test_ones_own_files() -> None:
    own = Sources.anything(Path("/static"))
    assert located("/data/a.tif", own) == "/data/a.tif"
    assert located("file:///data/a%20b.tif", own) == "/data/a b.tif"
    assert located("s3://bucket/a.tif", own) == "/vsis3/bucket/a.tif"
    assert located("https://any.example/a.tif", own) == "https://any.example/a.tif"
    assert located("../../../static/a.tif", own) == "/static/a.tif"
