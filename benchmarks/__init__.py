"""Measurements. `python -m benchmarks` is the one against the peers; benchmarks/README.md has the results of all."""
