"""The peers, in an environment of their own and a database of their own on the same cluster.

stac-fastapi-pgstac is what most run. It has what its documentation advises: hydration in the service
(`USE_API_HYDRATE`, with which it sends pgstac `nohydrate`), context off, the indexes that pgstac makes by itself, and
`eo:cloud_cover` declared as a number. rustac's server is asked about the same database.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from benchmarks.catalogue import CLOUD, Written
from benchmarks.services import Cost, Service, cost, execute, free_port, process, uvicorn

PGSTAC, RUSTAC = "stac-fastapi-pgstac", "rustac"
PACKAGES = ("stac-fastapi-pgstac==7.2.0", "pypgstac[psycopg]==0.10.0", "rustac==0.9.18", "uvicorn[standard]")
_VERSIONS = "import importlib.metadata as m; print(*(f'{n} {m.version(n)}' for n in %r), sep='\\n')"
_NAMES = ("stac-fastapi-pgstac", "pypgstac", "rustac")
_DATABASE = "pgstac"
_NUMBER = f"SELECT pgstac.upsert_queryable('{CLOUD}', '{{{{\"type\": \"number\"}}}}', 'to_float', {{}})"


def installed(environment: Path) -> Path | None:
    """The folder with the peers' programs; None, and why on stderr, where they cannot be had."""
    programs = environment / "bin"
    if not (programs / "python").exists():
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(programs / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
    done = subprocess.run([*pip, *PACKAGES], capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return programs
    print(f"The peers cannot be installed, so Upesi is measured alone:\n{done.stderr.strip()}", file=sys.stderr)
    return None


@dataclass(frozen=True)
class Peers:
    programs: Path
    url: str

    @classmethod
    def beside(cls, url: str, programs: Path) -> "Peers":
        """An empty pgstac on the cluster of a database."""
        execute(url, f"CREATE DATABASE {_DATABASE}")
        peers = cls(programs, urlsplit(url)._replace(path=f"/{_DATABASE}").geturl())
        subprocess.run(
            [str(programs / "pypgstac"), "migrate", "--dsn", peers.url], check=True, stdout=subprocess.DEVNULL
        )
        execute(peers.url, f"ALTER DATABASE {_DATABASE} SET search_path TO pgstac, public", _NUMBER.format("NULL"))
        return peers

    def versions(self) -> list[str]:
        said = subprocess.run(
            [str(self.programs / "python"), "-c", _VERSIONS % (_NAMES,)], capture_output=True, text=True, check=True
        )
        return said.stdout.splitlines()

    def load(self, written: Written) -> Cost:
        """By the fastest of its methods. What partitions and indexes need is part of its load."""
        self.load_collections(written.collections)
        return self._load("items", written.items)

    def load_collections(self, file: Path) -> None:
        self._load("collections", file)

    def _load(self, table: str, file: Path) -> Cost:
        command: list[str | Path] = [self.programs / "pypgstac", "load", table, file, "--method", "insert"]
        return cost([*command, "--dsn", self.url])

    def index_cloud_cover(self) -> None:
        execute(self.url, _NUMBER.format("'BTREE'"))

    @contextmanager
    def stac_fastapi(self) -> Iterator[Service]:
        port = free_port()
        command = uvicorn("stac_fastapi.pgstac.app:create_app", port, "--factory", python=self.programs / "python")
        where = urlsplit(self.url)
        environment = {
            "PGUSER": where.username or "",
            "PGPASSWORD": where.password or "none",
            "PGHOST": quote(_socket(self.url), safe=""),
            "PGPORT": "5432",
            "PGDATABASE": _DATABASE,
            "USE_API_HYDRATE": "true",
            "ENABLE_TRANSACTIONS_EXTENSIONS": "true",
            # Without these it warns at each start.
            **{f"STAC_FASTAPI_{name}": "benchmark" for name in ("TITLE", "DESCRIPTION", "LANDING_ID", "VERSION")},
        }
        with process(command, port, environment) as (base, pid):
            yield Service(PGSTAC, base, pid, self.url)

    @contextmanager
    def rustac(self) -> Iterator[Service]:
        port = free_port()
        address = f"127.0.0.1:{port}"
        database = f"postgresql://{urlsplit(self.url).username}@{quote(_socket(self.url), safe='')}/{_DATABASE}"
        command: list[str | Path] = [self.programs / "rustac", "serve", "--addr", address, "--pgstac", database]
        with process(command, port, {}) as (base, pid):
            yield Service(RUSTAC, base, pid, self.url, frozenset({"sort", "gzip", "write", "paging"}))


def _socket(url: str) -> str:
    return parse_qs(urlsplit(url).query)["host"][0]
