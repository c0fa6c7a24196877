"""A deployment kept in one file: three databases, each as it was at one moment, and what waited on Kafka for them."""

import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from deploy.operations import inbound, keys
from deploy.operations.archive import FORMAT, Draft, Heard, Kept, Manifest, writing
from deploy.operations.programs import Programs, programs_for
from deploy.operations.snapshots import DumpFailed, Snapshot, snapshot
from shared import VERSION
from shared.settings import KafkaSettings

LISTENERS_FIRST = ("notifications", "registration", "catalogue")
"""The order of the snapshots: who listens before whom they listen to.

What a service knows of another was then said before that one's moment, so that it is in that one's outbox. The other
way round a service would know of what the restored other has never said, and take its next word for an old one.
"""
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Source:
    """What is kept: the databases' addresses by service, the broker, the keys that sign, and the secrets by name."""

    databases: Mapping[str, str]
    kafka: KafkaSettings
    keys: tuple[str, ...]
    secrets: tuple[str, ...]


async def backup(source: Source, path: Path, say: Say, heard: Heard) -> Manifest:
    """Write the file and tell what it holds. The services may run meanwhile.

    Raises BadBackup where the file cannot be written, NoPrograms, DumpFailed, and what parts raise that are away.
    """
    with writing(path) as draft:
        # Acknowledged places before the snapshots, ends after them: what the snapshots lack lies between.
        places = {service: await inbound.places(source.kafka, service) for service in LISTENERS_FIRST}
        async with _moments(source.databases) as moments:
            programs = await programs_for(max(moment.server for moment in moments.values()))
            kept = {}
            for service, moment in moments.items():
                waiting = await _waiting(source, service, places[service], moment, draft)
                kept[service] = await _database(service, moment, programs, draft, heard, waiting)
                say(f"{service}: {sum(kept[service].rows.values())} rows, {waiting} records that were not taken yet")
        manifest = Manifest(
            format=FORMAT,
            made_by=VERSION,
            at=datetime.now(UTC),
            services=kept,
            parts=draft.parts,
            secrets=source.secrets,
            keys=keys.fingerprints(source.keys),
        )
        draft.conclude(manifest)
    return manifest


@asynccontextmanager
async def _moments(databases: Mapping[str, str]) -> AsyncIterator[dict[str, Snapshot]]:
    """Hold a moment of each database, within milliseconds of each other."""
    async with AsyncExitStack() as held:
        yield {service: await held.enter_async_context(snapshot(databases[service])) for service in LISTENERS_FIRST}


async def _waiting(source: Source, service: str, places: inbound.Places | None, moment: Snapshot, draft: Draft) -> int:
    count = 0
    with draft.part(_inbound_part(service)) as write:
        if places is None:
            return count
        async with inbound.consumer_of(service, moment.url) as consumer:
            if consumer is None:
                return count
            async with contextlib.aclosing(inbound.from_there(source.kafka, places)) as batches:
                async for batch in batches:
                    for record in await inbound.not_taken(moment.connection, consumer, batch):
                        write(inbound.write(record))
                        count += 1
    return count


async def _database(
    service: str, moment: Snapshot, programs: Programs, draft: Draft, heard: Heard, records: int
) -> Kept:
    if moment.revision is None:
        message = f"the database of {service} was never migrated: there is nothing to keep; run `convoca migrate`"
        raise DumpFailed(message)
    name = f"databases/{service}.dump"
    with draft.part(name) as write:

        def passing(piece: bytes) -> None:
            write(piece)
            heard(len(piece))

        await moment.dump(programs, passing)
    return Kept(
        database=name,
        revision=moment.revision,
        server=moment.server,
        at=moment.at,
        rows=await moment.rows(),
        inbound=_inbound_part(service),
        records=records,
    )


def _inbound_part(service: str) -> str:
    return f"inbound/{service}.jsonl"
