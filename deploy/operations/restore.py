"""A deployment brought back from a file: all three databases together, then the streams from their outboxes."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg

from deploy import prepare
from deploy.kafka import streams
from deploy.operations import inbound, keys
from deploy.operations.archive import PIECE, Backup, Heard
from deploy.operations.backup import LISTENERS_FIRST
from deploy.operations.filling import filling
from deploy.operations.programs import OURS, programs_for
from deploy.operations.snapshots import Connection, DumpFailed, rows
from shared import migrations
from shared.messaging import kafka as broker
from shared.messaging import replay
from shared.settings import KafkaSettings

SECONDS_TO_ANSWER = 10.0
AT_ONCE = 500
"""Records that are taken in one transaction."""
OF_THE_BUS = ("inbox", "outbox", "parked", "dead_letters", "replays")
Say = Callable[[str], None]

_OTHERS = """
    SELECT DISTINCT coalesce(nullif(application_name, ''), usename::text, 'somebody') AS name
    FROM pg_stat_activity
    WHERE datname = current_database() AND usesysid IS NOT NULL AND application_name <> $1
      AND coalesce(backend_type, 'client backend') = 'client backend'
    ORDER BY 1
"""
"""Of another role's sessions PostgreSQL tells little, but that they are there."""


class RefusedRestore(Exception):  # noqa: N818 - said to a person, in one line
    """It is not done, and nothing was touched; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What whoever asks is ready to lose: what the databases hold now, and the links in mails of another key."""

    replace: bool = False
    lose_links: bool = False


@dataclass(frozen=True, slots=True)
class Ground:
    """Where it is restored: databases by service, the broker (None: it does not run), and the keys that sign there.

    `keys` is None where they are not known.
    """

    databases: Mapping[str, str]
    kafka: KafkaSettings | None
    keys: tuple[str, ...] | None
    horizon: timedelta


@dataclass(slots=True)
class Hold:
    """The databases, held so that no service sends from them meanwhile."""

    connections: dict[str, Connection] = field(default_factory=dict)

    async def others(self) -> list[str]:
        """Name who else is connected to them."""
        return [
            f"{service} ({row['name']})"
            for service, connection in self.connections.items()
            for row in await connection.fetch(_OTHERS, OURS)
        ]


def check_file(backup: Backup, keys_here: tuple[str, ...] | None, wishes: Wishes) -> None:
    """Raise RefusedRestore where the file is not for this release or this key; nothing is asked of anybody."""
    said = backup.manifest.services
    if missing := [service for service in LISTENERS_FIRST if service not in said]:
        message = f"{backup.path} lacks {', '.join(missing)}: {ALL_OR_NONE}"
        raise RefusedRestore(message)
    for service in LISTENERS_FIRST:
        known = migrations.revisions(service)
        if said[service].revision not in known:
            message = (
                f"{backup.path} has {service} at revision {said[service].revision}, which this release does not know"
                f" (its newest is {known[0]}): restore with the release that wrote it, {backup.manifest.made_by},"
                " or a newer one"
            )
            raise RefusedRestore(message)
    if keys_here is None or wishes.lose_links:
        return
    lost = set(backup.manifest.keys) - set(keys.fingerprints(keys_here))
    if lost:
        message = (
            "a key that signed links in mails of this backup is not among the keys here, so that nobody could use them:"
            " bring back the old key (CONVOCA_SECRET_KEY takes several, the signing one first; an embedded stack has it"
            " in its folder's secrets.json), or say --lose-links"
        )
        raise RefusedRestore(message)


ALL_OR_NONE = (
    "services are restored together or not at all, for each remembers how far the others have come: one that is set"
    " back alone would say under old numbers what the others take for known"
)


async def restore(backup: Backup, ground: Ground, wishes: Wishes, say: Say, heard: Heard) -> None:
    """Bring everything back; services must not run, and are started afterwards.

    Raises RefusedRestore before anything is touched; DumpFailed where a database does not take it, and then all three
    are as they were.
    """
    async with AsyncExitStack() as stack:
        hold = await _hold(stack, ground)  # to the end: who starts too early sends nothing until all is done
        await _check_ground(hold, ground, wishes)
        await _fill(backup, hold, ground, heard)
        say("the databases are back, and the streams are next; if this breaks off, run it again with --replace")
        await prepare.migrate(ground.databases)
        if ground.kafka is not None:
            await streams.forget(ground.kafka)
        await _take_back(backup, ground, say)
        await _take_inbound(backup, ground, say)


async def _fill(backup: Backup, hold: Hold, ground: Ground, heard: Heard) -> None:
    """Replace the content of all databases, or of none."""
    server = max(each.get_server_version().major for each in hold.connections.values())
    programs = await programs_for(max(server, *(kept.server for kept in backup.manifest.services.values())))
    async with AsyncExitStack() as stack:
        fillings = []
        for service in LISTENERS_FIRST:
            kept = backup.manifest.services[service]
            one = await stack.enter_async_context(filling(ground.databases[service], programs))
            with backup.part(kept.database) as read:
                await one.fill(read, heard)
            if (found := await one.rows(kept.rows)) != kept.rows:
                wrong = sorted(name for name in kept.rows if found.get(name) != kept.rows[name])
                message = f"{service} would lack rows after all ({', '.join(wrong)}); all databases are as they were"
                raise DumpFailed(message)
            fillings.append(one)
        if others := await hold.others():  # somebody has come meanwhile
            raise RefusedRestore(_running(", ".join(others)))
        for one in fillings:  # all are whole, so from here on only a crash could part them
            await one.commit()


async def _hold(stack: AsyncExitStack, ground: Ground) -> Hold:
    """Connect to each database and take the lock of its relay, so that nobody sends what is being replaced."""
    hold = Hold()
    for service in LISTENERS_FIRST:
        connection = await stack.enter_async_context(_connected(ground.databases[service]))
        if not await connection.fetchval("SELECT pg_try_advisory_lock($1)", replay.LOCK_OF_THE_RELAY):
            raise RefusedRestore(_running(service))
        hold.connections[service] = connection
    return hold


async def _check_ground(hold: Hold, ground: Ground, wishes: Wishes) -> None:
    if others := await hold.others():
        raise RefusedRestore(_running(", ".join(others)))
    if ground.kafka is not None:
        if not await broker.answers(ground.kafka, SECONDS_TO_ANSWER):
            message = f"Kafka does not answer at {ground.kafka.kafka_servers}, and the streams must be made anew"
            raise RefusedRestore(message)
        if groups := await streams.groups_at_work(ground.kafka):
            raise RefusedRestore(_running(f"the groups {', '.join(groups)}"))
    there = {service: await rows(connection) for service, connection in hold.connections.items()}
    full = {service: counted for service, counted in there.items() if sum(counted.values())}
    if full and not wishes.replace:
        lost = "; ".join(f"{service}: {_most(counted)}" for service, counted in full.items())
        message = f"the databases are not empty, and what is in them would be lost ({lost}); say --replace if it may be"
        raise RefusedRestore(message)


async def _take_back(backup: Backup, ground: Ground, say: Say) -> None:
    """Have the services send again what they had said, as far back as a replay at the backup's time would have gone."""
    for service in LISTENERS_FIRST:
        async with _connected(ground.databases[service]) as database:
            oldest = backup.manifest.services[service].at - ground.horizon
            messages = await replay.take_back(database, replay.EVERYTHING, oldest)
        say(f"{service} will send {messages} messages again")


async def _take_inbound(backup: Backup, ground: Ground, say: Say) -> None:
    """Take what outside systems had written and nobody had taken, by the service's own policy and under its old places.

    So it is in the databases now, and one that the broker still has is known when it comes.
    """
    for service in LISTENERS_FIRST:
        kept = backup.manifest.services[service]
        async with inbound.consumer_of(service, ground.databases[service]) as consumer:
            if consumer is None or not kept.records:
                continue
            with backup.part(kept.inbound) as read:
                lines = inbound.lines_of(iter(lambda: read(PIECE), b""))
                for some in _chunks(lines):
                    await consumer.take([inbound.read(line) for line in some])
        say(f"{service} took {kept.records} records of outside systems that had waited for it")


def _chunks(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    some: list[bytes] = []
    for line in lines:
        some.append(line)
        if len(some) == AT_ONCE:
            yield some
            some = []
    if some:
        yield some


@asynccontextmanager
async def _connected(url: str) -> AsyncIterator[Connection]:
    connection: Connection = await asyncpg.connect(url, timeout=10, server_settings={"application_name": OURS})
    try:
        yield connection
    finally:
        await connection.close()


def _running(who: str) -> str:
    return f"services run, or somebody else works on the databases: {who}; stop them all, and restore then"


def _most(counted: Mapping[str, int]) -> str:
    """Tell how much there is, what people would miss first."""
    full = sorted((name in OF_THE_BUS, -count, name) for name, count in counted.items() if count)
    return ", ".join(f"{-count} {name}" for _, count, name in full)
