"""Mosaics, cubes, previews and tiles over HTTP, and what the service does not open."""

import asyncio
import re
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import rasterio
import xarray as xr
from openapi_spec_validator import validate

from app import raster
from app.api.responses import LEFT_OUT
from app.bulk.load import Loader
from app.main import create_app
from app.raster import pictures
from app.raster.cubes import Cube
from app.raster.shape import CubeShape
from app.raster.sources import File, Sources
from app.raster.style import Style
from app.raster.tiles import Tile
from app.settings import Settings
from tests.api.assertions import assert_error
from tests.api.serving import serving
from tests.factories import Document, collection, load
from tests.raster import images
from tests.raster.images import WEST
from tests.raster.web import Slow, slow_web

pytestmark = pytest.mark.anyio


@pytest.fixture
def scenes(tmp_path: Path) -> list[Document]:
    """Two, side by side, the newer one on the left; and files nobody has to see."""
    (tmp_path / "static").mkdir()
    made = []
    for name, west, when in (("left", WEST, "2024-07-17T10:00:00Z"), ("right", WEST + 640, "2024-07-16T10:00:00Z")):
        pixels = images.numbered(64, 64, 1 if name == "left" else 5000)
        images.write(tmp_path / "static" / f"{name}.tif", pixels, west)
        described = images.asset(f"../../../static/{name}.tif", pixels, west)
        made.append(images.scene(name, when, {"data": described}))
    return made


@pytest.fixture
async def client(
    settings: Settings, loader: Loader, scenes: list[Document], tmp_path: Path
) -> AsyncIterator[httpx.AsyncClient]:
    await load(loader, collection(), *scenes)
    limits = {"static_dir": tmp_path / "static", "mosaic_items": 3, "cube_pixels": 100_000, "raster_workers": 1}
    async with serving(settings.model_copy(update=limits)) as client:
        yield client


def place_of(item: Document, zoom: int = 15) -> Tile:
    import morecantile

    rows, columns = item["assets"]["data"]["proj:shape"]
    _, _, west, _, _, north = item["assets"]["data"]["proj:transform"]
    x, y = west + columns * 5, north - rows * 5
    (longitude,), (latitude,) = rasterio.warp.transform("EPSG:32632", "EPSG:4326", [x], [y])[:2]
    found = morecantile.tms.get("WebMercatorQuad").tile(longitude, latitude, zoom)
    return Tile(found.z, found.x, found.y)


async def test_a_mosaic(client: httpx.AsyncClient, tmp_path: Path) -> None:
    answer = await client.get("/mosaic.vrt", params={"asset": "data", "collections": "things", "bbox": "10,46,11,48"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/x-gdal-vrt+xml"
    posted = await client.post(
        "/mosaic.vrt", json={"asset": "data", "filter": {"op": "like", "args": [{"property": "id"}, "%"]}}
    )
    assert posted.content == answer.content
    assert b"/vsicurl/http://stac.test/static/left.tif" in answer.content
    local = answer.content.replace(b"/vsicurl/http://stac.test", bytes(tmp_path))
    (tmp_path / "m.vrt").write_bytes(local)
    with rasterio.open(tmp_path / "m.vrt") as file:
        pixels = np.hstack([images.numbered(64, 64, 1), images.numbered(64, 64, 5000)])
        assert np.array_equal(file.read(1), pixels)


@pytest.mark.parametrize(
    ("query", "status", "parameter"),
    [
        ("", 400, "asset"),
        ("asset=", 400, "asset"),
        ("asset=data&nope=1", 400, "nope"),
        ("asset=data&token=x", 400, "token"),
        ("asset=data&fields=id", 400, "fields"),
        ("asset=data&data_type=long", 400, "data_type"),
        ("asset=data&nodata=x", 400, "nodata"),
        ("asset=data&crs=EPSG:1", 400, "crs"),
        ("asset=data&crs=EPSG:3857", 400, "resolution"),
        ("asset=data&resolution=-1", 400, "resolution"),
        ("asset=data&resolution=x", 400, "resolution"),
        ("asset=data&resampling=none", 400, "resampling"),
        ("asset=data&ids=none", 400, None),
        ("asset=nope", 404, None),
    ],
)
async def test_no_mosaic(client: httpx.AsyncClient, query: str, status: int, parameter: str | None) -> None:
    assert_error(await client.get(f"/mosaic.vrt?{query}"), status, parameter)


async def test_a_mosaic_of_several_crs(client: httpx.AsyncClient, loader: Loader, scenes: list[Document]) -> None:
    other = scenes[1] | {"id": "other", "properties": scenes[1]["properties"] | {"proj:code": "EPSG:32633"}}
    await load(loader, other)
    told = assert_error(await client.get("/mosaic.vrt?asset=data"), 400, "asset")["description"]
    way_out = re.search(r"as by filter=(.*); or say crs=(EPSG:32632)", told)
    assert way_out, told
    filtered = await client.get("/mosaic.vrt", params={"asset": "data", "filter": way_out[1]})
    assert filtered.content.count(b"<SourceFilename") == 2
    warped = await client.get("/mosaic.vrt", params={"asset": "data", "crs": way_out[2], "resolution": "20"})
    assert warped.content.count(b"<SourceFilename") == 3
    body = {"asset": "data", "crs": way_out[2], "resolution": 20}
    assert (await client.post("/mosaic.vrt", json=body)).content == warped.content


async def test_items_that_lack_the_asset(client: httpx.AsyncClient, loader: Loader, scenes: list[Document]) -> None:
    """They are left out, and an answer says how many: nothing where it is of all of them."""
    place = place_of(scenes[0])
    asked = (
        ("GET", "/mosaic.vrt?asset=data", None),
        ("POST", "/cube", {"assets": ["data"]}),
        ("GET", f"/tiles/{place.z}/{place.x}/{place.y}.png?assets=data&rescale=0,5000", None),
    )
    whole = [await client.request(method, path, json=body) for method, path, body in asked]
    assert [answer.headers.get(LEFT_OUT) for answer in whole] == [None] * 3
    lacking = scenes[0] | {"id": "lacking", "assets": {"other": scenes[0]["assets"]["data"]}}
    await load(loader, lacking)
    some = [await client.request(method, path, json=body) for method, path, body in asked]
    assert [answer.headers.get(LEFT_OUT) for answer in some] == ["1"] * 3
    assert b'<MDI key="ITEMS_LEFT_OUT">1</MDI>' in some[0].content
    with (
        xr.open_dataset(BytesIO(some[1].content), engine="h5netcdf") as read,
        xr.open_dataset(BytesIO(whole[1].content), engine="h5netcdf") as before,
    ):
        assert np.array_equal(read.data.values, before.data.values)
        assert read.data.attrs["items_left_out"] == 1
    assert some[2].content == whole[2].content
    for method, path, body in asked:
        only = f"{path}{'&' if '?' in path else '?'}ids=lacking" if body is None else path
        answer = await client.request(method, only, json=body and body | {"ids": ["lacking"]})
        told = assert_error(answer, 404)["description"]
        assert told == "none of the 1 items has 'data'; the assets there are: other"


async def test_bounds_of_items(client: httpx.AsyncClient, loader: Loader, scenes: list[Document]) -> None:
    await load(loader, *(scenes[0] | {"id": f"more{number}"} for number in range(3)))
    for answer in (
        await client.get("/mosaic.vrt?asset=data"),
        await client.get("/mosaic.vrt?asset=data&limit=4"),
        await client.post("/cube", json={"assets": ["data"]}),
    ):
        assert_error(answer, 413, "limit")
    assert (await client.get("/mosaic.vrt?asset=data&limit=3")).status_code == 200


async def test_cubes(client: httpx.AsyncClient, scenes: list[Document], tmp_path: Path) -> None:
    asked = {"assets": ["data"], "groupby": "time", "collections": ["things"]}
    own = Sources.anything(tmp_path / "static")
    direct = Cube(
        scenes, CubeShape(("data",)), files=[{"data": File(own.locate(one, "data"))} for one in scenes]
    ).loaded()
    netcdf = await client.post("/cube", json=asked)
    assert netcdf.status_code == 200, netcdf.text
    assert netcdf.headers["content-type"] == "application/x-netcdf"
    with xr.open_dataset(BytesIO(netcdf.content), engine="h5netcdf") as read:
        assert np.array_equal(read.data.values, direct.values)
    packed = await client.post("/cube", json=asked | {"compress": True})
    assert len(packed.content) < len(netcdf.content)
    with xr.open_dataset(BytesIO(packed.content), engine="h5netcdf") as read:
        assert np.array_equal(read.data.values, direct.values)
    tiff = await client.post("/cube", json=asked | {"format": "geotiff"})
    with rasterio.MemoryFile(BytesIO(tiff.content)) as memory, memory.open() as file:
        assert np.array_equal(file.read(), direct.values)
    zipped = await client.post("/cube", json=asked | {"format": "zarr"})
    assert zipped.content[:4] == b"PK\x03\x04"
    (longitude, latitude) = 10.3177, 46.9430
    around = await client.post("/cube", json={"assets": ["data"], "point": [longitude, latitude], "edge_size": 8})
    assert around.status_code == 200, around.text
    with xr.open_dataset(BytesIO(around.content), engine="h5netcdf") as read:
        assert read.sizes == {"time": 2, "y": 8, "x": 8}


@pytest.mark.parametrize(
    ("body", "status", "parameter"),
    [
        ({}, 400, "assets"),
        ({"assets": ["data"], "format": "hdf4"}, 400, "format"),
        ({"assets": ["data"], "nope": 1}, 400, "nope"),
        ({"assets": ["data"], "compress": 1}, 400, "compress"),
        ({"assets": ["data"], "fields": ["id"]}, 400, "fields"),
        ({"assets": ["data"], "ids": ["none"]}, 400, None),
        ({"assets": ["nope"]}, 404, None),
    ],
)
async def test_no_cube(client: httpx.AsyncClient, body: Document, status: int, parameter: str | None) -> None:
    assert_error(await client.post("/cube", json=body), status, parameter)


async def test_cubes_that_cannot_be(client: httpx.AsyncClient) -> None:
    for more, status, parameter in (
        ({"crs": "EPSG:1"}, 400, "crs"),
        ({"resolution": 1}, 413, "bbox"),
        ({"resolution": 1e-9}, 413, "bbox"),
        ({"point": [10.3177, 46.943], "edge_size": 100_000}, 413, "bbox"),
    ):
        assert_error(await client.post("/cube", json={"assets": ["data"], **more}), status, parameter)


async def test_pictures(client: httpx.AsyncClient, scenes: list[Document], tmp_path: Path) -> None:
    item = "/collections/things/items/left"
    files, style = (File(str(tmp_path / "static" / "left.tif")),), Style(("data",), ((0, 5000),))
    preview = await client.get(f"{item}/preview.png?assets=data&rescale=0,5000&max_size=32")
    assert preview.status_code == 200, preview.text
    assert preview.headers["content-type"] == "image/png"
    assert preview.content == pictures.preview(files, style, 32, "png")
    assert (await client.get(f"{item}/preview.webp?assets=data")).content[8:12] == b"WEBP"

    told = (await client.get(f"{item}/tilejson.json?assets=data&rescale=0,5000")).json()
    place = place_of(scenes[0])
    url = told["tiles"][0].format(z=place.z, x=place.x, y=place.y)
    assert (await client.get(url)).content == pictures.tile([files], style, place, "png")

    told = (await client.get("/tiles/tilejson.json?assets=data&rescale=0,5000&bbox=10,46,11,48")).json()
    assert told["bounds"] == [10, 46, 11, 48]
    anywhere = (await client.get("/tiles/tilejson.json?assets=data")).json()
    assert anywhere["bounds"][::2] == [-180, 180]
    both = [files, (File(str(tmp_path / "static" / "right.tif")),)]
    url = told["tiles"][0].format(z=place.z, x=place.x, y=place.y)
    assert (await client.get(url)).content == pictures.tile(both, style, place, "png")
    assert (await client.get("/tiles/3/0/0.png?assets=data&bbox=10,46,11,48")).content == pictures.empty("png")


@pytest.mark.parametrize(
    ("path", "status", "parameter"),
    [
        ("collections/things/items/left/preview.png", 400, "assets"),
        ("collections/things/items/left/preview.gif?assets=data", 404, None),
        ("collections/things/items/left/preview.png?assets=data&max_size=9999", 400, "max_size"),
        ("collections/things/items/left/preview.png?assets=nope", 404, None),
        ("collections/things/items/nope/preview.png?assets=data", 404, None),
        ("collections/nope/items/left/tilejson.json?assets=data", 404, None),
        ("collections/things/items/left/tiles/1/2/0.png?assets=data", 400, "z"),
        ("collections/things/items/left/tiles/x/2/0.png?assets=data", 400, "z"),
        (f"tiles/{'9' * 5000}/2/0.png?assets=data", 400, "z"),
        ("tiles/1/0/0.png?assets=data&limit=101", 400, "limit"),
        ("tiles/1/0/0.png?assets=data&nope=1", 400, "nope"),
    ],
)
async def test_no_picture(client: httpx.AsyncClient, path: str, status: int, parameter: str | None) -> None:
    assert_error(await client.get(f"/{path}"), status, parameter)


@pytest.mark.parametrize(
    "href",
    [
        "file:///etc/passwd",
        "/vsicurl/http://127.0.0.1/a.tif",
        "http://169.254.169.254/latest/meta-data",
        "https://data.example.com/a.tif",
        "../../../static/../secret.tif",
        "s3://bucket/a.tif",
    ],
)
async def test_what_is_not_opened(client: httpx.AsyncClient, loader: Loader, scenes: list[Document], href: str) -> None:
    asset = scenes[0]["assets"]["data"] | {"href": href}
    await load(loader, scenes[0] | {"id": "bad", "assets": {"data": asset}})
    for answer in (
        await client.get("/collections/things/items/bad/preview.png?assets=data"),
        await client.get("/collections/things/items/bad/tiles/0/0/0.png?assets=data"),
        await client.get("/tiles/0/0/0.png?assets=data&ids=bad"),
        await client.post("/cube", json={"assets": ["data"], "ids": ["bad"]}),
    ):
        assert_error(answer, 403, "assets")


async def test_a_file_that_is_none(client: httpx.AsyncClient, tmp_path: Path) -> None:
    (tmp_path / "static" / "left.tif").write_text(f"<VRTDataset><SourceFilename>{tmp_path}/static/right.tif")
    body = assert_error(await client.get("/collections/things/items/left/preview.png?assets=data"), 502)
    assert str(tmp_path) not in body["description"]


async def test_others_are_answered_meanwhile(client: httpx.AsyncClient) -> None:
    """Pixels are read elsewhere: a search comes back before the cube that was asked for first."""
    done: list[str] = []

    async def ask(name: str, asked: Any) -> None:
        await asked
        done.append(name)

    cube = client.post("/cube", json={"assets": ["data"]})
    await asyncio.gather(ask("cube", cube), ask("search", client.get("/search")))
    assert done == ["search", "cube"]


async def test_a_client_that_leaves_ends_its_job(
    settings: Settings, loader: Loader, scenes: list[Document], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.raster.pool._GRACE", 0.1)
    with slow_web() as port:
        described = scenes[0]["assets"]["data"] | {"href": f"http://127.0.0.1:{port}/a.tif"}
        await load(loader, collection(), scenes[0] | {"assets": {"data": described}})
        service = create_app(settings.model_copy(update={"asset_hosts": (f"127.0.0.1:{port}",), "raster_workers": 1}))
        for method, path, query, body in (
            ("GET", "/collections/things/items/left/preview.png", b"assets=data", b""),
            ("GET", "/tiles/0/0/0.png", b"assets=data", b""),
            ("POST", "/cube", b"", b'{"assets": ["data"]}'),
        ):
            Slow.asked.clear()
            said = [{"type": "http.request", "body": body}]

            async def receive(said: list[Any] = said) -> Any:
                if said:
                    return said.pop()
                await asyncio.to_thread(Slow.asked.wait, 60)
                return {"type": "http.disconnect"}

            async def send(_: Any) -> None:
                pass

            scope = {"type": "http", "method": method, "path": path, "query_string": query, "headers": []}
            scope |= {"scheme": "http", "root_path": "", "http_version": "1.1", "server": ("stac.test", 80)}
            async with service.router.lifespan_context(service):
                await asyncio.wait_for(service(scope, receive, send), 60)
            assert not Slow.go_on.is_set()


async def seen(client: httpx.AsyncClient, path: str) -> dict[str, str]:
    """The hrefs of the links to pixels, by their relations."""
    document = (await client.get(path)).json()
    return {link["rel"]: link["href"] for link in document["links"] if link["rel"] in PICTURES}


PICTURES = ("mosaic", "cube", "tiles", "preview", "tilejson")
TYPED = {"type": "image/tiff; application=geotiff", "roles": ["visual"]}


async def test_an_item_links_to_what_is_seen_of_it(
    client: httpx.AsyncClient, loader: Loader, scenes: list[Document], tmp_path: Path
) -> None:
    pixels = images.numbered(64, 64, 1).astype("uint8")
    images.write(tmp_path / "static" / "colours.tif", pixels)
    asset = images.asset("../../../static/colours.tif", pixels) | TYPED
    await load(loader, scenes[0] | {"id": "é/1", "assets": {"true colour": asset}})
    url = "/collections/things/items/%C3%A9%2F1"
    found = await seen(client, url)
    assert found == {
        "preview": f"http://stac.test{url}/preview.png?assets=true+colour",
        "tilejson": f"http://stac.test{url}/tilejson.json?assets=true+colour",
    }
    assert (await client.get(found["preview"])).headers["content-type"] == "image/png"
    tile = (await client.get(found["tilejson"])).json()["tiles"][0].format(z=0, x=0, y=0)
    assert (await client.get(tile)).headers["content-type"] == "image/png"
    (one,) = (await client.get("/search", params={"ids": "é/1"})).json()["features"]
    assert not {link["rel"] for link in one["links"]} & set(PICTURES), "those of a page would cost too much"
    page = await client.get(url, headers={"accept": "text/html"})
    assert f'<img src="{url}/preview.png?assets=true+colour"' in page.text


async def test_values_that_are_no_colours_have_no_tiles_of_themselves(
    client: httpx.AsyncClient, loader: Loader, scenes: list[Document]
) -> None:
    await load(loader, scenes[0] | {"assets": {"data": scenes[0]["assets"]["data"] | TYPED}})
    found = await seen(client, "/collections/things/items/left")
    assert found.keys() == {"preview"}
    assert (await client.get(found["preview"])).status_code == 200


@pytest.mark.parametrize("href", ["https://data.example.com/a.tif", "file:///etc/passwd", "s3://bucket/a.tif"])
async def test_nothing_is_linked_that_is_not_opened(
    client: httpx.AsyncClient, loader: Loader, scenes: list[Document], href: str
) -> None:
    await load(loader, scenes[0] | {"assets": {"data": scenes[0]["assets"]["data"] | TYPED | {"href": href}}})
    assert await seen(client, "/collections/things/items/left") == {}


async def test_the_landing_page_links_to_pixels(client: httpx.AsyncClient) -> None:
    found = await seen(client, "/")
    assert found == {
        "mosaic": "http://stac.test/mosaic.vrt",
        "cube": "http://stac.test/cube",
        "tiles": "http://stac.test/tiles/tilejson.json",
    }
    assert (await client.get(found["mosaic"] + "?asset=data")).status_code == 200
    assert (await client.post(found["cube"], json={"assets": ["data"]})).status_code == 200
    assert (await client.get(found["tiles"] + "?assets=data")).status_code == 200


@pytest.mark.usefixtures("database")
async def test_where_no_file_may_be_opened_no_pixel_is_linked(
    settings: Settings, loader: Loader, scenes: list[Document]
) -> None:
    await load(loader, collection(), scenes[0] | {"assets": {"data": scenes[0]["assets"]["data"] | TYPED}})
    async with serving(settings) as client:
        assert (await seen(client, "/")).keys() == {"mosaic"}
        assert await seen(client, "/collections/things/items/left") == {}


async def test_the_description(client: httpx.AsyncClient) -> None:
    described = (await client.get("/api")).json()
    validate(described)
    assert {"/mosaic.vrt", "/cube", "/tiles/{z}/{x}/{y}.{form}"} <= described["paths"].keys()


async def test_without_the_libraries(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(raster, "is_installed", lambda: False)
    async with serving(settings) as client:
        assert (await client.get("/search")).status_code == 200
        assert_error(await client.get("/mosaic.vrt?asset=data"), 404)
        assert_error(await client.post("/cube", json={}), 404)
        assert "/cube" not in (await client.get("/api")).json()["paths"]
        assert await seen(client, "/") == {}
