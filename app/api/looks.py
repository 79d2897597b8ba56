"""Links to what can be seen of items, where the service may open their files."""

from fastapi import Request

from app.api.dependencies import Context
from app.api.links import JSON, NETCDF, VRT, Link, link, picture_links
from app.catalog import StoredItem
from app.errors import UpesiError
from app.raster.access import Access
from app.raster.look import look
from app.stac import document as documents


def of_landing(request: Request, base: str) -> list[Link]:
    """Nothing without the extra `raster`. Titles say what these need, as nothing can be had without it."""
    access: Access | None = request.app.state.access
    if access is None:
        return []
    mosaic = f"{base}/mosaic.vrt"
    found = [
        link("mosaic", mosaic, VRT, title="A mosaic of one asset of a search, by GET", method="GET"),
        link("mosaic", mosaic, VRT, title="A mosaic of one asset of a search, by POST", method="POST"),
    ]
    if not access.sources.are_none:
        found += [
            link("cube", f"{base}/cube", NETCDF, title="A cube of assets of a search", method="POST"),
            link("tiles", f"{base}/tiles/tilejson.json", JSON, title="Web map tiles of assets of a search"),
        ]
    return found


def of_item(request: Request, context: Context, item: StoredItem) -> bytes:
    """As `app.api.links.picture_links` has them. Not for items of a page: to read each costs more than to send it."""
    access: Access | None = request.app.state.access
    if access is None or access.sources.are_none:
        return b""
    document = documents.parse(item.content)
    seen = look(document)
    if seen is None:
        return b""
    try:
        for asset in seen.assets:
            access.check(document, asset)
    except UpesiError:
        return b""
    return picture_links(context.base, item.collection, item.id, seen.assets, seen.plain)
