"""Clients that search, beside pystac-client, which tests/conformance has."""

import asyncio
from typing import Any

import pytest
import rustac

from app.demo import COUNT
from tests.clients.conftest import Demo


@pytest.mark.parametrize(
    ("parameters", "count"),
    [
        ({"collections": "demo-cogs"}, 12),
        ({"collections": ["demo-cogs"], "limit": 5}, 12),
        ({"limit": 1000}, COUNT - 3),
        ({"collections": ["demo-cogs"], "datetime": "2024-07-01T00:00:00Z/2024-08-01T00:00:00Z"}, 4),
        ({"collections": ["demo-cogs"], "filter": "eo:cloud_cover < 3"}, 1),
        ({"collections": ["demo-cogs"], "filter": {"op": "<", "args": [{"property": "eo:cloud_cover"}, 3]}}, 1),
        ({"ids": ["20240731-sw", "nothing"]}, 1),
        ({"bbox": [10.3, 46.9, 10.4, 47.0], "collections": ["demo-cogs"], "limit": 4}, 12),
        ({"intersects": {"type": "Point", "coordinates": [10.33, 46.93]}, "collections": ["demo-cogs"]}, 3),
        ({"collections": ["demo-cogs"], "max_items": 7, "limit": 5}, 7),
    ],
)
def test_rustac(demo: Demo, parameters: dict[str, Any], count: int) -> None:
    async def search() -> list[dict[str, Any]]:
        return list(await rustac.search(demo.url, **parameters))

    ids = {(item["collection"], item["id"]) for item in asyncio.run(search())}
    assert len(ids) == count


def test_rustac_sorts_and_takes_fields(demo: Demo) -> None:
    async def search() -> list[dict[str, Any]]:
        fields = {"include": ["id", "properties.eo:cloud_cover"]}
        return list(await rustac.search(demo.url, collections="demo-cogs", sortby="-eo:cloud_cover", fields=fields))

    clouds = [item["properties"]["eo:cloud_cover"] for item in asyncio.run(search())]
    assert clouds == sorted(clouds, reverse=True)
    assert len(clouds) == 12
