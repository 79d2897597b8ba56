"""PostgreSQL servers as processes of this machine: a primary, standbys that stream from it, and what befalls them."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.database.embedded import find_programs

# A commit is acknowledged when a standby has it too; which of them, the primary decides.
SYNCHRONOUS = "synchronous_standby_names = 'ANY 1 (*)'\n"
_CONFIGURATION = """
listen_addresses = ''
unix_socket_directories = '{folder}'
max_connections = 100
shared_buffers = 64MB
hot_standby = on
wal_level = replica
max_wal_senders = 10
wal_keep_size = 256MB
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 200ms
timezone = 'UTC'
"""


def is_alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:3]
    except (FileNotFoundError, ProcessLookupError):
        return False


@dataclass(frozen=True, slots=True)
class Node:
    folder: Path
    name: str
    port: int

    @property
    def data(self) -> Path:
        return self.folder / self.name

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def url(self) -> str:
        return f"postgresql://upesi@/upesi?host={self.folder}&port={self.port}"

    def run(self, program: str, *arguments: str, check: bool = True) -> str:
        user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        done = subprocess.run(
            [str(find_programs() / program), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.folder,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            user=user.pw_uid if user else None,
            group=user.pw_gid if user else None,
            extra_groups=[] if user else None,
            check=False,
        )
        assert done.returncode == 0 or not check, done.stdout + self.said()
        return done.stdout

    def said(self) -> str:
        """The end of the server's log."""
        return self.log.read_text()[-2000:] if self.log.exists() else ""

    def start(self) -> None:
        self.run(
            "pg_ctl", "start", "-D", self.name, "-l", str(self.log), "-o", f"-c port={self.port}", "-w", "-t", "60"
        )

    def stop(self, mode: str = "fast", check: bool = True) -> None:
        self.run("pg_ctl", "stop", "-D", self.name, "-m", mode, "-w", "-t", "60", check=check)

    def kill(self) -> None:
        """As when the power fails: nothing is written any more, and no connection is closed in order."""
        pids = self.pids()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        while any(is_alive(pid) for pid in pids):
            time.sleep(0.05)
        # Where nobody reaps the dead, PostgreSQL takes them for alive.
        for left in (self.data / "postmaster.pid", self.folder / f".s.PGSQL.{self.port}.lock"):
            left.unlink(missing_ok=True)

    def freeze(self) -> None:
        """As when the network is cut: connections stay open, and nobody answers."""
        for pid in self.pids():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        for pid in self.pids():
            os.kill(pid, signal.SIGCONT)

    def pids(self) -> list[int]:
        """The postmaster first, so that it starts no others when they are ended."""
        try:
            postmaster = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        except (FileNotFoundError, IndexError):
            return []
        children = subprocess.run(["pgrep", "-P", str(postmaster)], capture_output=True, text=True, check=False).stdout
        return [postmaster, *map(int, children.split())] if is_alive(postmaster) else []

    def promote(self) -> None:
        self.run("pg_ctl", "promote", "-D", self.name, "-w", "-t", "60")

    def follow(self, source: "Node") -> None:
        self.configure(f"primary_conninfo = 'host={source.folder} port={source.port} user=upesi'\n")

    def configure(self, text: str) -> None:
        # What is set here wins over postgresql.conf, and pg_basebackup writes there too.
        with (self.data / "postgresql.auto.conf").open("a") as file:
            file.write(text)
        if self.pids():
            self.run("pg_ctl", "reload", "-D", self.name)

    def ask(self, query: str) -> str:
        where = ("-h", str(self.folder), "-p", str(self.port), "-U", "upesi", "-d", "upesi")
        return self.run("psql", "-XAtq", *where, "-c", query).strip()


@dataclass(frozen=True, slots=True)
class Cluster:
    primary: Node
    standbys: tuple[Node, ...]

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.primary, *self.standbys)

    @property
    def url(self) -> str:
        """Of whichever is the primary."""
        hosts = ",".join(str(node.folder) for node in self.nodes)
        ports = ",".join(str(node.port) for node in self.nodes)
        return f"postgresql://upesi@/upesi?host={hosts}&port={ports}"

    def add_standby(self, node: Node, source: Node) -> None:
        """A copy of a running server, which follows it from then on."""
        source_address = ("-h", str(source.folder), "-p", str(source.port), "-U", "upesi")
        node.run("pg_basebackup", "-D", node.name, *source_address, "-R", "-X", "stream", "-c", "fast")
        node.start()


@contextmanager
def cluster(standbys: int = 2, parent: Path | None = None) -> Iterator[Cluster]:
    # Not below pytest's own folder, which PostgreSQL's user cannot enter when the tests run as root.
    folder = Path(tempfile.mkdtemp(prefix="upesi-cluster-", dir=parent))
    folder.chmod(0o755)
    if os.geteuid() == 0:
        shutil.chown(folder, "postgres", "postgres")
    primary, *others = (Node(folder, f"node{number}", 5500 + number) for number in range(standbys + 1))
    made = Cluster(primary, tuple(others))
    try:
        initdb = ("-D", primary.name, "--username=upesi", "--encoding=UTF8", "--locale=C", "--auth=trust")
        primary.run("initdb", *initdb, "--no-sync")
        primary.configure(_CONFIGURATION.format(folder=folder))
        primary.start()
        primary.run("createdb", "-h", str(folder), "-p", str(primary.port), "-U", "upesi", "upesi")
        for node in others:
            made.add_standby(node, primary)
        yield made
    finally:
        for node in made.nodes:
            node.thaw()
            node.stop("immediate", check=False)
        shutil.rmtree(folder)
