import asyncio
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.assets.checksum import Checksum, checksum
from app.assets.download import Choice, Downloader, Report, safe_name
from app.assets.items import Placed
from app.assets.signing import Signers
from app.assets.transfer import Transfer
from app.errors import InvalidMetadata
from tests import factories
from tests.assets.files import File, Server, file_server
from tests.assets.signing import CONTENT, bucket, bucket_signer, configured

pytestmark = pytest.mark.anyio
ALL, NOBODY = Choice(), Signers()


@pytest.fixture
def server() -> Iterator[Server]:
    with file_server() as server:
        server.files = {name: File(name.encode() * 1000) for name in ("/a.tif", "/b.tif", "/x/a.tif")}
        yield server


async def fetched(
    folder: Path, *items: Any, choice: Choice = ALL, signers: Signers = NOBODY, source: str | None = None
) -> Report:
    async with httpx.AsyncClient(timeout=5) as client:
        transfer = Transfer(client, lambda _: None, pause=0.001)
        downloader = Downloader(folder, transfer, signers, choice)
        return await downloader.all(Placed(item, source) for item in items)


def with_assets(assets: Any, **members: Any) -> dict[str, Any]:
    return factories.item(assets=assets, **members)


def saved(folder: Path, name: str = "things/thing/thing.json") -> dict[str, Any]:
    document: dict[str, Any] = json.loads((folder / name).read_text())
    return document


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


async def test_an_item_with_its_files(server: Server, tmp_path: Path) -> None:
    links = [
        {"rel": "self", "href": f"{server.url}/items/thing.json"},
        {"rel": "license", "href": "../license.html"},
    ]
    assets = {"a": {"href": f"{server.url}/a.tif", "title": "A"}, "b": {"href": "../b.tif?v=1"}}
    report = await fetched(tmp_path, with_assets(assets, links=links))
    assert (report.items, report.files, report.failures) == (1, 2, [])
    assert files(tmp_path) == {f"things/thing/{name}" for name in ("a.tif", "b.tif", "thing.json")}
    assert (tmp_path / "things/thing/b.tif").read_bytes() == server.files["/b.tif"].content
    item = saved(tmp_path)
    assert item["assets"] == {"a": {"href": "./a.tif", "title": "A"}, "b": {"href": "./b.tif"}}
    assert item["links"] == [
        {"rel": "license", "href": f"{server.url}/license.html"},
        {"rel": "canonical", "href": f"{server.url}/items/thing.json", "type": "application/geo+json"},
    ]
    again = await fetched(tmp_path, with_assets(assets, links=links))
    assert (again.files, again.present) == (0, 2)
    assert len(server.asked) == 2


async def test_what_is_there_from_another_time_stays_in_the_item(server: Server, tmp_path: Path) -> None:
    """Under the same names, whichever assets are asked for: two have the same last part."""
    digest = "1220" + hashlib.sha256(server.files["/a.tif"].content).hexdigest()
    assets = {
        "a": {"href": f"{server.url}/a.tif", "file:checksum": digest},
        "x": {"href": f"{server.url}/x/a.tif"},
        "b": {"href": f"{server.url}/b.tif"},
    }
    for key in ("a", "x"):
        await fetched(tmp_path, with_assets(assets), choice=Choice(include=(key,)))
    hrefs = {key: asset["href"] for key, asset in saved(tmp_path)["assets"].items()}
    assert hrefs == {"a": "./a-a.tif", "x": "./x-a.tif", "b": f"{server.url}/b.tif"}
    (tmp_path / "things/thing/a-a.tif").write_bytes(b"other")
    await fetched(tmp_path, with_assets(assets), choice=Choice(include=("b",)))
    assert saved(tmp_path)["assets"]["a"]["href"] == f"{server.url}/a.tif"


async def test_many_items_some_files_at_a_time(server: Server, tmp_path: Path) -> None:
    items = [with_assets({"a": {"href": f"{server.url}/a.tif"}}, id=f"i{number}") for number in range(40)]
    report = await fetched(tmp_path, *items)
    assert (report.items, report.files) == (40, 40)
    assert server.most_at_once <= 8


@pytest.mark.parametrize(
    ("choice", "keys"),
    [
        (Choice(), {"a", "b", "x"}),
        (Choice(include=("a",)), {"a"}),
        (Choice(include=("data",)), {"a", "x"}),
        (Choice(include=("[ab]",), exclude=("b",)), {"a"}),
        (Choice(exclude=("data",)), {"b"}),
        (Choice(include=("nothing",)), set()),
    ],
)
async def test_the_assets_that_are_chosen(server: Server, tmp_path: Path, choice: Choice, keys: set[str]) -> None:
    assets: dict[str, Any] = {
        "a": {"href": f"{server.url}/a.tif", "roles": ["data"]},
        "b": {"href": f"{server.url}/b.tif"},
        "x": {"href": f"{server.url}/x/a.tif", "roles": ["data", "cloud"]},
    }
    await fetched(tmp_path, with_assets(assets), choice=choice)
    item = saved(tmp_path)
    assert {key for key, asset in item["assets"].items() if asset["href"].startswith("./")} == keys
    assert all(item["assets"][key]["href"] == assets[key]["href"] for key in assets.keys() - keys)


async def test_one_name_for_several_files(server: Server, tmp_path: Path) -> None:
    server.files |= {"/A.TIF": File(b"upper"), "/thing.json": File(b"{}")}
    paths = {"a": "/a.tif", "x": "/x/a.tif", "upper": "/A.TIF", "json": "/thing.json"}
    report = await fetched(tmp_path, with_assets({key: {"href": server.url + path} for key, path in paths.items()}))
    assert report.failures == []
    item = saved(tmp_path)
    names = {key: asset["href"] for key, asset in item["assets"].items()}
    assert len({name.casefold() for name in names.values()}) == 4
    for key, name in names.items():
        assert (tmp_path / "things/thing" / name).read_bytes() == server.files[paths[key]].content


HOSTILE = ["../../../evil", "..", ".", "", "/etc/evil", "a/../../b", "C:\\evil", "a\0b", "x" * 300, "‮gpj.exe", ".ssh"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_nothing_leaves_the_folder(server: Server, tmp_path: Path, name: str) -> None:
    folder = tmp_path / "inside"
    quoted = "/d/" + "".join(f"%{byte:02X}" for byte in name.encode())
    server.files[quoted] = File(b"evil")
    assets = {name: {"href": f"{server.url}/a.tif"}, "quoted": {"href": server.url + quoted}}
    report = await fetched(folder, with_assets(assets, id=name, collection=name))
    assert report.items == 1
    assert {Path(file).parts[0] for file in files(tmp_path)} == {"inside"}
    assert len(files(folder)) >= 2
    assert all(len(Path(file).parts) == 3 and "/." not in f"/{file}" for file in files(folder))


@pytest.mark.parametrize("name", HOSTILE)
def test_safe_names(name: str) -> None:
    safe = safe_name(name)
    assert safe
    assert not safe.startswith(".")
    assert "/" not in safe
    assert "\\" not in safe
    assert len(safe) < 200
    assert safe != safe_name(name + "x")


async def test_what_fails_is_told_and_the_rest_goes_on(server: Server, tmp_path: Path) -> None:
    assets: dict[str, Any] = {
        "gone": {"href": f"{server.url}/gone.tif?sig=s3cr3t"},
        "ftp": {"href": "ftp://h.example/a.tif"},
        "none": {"href": 7},
        "a": {"href": f"{server.url}/a.tif"},
    }
    report = await fetched(tmp_path, with_assets(assets), with_assets([1], id="odd", links=None))
    assert report.items == 2
    assert report.files == 1
    told = sorted(report.failures)
    assert told == [
        "things/thing, ftp: ftp: is not read",
        "things/thing, gone: is answered with 404 Not Found",
        "things/thing, none: assets.none.href: is no href",
    ]
    assert saved(tmp_path)["assets"]["gone"]["href"] == assets["gone"]["href"]


def multihash(content: bytes) -> str:
    return "1220" + hashlib.sha256(content).hexdigest()


async def test_checksums(server: Server, tmp_path: Path) -> None:
    content = server.files["/a.tif"].content
    good = {"href": f"{server.url}/a.tif", "file:checksum": multihash(content), "file:size": len(content)}
    bad = {"href": f"{server.url}/b.tif", "file:checksum": multihash(b"other")}
    size = {"href": f"{server.url}/x/a.tif", "file:size": 3}
    report = await fetched(tmp_path, with_assets({"good": good, "bad": bad, "size": size}))
    assert sorted(report.failures) == [
        "things/thing, bad: has another sha256 than file:checksum says",
        f"things/thing, size: has {8 * 1000} bytes, and file:size says 3",
    ]
    assert len(files(tmp_path)) == 2
    # What was changed here is had again.
    target = tmp_path / "things/thing" / saved(tmp_path)["assets"]["good"]["href"]
    target.write_bytes(b"changed")
    again = await fetched(tmp_path, with_assets({"good": good, "bad": bad, "size": size}))
    assert again.files == 1
    assert target.read_bytes() == content


@pytest.mark.parametrize(
    ("code", "name", "size"), [("11", "sha1", 20), ("13", "sha512", 64), ("d501", "md5", 16), ("a0e402", "blake2b", 32)]
)
def test_multihashes(tmp_path: Path, code: str, name: str, size: int) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    hashed = hashlib.blake2b(b"abc", digest_size=32) if name == "blake2b" else hashlib.new(name, b"abc")
    found = checksum(f"{code}{size:02x}{hashed.hexdigest()}", "x")
    assert found == Checksum(name, hashed.digest())
    assert found.is_of(tmp_path / "a")
    (tmp_path / "a").write_bytes(b"abd")
    assert not found.is_of(tmp_path / "a")


@pytest.mark.parametrize("value", ["", "zz", "1220", "1220ab", "1221" + "00" * 33, "00" + "01ff", 7, "ff" * 9, "1200"])
def test_what_is_no_multihash(value: Any) -> None:
    with pytest.raises(InvalidMetadata, match=r"^x: "):
        checksum(value, "x")


async def test_files_of_this_machine(tmp_path: Path) -> None:
    source, outside = tmp_path / "source", tmp_path / "outside"
    for folder in (source, outside):
        folder.mkdir()
        (folder / "a.tif").write_bytes(folder.name.encode())
    (source / "link.tif").symlink_to(outside / "a.tif")
    assets: dict[str, Any] = {
        "beside": {"href": "./a.tif"},
        "above": {"href": "../outside/a.tif"},
        "url": {"href": f"file://{outside}/a.tif"},
        "link": {"href": "link.tif"},
    }
    item, place = with_assets(assets), str(source / "item.json")
    report = await fetched(tmp_path / "to", item, source=place)
    assert report.files == 1
    assert len(report.failures) == 3
    assert all("outside of the item's folder" in failure for failure in report.failures)
    allowed = await fetched(tmp_path / "to", item, source=place, choice=Choice(local=(outside,)))
    assert (allowed.files, allowed.present, allowed.failures) == (3, 1, [])
    # An item of the web has no files here.
    web = await fetched(tmp_path / "web", with_assets({"url": assets["url"]}), source="https://h.example/i.json")
    assert len(web.failures) == 1


async def test_private_objects_of_a_bucket(tmp_path: Path) -> None:
    with bucket("a/b.tif", "c.tif") as url:
        assets = {"a": {"href": "s3://bucket/a/b.tif"}, "c": {"href": f"{url}/bucket/c.tif"}}
        signers = configured(bucket_signer(url))
        report = await fetched(tmp_path, with_assets(assets), signers=signers)
    assert report.failures == []
    assert (tmp_path / "things/thing/b.tif").read_bytes() == CONTENT
    assert (tmp_path / "things/thing/c.tif").read_bytes() == CONTENT
    assert "X-Amz" not in (tmp_path / "things/thing/thing.json").read_text()


async def test_bearer_at_the_named_host_alone(server: Server, tmp_path: Path) -> None:
    host = server.url.partition("://")[2]
    signers = configured({"type": "bearer", "hosts": [host], "token": "s3cr3t", "allow_http": True})
    with file_server() as other:
        other.files["/b.tif"] = File(b"b")
        assets = {"a": {"href": f"{server.url}/a.tif"}, "b": {"href": f"{other.url}/b.tif"}}
        report = await fetched(tmp_path, with_assets(assets), signers=signers)
        assert report.failures == []
        assert server.asked[0][1]["authorization"] == "Bearer s3cr3t"
        assert "authorization" not in other.asked[0][1]


async def test_a_run_that_is_stopped_ends_all(server: Server, tmp_path: Path) -> None:
    items = [with_assets({"a": {"href": f"{server.url}/a.tif"}}, id=f"i{number}") for number in range(20)]

    def broken() -> Iterator[Placed]:
        yield from (Placed(item, None) for item in items)
        raise RuntimeError("the source broke")

    async with httpx.AsyncClient() as client:
        downloader = Downloader(tmp_path, Transfer(client, lambda _: None), Signers())
        with pytest.raises(RuntimeError, match="the source broke"):
            await downloader.all(broken())
    assert len(asyncio.all_tasks()) <= 2
