"""What an embedded stack keeps in its folder: lock, secrets, ports, its processes, where it is found."""

import fcntl
import json
import os
import secrets
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

LOOPBACK = "127.0.0.1"
Service = Literal["catalogue", "registration", "notifications"]


class CannotStart(Exception):  # noqa: N818 - said to a person, in one line
    """The stack cannot run; the text is one line that says why and what to do."""


class NoStack(Exception):  # noqa: N818 - said to a person, in one line
    """Nothing runs that a command could act on."""


class Secrets(BaseModel):
    """What nobody types: made at the first start, kept for as long as the data."""

    model_config = ConfigDict(frozen=True)

    superuser: str
    databases: dict[Service, str]
    key: str

    @classmethod
    def new(cls) -> "Secrets":
        """Draw all of them."""
        drawn: dict[Service, str] = {
            "catalogue": secrets.token_urlsafe(24),
            "registration": secrets.token_urlsafe(24),
            "notifications": secrets.token_urlsafe(24),
        }
        return cls(superuser=secrets.token_urlsafe(24), databases=drawn, key=secrets.token_urlsafe(48))


class Running(BaseModel):
    """A running stack, as other commands and tests find it (`stack.json`)."""

    model_config = ConfigDict(frozen=True)

    url: str
    kafka: str
    smtp: str
    pid: int
    processes: dict[str, int]
    databases: dict[str, str]


class Mark(BaseModel):
    """A process that was started here; its start time tells it from a later one with the same number."""

    model_config = ConfigDict(frozen=True)

    pid: int
    started: float


class Folder:
    """The folder of one stack. Secrets and addresses in it are readable by its owner only."""

    def __init__(self, root: Path) -> None:
        """Take `root`, which is made on `lock()` where it does not exist."""
        self.root = root.resolve()
        self.postgres = self.root / "postgres"
        self.mails = self.root / "mails"
        self.logs = self.root / "logs"
        self.front = self.root / "front"
        self._lock: int | None = None

    def lock(self) -> None:
        """Make the folder ours until `unlock()` or our death; raises CannotStart where a stack has it."""
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            message = f"{self.root} cannot be used ({error.strerror})"
            raise CannotStart(message) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.pread(lock, 20, 0).decode() or "unknown"
            os.close(lock)
            message = f"{self.root} is in use by a running `convoca up` (process {holder})"
            raise CannotStart(message) from error
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        self._lock = lock
        for private in (self.mails, self.logs, self.front):
            private.mkdir(exist_ok=True, mode=0o700)

    def unlock(self) -> None:
        """Let another have the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def ours(self) -> bool:
        """Tell whether we hold the lock."""
        return self._lock is not None

    def secrets(self) -> Secrets:
        """Give the secrets, made now where there is no data yet."""
        path = self.root / "secrets.json"
        try:
            return Secrets.model_validate_json(path.read_bytes())
        except FileNotFoundError:
            if self.postgres.exists():
                message = f"{self.postgres} is there but not the passwords to it ({path}); restore that file"
                raise CannotStart(message) from None
        except (OSError, ValidationError) as error:
            message = f"{path} cannot be read ({type(error).__name__})"
            raise CannotStart(message) from error
        made = Secrets.new()
        _write(path, made.model_dump())
        return made

    def ports(self, names: Iterable[str]) -> dict[str, int]:
        """Give each name a free port of the loopback, where possible the one it had before."""
        path = self.root / "ports.json"
        try:
            known = {str(name): int(port) for name, port in json.loads(path.read_bytes()).items()}
        except (OSError, ValueError, AttributeError):
            known = {}
        held = {name: _bind_if_free(known.get(name, 0)) or _bind(0) for name in names}
        ports = {name: int(bound.getsockname()[1]) for name, bound in held.items()}
        for bound in held.values():
            bound.close()
        _write(path, ports)
        return ports

    def remember(self, marks: Mapping[str, Mark]) -> None:
        """Keep which processes run, for a start that follows a crash."""
        _write(self.root / "processes.json", {name: mark.model_dump() for name, mark in marks.items()})

    def remembered(self) -> dict[str, Mark]:
        """Tell which processes a stack that was killed may have left."""
        try:
            kept = json.loads((self.root / "processes.json").read_bytes())
            return {str(name): Mark.model_validate(mark) for name, mark in kept.items()}
        except (OSError, ValueError, AttributeError):
            return {}

    def show(self, running: Running) -> None:
        """Let other commands find the stack."""
        _write(self.root / "stack.json", running.model_dump())

    def hide(self) -> None:
        """Let nobody find it any more."""
        (self.root / "stack.json").unlink(missing_ok=True)

    def running(self) -> Running | None:
        """Give the stack that runs here, or None; one whose process is gone does not run."""
        try:
            running = Running.model_validate_json((self.root / "stack.json").read_bytes())
            os.kill(running.pid, 0)
        except (OSError, ValueError):
            return None
        return running


class FrontPort:
    """The front door's port, held so that two stacks that start together do not both get it."""

    def __init__(self, port: int) -> None:
        """Hold `port`; raises CannotStart where somebody listens on it or may not."""
        try:
            _bind(port).close()
            self._held = _bind(port, shared=True)
        except (OSError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no such port"
            message = f"port {port} cannot be used ({reason}); choose another with --port"
            raise CannotStart(message) from error
        self.number = port or int(self._held.getsockname()[1])

    def release(self) -> None:
        """Let others have it."""
        self._held.close()


def _bind_if_free(port: int) -> socket.socket | None:
    try:
        return _bind(port)
    except OSError:
        return None


def _bind(port: int, *, shared: bool = False) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:  # Caddy listens with this option too, so it may have the port beside us
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind((LOOPBACK, port))
        if not shared:
            bound.listen(1)
    except BaseException:
        bound.close()
        raise
    return bound


def _write(path: Path, content: object) -> None:
    """Replace a file at once and for good: whole on disk or as it was."""
    draft = path.with_name(f".{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
