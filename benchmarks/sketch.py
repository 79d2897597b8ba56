"""The limit: a bare Starlette service with the same storage, hard-coded SQL and no validation.

What Python and PostGIS can do here at all; the full service is measured against it.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import asyncpg
import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.database.content import Decoder
from app.stac.geometry import box_ewkb
from app.stac.interval import Interval

NEWEST = """SELECT id, content, dictionary FROM items WHERE collection = $1
    ORDER BY datetime DESC, tie DESC LIMIT $2"""
IN_BOX = """SELECT id, content, dictionary FROM items
    WHERE collection = $1 AND geometry && $2::geometry AND ST_Intersects(geometry, $2::geometry)
    AND datetime BETWEEN $3 AND $4 ORDER BY datetime <-> $4, tie <-> 268435455 LIMIT $5"""
ONE = "SELECT id, content, dictionary FROM items WHERE id = $1 AND collection = $2"

GEOJSON = "application/geo+json"


class _Connection(asyncpg.Connection):
    def get_reset_query(self) -> str:
        return ""


async def _codec(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec("geometry", schema="public", encoder=bytes, decoder=bytes, format="binary")


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    url = os.environ["UPESI_DATABASE_URL"]
    async with asyncpg.create_pool(url, max_size=10, connection_class=_Connection, init=_codec) as pool:
        app.state.pool = pool
        app.state.keys = {row["id"]: row["key"] for row in await pool.fetch("SELECT id, key FROM collections")}
        rows = await pool.fetch("SELECT key, content FROM dictionaries")
        app.state.decoders = {row["key"]: Decoder(row["content"]) for row in rows} | {None: Decoder()}
        yield


def _item(request: Request, row: asyncpg.Record, collection: str) -> bytes:
    content: bytes = request.app.state.decoders[row["dictionary"]].decode(row["content"])
    base = f"http://{request.headers['host']}"
    self = f"{base}/collections/{collection}/items/{quote(row['id'])}"
    links = f'{{"rel":"self","href":"{self}","type":"{GEOJSON}"}},{{"rel":"root","href":"{base}/"}}'
    return content[:-2] + (b"" if content[-3:-2] == b"[" else b",") + links.encode() + b"]}"


def _page(request: Request, rows: list[asyncpg.Record], collection: str) -> Response:
    features = b",".join(_item(request, row, collection) for row in rows)
    return Response(b'{"type":"FeatureCollection","features":[' + features + b"]}", media_type=GEOJSON)


async def get_search(request: Request) -> Response:
    collection = request.query_params["collections"]
    key, limit = request.app.state.keys[collection], int(request.query_params["limit"])
    return _page(request, await request.app.state.pool.fetch(NEWEST, key, limit), collection)


async def post_search(request: Request) -> Response:
    body: dict[str, Any] = orjson.loads(await request.body())
    (collection,) = body["collections"]
    (box,) = box_ewkb(body["bbox"])
    time = Interval.parse(body["datetime"])
    arguments = (request.app.state.keys[collection], box, time.start, time.end, body["limit"])
    return _page(request, await request.app.state.pool.fetch(IN_BOX, *arguments), collection)


async def get_item(request: Request) -> Response:
    collection = request.path_params["collection"]
    row = await request.app.state.pool.fetchrow(ONE, request.path_params["item"], request.app.state.keys[collection])
    return Response(_item(request, row, collection), media_type=GEOJSON)


app = Starlette(
    routes=[
        Route("/search", get_search),
        Route("/search", post_search, methods=["POST"]),
        Route("/collections/{collection}/items/{item}", get_item),
    ],
    lifespan=_lifespan,
)
