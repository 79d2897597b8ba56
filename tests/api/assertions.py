"""What every answer has in common, asserted in one place."""

from typing import Any

import httpx
import orjson
from pydantic import BaseModel
from stac_pydantic.api import Collection, Collections, Conformance, Item, ItemCollection, LandingPage

from app.api.bodies import AggregationCollection
from tests.factories import Document

GEOJSON = "application/geo+json"
JSON = "application/json"
MEDIA_TYPES: dict[type[BaseModel], str] = {
    AggregationCollection: JSON,
    Collection: JSON,
    Collections: JSON,
    Conformance: JSON,
    Item: GEOJSON,
    ItemCollection: GEOJSON,
    LandingPage: JSON,
}


def assert_error(response: httpx.Response, status: int, parameter: str | None = None) -> Document:
    """The one shape of an error, with nothing of the inside in it."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == JSON
    body: Document = response.json()
    faults = body.get("faults", [{"path": "", "message": "-"}])
    assert body.keys() - {"parameter", "faults"} == {"code", "description"}
    assert all(isinstance(value, str) and value for name, value in body.items() if name != "faults")
    assert faults
    assert all(fault.keys() == {"path", "message"} and fault["message"] for fault in faults)
    assert parameter is None or body.get("parameter") == parameter, body
    assert not any(word in response.text for word in ("Traceback", "asyncpg", "<html", "<!DOCTYPE", "SELECT "))
    return body


def valid(response: httpx.Response, model: type[BaseModel]) -> Document:
    """The body of an answer that stac-pydantic's model of the API accepts."""
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == MEDIA_TYPES[model]
    body: Document = orjson.loads(response.content)
    model.model_validate(body)
    return body


def links(document: Document, rel: str) -> list[Document]:
    return [link for link in document["links"] if link["rel"] == rel]


def link(document: Document, rel: str) -> Any:
    """The only link of a relation."""
    (found,) = links(document, rel)
    return found


def href(document: Document, rel: str) -> str:
    return str(link(document, rel)["href"])


def ids(page: Document) -> list[str]:
    return [feature["id"] for feature in page["features"]]
