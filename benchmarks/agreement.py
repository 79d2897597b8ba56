"""Whether the services give the same answers, so that what is timed is the same work."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import httpx

from benchmarks.requests import Request, Scenario
from benchmarks.services import Service

_ASKED = 10  # of the variants of a scenario
_SHOWN = 20  # of the places where they differ
_TIMEOUT = 60

# What decides the order, and the id.
Place = tuple[Any, str]


def agree(services: Sequence[Service], scenario: Scenario) -> None:
    """The same ids, in the same order where the order is defined. Raises SystemExit."""
    for request in scenario.requests[:_ASKED]:
        first, *others = services
        expected = answer(first, request)
        for other in others:
            found = answer(other, request)
            if not same(expected, found, scenario):
                raise SystemExit(
                    f"{scenario.name}: {first.name} and {other.name} differ on {request}\n"
                    f"{_shown(expected, scenario)}\n{_shown(found, scenario)}"
                )


def answer(service: Service, request: Request) -> dict[str, Any]:
    method = "GET" if request.body is None else "POST"
    found = httpx.request(method, service.base + request.path, json=request.body, timeout=_TIMEOUT)
    if found.is_error:
        raise SystemExit(f"{service.name} answers {found.status_code} to {request}: {found.text[:500]}")
    document: dict[str, Any] = found.json()
    return document


def same(expected: dict[str, Any], found: dict[str, Any], scenario: Scenario) -> bool:
    if "collections" in expected:
        return _same_collections(expected, found)
    if "features" in expected:
        return _same_places(places(expected, scenario), places(found, scenario))
    if expected["type"] == "Catalog":  # each has its own landing page
        return bool(found["type"] == "Catalog")
    return bool(expected["id"] == found["id"])


def places(document: dict[str, Any], scenario: Scenario) -> list[Place]:
    return [_place(feature, scenario.sorted_by) for feature in document.get("features", [])]


def _shown(document: dict[str, Any], scenario: Scenario) -> list[Any]:
    return (places(document, scenario) or [each["id"] for each in document.get("collections", ())])[:_SHOWN]


def _place(feature: dict[str, Any], sorted_by: str | None) -> Place:
    if sorted_by:
        return feature["properties"][sorted_by], feature["id"]
    instant = feature["properties"].get("datetime")
    return instant and instant.replace("+00:00", "Z").replace(".000Z", "Z"), feature["id"]


def _same_places(expected: list[Place], found: list[Place]) -> bool:
    """Between equals any order will do, and of those that the page ends in, any choice."""
    if [key for key, _ in expected] != [key for key, _ in found]:
        return False
    groups = [[id for _, id in group] for _, group in groupby(expected, key=lambda place: place[0])]
    start = 0
    for group in groups[:-1]:
        if sorted(group) != sorted(id for _, id in found[start : start + len(group)]):
            return False
        start += len(group)
    return True


def _same_collections(expected: dict[str, Any], found: dict[str, Any]) -> bool:
    """No order is defined for them: of a page with more behind it, only the number can be compared."""
    if all(any(link["rel"] == "next" for link in page.get("links", ())) for page in (expected, found)):
        return len(expected["collections"]) == len(found["collections"])
    return _ids(expected["collections"]) == _ids(found["collections"])


def _ids(documents: list[dict[str, Any]]) -> set[str]:
    return {document["id"] for document in documents}
