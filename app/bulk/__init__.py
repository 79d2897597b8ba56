"""Bulk load: readers of each format, checks, compression and COPY."""
