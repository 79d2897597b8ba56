"""The files of items into a folder: `folder/collection/item/`, with the item beside them, whose hrefs are relative.

What is there is not fetched again, and what was begun is gone on with.
"""

import asyncio
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from app.assets.checksum import Checksum, checksum
from app.assets.href import Rules, absolute, path_of, resolved
from app.assets.items import Placed
from app.assets.objects import object_at
from app.assets.signing import Signers
from app.assets.transfer import Transfer, TransferFailed
from app.bulk.readers.web import is_url
from app.errors import InvalidMetadata, SetupError, UpesiError
from app.stac import document as documents

_ODD = re.compile(r"[^A-Za-z0-9._-]")
_NAME_LENGTH = 120
_WEB = ("http", "https")


@dataclass(frozen=True, slots=True)
class Choice:
    """Which assets, by patterns of their keys or by their roles, and which of their places.

    `local` are folders that files may be taken from, beside the one an item of a file is in.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    prefer: str | None = None
    local: tuple[Path, ...] = ()

    def takes(self, key: str, asset: Mapping[str, Any]) -> bool:
        return (not self.include or _named(self.include, key, asset)) and not _named(self.exclude, key, asset)


@dataclass(slots=True)
class Report:
    items: int = 0
    files: int = 0
    present: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Downloader:
    folder: Path
    transfer: Transfer
    signers: Signers
    choice: Choice = Choice()
    rules: Rules = field(default_factory=dict)
    concurrency: int = 8
    report: Report = field(default_factory=Report)

    async def all(self, items: Iterator[Placed]) -> Report:
        """What fails is in the report, and the rest goes on. Raises SetupError for a source that cannot be read."""
        places = asyncio.Semaphore(self.concurrency)
        running: set[asyncio.Task[None]] = set()
        try:
            # The source is read in a thread: it may be on the web.
            while (placed := await asyncio.to_thread(next, items, None)) is not None:
                running.add(asyncio.create_task(self.item(placed, places)))
                if len(running) >= self.concurrency:
                    done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                    for task in done:
                        task.result()
            await asyncio.gather(*running)
        finally:
            for left in running:
                left.cancel()
        return self.report

    async def item(self, placed: Placed, places: asyncio.Semaphore) -> None:
        """What fails of the folder itself is a failure of the item."""
        try:
            await self._item(placed, places)
        except OSError as error:
            self.report.failures.append(f"{_told(placed)}: {error.strerror}")

    async def _item(self, placed: Placed, places: asyncio.Semaphore) -> None:
        item = placed.item
        identity = safe_name(str(item.get("id")))
        folder = self.folder / safe_name(str(item.get("collection") or "_")) / identity
        folder.mkdir(parents=True, exist_ok=True)
        assets = {key: asset for key, asset in _assets(item).items() if isinstance(asset, dict)}
        # Those of all assets: other choices of the same item give the same names.
        names = _file_names(assets, f"{identity}.json")

        async def href(key: str, asset: dict[str, Any]) -> tuple[str, str]:
            async with places:
                path = folder / names[key]
                chosen = self.choice.takes(key, asset)
                return key, await (self._asset(placed, key, path) if chosen else self._left(placed, key, path))

        hrefs = dict(await asyncio.gather(*(href(key, asset) for key, asset in assets.items())))
        _save(folder / f"{identity}.json", _rewritten(placed, hrefs))
        self.report.items += 1

    async def _asset(self, placed: Placed, key: str, path: Path) -> str:
        """The href of the asset from the item's new place: of its file, or of where it was if it could not be had."""
        try:
            asset = placed.item["assets"][key]
            expected = checksum(asset.get("file:checksum"), f"assets.{key}.file:checksum")
            if await asyncio.to_thread(_fault, path, asset, expected) is None:
                self.report.present += 1
            else:
                await self._fetch(placed, key, path)
                await asyncio.to_thread(_verify, path, asset, expected)
                self.report.files += 1
            return f"./{path.name}"
        except (TransferFailed, UpesiError, SetupError, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self.report.failures.append(f"{_told(placed)}, {key}: {reason}")
            return self._unfetched(placed, key)

    async def _left(self, placed: Placed, key: str, path: Path) -> str:
        """The href of an asset that is not wanted now: of the file that is there from another time, as it should be."""
        asset = placed.item["assets"][key]
        try:
            expected = checksum(asset.get("file:checksum"), f"assets.{key}.file:checksum")
            fault = await asyncio.to_thread(_fault, path, asset, expected)
        except UpesiError:
            return self._unfetched(placed, key)
        return self._unfetched(placed, key) if fault else f"./{path.name}"

    async def _fetch(self, placed: Placed, key: str, path: Path) -> None:
        """Raises TransferFailed, UpesiError, OSError."""
        collection = placed.item.get("collection")
        href = resolved(placed.item, key, prefer=self.choice.prefer, rules=self.rules, source=placed.source)
        if (local := path_of(href)) is not None:
            await asyncio.to_thread(self._copy, placed, local, path)
            return
        url = (await self.signers.href(href, collection)).href
        if found := object_at(url):
            url = found.url
        if urlsplit(url).scheme not in _WEB:
            url = resolved(placed.item, key, prefer="https", rules=self.rules, source=placed.source)
        if urlsplit(url).scheme not in _WEB:
            raise TransferFailed(f"{urlsplit(url).scheme}: is not read")
        await self.transfer.fetch(url, path, lambda asked: self.signers.headers(asked, collection))

    def _copy(self, placed: Placed, local: Path, path: Path) -> None:
        """A file beside an item of a file. Raises TransferFailed, OSError."""
        allowed = list(self.choice.local)
        if placed.source is not None and not is_url(placed.source):
            allowed.append(Path(placed.source).parent)
        target = local.resolve()
        if not any(target.is_relative_to(folder.resolve()) for folder in allowed):
            raise TransferFailed("is a file of this machine outside of the item's folder (--allow names others)")
        part = path.with_name(path.name + ".part")
        shutil.copyfile(target, part)
        part.replace(path)

    def _unfetched(self, placed: Placed, key: str) -> str:
        try:
            return resolved(placed.item, key, source=placed.source)
        except InvalidMetadata:
            return str(placed.item["assets"][key].get("href"))


def _told(placed: Placed) -> str:
    return f"{placed.item.get('collection')}/{placed.item.get('id')}"


def _assets(item: Mapping[str, Any]) -> dict[str, Any]:
    assets = item.get("assets")
    return assets if isinstance(assets, dict) else {}


def safe_name(name: str) -> str:
    """One name in a folder, whatever the text: where it has other than plain characters, a digest keeps it apart."""
    plain = _ODD.sub("_", name)[:_NAME_LENGTH].strip(".")
    if plain == name and plain:
        return plain
    stem, dot, suffix = plain.rpartition(".") if re.search(r".\.[A-Za-z0-9]{1,8}$", plain) else (plain, "", "")
    return f"{stem}-{blake2b(name.encode('utf-8', 'surrogatepass'), digest_size=6).hexdigest()}{dot}{suffix}"


def _named(patterns: tuple[str, ...], key: str, asset: Mapping[str, Any]) -> bool:
    roles = asset.get("roles")
    return any(fnmatchcase(key, pattern) or (isinstance(roles, list) and pattern in roles) for pattern in patterns)


def _file_names(assets: Mapping[str, Mapping[str, Any]], taken: str) -> dict[str, str]:
    """For each asset the last part of its href; the key before it where several have the same, in any case."""
    last = {key: _last_part(asset.get("href")) or key for key, asset in assets.items()}
    counts: dict[str, int] = {taken.casefold(): 1}
    for name in last.values():
        counts[safe_name(name).casefold()] = counts.get(safe_name(name).casefold(), 0) + 1
    names: dict[str, str] = {}
    used: set[str] = {taken.casefold()}
    for key, part in last.items():
        name = safe_name(part)
        if counts[name.casefold()] > 1:
            name = safe_name(f"{key}-{part}")
        attempt = 0
        while name.casefold() in used or (attempt == 0 and name.endswith((".part", ".tag"))):
            attempt += 1
            name = safe_name(f"{key}/{part}/{attempt}{Path(part).suffix}")
        used.add(name.casefold())
        names[key] = name
    return names


def _last_part(href: Any) -> str:
    try:
        return unquote(urlsplit(href).path).rstrip("/").rpartition("/")[2] if isinstance(href, str) else ""
    except ValueError:
        return ""


def _verify(path: Path, asset: Mapping[str, Any], expected: Checksum | None) -> None:
    """Raises TransferFailed, and leaves nothing that is not what the item says."""
    fault = _fault(path, asset, expected)
    if fault is not None:
        path.unlink(missing_ok=True)
        raise TransferFailed(fault)


def _fault(path: Path, asset: Mapping[str, Any], expected: Checksum | None) -> str | None:
    """In what a file differs from what its asset says; None for one that is as said, or of which nothing is said."""
    if not path.is_file():
        return "is not there"
    size = asset.get("file:size")
    if isinstance(size, int) and path.stat().st_size != size:
        return f"has {path.stat().st_size} bytes, and file:size says {size}"
    if expected is not None and not expected.is_of(path):
        return f"has another {expected.algorithm} than file:checksum says"
    return None


def _rewritten(placed: Placed, hrefs: Mapping[str, str]) -> dict[str, Any]:
    """The item in its new place: what is relative elsewhere is absolute, and its own place is not said."""
    item = placed.item
    assets = {key: asset | {"href": hrefs[key]} if key in hrefs else asset for key, asset in _assets(item).items()}
    said = item.get("links")
    links = [link for link in said if isinstance(link, dict)] if isinstance(said, list) else []
    kept = [_absolute_link(link, placed) for link in links if link.get("rel") != "self"]
    own = next((link.get("href") for link in links if link.get("rel") == "self"), placed.source)
    if isinstance(own, str) and is_url(own) and not any(link.get("rel") == "canonical" for link in links):
        kept.append({"rel": "canonical", "href": own, "type": "application/geo+json"})
    return item | {"assets": assets, "links": kept}


def _absolute_link(link: dict[str, Any], placed: Placed) -> dict[str, Any]:
    try:
        return link | {"href": absolute(link.get("href"), placed.item, "links", placed.source)}
    except InvalidMetadata:
        return link


def _save(path: Path, item: dict[str, Any]) -> None:
    waiting = path.with_name(path.name + ".part")
    waiting.write_bytes(documents.dump(item))
    waiting.replace(path)
