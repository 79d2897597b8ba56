"""The plans of the searches at several sizes of the catalogue: what a page costs must not follow the catalogue."""
