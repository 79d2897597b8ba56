"""Items that stac-pydantic is certain to accept, recognised at a quarter of its cost.

This says yes or nothing: whatever is not recognised goes to stac-pydantic, which accepts more (a time without seconds,
a number written as a text), and says what is wrong where something is. tests/stac/test_recognition.py holds the two to
each other.
"""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct
from pydantic import AnyUrl, TypeAdapter, ValidationError

_URL = TypeAdapter(AnyUrl)
# The names of extensions are few.
_URLS = 1024

_Text = Annotated[str, Meta(min_length=1)]
_Time = Annotated[datetime, Meta(tz=True)]
_Box = Annotated[list[float], Meta(min_length=4, max_length=6)]
# In UTC there is no instant before these, nor behind them, whatever the offset.
_YEARS = range(2, 9999)


class _Asset(Struct, gc=False):
    href: _Text
    type: str | None = None
    title: str | None = None
    description: str | None = None
    roles: list[str] | None = None


class _Link(Struct, gc=False):
    href: _Text
    rel: _Text
    type: str | None = None
    title: str | None = None


class _Provider(Struct, gc=False):
    name: _Text
    description: str | None = None
    roles: list[str] | None = None
    url: str | None = None


class _Properties(Struct, gc=False):
    datetime: _Time | None
    start_datetime: _Time | None = None
    end_datetime: _Time | None = None
    created: _Time | None = None
    updated: _Time | None = None
    title: str | None = None
    description: str | None = None
    license: str | None = None
    providers: list[_Provider] | None = None
    platform: str | None = None
    instruments: list[str] | None = None
    constellation: str | None = None
    mission: str | None = None
    gsd: Annotated[float, Meta(gt=0)] | None = None


class _Item(Struct, gc=False):
    type: Literal["Feature"]
    stac_version: Literal["1.0.0", "1.1.0"]
    id: _Text
    geometry: dict[str, Any] | None
    properties: _Properties
    assets: dict[str, _Asset]
    links: list[_Link]
    bbox: _Box | None = None
    stac_extensions: list[str] | None = None
    collection: str | None = None


def is_item(document: dict[str, Any]) -> bool:
    """Whether a document is certain to be an Item, but for its geometry, which has a check of its own."""
    try:
        item = msgspec.convert(document, _Item)
    except msgspec.ValidationError:
        return False
    return (
        (item.geometry is None if item.bbox is None else _is_box(item.bbox))
        and _are_times(item.properties)
        and all(map(_is_url, item.stac_extensions or ()))
    )


def _is_box(box: list[float]) -> bool:
    """Of which west may be greater than east."""
    half = len(box) // 2
    return len(box) != 5 and all(low <= high for low, high in zip(box[1:half], box[half + 1 :], strict=True))


def _are_times(properties: _Properties) -> bool:
    """Both ends of an interval or none, and one of them where there is no instant."""
    start, end = properties.start_datetime, properties.end_datetime
    if (start is None) is not (end is None) or (properties.datetime is None and start is None):
        return False
    times = (properties.datetime, start, end, properties.created, properties.updated)
    return all(time is None or time.year in _YEARS for time in times)


@lru_cache(_URLS)
def _is_url(text: str) -> bool:
    try:
        _URL.validate_python(text)
    except ValidationError:
        return False
    return True
