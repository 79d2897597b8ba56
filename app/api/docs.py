"""The interactive documentation, complete without any other server."""

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from app.api import negotiation
from app.api.dependencies import Context, OpenContextDep
from app.api.links import HTML
from app.api.negotiation import Forms

router = APIRouter(include_in_schema=False)

_FORMS = Forms({"html": HTML}, {HTML: HTML})

# Swagger UI's files, packaged: FastAPI's own page loads them from a server on the internet.
assets = Mount("/docs/assets", StaticFiles(packages=[("fastapi_offline", "static")]))


@router.get("/docs")
async def get_docs(request: Request, context: OpenContextDep) -> HTMLResponse:
    negotiation.asked(request, _FORMS)
    return page(context)


def page(context: Context) -> HTMLResponse:
    base = context.base
    return get_swagger_ui_html(
        openapi_url=f"{base}/api",
        title=context.settings.catalog_title,
        swagger_js_url=f"{base}/docs/assets/swagger-ui-bundle.js",
        swagger_css_url=f"{base}/docs/assets/swagger-ui.css",
        swagger_favicon_url=f"{base}/docs/assets/favicon.png",
    )
