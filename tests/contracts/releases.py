"""What was released: each schema as it stood, in files that never change.

A file's name ends in the hash of its content, so that whoever changes one has to rename it, and is seen.
Words for people are left out: they may be bettered at any time.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from shared.events.base import Event
from shared.events.contract import Json, schema_of, written
from tests.contracts.compatibility import Break, breaks_of_fact, breaks_of_inbound

WORDS = {"title", "description", "examples"}
NAMED = {"properties", "$defs"}
VALUES = {"default", "enum", "const"}


def bare(schema: Json) -> Json:
    """Give a schema without words for people; a property may well be called `title`."""
    return {name: _bare(name, value) for name, value in schema.items() if name not in WORDS}


def _bare(name: str, value: object) -> object:
    if isinstance(value, dict) and name in NAMED:
        return {each: bare(rules) for each, rules in value.items()}
    if isinstance(value, dict) and name not in VALUES:
        return bare(value)
    return [_bare("", each) for each in value] if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Releases:
    """The releases that lie in a folder, by shape and version."""

    folder: Path

    def of(self, shape: type[Event]) -> Sequence[Path]:
        """Give the files of all releases of a shape's version, the oldest first."""
        return sorted((self.folder / shape.shape / str(shape.version)).glob("*.json"))

    def first(self, shape: type[Event]) -> Json:
        """Give the schema of the first release."""
        return _read(self.of(shape)[0])

    def breaks(self, shape: type[Event]) -> Iterator[Break]:
        """Tell what of any release the shape of today would break."""
        judge = breaks_of_inbound if shape.topic.inbound else breaks_of_fact
        for path in self.of(shape):
            yield from judge(_read(path), bare(schema_of(shape)))

    def have(self, shape: type[Event]) -> bool:
        """Tell whether the newest release says what the shape of today says."""
        files = self.of(shape)
        return bool(files) and _read(files[-1]) == bare(schema_of(shape))

    def keep(self, shape: type[Event]) -> None:
        """Keep the shape of today for ever."""
        content = written(bare(schema_of(shape)))
        name = f"{len(self.of(shape)) + 1:02d}-{digest(content.encode())}.json"
        path = self.folder / shape.shape / str(shape.version) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


RELEASES = Releases(Path(__file__).parent / "released")


def digest(content: bytes) -> str:
    """Give that by which a changed file betrays itself."""
    return hashlib.sha256(content).hexdigest()[:12]


def _read(path: Path) -> Json:
    schema: Json = json.loads(path.read_bytes())
    return schema
