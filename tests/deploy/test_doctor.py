"""`convoca doctor` finds each thing that is wrong, on real parts, and says what to do about it."""

import asyncio
import json
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from ssl import SSLContext, create_default_context
from typing import Any

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from confluent_kafka.admin import NewTopic

from deploy import prepare
from deploy.embedded.programs import caddy
from deploy.kafka.admin import admin_client, answered
from deploy.operations.doctor import Finding, Limits, Patient, examine
from services.notifications.settings import SmtpServer
from shared.events.topics import SERVICES
from shared.settings import KafkaSettings
from tests.brokers import Parts
from tests.conftest import MakeUrl
from tests.deploy.command_lines import named, parse
from tests.deploy.running import Catcher, convoca_here, free_port, surroundings
from tests.waiting import eventually

AN_HOUR = timedelta(hours=1)
ROWS = {
    "outbox": "INSERT INTO outbox (event_id, topic, key, type, headers, created_at)"
    " VALUES ('1', 't', 'k', 'x', '', now())",
    "refused": "INSERT INTO outbox (event_id, topic, key, type, headers, created_at, refused)"
    " VALUES ('2', 'catalogue.workshops', 'k', 'x', '', now(), 'MessageSizeTooLargeError')",
    "dead-letters": 'INSERT INTO dead_letters (consumer, source, event_id, reason, detail, topic, partition, "offset",'
    " headers, attempts, at, state) VALUES ('c', 's', '1', 'unreadable', '-', 't', 0, 0, '', 1, now(), 'open')",
    "waiting-place": 'INSERT INTO parked (consumer, topic, partition, "offset", headers, reason, attempts, parked_at,'
    " due_at) VALUES ('c', 't', 0, 0, '', 'unknown-workshop', 1, now(), now())",
    "notices-owed": "INSERT INTO notices (notice_id, event_id, rule, recipient, channel, state, due_at, created_at)"
    " VALUES (gen_random_uuid(), '1', 'r', 'a', 'mail', 'owed', now(), now())",
    "notices-failing": "INSERT INTO notices (notice_id, event_id, rule, recipient, channel, state, reason, due_at,"
    " created_at) SELECT gen_random_uuid(), n::text, 'r', 'a', 'mail', 'failed', 'smtp-550', now(), now()"
    " FROM generate_series(2, 9) n",
}
"""What makes each check of a database find something."""


def of(found: Iterable[Finding], check: str, about: str | None = None) -> list[Finding]:
    return [each for each in found if each.check == check and about in {None, each.about}]


def later() -> datetime:
    return datetime.now(UTC) + AN_HOUR


async def execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute(statement)
    await connection.close()


@pytest_asyncio.fixture
async def patient(parts: Parts, database_url: MakeUrl, tmp_path: Path) -> Patient:
    """Give a deployment of which databases and broker are well, and nothing else is told."""
    databases = {service: await database_url(service) for service in SERVICES}
    kafka = prepare.plain_kafka(parts.kafka)
    await prepare.make_topics(kafka, databases)
    return Patient(databases, kafka, users={}, public_url=None, ready={}, smtp=None, folder=tmp_path)


async def test_where_nothing_is_wrong_nothing_is_found(patient: Patient) -> None:
    found = await examine(patient)
    assert [each for each in found if not each.ok] == []
    assert {each.check for each in found} >= {"settings", "disk", "database", "clock", "size", "migrations", *ROWS}
    assert of(found, "lag")


async def test_each_thing_that_waits_in_a_database_is_found_with_what_to_do(patient: Patient) -> None:
    for statement in ROWS.values():
        await execute(patient.databases["notifications"], statement)
    found = await examine(replace(patient, clock=later))
    for check in ROWS:
        [finding] = of(found, check, "notifications")
        assert not finding.ok
        assert finding.do
        for line in named(finding.do):
            parse(line)
    assert "MessageSizeTooLargeError" in of(found, "refused", "notifications")[0].says
    assert "8 failed smtp-550" in of(found, "notices-failing")[0].says
    assert not [each for each in of(found, "clock") if each.ok]
    assert "3600.0 s" in of(found, "clock", "catalogue")[0].says


async def test_what_has_waited_a_moment_only_is_well(patient: Patient) -> None:
    for check in ("outbox", "waiting-place", "notices-owed"):
        await execute(patient.databases["notifications"], ROWS[check])
    assert [each for each in await examine(patient) if not each.ok] == []


@pytest.mark.parametrize(
    ("revision", "do"),
    [("'0001'", "convoca migrate catalogue"), ("'f000'", "use the newer release"), (None, "convoca migrate")],
)
async def test_a_database_at_another_revision_is_found(patient: Patient, revision: str | None, do: str) -> None:
    change = f"UPDATE alembic_version SET version_num = {revision}" if revision else "DROP TABLE alembic_version"  # noqa: S608
    await execute(patient.databases["catalogue"], change)
    [finding] = of(await examine(patient), "migrations", "catalogue")
    assert not finding.ok
    assert do in str(finding.do)


async def test_databases_that_are_away_or_old_and_a_full_disk_are_found(patient: Patient) -> None:
    away = f"postgresql://x:y@127.0.0.1:{free_port()}/catalogue"
    limits = Limits(postgres=99, free=1.0)
    found = await examine(replace(patient, databases={**patient.databases, "catalogue": away}, limits=limits))
    [gone] = of(found, "database", "catalogue")
    [old] = of(found, "database", "registration")
    assert "does not answer" in gone.says
    assert "too old" in old.says
    assert not [each for each in (gone, old, *of(found, "disk")) if each.ok]


async def test_streams_that_are_missing_misshapen_or_too_few_are_found(patient: Patient, parts: Parts) -> None:
    for name in ("nowhere", "narrow"):
        await execute(
            patient.databases["catalogue"],
            f"INSERT INTO publishers (name, token_hash, created_at) VALUES ('{name}', '{name}', now())",  # noqa: S608
        )
    config = {"retention.ms": "1000", "max.message.bytes": "1048576", "min.insync.replicas": "2"}
    admin = admin_client(prepare.plain_kafka(parts.kafka))
    narrow = "inbound.catalogue.narrow"
    for future in admin.create_topics([NewTopic(narrow, 1, 1, config=config)]).values():
        await answered(future)
    try:
        found = await examine(patient)
    finally:
        for future in admin.delete_topics([narrow]).values():
            await answered(future)
    [missing] = of(found, "topics", "inbound.catalogue.nowhere")
    assert missing.do == "convoca migrate"
    partitions, retention = sorted(each.says for each in of(found, "topics", narrow))
    assert "has 1 partitions, not 6" in partitions
    assert "retention.ms=1000, not 1209600000" in retention
    [copies] = of(found, "copies", narrow)
    assert "nothing can be written" in copies.says


async def test_a_broker_that_is_away_is_found(patient: Patient) -> None:
    found = await examine(replace(patient, kafka=prepare.plain_kafka(f"127.0.0.1:{free_port()}")))
    [finding] = of(found, "kafka")
    assert not finding.ok


@pytest.mark.parametrize(
    ("check", "broken"),
    [
        ("disk", {"folder": Path("/nowhere")}),
        ("certificate", {"public_url": "https://localhost:65536"}),
        ("kafka", {"kafka": KafkaSettings(kafka_servers="x", kafka_security="ssl", kafka_ca_file=Path("/nowhere"))}),
    ],
)
async def test_a_look_that_breaks_says_so_and_all_others_are_heard(
    patient: Patient, check: str, broken: dict[str, Any]
) -> None:
    found = await examine(replace(patient, **broken))
    assert "could not be looked at" in of(found, check)[0].says
    others = {"settings", "disk", "database", "clock", "size", "migrations", "kafka", "topics", "lag", *ROWS}
    of_the_broker = {"kafka", "topics", "lag"} if check == "kafka" else set()
    assert {each.check for each in found if each.ok} >= others - of_the_broker - {check}


async def test_a_consumer_that_takes_nothing_is_found(patient: Patient, parts: Parts) -> None:
    topic = "inbound.registration.slow"
    admin = admin_client(prepare.plain_kafka(parts.kafka))
    for future in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        await answered(future)
    try:
        async with AIOKafkaProducer(bootstrap_servers=parts.kafka) as producer:
            await producer.send_and_wait(topic, b"{}", key=b"k")
        [soon] = of(await examine(patient), "lag", "registration.inbound.registration")
        [late] = of(await examine(replace(patient, clock=later)), "lag", "registration.inbound.registration")
    finally:
        for future in admin.delete_topics([topic]).values():
            await answered(future)
    assert (soon.ok, late.ok) == (True, False)
    assert "60 min" in late.says


@asynccontextmanager
async def answering(status: int, body: bytes) -> AsyncIterator[str]:
    """Answer every request so."""

    async def answer(reads: asyncio.StreamReader, writes: asyncio.StreamWriter) -> None:
        await reads.readuntil(b"\r\n\r\n")
        writes.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s" % (status, len(body), body))
        await writes.drain()
        writes.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_services_that_are_away_or_not_ready_are_found(patient: Patient) -> None:
    async with (
        answering(503, b'{"status": "not ready", "down": ["kafka", "relay"]}') as unready,
        answering(200, b"{}") as up,
    ):
        ready = {"catalogue": unready, "registration": f"http://127.0.0.1:{free_port()}", "notifications": up}
        found = await examine(replace(patient, ready=ready))
    assert "kafka, relay down" in of(found, "service", "catalogue")[0].says
    assert "does not answer" in of(found, "service", "registration")[0].says
    assert [each.ok for each in of(found, "service")] == [False, False, True]


async def test_a_mail_server_that_does_not_take_us_in_is_found(patient: Patient, catcher: Catcher) -> None:
    wanted = {"smtp": catcher.smtp, "smtp+starttls": catcher.smtp, "smtps": free_port()}
    ok = {}
    for scheme, port in wanted.items():
        found = await examine(replace(patient, smtp=SmtpServer("127.0.0.1", port, scheme)))
        ok[scheme] = [each.ok for each in of(found, "smtp")]
    assert ok == {"smtp": [True], "smtp+starttls": [False], "smtps": [False]}
    assert catcher.mails() == []


@asynccontextmanager
async def with_certificate(folder: Path) -> AsyncIterator[tuple[str, SSLContext]]:
    """Run our front door's program with a certificate of its own making; gives address and what believes it."""
    port = free_port()
    (folder / "Caddyfile").write_text(
        "{\n admin off\n skip_install_trust\n auto_https disable_redirects\n}\n"
        f"https://localhost:{port} {{\n bind 127.0.0.1\n tls internal\n respond ok\n}}\n"
    )
    home = {name: str(folder) for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME")}
    front = await asyncio.create_subprocess_exec(
        *(caddy(), "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        env={**os.environ, **home},
    )
    root = folder / "caddy" / "pki" / "authorities" / "local" / "root.crt"

    async def serves() -> bool:
        try:
            _, writer = await asyncio.open_connection("localhost", port, ssl=create_default_context(cafile=str(root)))
        except OSError:
            return False
        writer.close()
        return True

    try:
        await eventually(serves, "a front door with a certificate")
        yield f"https://localhost:{port}", create_default_context(cafile=str(root))
    finally:
        front.terminate()
        await front.wait()


async def test_a_certificate_that_ends_soon_or_is_not_believed_is_found(patient: Patient, tmp_path: Path) -> None:
    async with with_certificate(tmp_path) as (url, tls):
        limits = Limits(certificate=timedelta(minutes=1))
        [good] = of(await examine(replace(patient, public_url=url, tls=tls, limits=limits)), "certificate")
        [soon] = of(await examine(replace(patient, public_url=url, tls=tls)), "certificate")
        [strange] = of(await examine(replace(patient, public_url=url)), "certificate")
    [gone] = of(await examine(replace(patient, public_url=url, tls=tls)), "certificate")
    assert [each.ok for each in (good, soon, strange, gone)] == [True, False, False, False]
    assert "not believed" in strange.says
    assert "does not answer" in gone.says


def test_a_command_that_is_told_half_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in surroundings(CONVOCA_KAFKA_SERVERS=f"127.0.0.1:{free_port()}").items():
        monkeypatch.setenv(name, value)
    code, out, _ = convoca_here(monkeypatch, "doctor", "--json", folder=tmp_path)
    answer: dict[str, Any] = json.loads(out)
    assert (code, answer["ok"]) == (1, False)
    missing = {each["about"] for each in answer["findings"] if each["check"] == "settings"}
    services = {f"CONVOCA_{service.upper()}_DATABASE_URL" for service in SERVICES}
    assert missing == {*services, "CONVOCA_PUBLIC_URL", "CONVOCA_SMTP_URL", "CONVOCA_SECRET_KEY"}


def test_each_of_several_processes_of_a_service_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    several = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    told = {"CONVOCA_KAFKA_SERVERS": f"127.0.0.1:{free_port()}", "CONVOCA_CATALOGUE_UPSTREAM": " ".join(several)}
    for name, value in surroundings(**told).items():
        monkeypatch.setenv(name, value)
    _, out, _ = convoca_here(monkeypatch, "doctor", "--json", folder=tmp_path)
    found = [each for each in json.loads(out)["findings"] if each["check"] == "service"]
    assert [each["about"] for each in found] == [f"catalogue at {upstream}" for upstream in several]
    assert all(f"http://{at}/" in each["says"] for at, each in zip(several, found, strict=True))
