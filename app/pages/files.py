"""The packaged files that pages need, each under a name that changes with what is in it."""

from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

_FOLDER = Path(__file__).parent / "files"
_MEDIA_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}


@dataclass(frozen=True, slots=True)
class File:
    """`name` has a digest of `content` in it, so that whoever has the file need never ask for it again."""

    name: str
    media_type: str
    content: bytes
    digest: str


def _packaged(path: Path) -> File:
    content = path.read_bytes()
    digest = blake2b(content, digest_size=8).hexdigest()
    return File(f"{path.stem}.{digest}{path.suffix}", _MEDIA_TYPES[path.suffix], content, digest)


# By what templates call them.
FILES = {path.name: _packaged(path) for path in sorted(_FOLDER.iterdir()) if path.suffix in _MEDIA_TYPES}
SERVED = {file.name: file for file in FILES.values()}
