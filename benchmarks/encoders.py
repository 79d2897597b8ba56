"""Encoders for a page of 100 Sentinel-2 items: bytes and milliseconds.

python -m benchmarks.encoders
"""

import statistics
import time
import zlib
from collections.abc import Callable
from functools import partial
from itertools import islice

import orjson
import zstandard
from isal import isal_zlib

from app.demo import sentinel2

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    **{f"igzip {level}": partial(isal_zlib.compress, level=level, wbits=31) for level in (0, 1, 2, 3)},
    **{f"zlib {level}": partial(zlib.compress, level=level, wbits=31) for level in (1, 6)},
    **{f"zstd {level}": zstandard.ZstdCompressor(level=level).compress for level in (1, 3)},
}


def main() -> None:
    page = b",".join(orjson.dumps(item) for item in islice(sentinel2.items(100), 100))
    times: dict[str, list[float]] = {name: [] for name in ENCODERS}
    for _ in range(15):
        for name, encode in ENCODERS.items():
            started = time.perf_counter()
            encode(page)
            times[name].append(time.perf_counter() - started)
    print(f"| encoder | bytes of {len(page):,} | ms | zlib 6 = 1 |\n| --- | --- | --- | --- |")
    slowest = statistics.median(times["zlib 6"])
    for name, encode in ENCODERS.items():
        taken = statistics.median(times[name])
        print(f"| {name} | {len(encode(page)):,} | {taken * 1000:.2f} | {taken / slowest:.2f} |")


if __name__ == "__main__":
    main()
