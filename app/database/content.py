"""How an item's text is kept: zstd, with a dictionary of its collection.

Items of a collection repeat each other, and a dictionary trained on some of them carries what they share: a Sentinel-2
item of 15 kB takes under 1 kB. Content without a dictionary is plain zstd.
"""

from collections.abc import Sequence

import zstandard

_LEVEL = 3
_DICTIONARY_BYTES = 112_640
# Below this a dictionary costs more than it saves.
_SAMPLES_AT_LEAST = 64
_SAMPLES_AT_MOST = 500


class Decoder:
    """Decompresses the contents of one dictionary, or of none."""

    def __init__(self, dictionary: bytes | None = None) -> None:
        data = None if dictionary is None else zstandard.ZstdCompressionDict(dictionary)
        self.decode = zstandard.ZstdDecompressor(dict_data=data).decompress


class Encoder:
    def __init__(self, dictionary: bytes | None = None) -> None:
        data = None if dictionary is None else zstandard.ZstdCompressionDict(dictionary)
        if data is not None:
            data.precompute_compress(level=_LEVEL)
        self.encode = zstandard.ZstdCompressor(level=_LEVEL, dict_data=data).compress


def mark(dictionary: bytes) -> bytes:
    """Its id, which is a digest of it, and stands in front of all that is compressed with it."""
    return dictionary[4:8]


def train(contents: Sequence[bytes]) -> bytes | None:
    """A dictionary for contents like these; None where there are too few of them, or nothing to learn."""
    if len(contents) < _SAMPLES_AT_LEAST:
        return None
    # Spread over the batch: neighbours are often of one day or one place.
    samples = contents[:: max(1, len(contents) // _SAMPLES_AT_MOST)]
    size = min(_DICTIONARY_BYTES, sum(map(len, samples)) // 10)
    try:
        return zstandard.train_dictionary(size, list(samples), level=_LEVEL).as_bytes()
    except zstandard.ZstdError:
        return None
