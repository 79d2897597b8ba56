"""How a caller says who it is, as OpenAPI 3.0 and the STAC Authentication extension 1.1.0 have it."""

from typing import Any

from app.api.links import JSON
from app.settings import Settings

AUTHENTICATION = "https://stac-extensions.github.io/authentication/v1.1.0/schema.json"
_DISCOVERY = "/.well-known/openid-configuration"
_OPEN = {"Core", "Management"}
_CHANGES = {"Transaction", "Collection Transaction"}


def schemes(settings: Settings) -> dict[str, dict[str, str]]:
    tokens = " or a JSON Web Token" if settings.oidc_issuer else ""
    known = {
        "bearer": {"type": "http", "scheme": "bearer", "description": f"An API key{tokens}"},
        "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key", "description": "An API key"},
    }
    if settings.oidc_issuer:
        url = settings.oidc_issuer.rstrip("/") + _DISCOVERY
        known["oidc"] = {"type": "openIdConnect", "openIdConnectUrl": url}
    return known


def asks(settings: Settings) -> bool:
    """Whether there is anything that a credential is needed for, as far as the operator has told everyone."""
    return "token" in (settings.reads, settings.writes)


def of_operation(operation: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Which of the schemes an operation takes; an empty one is that it can do without."""
    tags = set(operation["tags"])
    if _OPEN & tags:
        return {}
    changes = bool(tags & _CHANGES)
    needed = settings.reads == "token" or (changes and settings.writes == "token")
    taken: list[dict[str, list[str]]] = [{name: []} for name in schemes(settings)]
    refused = {"401": _refusal("Unauthorized")} | ({"403": _refusal("Forbidden")} if changes else {})
    return {"security": taken if needed else [{}, *taken], "responses": operation["responses"] | refused}


def _refusal(description: str) -> dict[str, Any]:
    return {"description": description, "content": {JSON: {"schema": {"$ref": "#/components/schemas/ErrorBody"}}}}
