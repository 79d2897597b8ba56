"""Measurements. Each is a command that prints a table; benchmarks/README.md has the results."""
