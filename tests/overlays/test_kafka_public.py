"""Outside systems on Kafka, by TLS, from this machine: what they are told and what they may, and no other way in."""

import asyncio
import os
import shutil
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaConnectionError, KafkaError
from cloudevents.core.bindings.kafka import to_binary_event

from deploy.cli.outside import Reader
from deploy.kafka.access import Login
from deploy.kafka.rights import OFFERED
from shared.events.topics import WORKSHOPS
from tests.compose.deployed import REFUSED, WRITTEN, Deployed, record
from tests.deploy.running import free_port
from tests.overlays.authority import bring
from tests.overlays.conftest import Deploying
from tests.system.offers import workshop
from tests.system.outside import said
from tests.system.people import Person, request

PATIENCE = 60.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def public(deploying: Deploying) -> AsyncIterator[Deployed]:
    """Give the running deployment."""
    port = str(free_port())
    async with deploying("kafka-public", bring=bring, CONVOCA_KAFKA_PORT=port) as stack:
        assert stack.deployment.settings["CONVOCA_KAFKA_PORT"] == port
        yield stack


def by(login: Login) -> dict[str, Any]:
    """Give the arguments of aiokafka's clients, as deploy/outside.md does."""
    return {
        "bootstrap_servers": login.servers,
        "security_protocol": login.security.upper(),
        "sasl_mechanism": login.mechanism,
        "sasl_plain_username": login.username,
        "sasl_plain_password": login.password,
        "ssl_context": ssl.create_default_context(cadata=login.ca),
        "request_timeout_ms": 10_000,
    }


async def writes(login: Login, *topics: str) -> list[str]:
    """Tell what becomes of a record for each topic."""
    tried = []
    async with AIOKafkaProducer(**by(login)) as producer:
        for topic in topics:
            try:
                await producer.send_and_wait(topic, b"a record", key=b"a key")
                tried.append(WRITTEN)
            except KafkaError as error:
                tried.append(type(error).__name__)
    return tried


async def test_a_publisher_is_told_the_way_from_outside(public: Deployed) -> None:
    cms = await public.let_in("catalogue")
    authority = (public.deployment.folder / "certificates" / "kafka-ca.crt").read_text(encoding="ascii")
    port = public.deployment.settings["CONVOCA_KAFKA_PORT"]
    assert (cms.kafka.servers, cms.kafka.security, cms.kafka.mechanism) == (
        f"localhost:{port}",
        "sasl_ssl",
        "SCRAM-SHA-512",
    )
    assert cms.kafka.ca == authority


async def test_from_outside_a_publisher_writes_its_own_stream_and_nowhere_else(public: Deployed) -> None:
    cms, other = await public.let_in("catalogue"), await public.let_in("registration")
    strange = [other.topic, WORKSHOPS.name, "dead-letters.catalogue", "registration.people"]
    assert await writes(cms.kafka, cms.topic, *strange) == [WRITTEN, *[REFUSED for _ in strange]]


async def test_what_comes_from_outside_is_taken_and_what_we_say_is_read_there(public: Deployed) -> None:
    crm, person = await public.let_in("registration"), Person()
    printed = await public.convoca("reader", "add", "city-site", "--topic", WORKSHOPS.name, "--json")
    site = Reader.model_validate_json(printed)
    offered = await public.offer(workshop())
    message = to_binary_event(said(crm, "enrolment.requested", request(str(offered.id), person)))
    headers = [(name, value) for name, value in message.headers.items()]
    async with AIOKafkaProducer(**by(crm.kafka)) as producer:
        await producer.send_and_wait(crm.topic, message.value, key=b"a key", headers=headers)
    (mail,) = await public.told(person, 1)
    assert offered.title["ca"] in mail.subject
    reading = {"group_id": site.groups, "auto_offset_reset": "earliest"}
    async with AIOKafkaConsumer(WORKSHOPS.name, **by(site.kafka), **reading) as consumer, asyncio.timeout(PATIENCE):
        while str(offered.id) not in str((await consumer.getone()).value):
            pass
    assert await writes(site.kafka, WORKSHOPS.name) == [REFUSED]


@pytest.mark.parametrize("wrong", ["password", "authority", "user"])
async def test_who_is_not_known_or_does_not_know_us_is_not_let_in(public: Deployed, tmp_path: Path, wrong: str) -> None:
    cms = (await public.let_in("catalogue")).kafka
    if wrong == "authority":
        for name in ("certificates", "secrets"):
            (tmp_path / name).mkdir()
        bring(tmp_path)
        cms = cms.model_copy(update={"ca": (tmp_path / "certificates" / "kafka-ca.crt").read_text(encoding="ascii")})
    elif wrong == "password":
        cms = cms.model_copy(update={"password": "not this one"})
    else:
        cms = cms.model_copy(update={"username": "publisher.catalogue.nobody"})
    producer = AIOKafkaProducer(**by(cms))
    try:
        with pytest.raises(KafkaError):
            await producer.start()
    finally:
        await producer.stop()


async def test_there_is_no_way_from_outside_without_tls(public: Deployed) -> None:
    bindings = (await public.deployment.inspect("kafka"))["HostConfig"]["PortBindings"]
    published = {port: [(each["HostIp"], each["HostPort"]) for each in places] for port, places in bindings.items()}
    port = public.deployment.settings["CONVOCA_KAFKA_PORT"]
    assert published == {"9094/tcp": [("127.0.0.1", port)]}
    cms = (await public.let_in("catalogue")).kafka
    plain = by(cms) | {"security_protocol": "SASL_PLAINTEXT", "ssl_context": None}
    producer = AIOKafkaProducer(**plain)
    try:
        with pytest.raises(KafkaConnectionError):
            await producer.start()
    finally:
        await producer.stop()


async def test_inside_nothing_has_changed(public: Deployed) -> None:
    word = (public.deployment.folder / "secrets" / "catalogue_kafka_password").read_text(encoding="utf-8").strip()
    own = Login(servers="kafka:9092", security="sasl_plaintext", username="catalogue", password=word)
    assert await public.write(own, record(OFFERED[WORKSHOPS.name].name), record("registration.people")) == [
        WRITTEN,
        REFUSED,
    ]


@pytest.mark.parametrize("expected", ["kafka_key", "is no key as PKCS #8"])
async def test_kafka_says_what_is_wrong_with_its_certificate(public: Deployed, expected: str) -> None:
    key = public.deployment.folder / "secrets" / "kafka_key"
    kept = key.rename(key.with_name("kept"))
    try:
        if expected != "kafka_key":
            shutil.copy2(kept, key)
            key.write_text(kept.read_text("ascii").replace("BEGIN PRIVATE", "BEGIN RSA PRIVATE"), encoding="ascii")
            os.chown(key, -1, kept.stat().st_gid)
        ran = await public.deployment.run("kafka", options=("--no-deps",))
    finally:
        kept.replace(key)
    assert ran.code != 0
    assert expected in ran.err, ran.err
