"""Two releases to deploy one after the other: what is checked out, and what was before its newest migration."""

import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tests.deploy.compose_file import BASE
from tests.deploy.running import PROJECT

MIGRATIONS = "services/*/migrations/versions/[0-9]*.py"


def before_the_newest_migration() -> str:
    """Name the newest commit that can be deployed and lacks a migration that is here.

    It is looked for, not written down, so that the next migration is rehearsed too, on the day on which it is written.
    Only what can be deployed as it stood counts, by a compose file of its own: nothing of today's is laid over it.
    Where people worked side by side it may be a commit which the migration had not come to yet. Fails where the history
    is not here, as in a shallow clone.
    """
    shallow = _git("rev-parse", "--is-shallow-repository").decode().strip()
    assert shallow == "false", "the clone is shallow, and an earlier release is to be built: git fetch --unshallow"
    here = {path.relative_to(PROJECT).as_posix() for path in PROJECT.glob(MIGRATIONS)}
    for commit in _git("rev-list", "HEAD").decode().split():
        there = set(_git("ls-tree", "-r", "--name-only", commit, "--", BASE, "services").decode().splitlines())
        if BASE in there and not here <= there:
            return commit
    raise AssertionError("no commit that could be deployed lacks a migration that is here: is this the whole history?")


def lay(commit: str | None, folder: Path) -> None:
    """Put a release's files into a folder in the place of another's; those that are checked out where none is named."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if commit is not None:
        with tarfile.open(fileobj=BytesIO(_git("archive", "--format=tar", commit))) as archive:
            archive.extractall(folder, filter="data")
        return
    for name in _git("ls-files", "-z", "--cached", "--others", "--exclude-standard").decode().split("\0"):
        if name and (PROJECT / name).is_file():  # what is deleted and not committed is listed too
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(PROJECT / name, folder / name)


def _git(*arguments: str) -> bytes:
    git = shutil.which("git")
    assert git, "git is not there, and an earlier release is to be built"
    ran = subprocess.run([git, "-C", str(PROJECT), *arguments], capture_output=True, check=False)
    assert ran.returncode == 0, f"git {arguments[0]}: {ran.stderr.decode()}"
    return ran.stdout
