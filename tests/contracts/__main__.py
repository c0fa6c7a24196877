"""`make contracts`: write the schemas anew and keep each change as a release; refuse one that would break somebody."""

import sys
from collections.abc import Sequence
from pathlib import Path

from shared.events.base import Event
from shared.events.contract import SCHEMAS, every_shape, schema_file, schema_of, written
from tests.contracts.releases import RELEASES, Releases

ADVICE = "Add to a shape, or make a new version beside it; see shared/events/README.md."


def publish(shapes: Sequence[type[Event]], schemas: Path, releases: Releases) -> list[str]:
    """Write what the shapes of today are; where one would break somebody, tell of it and write nothing."""
    faults = [f"{shape.shape} {shape.version}: {fault}" for shape in shapes for fault in releases.breaks(shape)]
    if faults:
        return list(dict.fromkeys(faults))
    for shape in shapes:
        path = schema_file(shape, schemas)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(written(schema_of(shape)), encoding="utf-8")
        if not releases.have(shape):
            releases.keep(shape)
    return []


if __name__ == "__main__":
    if faults := publish(every_shape(), SCHEMAS, RELEASES):
        sys.stderr.write("\n".join([*faults, ADVICE, ""]))
        raise SystemExit(1)
