"""The interactive documentation, complete without any other server."""

import re
from base64 import b64encode
from hashlib import sha256

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from app.api import negotiation
from app.api.dependencies import Context, OpenContextDep
from app.api.links import HTML
from app.api.negotiation import Forms
from app.api.routes import DirectRoute
from app.pages.files import FILES

router = APIRouter(include_in_schema=False, route_class=DirectRoute)

_FORMS = Forms({"html": HTML}, {HTML: HTML})

# Swagger UI's files, packaged: FastAPI's own page loads them from a server on the internet.
assets = Mount("/docs/assets", StaticFiles(packages=[("fastapi_offline", "static")]))


@router.get("/docs")
async def get_docs(request: Request, context: OpenContextDep) -> HTMLResponse:
    negotiation.asked(request, _FORMS)
    return page(context)


def page(context: Context) -> HTMLResponse:
    base = context.base
    drawn = get_swagger_ui_html(
        openapi_url=f"{base}/api",
        title=context.settings.catalog_title,
        swagger_js_url=f"{base}/docs/assets/swagger-ui-bundle.js",
        swagger_css_url=f"{base}/docs/assets/swagger-ui.css",
        swagger_favicon_url=f"{base}/pages/{FILES['icon.svg'].name}",
    )
    drawn.headers["Content-Security-Policy"] = _policy(bytes(drawn.body), base)
    return drawn


def _policy(page: bytes, base: str) -> str:
    """The page runs its own script and the packaged one, and asks this service. Swagger UI styles what it draws."""
    scripts = " ".join(f"'sha256-{b64encode(sha256(text).digest()).decode()}'" for text in _SCRIPT.findall(page))
    # The links follow a proxy, which may say another origin than the browser sees.
    own = f"'self' {'/'.join(base.split('/')[:3])}"
    return (
        f"default-src 'none'; script-src {own} {scripts}; style-src {own} 'unsafe-inline'; img-src {own} data:; "
        f"connect-src {own}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


_SCRIPT = re.compile(rb"<script>(.*?)</script>", re.DOTALL)
