"""The commands for pixels, from files into the catalogue and out again as mosaics and cubes."""

import os
import re
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import boto3
import numpy as np
import orjson
import pytest
import rasterio
import stac_geoparquet.arrow
import xarray as xr
from distributed import LocalCluster

from tests.assets.signing import ACCESS, SECRET, bucket, bucket_signer
from tests.database.fresh import run
from tests.factories import collection
from tests.raster import images
from tests.raster.images import WEST
from tests.raster.web import Files, Guarded, certificate, secure_web, web

Done = subprocess.CompletedProcess[bytes]
Upesi = Callable[..., Done]
COMMAND = Path(sys.executable).with_name("upesi")


@pytest.fixture
def upesi(database_url: str) -> Upesi:
    run(database_url, "TRUNCATE collections CASCADE")
    # Rasterio, once imported, says whose certificates GDAL trusts.
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("UPESI_", "GDAL_"))}

    def call(*arguments: str | Path, text: bytes = b"", **settings: str) -> Done:
        environment = kept | {"UPESI_DATABASE_URL": database_url, "COLUMNS": "100"} | settings
        return subprocess.run([COMMAND, *arguments], input=text, env=environment, capture_output=True, timeout=120)

    done = call("load", "-", text=orjson.dumps(collection()))
    assert done.returncode == 0, done.stderr
    return call


def test_from_files_to_pixels(upesi: Upesi, tmp_path: Path) -> None:
    pixels = images.numbered(4, 4), images.numbered(4, 4, 100)
    files = [images.write(tmp_path / f"{n}.tif", one, WEST + 40 * n) for n, one in enumerate(pixels)]
    about = ("--collection", "things", "--datetime", "2024-07-16")
    done = upesi("ingest", *files, *about, "--statistics")
    assert (done.returncode, done.stdout) == (0, b"2 items new, 0 replaced, 0 as they were.\n"), done.stderr
    again = upesi("ingest", files[0], *about)
    assert again.returncode == 1
    assert b"ingest --replace replaces it" in again.stderr
    assert b"1 as they were" in upesi("ingest", files[0], *about, "--statistics", "--replace").stdout

    both = np.hstack(pixels)
    made = upesi("mosaic", "--to", tmp_path / "m.vrt", "--asset", "data", "--collection", "things")
    assert made.returncode == 0, made.stderr
    with rasterio.open(tmp_path / "m.vrt") as file:
        assert np.array_equal(file.read(1), both)

    options: dict[str, object] = {"processes": False, "dashboard_address": None, "host": "127.0.0.1"}
    start: Callable[..., LocalCluster] = LocalCluster
    with start(n_workers=1, threads_per_worker=1, protocol="tcp", **options) as cluster:
        for name, more in (("here", ()), ("there", ("--scheduler", cluster.scheduler_address))):
            written = upesi("cube", "--to", tmp_path / name, "--asset", "data", "--bbox", "10,46,11,48", *more)
            assert written.returncode == 0, written.stderr
            with xr.open_dataset(tmp_path / name, engine="h5netcdf") as read:
                assert set(np.unique(both)) == set(np.unique(read.data.values)) - {0}
    assert b"is there already" in upesi("cube", "--to", tmp_path / "here", "--asset", "data").stderr


@pytest.mark.parametrize(
    ("name", "prefix", "href"),
    [
        ("a.tif", "https://data.example.com/", "https://data.example.com/a.tif"),
        ("a#1?b %.tif", "https://data.example.com/", "https://data.example.com/a%231%3Fb%20%25.tif"),
        ("a#1.tif", "s3://bucket/", "s3://bucket/a#1.tif"),
        ("a#1.tif", "/data/", "/data/a#1.tif"),
    ],
)
def test_an_item_is_printed(upesi: Upesi, tmp_path: Path, name: str, prefix: str, href: str) -> None:
    path = images.write(tmp_path / name, images.numbered(4, 4))
    place = ("--collection", "x", "--href", prefix)
    done = upesi("ingest", path, *place, "--datetime", "2024-07-16T12:00:00Z", "--dry-run")
    assert done.returncode == 0, done.stderr
    item = orjson.loads(done.stdout)
    assert item["assets"]["data"]["href"] == href
    assert item["properties"]["datetime"] == "2024-07-16T12:00:00Z"


@pytest.mark.parametrize("form", ["ndjson", "itemcollection", "parquet"])
def test_from_items_of_a_file(upesi: Upesi, tmp_path: Path, form: str) -> None:
    """Without the database, and with hrefs that are relative to the file."""
    pixels = images.numbered(4, 4), images.numbered(4, 4, 100)
    made = []
    for number, one in enumerate(pixels):
        images.write(tmp_path / f"{number}.tif", one, WEST + 20 * number)
        described = images.asset(f"./{number}.tif", one, WEST + 20 * number)
        made.append(images.scene(str(number), f"2024-07-1{number}T10:00:00Z", {"data": described}))
    made.append(images.scene("lacking", "2024-07-15T10:00:00Z", {"other": {"href": "./0.tif"}}))
    source = tmp_path / f"items.{form}"
    if form == "parquet":
        stac_geoparquet.arrow.to_parquet(stac_geoparquet.arrow.parse_stac_items_to_arrow(made), source)
    elif form == "ndjson":
        source.write_bytes(b"\n".join(map(orjson.dumps, made)))
    else:
        source.write_bytes(orjson.dumps({"type": "FeatureCollection", "features": made}))
    nowhere = {"UPESI_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none"}
    done = upesi("mosaic", "--from", source, "--to", tmp_path / "m.vrt", "--asset", "data", **nowhere)
    assert (done.returncode, done.stderr) == (0, b"Left out: 1 of 3 items, without 'data'.\n")
    with rasterio.open(tmp_path / "m.vrt") as file:
        assert np.array_equal(file.read(1), np.hstack([pixels[0][:, :2], pixels[1]]))
    done = upesi("cube", "--from", source, "--to", tmp_path / "c.nc", "--asset", "data", **nowhere)
    assert (done.returncode, done.stderr) == (0, b"Left out: 1 of 3 items, without 'data'.\n")
    assert done.stdout.endswith(b"is there: 2 items.\n")
    with xr.open_dataset(tmp_path / "c.nc", engine="h5netcdf") as read:
        assert read.sizes == {"time": 2, "y": 4, "x": 6}
        assert read.data.attrs["items_left_out"] == 1
        assert np.array_equal(read.data.values[0, :, :4], pixels[0])


def test_files_over_tls(upesi: Upesi, tmp_path: Path) -> None:
    """With a certificate that nobody knows, unless SSL_CERT_FILE names it."""
    pixels = images.numbered(4, 4)
    images.write(tmp_path / "a.tif", pixels)
    chain = certificate(tmp_path)
    trusting = {"SSL_CERT_FILE": str(chain)}
    with secure_web(partial(Files, directory=tmp_path), chain) as port:
        file = f"https://127.0.0.1:{port}/a.tif"
        asked = ("ingest", file, "--collection", "things", "--datetime", "2024-07-16")
        refused = upesi(*asked, SSL_CERT_FILE="")
        assert refused.returncode == 1
        # As one curl says it, and as another.
        assert re.search(rb"SSL certificate (problem|OpenSSL verify result)", refused.stderr)
        done = upesi(*asked, **trusting)
        assert (done.returncode, done.stdout) == (0, b"1 items new, 0 replaced, 0 as they were.\n"), done.stderr
        written = upesi("cube", "--to", tmp_path / "c.nc", "--asset", "data", **trusting)
        assert written.returncode == 0, written.stderr
    with xr.open_dataset(tmp_path / "c.nc", engine="h5netcdf") as read:
        assert np.array_equal(read.data.values[0], pixels)


def test_files_that_need_credentials(upesi: Upesi, tmp_path: Path) -> None:
    pixels = images.numbered(4, 4), images.numbered(4, 4, 100)
    for number, one in enumerate(pixels):
        images.write(tmp_path / f"{number}.tif", one, WEST + 40 * number)
    with bucket() as store, web(partial(Guarded, directory=tmp_path)) as port:
        client = boto3.client("s3", endpoint_url=store, aws_access_key_id=ACCESS, aws_secret_access_key=SECRET)
        client.upload_file(str(tmp_path / "0.tif"), "bucket", "0.tif")
        host = f"127.0.0.1:{port}"
        bearer = {"type": "bearer", "hosts": [host], "token": Guarded.token, "allow_http": True}
        signers = orjson.dumps([bucket_signer(store), bearer]).decode()
        files = "s3://bucket/0.tif", f"http://{host}/1.tif"
        about = ("--collection", "things", "--datetime", "2024-07-16")
        assert upesi("ingest", *files, *about).returncode == 1
        done = upesi("ingest", *files, *about, UPESI_SIGNERS=signers)
        assert done.returncode == 0, done.stderr
        written = upesi("cube", "--to", tmp_path / "c.nc", "--asset", "data", UPESI_SIGNERS=signers)
        assert written.returncode == 0, written.stderr
        with xr.open_dataset(tmp_path / "c.nc", engine="h5netcdf") as read:
            assert np.array_equal(read.data.values[0], np.hstack(pixels))
        plain = upesi("mosaic", "--to", "-", "--asset", "data", UPESI_SIGNERS=signers).stdout
        signed = upesi("mosaic", "--to", "-", "--asset", "data", "--sign", UPESI_SIGNERS=signers).stdout
    assert b"/vsis3/bucket/0.tif" in plain
    assert b"X-Amz-Signature" in signed
    assert Guarded.token.encode() not in signed


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("ingest", "nowhere.tif", "--collection", "things"), b"refused: nowhere.tif: No such file"),
        (("ingest", "nowhere.tif", "--collection", "things", "--dry-run"), b"error: nowhere.tif: No such file"),
        (("ingest", "a.tif", "--collection", "things", "--datetime", "soon"), b"neither a date"),
        (("mosaic", "--to", "-", "--asset", "data"), b"finds no item"),
        (("cube", "--to", "x", "--asset", "data", "--point", "1"), b"not a longitude and a latitude"),
        (("cube", "--to", "x", "--asset", "data", "--bbox", "1,x"), b"bbox"),
        (("mosaic", "--to", "-", "--asset", "data", "--from", "x", "--limit", "1"), b"--limit would search"),
        (("cube", "--to", "x", "--asset", "data", "--from", "nowhere.ndjson"), b"nowhere.ndjson"),
        (("cube", "--to", "/nowhere/x.nc", "--asset", "data"), b"/nowhere/x.nc: there is no folder"),
        (("mosaic", "--to", "/nowhere/x.vrt", "--asset", "data"), b"/nowhere/x.vrt: there is no folder"),
    ],
)
def test_faults(upesi: Upesi, arguments: tuple[str, ...], said: bytes) -> None:
    done = upesi(*arguments)
    assert done.returncode == 1
    assert said in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("command", "option"),
    [("mosaic", "--resampling"), ("cube", "--resampling"), ("cube", "--groupby"), ("cube", "--align")],
)
def test_what_is_in_no_list_is_misspelt(upesi: Upesi, command: str, option: str) -> None:
    done = upesi(command, "--to", "x", "--asset", "data", option, "nothing")
    assert done.returncode == 2
    assert re.search(f"Invalid value for '?{option}'?: ", done.stderr.decode())
    assert b"Traceback" not in done.stderr


def test_a_cube_is_whole_or_not_there(upesi: Upesi, tmp_path: Path) -> None:
    pixels = images.numbered(4, 4)
    described = images.asset(tmp_path / "gone.tif", pixels)
    source = tmp_path / "items.ndjson"
    source.write_bytes(orjson.dumps(images.scene("a", "2024-07-17T10:00:00Z", {"data": described})))
    for form in ("netcdf", "zarr"):
        done = upesi("cube", "--from", source, "--to", tmp_path / "cube", "--asset", "data", "--format", form)
        assert done.returncode == 1
        assert b"error: a file of the cube cannot be read" in done.stderr
        assert b"Traceback" not in done.stderr
        assert not (tmp_path / "cube").exists()
