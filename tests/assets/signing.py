"""Signers as an operator configures them, and an S3 to sign for."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
from moto.server import ThreadedMotoServer
from pydantic import SecretStr

from app.assets.configuration import signers
from app.assets.signing import Signers
from app.settings import Settings

ACCESS, SECRET = "AKIATEST", "s3cr3t/+key"
CONTENT = b"pixels" * 5_000


def configured(*said: dict[str, Any]) -> Signers:
    return signers(Settings(signers=SecretStr(json.dumps(said))))


def bucket_signer(url: str, **members: Any) -> dict[str, Any]:
    host = url.partition("://")[2]
    keys = {"access_key_id": ACCESS, "secret_access_key": SECRET}
    return {"type": "s3", "hosts": [host, "s3://bucket"], "endpoint": url, "allow_http": True} | keys | members


@contextmanager
def bucket(*names: str) -> Iterator[str]:
    """The URL of an S3 that has a bucket with objects of these names."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    try:
        client = boto3.client(
            "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id=ACCESS, aws_secret_access_key=SECRET
        )
        client.create_bucket(Bucket="bucket")
        for name in names:
            client.put_object(Bucket="bucket", Key=name, Body=CONTENT)
        yield url
    finally:
        server.stop()
