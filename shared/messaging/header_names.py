"""Records are read whatever their headers are called: Kafka takes any bytes for a name, aiokafka reads UTF-8 only.

It fails in the middle of a poll, and again at every poll, so that one such record would stop its consumer for good.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from aiokafka.consumer import fetcher
from aiokafka.record.default_records import _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

Record = Any  # one of aiokafka's own, of which it has several


def read_any() -> None:
    r"""Have every consumer of this process read them; a byte that is no UTF-8 is written as `\xff` is in Python."""
    fetcher.MemoryRecords = _Chunk


class _Chunk:
    """What a fetch has brought of a partition: batches, each in its own bytes (aiokafka's MemoryRecords)."""

    def __init__(self, content: bytes) -> None:
        self._records = _MemoryRecordsPy(content)
        self.has_next = self._records.has_next
        self.size_in_bytes = self._records.size_in_bytes

    def next_batch(self) -> "_Batch":
        content = self._records._next_slice  # noqa: SLF001 - the next call forgets it
        return _Batch(self._records.next_batch(), content)


class _Batch:
    """A batch as aiokafka reads it; from a record on that it cannot read, as it reads it without its extensions."""

    def __init__(self, strict: Any, content: memoryview | None) -> None:  # noqa: ANN401 - one of several
        self._strict = strict
        self._content = content

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._strict, name)

    def __next__(self) -> Record:
        return next(self._strict)

    def __iter__(self) -> Iterator[Record]:
        read = 0
        try:
            for record in self._strict:
                yield record
                read += 1
        except UnicodeDecodeError:
            forgiving = _DefaultRecordBatchPy(self._content or b"")
            forgiving._maybe_uncompress()  # noqa: SLF001 - what it would do first
            forgiving._buffer = _Forgiving(forgiving._buffer)  # noqa: SLF001
            yield from islice(forgiving, read, None)


class _Forgiving(bytearray):
    """Bytes of which any part can be read as text."""

    def __getitem__(self, where: Any) -> Any:  # noqa: ANN401
        part = super().__getitem__(where)
        return _Forgiving(part) if isinstance(part, bytearray) else part

    def decode(self, encoding: str = "utf-8", _errors: str = "") -> str:
        return super().decode(encoding, "backslashreplace")
