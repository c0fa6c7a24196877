"""Who may write what on the running broker, tried with the very passwords that the deployment has."""

import pytest

from deploy.kafka.access import Login
from shared.events.topics import OWN, SEATS, SERVICES, WORKSHOPS
from tests.compose.deployed import REFUSED, WRITTEN, Deployed, record
from tests.system.offers import workshop

SHUT = "KafkaConnectionError"
"""What aiokafka makes of a login that is refused."""


def login(stack: Deployed, user: str, secret: str) -> Login:
    password = (stack.deployment.folder / "secrets" / secret).read_text(encoding="utf-8").strip()
    return Login(servers="kafka:9092", security="sasl_plaintext", username=user, password=password)


async def test_a_publisher_writes_its_own_stream_and_nowhere_else(stack: Deployed) -> None:
    cms, other = await stack.let_in("catalogue"), await stack.let_in("registration")
    strange = [other.topic, f"{cms.topic}.more", WORKSHOPS.name, "dead-letters.catalogue", "registration.people"]
    tried = await stack.write(cms.kafka, *map(record, [cms.topic, *strange]))
    assert tried == [WRITTEN, *[REFUSED for _ in strange]]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_cannot_write_what_is_anothers(stack: Deployed, service: str) -> None:
    own = login(stack, service, f"{service}_kafka_password")
    strange = [topic.name for other in SERVICES if other != service for topic in OWN[other]]
    assert set(await stack.write(own, *map(record, strange))) == {REFUSED}


async def test_nobody_is_let_in_by_anothers_password(stack: Deployed) -> None:
    cms, other = await stack.let_in("catalogue"), await stack.let_in("catalogue")
    assert await stack.write(cms.kafka, record(cms.topic)) == [WRITTEN]
    assert await stack.write(cms.kafka.model_copy(update={"password": other.kafka.password}), record(cms.topic)) == [
        SHUT
    ]


@pytest.mark.parametrize("service", SERVICES)
async def test_a_role_reaches_its_own_database_only(stack: Deployed, service: str) -> None:
    url = (stack.deployment.folder / "secrets" / f"{service}_database_url").read_text(encoding="utf-8").strip()
    for database in (*SERVICES, "postgres", "template1"):
        there = f"{url.rpartition('/')[0]}/{database}"
        ran = await stack.deployment.run("ops", there, "-Atc", "SELECT 1", options=("--entrypoint", "psql"))
        assert (ran.out.strip() == "1") == (database == service), ran.err


async def test_a_password_is_changed_by_its_files_and_migrate(stack: Deployed) -> None:
    folder, word = stack.deployment.folder / "secrets", "another-word-for-the-catalogue"
    old = login(stack, "catalogue", "catalogue_kafka_password")
    (folder / "catalogue_kafka_password").write_text(f"{word}\n", encoding="utf-8")
    (folder / "catalogue_database_url").write_text(f"postgresql://catalogue:{word}@postgres:5432/catalogue\n")
    (await stack.deployment.run("migrate")).well()
    (await stack.deployment.compose("up", "--detach", "--wait", "--force-recreate", "catalogue")).well()
    assert await stack.write(old, record(SEATS.name)) == [SHUT]
    assert await stack.write(login(stack, "catalogue", "catalogue_kafka_password"), record(SEATS.name)) == [REFUSED]
    await stack.offer(workshop())  # which the catalogue writes, and says to registration
