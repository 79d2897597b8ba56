"""The paths of collections and items, in which an id is one segment whatever its characters."""

from urllib.parse import quote, unquote

from starlette.convertors import Convertor, register_url_convertor


class SegmentConvertor(Convertor[str]):
    """One segment of the path, decoded after the path is split: an id may have a slash in it, sent as %2F."""

    # No id has a NUL in it: PostgreSQL cannot hold one, sent as it is or as %00.
    regex = r"(?:(?!%00)[^/\0])+"

    def convert(self, value: str) -> str:
        return unquote(value)

    def to_string(self, value: str) -> str:
        return quote(value, safe="")


register_url_convertor("segment", SegmentConvertor())

COLLECTION = "/collections/{collection_id:segment}"
QUERYABLES = COLLECTION + "/queryables"
AGGREGATE = COLLECTION + "/aggregate"
AGGREGATIONS = COLLECTION + "/aggregations"
SORTABLES = COLLECTION + "/sortables"
ITEMS = COLLECTION + "/items"
BULK_ITEMS = COLLECTION + "/bulk_items"
ITEM = ITEMS + "/{item_id:segment}"
GRID = ITEM + "/assets/{asset:segment}/grid"
PREVIEW = ITEM + "/preview.{form}"
ITEM_TILES = ITEM + "/tiles/{z}/{x}/{y}.{form}"
ITEM_TILEJSON = ITEM + "/tilejson.json"
TILES = "/tiles/{z}/{x}/{y}.{form}"
TILEJSON = "/tiles/tilejson.json"
MOSAIC = "/mosaic.vrt"
CUBE = "/cube"
