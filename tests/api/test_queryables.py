"""Queryables and sortables: valid JSON Schema, and true for every item that is stored."""

from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from app.bulk.load import Loader
from tests.api.assertions import assert_error
from tests.factories import Document, collection, item, load

pytestmark = pytest.mark.anyio

REL = "http://www.opengis.net/def/rel/ogc/1.0/"
PROPERTIES: dict[str, Document] = {
    "a": {"eo:cloud_cover": 5, "platform": "S2A", "instruments": ["msi"], "created": "2024-01-01T00:00:00Z"},
    "b": {"eo:cloud_cover": 95.5, "platform": "S2B", "instruments": ["msi", "x"], "mixed": 1, "empty": []},
    "c": {"platform": None, "mixed": "one", "k": {"l": 1}, "flag": True, "proj:shape": [1, 2], "day": "2024-01-01"},
}


@pytest.fixture
async def filled(client: httpx.AsyncClient, loader: Loader) -> httpx.AsyncClient:
    await load(loader, collection(), *(item(name, properties=each) for name, each in PROPERTIES.items()))
    await load(loader, collection("others"), item("d", "others", properties={"platform": "L9", "eo:cloud_cover": 99}))
    await load(loader, collection("none"))
    return client


async def schema(client: httpx.AsyncClient, path: str) -> Document:
    response = await client.get(path)
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/schema+json"
    found: Document = response.json()
    Draft202012Validator.check_schema(found)
    assert found["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert found["$id"] == f"http://stac.test{path}"
    assert found["type"] == "object"
    assert found["additionalProperties"] is True
    assert all("title" in each for each in found["properties"].values())
    return found


def validator(found: Document) -> Any:
    """`format` counts too; and a property that is not listed is a fault."""
    closed = found | {"additionalProperties": False}
    return Draft202012Validator(closed, format_checker=Draft202012Validator.FORMAT_CHECKER)


def queried(document: Document) -> Document:
    """An item as filters see it."""
    properties: Document = document["properties"]
    return properties | {name: document[name] for name in ("id", "collection", "geometry")}


async def test_queryables_of_a_collection(filled: httpx.AsyncClient) -> None:
    found = (await schema(filled, "/collections/things/queryables"))["properties"]
    assert list(found)[:6] == ["id", "collection", "geometry", "datetime", "start_datetime", "end_datetime"]
    assert found["geometry"] == {"title": "Footprint", "format": "geometry-any", "x-ogc-role": "primary-geometry"}
    assert found["datetime"] == {"title": "Date and time", "type": "string", "format": "date-time"}
    expected = {
        "created": {"title": "Metadata created", "type": "string", "format": "date-time"},
        "day": {"title": "Day", "type": "string", "enum": ["2024-01-01"]},
        "empty": {"title": "Empty", "type": "array"},
        "eo:cloud_cover": {
            "title": "Cloud cover",
            "type": "number",
            "minimum": 5,
            "maximum": 95.5,
            "x-ogc-unit": "%",
        },
        "flag": {"title": "Flag", "type": "boolean"},
        "instruments": {"title": "Instruments", "type": "array", "items": {"type": "string", "enum": ["msi", "x"]}},
        "k": {"title": "K", "type": "object"},
        "mixed": {"title": "Mixed", "type": ["integer", "string"], "minimum": 1, "maximum": 1},
        "platform": {"title": "Platform", "type": ["string", "null"], "enum": ["S2A", "S2B", None]},
        "proj:shape": {"title": "Shape", "type": "array", "items": {"type": "integer"}},
    }
    assert {name: found[name] for name in list(found)[6:]} == expected


async def test_queryables_of_all_are_the_union(filled: httpx.AsyncClient) -> None:
    found = (await schema(filled, "/queryables"))["properties"]
    assert found["platform"]["enum"] == ["L9", "S2A", "S2B", None]
    assert (found["eo:cloud_cover"]["minimum"], found["eo:cloud_cover"]["maximum"]) == (5, 99)
    assert {"mixed", "k", "instruments"} <= found.keys()


async def test_what_has_an_order_is_sortable(filled: httpx.AsyncClient) -> None:
    found = (await schema(filled, "/collections/things/sortables"))["properties"]
    times = ["datetime", "start_datetime", "end_datetime"]
    assert list(found) == ["id", "collection", *times, "created", "day", "eo:cloud_cover", "flag", "mixed", "platform"]
    assert not {"array", "object"} & {kind for each in found.values() for kind in each["type"]}
    for name in found:
        assert (await filled.get(f"/collections/things/items?sortby={name}")).status_code == 200
    assert "instruments" not in (await schema(filled, "/sortables"))["properties"]


@pytest.mark.parametrize("name", ["queryables", "sortables"])
async def test_an_empty_collection_has_what_every_item_has(filled: httpx.AsyncClient, name: str) -> None:
    found = await schema(filled, f"/collections/none/{name}")
    assert {"id", "collection", "datetime"} <= found["properties"].keys()
    assert len(found["properties"]) == 6 - (name == "sortables")


@pytest.mark.parametrize("name", ["queryables", "sortables"])
async def test_links(filled: httpx.AsyncClient, name: str) -> None:
    for path in ("/", "/collections/things"):
        (link,) = [each for each in (await filled.get(path)).json()["links"] if each["rel"] == REL + name]
        assert link["type"] == "application/schema+json"
        assert (await schema(filled, link["href"].removeprefix("http://stac.test")))["properties"]


@pytest.mark.parametrize("name", ["queryables", "sortables"])
async def test_faults(client: httpx.AsyncClient, name: str) -> None:
    assert_error(await client.get(f"/collections/nowhere/{name}"), 404)
    assert_error(await client.get(f"/{name}?f=parquet"), 400, parameter="f")


async def test_many_texts_are_no_choice(client: httpx.AsyncClient, loader: Loader) -> None:
    """Neither in one batch nor in several, and not again later."""
    items = [item(f"{number}", properties={"few": f"{number % 30}", "many": f"{number}"}) for number in range(31)]
    await load(loader, collection(), *items[:16])
    found = (await schema(client, "/collections/things/queryables"))["properties"]
    assert len(found["many"]["enum"]) == 16
    await load(loader, *items[16:])
    await load(
        loader, item("again", properties={"many": "0", "few": "0"}), item("long", properties={"long": "x" * 500})
    )
    found = (await schema(client, "/collections/things/queryables"))["properties"]
    assert len(found["few"]["enum"]) == 30
    assert found["many"] == {"title": "Many", "type": "string"}
    assert found["long"] == {"title": "Long", "type": "string"}


async def test_properties_named_as_what_is_not_in_properties(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), item(properties={"id": 5, "geometry": "x", "collection": []}))
    found = (await schema(client, "/queryables"))["properties"]
    assert found["id"]["type"] == found["collection"]["type"] == "string"
    assert len(found) == 6


async def test_names_and_numbers_of_any_size(client: httpx.AsyncClient, loader: Loader) -> None:
    properties = {"n" * 5000: 1, "big": 10**400, "huge": 1e299, "wide": 2**64 + 1, "ü\"'": "\u0000x", "": 1}
    stored = item(properties=properties)
    await load(loader, collection(), stored)
    found = await schema(client, "/collections/things/queryables")
    assert found["properties"]["big"]["minimum"] == 10**400
    assert "n" * 5000 not in found["properties"]
    rest = {name: value for name, value in queried(stored).items() if len(name) < 5000 and name != "ü\"'"}
    validator(found).validate(rest)


values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(-1e200, 1e200, allow_nan=False),
        st.sampled_from(["a", "b", "ü", "2024-02-29T00:00:00Z", "2023-02-29T00:00:00Z", "2024-01-01", "0000-01-01"]),
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=3),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("xy"), inner, max_size=2),
    max_leaves=4,
)
properties_of_items = st.lists(st.dictionaries(st.sampled_from("pqrs"), values, max_size=4), min_size=1, max_size=8)


@given(before=properties_of_items, after=properties_of_items)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_every_item_is_as_its_queryables_say(
    client: httpx.AsyncClient, loader: Loader, before: list[Document], after: list[Document]
) -> None:
    """Replaced items too: what is known of a collection only widens."""
    await load(loader, collection())
    for number, batch in enumerate((before, after)):
        items = [item(f"{at * (number + 1)}", properties=each) for at, each in enumerate(batch)]
        await load(loader, *items)
        for path in ("/collections/things/queryables", "/queryables"):
            checked = validator(await schema(client, path))
            for document in items:
                checked.validate(queried(document))


@pytest.mark.parametrize("name", ["sentinel-2-l2a", "landsat-c2-l2", "naip"])
async def test_real_items(client: httpx.AsyncClient, loader: Loader, shared_data: Path, name: str) -> None:
    lines = (shared_data / "collections.ndjson").read_bytes().splitlines()
    collections = [orjson.loads(line) for line in lines]
    items = [orjson.loads(line) for line in (shared_data / f"{name}.ndjson").read_bytes().splitlines()]
    await load(loader, *(each for each in collections if each["id"] == name), *items)
    checked = validator(await schema(client, f"/collections/{name}/queryables"))
    for document in items:
        checked.validate(queried(document))
    found = checked.schema["properties"]
    assert found["datetime"]["format"] == "date-time"
    assert found["gsd" if "gsd" in found else "eo:cloud_cover"]["x-ogc-unit"] in ("m", "%")
