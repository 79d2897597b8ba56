"""STAC Browser, as `make browser` builds it, at /browser: files, and what tells them which catalogue they are for."""

from pathlib import Path

import orjson
from fastapi import APIRouter, Request, Response
from starlette.responses import RedirectResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from app.api.dependencies import PlainContextDep
from app.api.responses import unless_known
from app.api.routes import DirectRoute

# STAC Browser takes the address of an item for a folder, so that a relative href leads a step too far up.
_PREPROCESS = b"""
window.STAC_BROWSER_CONFIG.preprocessSTAC = (stac) => {
  const self = (stac.links || []).find((link) => link.rel === "self");
  for (const asset of self ? Object.values(stac.assets || {}) : []) {
    try {
      asset.href = new URL(asset.href, self.href).href;
    } catch {
      // An href that is none is shown as it is.
    }
  }
  return stac;
};
"""

# Its scripts are its own. Pictures, files and base maps are wherever items and its configuration say.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self' data:; "
    "img-src * data: blob:; media-src *; connect-src * data: blob:; worker-src 'self' blob: data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False, route_class=DirectRoute)


class _Files(StaticFiles):
    async def get_response(self, path: str, scope: Scope) -> Response:
        answer = await super().get_response(path, scope)
        answer.headers["Content-Security-Policy"] = _POLICY
        return answer


def files(folder: Path) -> Mount:
    return Mount("/browser", _Files(directory=folder, html=True))


@router.get("/browser")
async def get_browser(context: PlainContextDep) -> Response:
    """Its files have names that are relative to a folder."""
    return RedirectResponse(f"{context.base}/browser/")


# Beside files, whose HEAD is left to those who serve them.
@router.api_route("/browser/config.js", methods=["GET", "HEAD"])
async def get_config(request: Request, context: PlainContextDep) -> Response:
    """https://github.com/radiantearth/stac-browser/blob/v4.0.1/docs/options.md."""
    settings = context.settings
    said = {
        "catalogUrl": f"{context.base}/",
        "catalogTitle": settings.catalog_title,
        "allowExternalAccess": False,
        "cardViewSort": None,
        "socialSharing": [],
    }
    body = b"window.STAC_BROWSER_CONFIG = " + orjson.dumps(said) + b";" + _PREPROCESS
    answer = unless_known(request, body, "text/javascript", context.watch, body)
    # The address in it is that of the request.
    answer.headers["Cache-Control"] = "no-cache"
    return answer
