"""stac-api-validator without a network: what it downloads is answered from the packages that have it.

The schemas are the real ones: STAC 1.1.0 and GeoJSON as pystac packages them, JSON Schema as jsonschema does. Nothing
else leaves the machine: any other address but the server's own fails, and with it the validation that needed it.
"""

import io
import json
import urllib.error
import urllib.request
from http.client import HTTPMessage
from typing import Any
from urllib.parse import urlsplit
from urllib.response import addinfourl

import requests
from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
from pystac.validation.local_validator import get_local_schema_cache
from requests.adapters import BaseAdapter
from stac_api_validator.__main__ import main

SCHEMAS: dict[str, dict[str, Any]] = get_local_schema_cache()
SCHEMAS |= {uri.removesuffix("#"): REGISTRY.contents(uri) for uri in REGISTRY}


class Packaged(BaseAdapter):
    """Answers `requests`."""

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        url = (request.url or "").split("#")[0]
        if url not in SCHEMAS:
            raise requests.ConnectionError(f"{url} is not packaged, and there is no network here", request=request)
        response = requests.Response()
        response.status_code = 200
        response.url = url
        response.request = request
        response.headers["Content-Type"] = "application/json"
        response.raw = io.BytesIO(json.dumps(SCHEMAS[url]).encode())
        return response

    def close(self) -> None:
        pass


def adapter(session: requests.Session, url: str | bytes) -> BaseAdapter:
    """In the place of `Session.get_adapter`."""
    return session.adapters["http://"] if urlsplit(str(url)).hostname == "127.0.0.1" else Packaged()


class PackagedHandler(urllib.request.HTTPSHandler):
    """Answers `urllib`, with which pystac reads schemas and stac-validator looks whether assets are there."""

    def https_open(self, req: urllib.request.Request) -> Any:
        if req.full_url not in SCHEMAS:
            raise urllib.error.URLError(f"{req.full_url} is not packaged, and there is no network here")
        return addinfourl(io.BytesIO(json.dumps(SCHEMAS[req.full_url]).encode()), HTTPMessage(), req.full_url, 200)


if __name__ == "__main__":
    requests.Session.get_adapter = adapter  # type: ignore[method-assign, assignment]
    urllib.request.install_opener(urllib.request.build_opener(PackagedHandler))
    main(prog_name="stac-api-validator")
