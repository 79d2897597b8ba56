.DEFAULT_GOAL := help
.PHONY: help install dev demo serve test lint types format lock audit sbom bench docs browser

help:  ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "%-9s %s\n", $$1, $$2}' Makefile

install:  ## make .venv/bin/upesi, and install PostgreSQL with PostGIS where it is missing
	@scripts/install

dev:  ## the same, with the tools that the targets below need
	@scripts/install --dev

demo: install  ## serve a catalogue with items in it, with STAC Browser at /browser where `make browser` made it
	$(if $(wildcard .browser/dist/index.html),UPESI_BROWSER_DIR=.browser/dist) .venv/bin/upesi demo

browser:  ## build STAC Browser into .browser/dist, which UPESI_BROWSER_DIR serves; needs Node.js with npm
	@scripts/browser

serve: install  ## serve the catalogue of the data directory, or of UPESI_DATABASE_URL
	.venv/bin/upesi serve

test: lint types  ## all that CI runs
	.venv/bin/pytest --cov --cov-branch

lint: dev  ## style, and which room may import which
	.venv/bin/ruff check . && .venv/bin/ruff format --check . && .venv/bin/lint-imports

types: dev  ## mypy, strict
	.venv/bin/mypy

format: dev  ## rewrite the code in the project's style
	.venv/bin/ruff check --fix . && .venv/bin/ruff format .

lock:  ## bring uv.lock in line with pyproject.toml
	.venv/bin/uv lock

docs: dev  ## build the pages of docs/ into site/; a link that leads nowhere fails it
	.venv/bin/mkdocs build --strict --quiet

audit: dev  ## known weaknesses of what the lock has
	.venv/bin/uv export --quiet --locked --no-dev --all-extras --no-emit-project --output-file .audit.txt
	.venv/bin/pip-audit --strict --requirement .audit.txt --require-hashes --disable-pip; status=$$?; rm .audit.txt; exit $$status

sbom: dev  ## sbom.json: what the lock has, in CycloneDX
	.venv/bin/uv export --quiet --locked --no-dev --all-extras --preview-features sbom-export --format cyclonedx1.5 --output-file sbom.json

bench: dev  ## measure against the peers, some 20 minutes; BENCH='search --items 20000' for less
	.venv/bin/python -m benchmarks $(BENCH)
