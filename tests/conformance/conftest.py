"""A real server process, and a catalogue in which the boxes and geometries of the validator find items."""

from collections.abc import Iterator

import pytest

from app.bulk.load import Loader
from tests.factories import Document, box, collection, item, load
from tests.processes import running

COLLECTIONS = ["elevation", "optical", "without-items"]


@pytest.fixture(scope="session")
def server(database_url: str) -> Iterator[str]:
    """The URL of the service, as a process of its own."""
    with running(database_url, UPESI_WRITES="open") as url:
        yield url


def optical(number: int) -> Document:
    return {"eo:cloud_cover": number, "instruments": ["msi"] if number % 2 else ["msi", "tirs"]}


def documents() -> Iterator[Document]:
    """Items of a day each, in a row from longitude 95 to 106 along the equator, and some at 20, 20."""
    for name in COLLECTIONS:
        yield collection(name, title=name.title(), summaries={"platform": ["upesi-1"]})
    for number in range(60):
        west, south = (20.0, 20.0) if number % 10 == 0 else (95 + number % 11, -0.5 + number % 3)
        yield item(
            f"optical-{number:02}",
            "optical",
            geometry=box(west, south, west + 1.5, south + 1.5),
            properties={
                "datetime": f"2024-{1 + number // 28:02}-{1 + number % 28:02}T10:00:00.25Z",
                "title": "Scene",
                **optical(number),
            },
        )
    for number in range(25):
        west, south = (20.0, 20.0) if number == 0 else (100 + number % 5, -1.0 + number // 5)
        period = {"datetime": None, "start_datetime": "2010-12-12T00:00:00Z", "end_datetime": "2015-01-22T00:00:00Z"}
        yield item(
            f"elevation-{number:02}", "elevation", geometry=box(west, south, west + 1, south + 1), properties=period
        )


@pytest.fixture
async def catalogue(server: str, loader: Loader) -> str:
    """The URL of the server, over the documents above."""
    await load(loader, *documents())
    return server
