"""A stack's state directory: the lock, the secrets, the remembered ports, the logs, and `stack.json`."""

import fcntl
import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.local.postgres import system_user

_LOG_LIMIT_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True)
class Secrets:
    """Random for each state directory, and the same from one start to the next."""

    postgres_password: str
    webhook_secret: str

    @staticmethod
    def random() -> "Secrets":
        return Secrets(secrets.token_urlsafe(24), secrets.token_urlsafe(32))


@dataclass(frozen=True)
class Supervisor:
    """The process that runs the stack, and whether the stack is ready."""

    pid: int
    ready: bool


@dataclass(frozen=True)
class StateDir:
    """Everything that one stack keeps. Two stacks with two directories do not meet."""

    path: Path

    @staticmethod
    def at(path: Path) -> "StateDir":
        return StateDir(path.expanduser().absolute())

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def mail(self) -> Path:
        """Folder with every mail that the stack has sent, as `.eml`."""
        return self.path / "mail"

    @property
    def slack(self) -> Path:
        """Folder with every message that the stack has posted to Slack, as JSON."""
        return self.path / "slack"

    def log(self, name: str) -> Path:
        """Log file of a process."""
        return self.logs / f"{name}.log"

    def imports(self, name: str) -> Path:
        """File with the modules that a program imports, which it writes when it is ready."""
        return self.path / "imports" / f"{name}.json"

    def create(self) -> None:
        """Make the directory, for our eyes only. As root, Postgres runs as another user, who may pass through."""
        self.path.mkdir(parents=True, exist_ok=True)
        user = system_user()
        if user is not None:
            os.chown(self.path, -1, user.pw_gid)
        self.path.chmod(0o700 if user is None else 0o710)
        for folder in ("logs", "imports", "mail", "slack"):
            (self.path / folder).mkdir(mode=0o700, exist_ok=True)

    def open_log(self, name: str) -> int:
        """File descriptor that appends to the log. A log that has grown large is set aside first."""
        path = self.log(name)
        if path.exists() and path.stat().st_size > _LOG_LIMIT_BYTES:
            path.rename(path.with_suffix(".log.1"))
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def lock(self) -> int | None:
        """Take the stack: a file descriptor to keep open for as long as it runs, or None when somebody has it.

        The kernel drops the lock with the process, however that ends.
        """
        descriptor = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        os.truncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps({"pid": os.getpid(), "ready": False}).encode(), 0)
        return descriptor

    def mark_ready(self, lock: int) -> None:
        """Say in the lock file that the stack can be used. For the holder of the lock."""
        content = json.dumps({"pid": os.getpid(), "ready": True}).encode()
        os.pwrite(lock, content.ljust(os.fstat(lock).st_size), 0)

    def still_holds(self, lock: int) -> bool:
        """Whether the lock taken is still this directory's: somebody may have removed and made it anew."""
        try:
            return os.path.samestat(os.fstat(lock), (self.path / "lock").stat())
        except FileNotFoundError:
            return False

    def supervisor(self) -> Supervisor | None:
        """Who holds the lock, if anybody does."""
        try:
            file = (self.path / "lock").open("r+")
        except FileNotFoundError:
            return None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                content = file.read()
                # Taken a moment ago, and not written to yet.
                return Supervisor(**json.loads(content)) if content else Supervisor(0, ready=False)
        return None

    def secrets(self) -> Secrets:
        """The stack's secrets, made at first use."""
        stored = self.read("secrets.json")
        if stored is None:
            stored = vars(Secrets.random())
            self.write("secrets.json", stored)
        return Secrets(**stored)

    def stack(self) -> dict[str, Any] | None:
        """Content of `stack.json`: where the stack is; None when it is not ready."""
        return self.read("stack.json")

    def read(self, name: str) -> Any:
        """Content of a JSON file, or None when there is none."""
        try:
            return json.loads((self.path / name).read_bytes())
        except FileNotFoundError:
            return None

    def write(self, name: str, content: object) -> None:
        """Replace a JSON file at once, readable by its owner alone: a reader sees the old or the new content."""
        draft = self.path / f".{name}.{os.getpid()}"
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(content, indent=2) + "\n")
        draft.replace(self.path / name)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def tail(self, name: str, since: int = 0, limit: int = 4000) -> str:
        """End of a process's log, at most `limit` bytes, nothing before the byte offset `since`."""
        try:
            with self.log(name).open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(since, size - limit))
                return file.read().decode(errors="replace").strip()
        except FileNotFoundError:
            return ""
