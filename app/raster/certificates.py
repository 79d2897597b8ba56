"""Whose certificates GDAL trusts: those that the rest of a Python program does, where they are named."""

import os

# Rasterio names the authorities of certifi unless this is there, whatever else the environment says.
VARIABLE = "GDAL_CURL_CA_BUNDLE"


def trust() -> None:
    """The file of SSL_CERT_FILE, in this process, unless GDAL has one of its own. It has to be before GDAL starts."""
    if named := os.environ.get("SSL_CERT_FILE"):
        os.environ.setdefault(VARIABLE, named)
