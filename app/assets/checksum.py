"""`file:checksum` of https://github.com/stac-extensions/file: a multihash in hexadecimal."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InvalidMetadata

# https://github.com/multiformats/multicodec/blob/master/table.csv
_ALGORITHMS = {
    0x11: "sha1",
    0x12: "sha256",
    0x13: "sha512",
    0x14: "sha3_512",
    0x15: "sha3_384",
    0x16: "sha3_256",
    0x17: "sha3_224",
    0x20: "sha384",
    0xD5: "md5",
    0x1013: "sha224",
    # Of 256 and 512 bits, and 256 of the smaller kind.
    0xB220: "blake2b",
    0xB240: "blake2b",
    0xB260: "blake2s",
}
_BLAKE = {0xB220: {32}, 0xB240: {64}, 0xB260: {32}}
_SIZED: dict[str, Any] = {"blake2b": hashlib.blake2b, "blake2s": hashlib.blake2s}


@dataclass(frozen=True, slots=True)
class Checksum:
    algorithm: str
    digest: bytes

    def is_of(self, path: Path) -> bool:
        hashed = _SIZED[self.algorithm](digest_size=len(self.digest)) if self.algorithm in _SIZED else None
        hashed = hashed or hashlib.new(self.algorithm, usedforsecurity=False)
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                hashed.update(part)
        return bool(hashed.digest() == self.digest)


def checksum(value: Any, place: str) -> Checksum | None:
    """Raises InvalidMetadata for what is no multihash, or is one of an algorithm that is not known here."""
    if value is None:
        return None
    try:
        code, rest = _varint(bytes.fromhex(value))
        length, digest = _varint(rest)
    except (TypeError, ValueError, IndexError):
        raise InvalidMetadata(f"{value!r} is no multihash", place) from None
    algorithm = _ALGORITHMS.get(code)
    if algorithm is None:
        raise InvalidMetadata(f"is a multihash of the algorithm {code:#x}, which is not known here", place)
    sizes = _BLAKE[code] if algorithm in _SIZED else {hashlib.new(algorithm, usedforsecurity=False).digest_size}
    if len(digest) != length or length not in sizes:
        raise InvalidMetadata(f"{value!r} is no multihash", place)
    return Checksum(algorithm, digest)


def _varint(data: bytes) -> tuple[int, bytes]:
    """https://github.com/multiformats/unsigned-varint: seven bits a byte, the lowest first. Raises IndexError."""
    number = 0
    for position in range(4):
        number |= (data[position] & 0x7F) << (7 * position)
        if data[position] < 0x80:
            return number, data[position + 1 :]
    raise ValueError("is too long")
