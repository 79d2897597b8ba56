"""Hrefs of the files that are served at /static: kept relative to their item, told whole.

So the same items do at any address, and clients that take an href as it is, as GDAL does, can read them. What a client
was told and sends back is kept as it was. Both work on text, as items are answered: no item is parsed for it.
"""

import re

import orjson

# An item is at …/collections/{collection}/items/{id}. Inside of a string the quotes would have backslashes before them.
_KEPT = b'"href":"../../../static/'


def told(content: bytes, base: str) -> bytes:
    """A stored item for a client that sees the service at `base`."""
    return content.replace(_KEPT, b'"href":' + _whole(base))


def kept(text: bytes, base: str) -> bytes:
    """What such a client sends, as it is stored."""
    # Some write a slash with a backslash before it.
    whole = re.escape(_whole(base)).replace(b"/", rb"\\?/")
    return re.sub(rb'"href"\s*:\s*' + whole, _KEPT, text)


def _whole(base: str) -> bytes:
    """Up to the name of the file."""
    return orjson.dumps(f"{base}/static/")[:-1]
