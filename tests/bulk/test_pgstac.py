"""Databases of pgstac as its own tools make and fill them, in versions that are in use."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import asyncpg
import orjson
import pytest

from app.bulk.load import Loader
from app.bulk.readers import Entry, pgstac
from app.bulk.readers.sources import Source
from app.bulk.readers.web import Web
from app.catalog import Catalog
from app.errors import SetupError
from app.stac.search import Search
from app.stopwatch import Stopwatch
from tests.factories import Document, box, collection, item, point
from tests.pgstac import beside, execute, place_for_pgstac, pypgstac

pytestmark = pytest.mark.anyio

BAND: Document = {
    "type": "image/tiff",
    "roles": ["data"],
    "gsd": 10,
    "raster:bands": [{"nodata": 0, "unit": "m"}, {"nodata": 1}],
}
ITEM_ASSETS = {"red": {"title": "Red", **BAND}, "preview": {"title": "Preview", "type": "image/png"}}
SCENES = collection("scenes", item_assets=ITEM_ASSETS, title="Scenes")
PLAIN = collection("plain/names 🛰")
HREF = "https://data.example.com/"
INTERVAL = {"datetime": None, "start_datetime": "2024-01-01T00:00:00Z", "end_datetime": "2024-02-01T00:00:00Z"}
ITEMS = [
    item("as-the-base", "scenes", assets={"red": {"title": "Red", **BAND, "href": HREF + "1"}}),
    item("nothing-of-it", "scenes", assets={"other": {"href": HREF + "2"}}),
    item("without-a-title", "scenes", assets={"red": {**BAND, "href": HREF + "3"}}),
    item("other-roles", "scenes", assets={"red": {"title": "Red", **BAND, "roles": ["a", "b"], "href": HREF + "4"}}),
    item(
        "other-bands",
        "scenes",
        assets={"red": {"href": HREF + "5", "raster:bands": [{"nodata": 0, "scale": 1e-4}, {"nodata": 1, "x": 2}]}},
    ),
    item("both", "scenes", assets={name: {**asset, "href": HREF + name} for name, asset in ITEM_ASSETS.items()}),
    item("interval", "scenes", properties=INTERVAL, stac_version="1.0.0"),
    item("far", "scenes", geometry=point(-179.12345678901234, 1e-9), links=[{"rel": "derived_from", "href": HREF}]),
    item("plain", "plain/names 🛰", geometry=box(0.1, 0.2, 0.30000000000000004, 1), extra={"at": ["the", {"top": 1}]}),
    item("nulls", "plain/names 🛰", properties={"cloud_cover": None, "views": [None, 1], "big": 12345678901234567890}),
]


@pytest.fixture(scope="module")
def place(database_url: str) -> Iterator[Callable[[str], str]]:
    with place_for_pgstac(database_url) as made:
        yield made


@pytest.fixture(scope="module", params=["0.8.6", "0.9.11", "0.10.0"])
def filled(place: Callable[[str], str], request: pytest.FixtureRequest) -> str:
    """By the functions that the transactions of stac-fastapi-pgstac call."""
    return fill(place(request.param))


def fill(url: str) -> str:
    created = [("SELECT create_collection($1::text::jsonb)", text(document)) for document in (SCENES, PLAIN)]
    asyncio.run(execute(url, *created, ("SELECT create_items($1::text::jsonb)", text(ITEMS))))
    return url


def text(document: Document | list[Document]) -> str:
    return orjson.dumps(document).decode()


def without_nulls(document: Document) -> Document:
    """What these functions of pgstac leave of an item; a datetime that must be there is put back."""
    properties = {name: value for name, value in document["properties"].items() if value is not None}
    if "start_datetime" in properties:
        properties["datetime"] = None
    return document | {"properties": properties}


def read(location: str) -> list[Document]:
    with Web() as web:
        found = [
            document
            for entry in Source(location).entries(web, lambda path: path.open("rb"))
            for document in entry.parsed()
        ]
    assert [entry for entry in found if entry.fault] == []
    return [entry.document for entry in found]


def by_id(documents: list[Document]) -> dict[str, Document]:
    return {document["id"]: document for document in documents}


def test_items_are_whole_again(filled: str) -> None:
    found = read(filled)
    assert [document["id"] for document in found if document["type"] == "Collection"] == [PLAIN["id"], SCENES["id"]]
    assert by_id(found) == by_id([SCENES, PLAIN, *map(without_nulls, ITEMS)])


def test_a_collection_comes_before_its_items(filled: str) -> None:
    known: set[str] = set()
    for document in read(filled):
        if document["type"] == "Collection":
            known.add(document["id"])
        else:
            assert document["collection"] in known


def test_one_collection_alone(filled: str) -> None:
    found = read(f"{filled}#{quote(PLAIN['id'])}")
    assert {document["id"] for document in found} == {PLAIN["id"], "plain", "nulls"}
    with pytest.raises(SetupError, match="there is no collection 'nothing'"):
        read(f"{filled}#nothing")


def test_items_of_pypgstac_load_keep_their_nulls(place: Callable[[str], str], tmp_path: Path) -> None:
    """It takes apart what it loads in another way, and keeps the nulls. More items than come at a time."""
    url = place("0.10.0")
    many = [item(f"many-{number}", "scenes", assets=ITEMS[number % 6]["assets"]) for number in range(1203)]
    for name, documents in (("collections", [SCENES, PLAIN]), ("items", [*ITEMS, *many])):
        path = tmp_path / f"{name}.ndjson"
        path.write_bytes(b"".join(orjson.dumps(document) + b"\n" for document in documents))
        pypgstac(url, "load", name, path)
    assert by_id(read(url)) == by_id([SCENES, PLAIN, *ITEMS, *many])


def test_items_that_are_older_than_their_collection(place: Callable[[str], str]) -> None:
    """An item goes with the base item it was stored against, and not with what its collection says today."""
    url = fill(place("0.10.0"))
    changed = [SCENES | {"item_assets": {"red": {"title": title, **BAND}}} for title in ("Rouge", "Rot")]
    scenes = [document for document in ITEMS if document["collection"] == "scenes"]
    later = [
        item(f"later-{number}", "scenes", assets={"red": {**BAND, "href": HREF, "title": title}})
        for number, title in enumerate(("Rouge", "Rot"))
    ]
    for document, added in zip(changed, later, strict=True):
        update = ("SELECT update_collection($1::text::jsonb)", text(document))
        asyncio.run(execute(url, update, ("SELECT create_item($1::text::jsonb)", text(added))))
    assert by_id(read(f"{url}#scenes")) == by_id([changed[-1], *map(without_nulls, [*scenes, *later])])


async def test_a_load_of_a_database_ends_in_the_catalogue(filled: str, loader: Loader, catalog: Catalog) -> None:
    await loader.load(pgstac.entries(filled))
    found = await catalog.search(Search.from_query({"limit": "100"}), Stopwatch())
    assert len(found.items) == loader.report.items == len(ITEMS)
    assert loader.report.collections == 2


def test_an_early_end_leaves_no_connection(filled: str) -> None:
    found = pgstac.entries(filled)
    assert isinstance(next(found), Entry)
    found.close()  # type: ignore[attr-defined]
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'upesi'"
    assert asyncio.run(eventually(filled, count, 0))


async def eventually(url: str, question: str, answer: int) -> bool:
    connection = await asyncpg.connect(url)
    try:
        for _ in range(100):
            if await connection.fetchval(question) == answer:
                return True
            await asyncio.sleep(0.05)
    finally:
        await connection.close()
    return False


def test_other_databases_are_refused(database_url: str) -> None:
    with pytest.raises(SetupError, match=r"is no database of pgstac: it has no pgstac\.items"):
        read(database_url)
    with pytest.raises(SetupError, match=r"cannot be read: database .* does not exist"):
        read(beside(database_url, "upesi_nothing"))
    with pytest.raises(SetupError, match=r"127\.0\.0\.1:1/x cannot be read"):
        read("postgresql://u:secret@127.0.0.1:1/x")


@pytest.mark.parametrize(
    ("location", "name"),
    [
        ("postgresql://u:secret@h:5432/d", "postgresql://u@h:5432/d"),
        ("postgres://u:p%40:x@h/d?sslmode=require&password=secret#a b", "postgres://u@h/d#a b"),
        ("postgresql:///d?host=/run", "postgresql:///d"),
        ("postgresql://h/d", "postgresql://h/d"),
    ],
)
def test_a_password_is_not_shown(location: str, name: str) -> None:
    assert Source(location).name == name


@pytest.mark.parametrize("source", [Source("postgresql://h/d", "api"), Source("x.json", "pgstac")])
def test_a_format_that_it_cannot_have(source: Source) -> None:
    with pytest.raises(SetupError, match="cannot be read from"):
        source.check()
