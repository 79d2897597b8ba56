"""A result in another form: NDJSON, STAC GeoParquet, a static catalogue. From a `Catalog`, with bounded memory."""
