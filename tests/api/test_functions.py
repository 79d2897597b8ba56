"""GET /functions, as OGC 19-079r2 describes it."""

from typing import Any
from urllib.parse import quote

import httpx
import jsonschema  # type: ignore[import-untyped]
import pytest

from app.bulk.load import Loader
from tests.api.assertions import JSON
from tests.factories import collection, item, load

pytestmark = pytest.mark.anyio

_TYPES = {
    "type": "array",
    "items": {"enum": ["string", "number", "integer", "datetime", "geometry", "boolean"]},
    "minItems": 1,
}
_FUNCTION = {
    "type": "object",
    "required": ["name", "returns"],
    "properties": {
        "name": {"type": "string"},
        "description": {"type": "string"},
        "arguments": {
            "type": "array",
            "items": {"type": "object", "required": ["type"], "properties": {"type": _TYPES}},
        },
        "returns": _TYPES,
    },
}
_SCHEMA = {
    "type": "object",
    "required": ["functions"],
    "properties": {"functions": {"type": "array", "items": _FUNCTION}},
}
_LITERALS = {"string": "'2'", "number": "2"}


async def functions(client: httpx.AsyncClient) -> list[dict[str, Any]]:
    landing = (await client.get("/")).json()
    rel = "http://www.opengis.net/def/rel/ogc/1.0/functions"
    (link,) = [link for link in landing["links"] if link["rel"] == rel]
    response = await client.get(link["href"])
    assert response.headers["content-type"] == link["type"] == JSON
    listed: list[dict[str, Any]] = response.json()["functions"]
    jsonschema.validate(response.json(), _SCHEMA)
    return listed


async def test_functions_are_listed_once_and_described(client: httpx.AsyncClient) -> None:
    listed = await functions(client)
    names = [function["name"] for function in listed]
    assert {"casei", "accenti", "lower", "length", "starts_with", "round"} <= set(names)
    assert len(set(names)) == len(names)
    assert all(function["description"] for function in listed)


async def test_each_function_can_be_called_as_it_is_listed(client: httpx.AsyncClient, loader: Loader) -> None:
    await load(loader, collection(), item("here", properties={"string": "2", "number": 2}))
    for function in await functions(client):
        types = [argument["type"][0] for argument in function["arguments"]]
        called, of_literals = (
            f"{function['name']}({', '.join(arguments)})"
            for arguments in (types, [_LITERALS[type_] for type_ in types])
        )
        found = await client.get(f"/search?filter={quote(f'{called} = {of_literals}')}")
        assert [feature["id"] for feature in found.json()["features"]] == ["here"], called
        kind = {"string": "'x'", "number": "5", "boolean": "FALSE"}
        for type_, literal in kind.items():
            other = await client.get(f"/search?filter={quote(f'{called} = {literal}')}")
            assert other.status_code == (200 if [type_] == function["returns"] else 400), (called, literal)


async def test_they_take_no_parameters(client: httpx.AsyncClient) -> None:
    assert (await client.get("/functions?limit=1")).status_code == 400


async def test_the_class_is_advertised(client: httpx.AsyncClient) -> None:
    advertised = (await client.get("/conformance")).json()["conformsTo"]
    assert "http://www.opengis.net/spec/cql2/1.0/conf/functions" in advertised
