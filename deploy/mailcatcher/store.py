"""Mails on disk: one file for each mail and recipient, numbered without gaps in the order of arrival."""

import asyncio
import os
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

SUFFIX = ".eml"
DIGITS = 8
STAMP = b"X-Convoca-"
"""What our own header lines, written above the mail as it came, begin with."""


class Store:
    """Keeps mails in a folder; what it has once answered for is on the disk."""

    def __init__(self, folder: Path) -> None:
        """Take a folder and what an earlier run left in it."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._folder = folder
        for draft in folder.glob("*.new"):
            draft.unlink()  # never answered for
        numbers = (int(path.stem) for path in folder.glob(f"*{SUFFIX}") if path.stem.isdigit())
        self._last = max(numbers, default=0)
        self._writing = asyncio.Lock()

    @property
    def last(self) -> int:
        """The number of the newest mail; 0 where there is none."""
        return self._last

    async def keep(self, recipients: Sequence[str], content: bytes, at: datetime) -> None:
        """Keep one mail for each recipient, on the disk when this returns; raises OSError."""
        async with self._writing:  # numbers become visible in their order
            first = self._last + 1
            await asyncio.to_thread(self._write, first, recipients, content, at)
            self._last = first + len(recipients) - 1

    def read(self, number: int) -> bytes:
        """Give a mail with our header lines above it; raises KeyError where there is none of that number."""
        if not 0 < number <= self._last:
            raise KeyError(number)
        try:
            return self._path(number).read_bytes()
        except FileNotFoundError:
            raise KeyError(number) from None

    def numbers(self, after: int = 0) -> Iterator[int]:
        """Give the numbers of the mails after one, oldest first."""
        return (number for number in range(max(after, 0) + 1, self._last + 1) if self._path(number).exists())

    def _write(self, first: int, recipients: Sequence[str], content: bytes, at: datetime) -> None:
        drafts = []
        for number, recipient in enumerate(recipients, first):
            draft = self._folder / f"{number}.new"
            stamp = b"%sTo: %s\r\n%sAt: %s\r\n" % (STAMP, _line(recipient), STAMP, at.isoformat().encode())
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(stamp + content)
                file.flush()
                os.fsync(file.fileno())
            drafts.append((draft, self._path(number)))
        for draft, path in drafts:
            draft.rename(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:0{DIGITS}}{SUFFIX}"


def unstamp(kept: bytes) -> tuple[str, datetime, bytes]:
    """Take a kept mail apart: its recipient, when it came, and the mail as it came."""
    to, at, content = kept.split(b"\r\n", 2)
    recipient = to.removeprefix(STAMP + b"To: ").decode("utf-8", "replace")
    return recipient, datetime.fromisoformat(at.removeprefix(STAMP + b"At: ").decode()), content


def now() -> datetime:
    """Tell the time."""
    return datetime.now(UTC)


def _line(recipient: str) -> bytes:
    return " ".join(recipient.split()).encode("utf-8", "replace")
