"""The HTML of the service, made from the JSON documents that programs get. No HTTP, and nothing is asked anywhere."""
