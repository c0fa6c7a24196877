"""A backup is brought back on a broker that lived on, once and whole; and what cannot be brought back is refused."""

import asyncio
import json
import os
import zipfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from alembic import command

from deploy import prepare
from deploy.kafka import streams
from deploy.kafka.admin import admin_client, answered
from deploy.operations import inbound
from deploy.operations.archive import MANIFEST, Backup, BadBackup, Manifest, writing
from deploy.operations.backup import LISTENERS_FIRST, Source, backup
from deploy.operations.keys import fingerprints
from deploy.operations.places import acknowledged
from deploy.operations.restore import Ground, RefusedRestore, Wishes, check_file, restore
from deploy.operations.snapshots import DumpFailed
from services.catalogue.subscribers import follow
from shared import migrations
from shared.events.topics import inbound as inbound_topic
from shared.messaging import topics
from shared.messaging.envelope import Record
from shared.messaging.replay import LOCK_OF_THE_RELAY
from shared.runtime import Service
from shared.settings import KafkaSettings, ServiceSettings
from tests.conftest import MakeUrl
from tests.deploy.running import CONVOCA, surroundings
from tests.system.offers import workshop
from tests.transport.conftest import KEY, OFFICE
from tests.waiting import eventually

STREAM = replace(inbound_topic("catalogue", "kept-cms"), partitions=1)
GROUP = "catalogue.inbound.catalogue"
HORIZON = timedelta(days=30)
LETTERS = "SELECT detail FROM dead_letters"
WINDOW = (
    "INSERT INTO windows (rule, subject, opened_at, due_at, event_id, count) VALUES ('r', 's', now(), now(), 'e', 1)"
)
NAMES = "SELECT external_id FROM workshops WHERE external_id LIKE 'kept/%' ORDER BY 1"


def quiet(_: object) -> None:
    """Hear nothing."""


@dataclass(frozen=True)
class Deployment:
    """Three databases and a broker, of which `file` is a backup."""

    databases: dict[str, str]
    kafka: KafkaSettings
    file: Path
    manifest: Manifest

    def ground(self, databases: dict[str, str] | None = None, kafka: KafkaSettings | None = None) -> Ground:
        """Give where it is restored: where it was, unless something else is named; without a broker but for `kafka`."""
        return Ground(databases or self.databases, kafka, (KEY,), HORIZON)


async def rows(url: str, query: str) -> list[object]:
    connection = await asyncpg.connect(url)
    try:
        return [row[0] for row in await connection.fetch(query)]
    finally:
        await connection.close()


async def publish(kafka: KafkaSettings, *names: str) -> None:
    """Write as the outside system does; of a name that is none, something that nobody can read."""
    async with AIOKafkaProducer(bootstrap_servers=kafka.kafka_servers) as producer:
        for name in names:
            headers = [
                ("ce_specversion", b"1.0"),
                ("ce_id", name.encode()),
                ("ce_source", b"/publishers/kept-cms"),
                ("ce_type", b"workshop.scheduled"),
                ("content-type", b"application/json"),
            ]
            value = json.dumps(workshop(external_id=f"kept/{name}")).encode()
            await producer.send_and_wait(STREAM.name, value, key=name.encode(), headers=headers if name else [])


def catalogue(kafka: KafkaSettings, url: str) -> Service:
    settings = ServiceSettings(
        **kafka.model_dump(), database_url=url, public_url="http://127.0.0.1", secret_key=KEY, office=OFFICE
    )
    return Service("catalogue", settings, followers=follow)


async def taken(kafka: KafkaSettings, url: str, *names: str, letters: int = 0) -> None:
    """Run the catalogue until it has taken these, and the group says so."""
    async with catalogue(kafka, url).running():

        async def there() -> bool:
            known = await rows(url, NAMES) == [f"kept/{name}" for name in names]
            return known and len(await rows(url, LETTERS)) == letters

        await eventually(there, f"the workshops {names}")

        async def said() -> bool:
            places = await acknowledged(kafka, GROUP, lambda name: name == STREAM.name)
            return list(places.values()) == [len(names) + letters]

        await eventually(said, "the group's word")


@pytest_asyncio.fixture
async def deployment(database_url: MakeUrl, kafka: KafkaSettings, tmp_path: Path) -> Deployment:
    """Keep a deployment in which hardly anything has happened."""
    databases = {service: await database_url(service) for service in LISTENERS_FIRST}
    publisher = "INSERT INTO publishers (name, token_hash, created_at) VALUES ('kept-cms', 'x', now())"
    await rows(databases["catalogue"], publisher)
    await prepare.make_topics(kafka, {})
    return await kept(databases, kafka, tmp_path / "kept.convoca")


async def kept(databases: dict[str, str], kafka: KafkaSettings, file: Path) -> Deployment:
    source = Source(databases, kafka, (KEY,), ("CONVOCA_SECRET_KEY",))
    return Deployment(databases, kafka, file, await backup(source, file, quiet, quiet))


@pytest_asyncio.fixture
async def stream_from_outside(kafka: KafkaSettings) -> AsyncIterator[None]:
    """Have the outside system's topic while the test lasts; what follows finds the broker as it was."""
    await topics.ensure(kafka, [STREAM])
    yield
    await streams.forget(kafka)
    admin = admin_client(kafka)
    for future in admin.delete_topics([STREAM.name], operation_timeout=10).values():
        await answered(future)
    await prepare.make_topics(kafka, {})


@pytest.mark.usefixtures("stream_from_outside")
async def test_what_is_kept_and_what_came_after_is_taken_once_on_a_broker_that_lived_on(
    deployment: Deployment, database_url: MakeUrl
) -> None:
    kafka, source = deployment.kafka, deployment.databases
    await publish(kafka, "a")
    await taken(kafka, source["catalogue"], "a")
    await publish(kafka, "b", "")
    deployment = await kept(source, kafka, deployment.file.with_name("monday.convoca"))
    assert deployment.manifest.services["catalogue"].records == 2
    assert deployment.manifest.services["catalogue"].rows["workshops"] == 1
    await publish(kafka, "c")
    await taken(kafka, source["catalogue"], "a", "b", "c", letters=1)
    fresh = {service: await database_url(service) for service in LISTENERS_FIRST}
    code, said = await commanded(deployment, fresh, "restore", str(deployment.file))
    assert code == 0, said
    assert await rows(fresh["catalogue"], NAMES) == ["kept/a", "kept/b"]
    assert len(await rows(fresh["catalogue"], LETTERS)) == 1
    assert list((await acknowledged(kafka, GROUP, lambda name: name == STREAM.name)).values()) == [None]
    assert "catalogue took 2 records of outside systems that had waited for it" in said
    assert "CONVOCA_SECRET_KEY" not in said
    await taken(kafka, fresh["catalogue"], "a", "b", "c", letters=1)
    assert await sent_once(kafka, fresh["catalogue"])


async def commanded(deployment: Deployment, databases: dict[str, str], *words: str) -> tuple[int | None, str]:
    """Run a command on a deployment that settings name; gives its exit code, and what it says to people."""
    naming = {f"CONVOCA_{service.upper()}_DATABASE_URL": url for service, url in databases.items()}
    naming |= {"CONVOCA_KAFKA_SERVERS": deployment.kafka.kafka_servers, "CONVOCA_SECRET_KEY": KEY}
    running = await asyncio.create_subprocess_exec(
        CONVOCA, *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env=surroundings(**naming)
    )
    _, said = await running.communicate()
    return running.returncode, said.decode()


async def test_the_command_keeps_and_refuses_as_its_parts_do(deployment: Deployment) -> None:
    path = deployment.file.with_name("tuesday.convoca")
    code, said = await commanded(deployment, deployment.databases, "backup", str(path))
    assert (code, [line for line in said.splitlines() if "SECRET_KEY" in line]) == (
        0,
        ["convoca:   CONVOCA_SECRET_KEY"],
    )
    assert Backup(path).manifest.keys == deployment.manifest.keys
    for words in (("backup", str(path)), ("restore", str(path)), ("restore", str(path.parent))):
        code, said = await commanded(deployment, deployment.databases, *words)
        assert code == 1
        assert len(said.splitlines()) == 1


async def sent_once(kafka: KafkaSettings, url: str) -> bool:
    """Tell whether the stream has each workshop once, as the outbox says it."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka.kafka_servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = [TopicPartition("catalogue.workshops", n) for n in range(6)]

        async def all_there() -> bool:
            wanted = await rows(url, "SELECT id FROM outbox WHERE topic = 'catalogue.workshops'")
            return int(sum((await consumer.end_offsets(partitions)).values())) >= len(wanted)

        await eventually(all_there, "the stream")
        lie = int(sum((await consumer.end_offsets(partitions)).values()))
    finally:
        await consumer.stop()
    ids = await rows(url, "SELECT workshop_id FROM workshops WHERE external_id LIKE 'kept/%'")
    return lie == len(ids) == 3


@asynccontextmanager
async def session(url: str, statement: str = "SELECT 1") -> AsyncIterator[None]:
    connection = await asyncpg.connect(url, server_settings={"application_name": "convoca-registration"})
    try:
        await connection.execute(statement)
        yield
    finally:
        await connection.close()


async def refusal(deployment: Deployment, wishes: Wishes = Wishes(), kafka: KafkaSettings | None = None) -> str:  # noqa: B008
    with pytest.raises(RefusedRestore) as refused:
        await restore(Backup(deployment.file), deployment.ground(kafka=kafka), wishes, quiet, quiet)
    return str(refused.value)


async def test_nothing_is_restored_where_something_is_or_somebody_works(deployment: Deployment) -> None:
    registration = deployment.databases["registration"]
    assert "1 publishers" in await refusal(deployment)
    async with session(registration):
        assert "registration (convoca-registration)" in await refusal(deployment, Wishes(replace=True))
    async with session(registration, f"SELECT pg_advisory_lock({LOCK_OF_THE_RELAY})"):
        assert "services run" in await refusal(deployment, Wishes(replace=True))
    away = KafkaSettings(kafka_servers="127.0.0.1:1")
    assert "Kafka does not answer" in await refusal(deployment, Wishes(replace=True), away)
    consumer = AIOKafkaConsumer(
        "catalogue.workshops",
        bootstrap_servers=deployment.kafka.kafka_servers,
        group_id=GROUP,
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        assert GROUP in await refusal(deployment, Wishes(replace=True), deployment.kafka)
    finally:
        await consumer.stop()


def rewritten(deployment: Deployment, change: Callable[[Manifest], Manifest], **parts: bytes) -> Path:
    """Write the backup anew with another manifest and other parts, by `service` those of its database."""
    path = deployment.file.with_name("changed.convoca")
    other = {deployment.manifest.services[service].database: content for service, content in parts.items()}
    with zipfile.ZipFile(deployment.file) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            if name != MANIFEST:
                new.writestr(name, other.get(name, old.read(name)))
        new.writestr(MANIFEST, change(deployment.manifest).model_dump_json())
    return path


async def test_a_file_that_is_damaged_newer_or_of_another_key_is_refused_before_anything_is_touched(
    deployment: Deployment,
) -> None:
    def asking(change: Callable[[Manifest], Manifest], keys: Sequence[str] = (KEY,)) -> str:
        with pytest.raises((RefusedRestore, BadBackup)) as refused:
            check_file(Backup(rewritten(deployment, change)), tuple(keys), Wishes())
        return str(refused.value)

    def at(revision: str) -> Callable[[Manifest], Manifest]:
        kept = deployment.manifest.services
        changed = {"registration": kept["registration"].model_copy(update={"revision": revision})}
        return lambda manifest: manifest.model_copy(update={"services": {**kept, **changed}})

    alone = {"catalogue": deployment.manifest.services["catalogue"]}
    assert "format 99" in asking(lambda manifest: manifest.model_copy(update={"format": 99}))
    assert "9999, which this release does not know" in asking(at("9999"))
    assert "together or not at all" in asking(lambda manifest: manifest.model_copy(update={"services": alone}))
    assert "--lose-links" in asking(lambda manifest: manifest, keys=["another-key-that-signed-nothing-yet"])
    check_file(Backup(deployment.file), ("new" * 12, KEY), Wishes())
    check_file(Backup(deployment.file), ("new" * 12,), Wishes(lose_links=True))
    assert KEY not in json.dumps(fingerprints([KEY]))
    with pytest.raises(BadBackup, match=r"registration[.]dump is not what was written"):
        Backup(rewritten(deployment, lambda manifest: manifest, registration=b"nonsense")).verify(quiet)
    deployment.file.with_name("piece").write_bytes(deployment.file.read_bytes()[:-100])
    with pytest.raises(BadBackup, match="only a piece"):
        Backup(deployment.file.with_name("piece"))


async def test_a_backup_of_an_older_revision_is_brought_to_the_newest(
    deployment: Deployment, database_url: MakeUrl
) -> None:
    newest = migrations.revisions("registration")
    config = migrations._config("registration")  # noqa: SLF001 - nobody but a test stops half way
    config.attributes["url"] = deployment.databases["registration"]
    for statement in ("DROP SCHEMA public CASCADE", "CREATE SCHEMA public"):
        await rows(deployment.databases["registration"], statement)
    await asyncio.to_thread(command.upgrade, config, newest[1])
    path = deployment.file.with_name("older.convoca")
    manifest = await backup(Source(deployment.databases, deployment.kafka, (KEY,), ()), path, quiet, quiet)
    assert manifest.services["registration"].revision == newest[1]
    fresh = {service: await database_url(service) for service in LISTENERS_FIRST}
    await restore(Backup(path), deployment.ground(fresh), Wishes(), quiet, quiet)
    assert await rows(fresh["registration"], "SELECT version_num FROM alembic_version") == [newest[0]]


async def test_where_one_database_cannot_be_restored_all_stay_as_they_were(
    deployment: Deployment, database_url: MakeUrl
) -> None:
    last = LISTENERS_FIRST[-1]
    path = rewritten(deployment, lambda manifest: manifest, **{last: b"PGDMP and nothing that follows"})
    fresh = {service: await database_url(service) for service in LISTENERS_FIRST}
    await rows(fresh["notifications"], WINDOW)
    with pytest.raises(DumpFailed):
        await restore(Backup(path), deployment.ground(fresh), Wishes(replace=True), quiet, quiet)
    assert await rows(fresh["notifications"], "SELECT rule FROM windows") == ["r"]


async def test_a_backup_that_breaks_off_leaves_no_file(deployment: Deployment) -> None:
    path = deployment.file.with_name("tuesday.convoca")
    away = {**deployment.databases, "catalogue": "postgresql://x:y@127.0.0.1:1/catalogue"}
    with pytest.raises(OSError, match="Connect"):
        await backup(Source(away, deployment.kafka, (), ()), path, quiet, quiet)
    assert os.listdir(path.parent) == ["kept.convoca"]  # noqa: PTH208 - names are asked for
    with pytest.raises(BadBackup, match="is there already"), writing(deployment.file):
        pass


def test_a_record_is_kept_byte_for_byte() -> None:
    headers = (("ce_id", b"\xff\x00"), ("empty", None), ("ce_id", b"twice"))
    record = Record(STREAM.name, 3, 7, b"\x00\xfe", None, headers)
    pieces = inbound.write(record) + inbound.write(replace(record, value=b"\n\r{}"))
    lines = list(inbound.lines_of(iter([pieces[:10], pieces[10:]])))
    assert [inbound.read(line) for line in lines] == [record, replace(record, value=b"\n\r{}")]
