"""A private PostgreSQL cluster in the data directory. Whoever comes first starts it, the last to leave stops it.

<data_dir>/
├── cluster/         PostgreSQL's own; made under another name and renamed, so it is whole or not there
├── socket/          in /tmp instead where this path is too long or too odd for a unix socket
├── postgresql.log
├── change.lock      held while the cluster is made, started or stopped
└── users.lock       shared by those who use the cluster; the kernel lets go of it when one of them is killed
"""

import fcntl
import os
import pwd
import re
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import glob
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from app.errors import SetupError

OLDEST = 15  # the major version that the schema and its queries are made for
_PLACES = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)
_NAME = "upesi"  # of the role and of the database
_LOG = "postgresql.log"
_LARGEST_LOG = 10_000_000
_LONGEST_SOCKET = 103  # bytes of a socket's path on macOS; Linux takes 107
_ACCEPTS, _REJECTS = 0, 1  # what pg_isready exits with
_RECOVERY_SECONDS = 600  # replaying max_wal_size takes minutes on a slow disk
_STOP_SECONDS = 60  # for the last checkpoint
_END_SECONDS = 30  # PostgreSQL kills what does not hear it within 5
_LINGER_SECONDS = 60  # for a query that outlives its killed server and holds on to the shared memory


@dataclass(frozen=True, slots=True)
class State:
    """What `upesi doctor` tells. Where `programs` is None, `problem` says what to do."""

    programs: Path | None
    version: int | None
    problem: str | None
    has_cluster: bool
    is_running: bool


def state(data_dir: Path) -> State:
    has_cluster = os.path.exists(data_dir / "cluster")
    try:
        cluster = _Cluster.of(data_dir)
    except SetupError as error:
        return State(None, None, str(error), has_cluster, False)
    is_running = has_cluster and cluster.answer() == _ACCEPTS
    return State(cluster.programs, _major(cluster.programs), None, has_cluster, is_running)


@contextmanager
def running(data_dir: Path) -> Iterator[str]:
    """The URL of the cluster, which is made and started if need be. Raises SetupError.

    Arriving and leaving both hold change.lock, so nobody arrives at a server that is being stopped.
    """
    cluster = _Cluster.of(data_dir)
    cluster.prepare_folder()
    with cluster.opened("users.lock") as users:
        try:
            with cluster.changing(), _explained(cluster.data_dir):
                fcntl.flock(users, fcntl.LOCK_SH)
                cluster.make()
                cluster.start()
            yield cluster.url
        finally:
            with cluster.changing(), suppress(BlockingIOError):  # which says that others use it
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                cluster.stop()


@dataclass(frozen=True, slots=True)
class _Cluster:
    data_dir: Path
    programs: Path
    user: pwd.struct_passwd | None  # whom PostgreSQL runs as, when that is not the caller

    @classmethod
    def of(cls, data_dir: Path) -> "_Cluster":
        data_dir = data_dir.resolve()
        with _explained(data_dir):
            version = data_dir / "cluster" / "PG_VERSION"
            major = int(version.read_text()) if version.exists() else None
            user = _server_user(data_dir)
        return cls(data_dir, find_programs(major), user)

    @property
    def socket_folder(self) -> Path:
        folder = self.data_dir / "socket"
        if re.fullmatch(rf"[A-Za-z0-9/._-]{{1,{_LONGEST_SOCKET - len('/.s.PGSQL.5432')}}}", str(folder)):
            return folder
        # Not TMPDIR, which may be long too, and may differ between two users of one cluster.
        return Path("/tmp") / f"{_NAME}-{blake2b(os.fsencode(self.data_dir), digest_size=8).hexdigest()}"

    @property
    def url(self) -> str:
        return f"postgresql://{_NAME}@/{_NAME}?host={quote(str(self.socket_folder), safe='')}&port=5432"

    def run(self, program: str, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a program of PostgreSQL in the data directory, so that no path needs quoting for a shell.

        It gets an environment of its own, since PGPORT and the like, or the PROJ_DATA of a Python that brings
        its own PROJ, would lead the server astray; and a session of its own, out of the reach of Ctrl-C.
        """
        return subprocess.run(
            [str(self.programs / program), *arguments],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=self.data_dir,
            env={"PATH": os.defpath, "LC_ALL": "C"},
            start_new_session=True,
            user=self.user.pw_uid if self.user else None,
            group=self.user.pw_gid if self.user else None,
            extra_groups=[] if self.user else None,
        )

    def give(self, file: Path | int) -> None:
        if self.user:  # root follows no link: the server's user could have put it there
            os.chown(file, self.user.pw_uid, self.user.pw_gid, follow_symlinks=isinstance(file, int))

    @contextmanager
    def opened(self, name: str) -> Iterator[int]:
        with _explained(self.data_dir):
            file = os.open(self.data_dir / name, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            self.give(file)
            yield file
        finally:
            fcntl.flock(file, fcntl.LOCK_UN)  # closing alone leaves it locked where a fork has a copy
            os.close(file)

    @contextmanager
    def changing(self) -> Iterator[None]:
        with self.opened("change.lock") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    def prepare_folder(self) -> None:
        with _explained(self.data_dir):
            self.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not any(self.data_dir.iterdir()):  # a folder with other files in it stays whose it is
                self.give(self.data_dir)
            closed = [folder for folder in (self.data_dir, *self.data_dir.parents) if self.is_closed(folder)]
        if self.user and closed:
            raise SetupError(
                f"PostgreSQL refuses to run as root, and {closed[-1]} is closed to the user {self.user.pw_name}, "
                "which it runs as instead: set UPESI_DATA_DIR to a folder that this user can reach"
            )

    def is_closed(self, folder: Path) -> bool:
        enter = ["/bin/sh", "-c", 'cd -- "$1" 2>&-', "sh", str(folder)]
        if self.user is None:
            return False
        uid, gid = self.user.pw_uid, self.user.pw_gid
        return subprocess.run(enter, cwd="/", user=uid, group=gid, extra_groups=[]).returncode != 0

    def make(self) -> None:
        """A cluster with the role and the database, nothing else: the migrations do the rest."""
        if (self.data_dir / "cluster").exists():
            return
        for left_over in self.data_dir.glob("cluster.new-*"):
            shutil.rmtree(left_over, ignore_errors=True)
        # A name of its own each time: the initdb of a killed process may still be writing to the last one.
        new = Path(tempfile.mkdtemp(prefix="cluster.new-", dir=self.data_dir))
        self.give(new)
        initdb = ["-D", new.name, f"--username={_NAME}", "--encoding=UTF8", "--locale=C"]
        self.check("initdb", *initdb, "--auth-local=trust", "--auth-host=reject")
        with self.opened(f"{new.name}/postgresql.conf") as file:
            os.write(file, _settings().encode())
        single = ["--single", "-D", new.name, "-c", "exit_on_error=on", "postgres"]
        self.check("postgres", *single, text=f"CREATE DATABASE {_NAME}\n")
        new.rename(self.data_dir / "cluster")
        _write_to_disk(self.data_dir)

    def check(self, program: str, *arguments: str, text: str = "") -> None:
        done = self.run(program, *arguments, text=text)
        if done.returncode:
            raise SetupError(f"{program} failed in {self.data_dir}:\n{done.stdout.strip()}")

    def answer(self) -> int:
        where = ["-h", str(self.socket_folder), "-p", "5432", "-U", _NAME, "-d", _NAME]
        return self.run("pg_isready", "-q", *where).returncode

    def start(self) -> None:
        """Start, and wait for what the server before may have left: it may be stopping, or recovering."""
        began = time.monotonic()
        while (answer := self.answer()) != _ACCEPTS:
            if answer == _REJECTS:
                problem, patience = "it refuses connections", _RECOVERY_SECONDS
            else:
                problem = self.try_to_start()
                patience = _LINGER_SECONDS if re.search("still in use|already exists", problem) else 0
            if problem and time.monotonic() - began > patience:
                raise SetupError(f"PostgreSQL does not start in {self.data_dir}:\n{problem}")
            time.sleep(0.2 if problem else 0)

    def try_to_start(self) -> str:
        """What went wrong, or nothing."""
        self.prepare_socket_folder()
        self.forget_stale_pid()
        with self.opened(_LOG) as log:
            if os.fstat(log).st_size > _LARGEST_LOG:
                os.ftruncate(log, 0)
            end = os.lseek(log, 0, os.SEEK_END)
            address = f"-c listen_addresses= -c port=5432 -c unix_socket_directories={self.socket_folder}"
            options = ["-D", "cluster", "-l", _LOG, "-o", address, "-w", "-t", str(_RECOVERY_SECONDS)]
            done = self.run("pg_ctl", "start", *options)
            said = os.pread(log, 1_000_000, end).decode(errors="replace").splitlines()[-10:]
        return "\n".join(said or [done.stdout.strip()]) if done.returncode else ""

    def prepare_socket_folder(self) -> None:
        folder = self.socket_folder
        with suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        found = folder.lstat()
        owners = {os.geteuid(), self.user.pw_uid if self.user else os.geteuid()}
        if not stat.S_ISDIR(found.st_mode) or found.st_uid not in owners:
            raise SetupError(f"{folder} belongs to someone else: remove it, or set UPESI_DATA_DIR")
        self.give(folder)

    def forget_stale_pid(self) -> None:
        """Remove the postmaster.pid of a dead server whose number another process has now, as after a reboot.

        Left there, PostgreSQL would refuse to start, and pg_ctl would stop that process.
        """
        file = self.data_dir / "cluster" / "postmaster.pid"
        with suppress(FileNotFoundError, ValueError):
            if _is_another(int(file.read_text().partition("\n")[0]), file.parent):
                file.unlink()

    def stop(self) -> None:
        """A failure leaves nothing to do: no server is there.

        A server that recovers from a crash, or has a process that hears nothing, does not stop in the orderly way. It
        is ended then as a crash would end it, which loses nothing that was committed.
        """
        self.forget_stale_pid()
        in_order = () if self.answer() == _REJECTS else (("fast", _STOP_SECONDS),)
        for mode, seconds in (*in_order, ("immediate", _END_SECONDS)):
            if self.run("pg_ctl", "stop", "-D", "cluster", "-m", mode, "-w", "-t", str(seconds)).returncode == 0:
                break
        with suppress(OSError):
            self.socket_folder.rmdir()


def _settings() -> str:
    """What a new cluster has at the end of its postgresql.conf; its owner may change it there."""
    megabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    return f"""
cluster_name = '{_NAME}'
unix_socket_permissions = 0700
shared_buffers = {min(megabytes // 4, 1024)}MB
effective_cache_size = {megabytes // 2}MB
maintenance_work_mem = {min(megabytes // 16, 512)}MB
max_connections = 100
max_wal_size = 2GB
random_page_cost = 1.1
jit = off
session_preload_libraries = 'postgis-3'  # Before a query can be cancelled: in the midst of it, that crashes the server.
timezone = 'UTC'
log_timezone = 'UTC'
"""


def _is_another(pid: int, cluster: Path) -> bool:
    """Whether this is no server of the cluster, but alive or a zombie. False where /proc does not tell."""
    if not os.path.exists(f"/proc/{pid}"):
        return False
    try:
        return not os.path.samefile(f"/proc/{pid}/cwd", cluster)
    except OSError as error:
        return isinstance(error, FileNotFoundError)  # a zombie is nowhere; others may keep it to themselves


def _server_user(data_dir: Path) -> pwd.struct_passwd | None:
    """Root cannot run PostgreSQL: the owner of the cluster does, else `postgres`, else `nobody`."""
    if os.geteuid() != 0:
        return None
    with suppress(FileNotFoundError, KeyError):
        return pwd.getpwuid((data_dir / "cluster").stat().st_uid)
    with suppress(KeyError):
        return pwd.getpwnam("postgres")
    return pwd.getpwnam("nobody")


@contextmanager
def _explained(data_dir: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SetupError(f"the data directory {data_dir} cannot be used: {error}; set UPESI_DATA_DIR") from error


def _write_to_disk(folder: Path) -> None:
    """The names in it, without which a power cut could take the whole cluster away."""
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)


def find_programs(major: int | None = None) -> Path:
    """The programs of the newest PostgreSQL, or of a major version, that has PostGIS and btree_gist.

    Raises SetupError, which says what to install.
    """
    found = {folder: _major(folder) for folder in _program_folders()}
    fit = {folder: version for folder, version in found.items() if version >= OLDEST and major in (None, version)}
    complete = [folder for folder in fit if _has_extensions(folder)]
    if complete:
        return max(complete, key=lambda folder: (fit[folder], folder))
    others = ", ".join(f"{version} in {folder}" for folder, version in sorted(found.items()))
    raise SetupError(
        f"PostgreSQL {major or f'{OLDEST} or newer'} with PostGIS and btree_gist is not on this machine"
        f"{f' (found without them or of another version: {others})' if others else ''}. "
        f"{_how_to_install(major or max(fit.values(), default=None))}, or set UPESI_DATABASE_URL"
    )


def _how_to_install(major: int | None) -> str:
    if not os.path.exists("/etc/debian_version"):
        return "Install the PostgreSQL server with its contrib modules, and PostGIS 3 for it"
    server = f"postgresql-{major}" if major else "postgresql"
    postgis = f"{server}-postgis-3" if major else "postgresql-postgis"
    return f"Run: apt-get install {server} {postgis} {postgis}-scripts"


def _program_folders() -> set[Path]:
    folders = {*os.get_exec_path(), *(folder for place in _PLACES for folder in glob(place))}
    if pg_config := shutil.which("pg_config"):
        folders.add(_said([pg_config, "--bindir"]))
    programs = ("initdb", "pg_ctl", "pg_isready", "postgres")
    return {Path(folder) for folder in folders if all(os.path.exists(Path(folder, name)) for name in programs)}


def _major(programs: Path) -> int:
    version = re.search(r"\) (\d+)", _said([str(programs / "postgres"), "--version"]))
    return int(version[1]) if version else 0


def _has_extensions(programs: Path) -> bool:
    """Debian, Red Hat and Homebrew each keep them elsewhere, and pg_config is often not installed."""
    version, prefix = programs.parent.name, programs.parent
    shares = [prefix / "share", prefix / "share/pgsql", prefix / "share/postgresql"]
    shares.append(Path("/usr/share/postgresql") / version)
    if os.path.exists(programs / "pg_config"):
        shares.append(Path(_said([str(programs / "pg_config"), "--sharedir"])))
    names = ("postgis.control", "btree_gist.control")
    return any(all(os.path.exists(share / "extension" / name) for name in names) for share in shares)


def _said(command: list[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
