"""A backup's file: a ZIP whose last part says what the others are; written whole or not at all."""

import contextlib
import errno
import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import AwareDatetime, BaseModel, ConfigDict, NonNegativeInt, ValidationError

from shared.settings import first_fault

FORMAT = 1
"""Rises when a file that is written today could not be read by the command of before."""
MANIFEST = "manifest.json"
PIECE = 1_048_576
OF_THE_FILE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""What is wrong where a file cannot be written to its end; other errors are a database's or a broker's."""
Heard = Callable[[int], None]
"""Is told of bytes that have passed."""


class BadBackup(Exception):  # noqa: N818 - said to a person, in one line
    """A file is no backup that can be used; the text says why."""


class Part(BaseModel):
    """One of the file's parts, as it must be found again."""

    model_config = ConfigDict(frozen=True)

    bytes: NonNegativeInt
    sha256: str


class Kept(BaseModel):
    """What is kept of a service: its database as it was at one moment, and what others had written for it."""

    model_config = ConfigDict(frozen=True)

    database: str
    revision: str
    server: int
    at: AwareDatetime
    rows: dict[str, NonNegativeInt]
    inbound: str
    records: NonNegativeInt


class Manifest(BaseModel):
    """What a backup holds. `parts` are by their names in the file, `keys` are fingerprints of the signing keys."""

    model_config = ConfigDict(frozen=True)

    format: int
    made_by: str
    at: AwareDatetime
    services: dict[str, Kept]
    parts: dict[str, Part]
    secrets: tuple[str, ...]
    keys: tuple[str, ...]


class _JustFormat(BaseModel):
    format: int


class Draft:
    """A backup that is being written: parts first, the manifest last."""

    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file
        self.parts: dict[str, Part] = {}

    @contextmanager
    def part(self, name: str) -> Iterator[Callable[[bytes], None]]:
        """Give what writes a part; one at a time."""
        size, content = 0, hashlib.sha256()
        with self._file.open(name, "w", force_zip64=True) as member:

            def write(piece: bytes) -> None:
                nonlocal size
                size += len(piece)
                content.update(piece)
                member.write(piece)

            yield write
        self.parts[name] = Part(bytes=size, sha256=content.hexdigest())

    def conclude(self, manifest: Manifest) -> None:
        """Say what was written."""
        self._file.writestr(MANIFEST, manifest.model_dump_json(indent=2))


@contextmanager
def writing(path: Path) -> Iterator[Draft]:
    """Write a backup to `path`, readable by its owner only; what breaks off leaves no file of that name.

    Raises BadBackup where there is a file already, or none can be.
    """
    _free(path)
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        message = f"{path} cannot be written ({error.strerror})"
        raise BadBackup(message) from error
    try:
        with os.fdopen(descriptor, "w+b") as file:
            # What the parts hold is compressed where it pays: pg_dump does it itself.
            with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
                yield Draft(archive)
            file.flush()
            os.fsync(file.fileno())
        _free(path)
        draft.rename(path)
        _settle(path.parent)
    except OSError as error:
        if error.errno not in OF_THE_FILE:
            raise
        message = f"{path} cannot be written ({error.strerror})"
        raise BadBackup(message) from error
    finally:
        draft.unlink(missing_ok=True)


class Backup:
    """A backup that is read; `manifest` says what it holds."""

    def __init__(self, path: Path) -> None:
        """Open it; raises BadBackup where it is none, or of a newer format. Nothing is verified yet."""
        self.path = path
        try:
            self._file = zipfile.ZipFile(path)
            said = self._file.read(MANIFEST)
        except (OSError, zipfile.BadZipFile, KeyError) as error:
            reason = getattr(error, "strerror", None) or "it is no file that `convoca backup` wrote, or only a piece"
            message = f"{path} cannot be read: {reason}"
            raise BadBackup(message) from error
        try:
            if (found := _JustFormat.model_validate_json(said).format) > FORMAT:
                message = f"{path} is of format {found}, and this command reads {FORMAT}: use the release that wrote it"
                raise BadBackup(message)
            self.manifest = Manifest.model_validate_json(said)
        except ValidationError as error:
            message = f"{path}: its manifest says something else than expected: {first_fault(error)}"
            raise BadBackup(message) from error

    @property
    def size(self) -> int:
        """Give the bytes of all parts together."""
        return sum(part.bytes for part in self.manifest.parts.values())

    def verify(self, heard: Heard) -> None:
        """Read everything once; raises BadBackup, naming it, where a part is not what was written."""
        for name, part in self.manifest.parts.items():
            content, size = hashlib.sha256(), 0
            with self.part(name) as read:
                while piece := read(PIECE):
                    content.update(piece)
                    size += len(piece)
                    heard(len(piece))
            if Part(bytes=size, sha256=content.hexdigest()) != part:
                message = f"{self.path} is damaged: {name} is not what was written; nothing was touched"
                raise BadBackup(message)

    @contextmanager
    def part(self, name: str) -> Iterator[Callable[[int], bytes]]:
        """Give what reads a part, a piece at a time."""
        try:
            with self._file.open(name) as member:
                yield _careful(member, self.path, name)
        except KeyError as error:
            message = f"{self.path} is damaged: {name} is missing; nothing was touched"
            raise BadBackup(message) from error

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()


def _careful(member: IO[bytes], path: Path, name: str) -> Callable[[int], bytes]:
    def read(most: int) -> bytes:
        try:
            return member.read(most)
        except (zipfile.BadZipFile, EOFError, OSError) as error:
            message = f"{path} is damaged: {name} cannot be read to its end"
            raise BadBackup(message) from error

    return read


def _free(path: Path) -> None:
    if path.exists() or path.is_symlink():
        message = f"{path} is there already and is not overwritten; name another file"
        raise BadBackup(message)


def _settle(folder: Path) -> None:
    """Bring the file's name to the disk too."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
